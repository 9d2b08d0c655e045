"""A hub on loopback with the doors of two: Hugging Face (/api/models, /resolve) and ModelScope (/api/v1).

    python tests/doubles/hub_server.py ROOT

ROOT/<kind>s/<owner>/<name>/<commit>/... are the files, ROOT/<kind>s/<owner>/<name>/refs.json names the commits of
branches and tags. Files that end in .bin are large ones (LFS): their bytes lie on a second port, as on a CDN, and the
first redirects to it. ROOT/hub.json is read at every request:

    {"moved": {"old/name": "new/name"}, "secret": {"owner/name": "token"}, "gated": ["owner/name"],
     "faults": {"file.bin": {"cut": 10} | {"short": 10} | {"change": true} | {"stall": 5} | {"pause": 0.01},
                "listing": {"stall": 5} | {"status": 503}},
     a file or "listing" may also be {"redirect": "http://..."}, and ModelScope's "listing" {"page": true}: no JSON}

Writes ROOT/ports (`<hub> <cdn>`) when it answers, and one line a request to ROOT/requests.log:
`<METHOD> <path> <range or -> <who: `token` or `anonymous`>`.
"""

import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = Path(sys.argv[1])
PORTS = {}
LOG = threading.Lock()
KINDS = {"models": "model", "datasets": "dataset"}


def config():
    path = ROOT / "hub.json"
    return json.loads(path.read_text()) if path.exists() else {}


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def contents(home):
    """Path, bytes and sha256 of every file of a commit."""
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        data = path.read_bytes()
        yield path.relative_to(home).as_posix(), data, hashlib.sha256(data).hexdigest()


class Refused(Exception):
    def __init__(self, status, code=None, **headers):
        super().__init__(status)
        self.status, self.headers = status, {**({"X-Error-Code": code} if code else {}), **headers}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.url = urlsplit(self.path)
        self.parts = [unquote(part) for part in self.url.path.strip("/").split("/")]
        self.query = {k: v[0] for k, v in parse_qs(self.url.query).items()}
        who = "token" if self.headers.get("Authorization") else "anonymous"
        with LOG, (ROOT / "requests.log").open("a") as log:
            log.write(f"{self.command} {unquote(self.path)} {self.headers.get('Range', '-')} {who}\n")
        try:
            self.route()
        except Refused as refused:
            self.reply(refused.status, b"{}", refused.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def route(self):
        match self.parts:
            case ["api", "v1", kind, owner, name, *rest] if kind in KINDS:
                self.modelscope(kind, f"{owner}/{name}", rest)
            case ["api", kind, owner, name, "tree", revision] if kind in KINDS:
                self.tree(kind, f"{owner}/{name}", revision)
            case ["api", kind, owner, name, *rest] if kind in KINDS:
                self.info(kind, f"{owner}/{name}", "/".join(rest[1:]) if rest else "main")
            case ["datasets", owner, name, "resolve", revision, *path]:
                self.resolve("datasets", f"{owner}/{name}", revision, "/".join(path))
            case [owner, name, "resolve", revision, *path]:
                self.resolve("models", f"{owner}/{name}", revision, "/".join(path))
            case ["cdn", kind, owner, name, commit, *path]:
                self.bytes(ROOT / kind / owner / name / commit / "/".join(path), {})
            case _:
                raise Refused(404)

    def folder(self, kind, repository, revision):
        """The commit that is asked for, and its folder, unless the caller may not see it."""
        rules = config()
        if to := rules.get("moved", {}).get(repository):
            raise Refused(307, Location=self.path.replace(repository, to))
        token = rules.get("secret", {}).get(repository)
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            raise Refused(401)
        if repository in rules.get("gated", []):
            raise Refused(403, "GatedRepo")
        home = ROOT / kind / repository
        if not home.is_dir():
            raise Refused(404, "RepoNotFound")
        commit = json.loads((home / "refs.json").read_text()).get(revision, revision)
        if not (home / commit).is_dir():
            raise Refused(404, "RevisionNotFound")
        return commit, home / commit

    def info(self, kind, repository, revision):
        commit, home = self.folder(kind, repository, revision)
        self.fault("listing")
        siblings = []
        for name, data, sha256 in contents(home):
            lfs = {"lfs": {"sha256": sha256, "size": len(data), "pointerSize": 130}} if name.endswith(".bin") else {}
            siblings.append({"rfilename": name, "size": len(data), "blobId": git_sha1(data), **lfs})
        answer = {"id": repository, "sha": commit, "siblings": siblings, "private": False, "tags": []}
        self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def tree(self, kind, repository, revision):
        _, home = self.folder(kind, repository, revision)
        entries = []
        for name, data, sha256 in contents(home):
            lfs = {"lfs": {"oid": sha256, "size": len(data), "pointerSize": 130}} if name.endswith(".bin") else {}
            entries.append({"type": "file", "path": name, "size": len(data), "oid": git_sha1(data), **lfs})
        self.reply(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def resolve(self, kind, repository, revision, name):
        commit, home = self.folder(kind, repository, revision)
        if not (home / name).is_file():
            raise Refused(404, "EntryNotFound", **{"X-Repo-Commit": commit})
        data = (home / name).read_bytes()
        headers = {"X-Repo-Commit": commit}
        if name.endswith(".bin"):
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(data).hexdigest()}"'
            headers["X-Linked-Size"] = str(len(data))
            headers["Location"] = f"http://127.0.0.1:{PORTS['cdn']}/cdn/{kind}/{repository}/{commit}/{name}"
            return self.reply(302, b"", headers)
        return self.bytes(home / name, {**headers, "ETag": f'"{git_sha1(data)}"'})

    def modelscope(self, kind, repository, rest):
        revision = self.query.get("Revision", "master")
        try:
            commit, home = self.folder(kind, repository, revision)
        except Refused as refused:
            if refused.headers.get("X-Error-Code") != "RevisionNotFound":
                raise
            return self.reply(200, b'{"Code": 200, "Data": {"Files": null}}')
        if rest == ["repo"]:
            name = self.query["FilePath"]
            if name.endswith(".bin"):
                where = f"http://127.0.0.1:{PORTS['cdn']}/cdn/{kind}/{repository}/{commit}/{name}"
                return self.reply(302, b"", {"Location": where})
            return self.bytes(home / name, {})
        if self.fault("listing").get("page"):
            return self.reply(200, b"<html>please log in</html>")
        files = []
        for number, path in enumerate(sorted(home.rglob("*"))):
            entry = {"Path": path.relative_to(home).as_posix(), "Name": path.name, "Type": "tree"}
            if path.is_file():
                data = path.read_bytes()
                entry |= {"Type": "blob", "Size": len(data), "Sha256": hashlib.sha256(data).hexdigest()}
            older = hashlib.sha1(b"an earlier commit").hexdigest()
            entry |= {"Revision": older if number else commit, "CommittedDate": 1_700_000_000 + (0 if number else 60)}
            files.append(entry)
        return self.reply(200, json.dumps({"Code": 200, "Data": {"Files": files}}).encode())

    def fault(self, name):
        """What is wrong with a file today; waits or refuses at once where that is the fault."""
        wrong = config().get("faults", {}).get(name, {})
        if "status" in wrong:
            raise Refused(wrong["status"])
        if "redirect" in wrong:
            raise Refused(302, Location=wrong["redirect"])
        if name == "listing" and "stall" in wrong:
            time.sleep(wrong["stall"])
        return wrong

    def bytes(self, path, headers):
        data, wrong = path.read_bytes(), self.fault(path.name)
        if wrong.get("change"):
            data = data[:-1] + bytes([data[-1] ^ 1])
        if "short" in wrong and self.command == "GET":  # an honest length, of too little
            data = data[: wrong["short"]]
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        body, size = data[start:], len(data)
        self.send_response(206 if start else 200)
        if start:
            headers = {**headers, "Content-Range": f"bytes {start}-{size - 1}/{size}"}
        for name, value in {**headers, "Accept-Ranges": "bytes", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if "cut" in wrong:  # says all and sends less
            self.wfile.write(body[: max(0, wrong["cut"] - start)])
            self.wfile.flush()
            self.close_connection = True
            return
        if "stall" in wrong:
            self.wfile.write(body[:1])
            self.wfile.flush()
            time.sleep(wrong["stall"])
        for at in range(0, len(body), 1 << 16):
            self.wfile.write(body[at : at + (1 << 16)])
            time.sleep(wrong.get("pause", 0))


def main():
    servers = {name: ThreadingHTTPServer(("127.0.0.1", 0), Handler) for name in ("hub", "cdn")}
    PORTS.update({name: server.server_address[1] for name, server in servers.items()})
    (ROOT / "ports.tmp").write_text(f"{PORTS['hub']} {PORTS['cdn']}")
    threading.Thread(target=servers["cdn"].serve_forever, daemon=True).start()
    (ROOT / "ports.tmp").rename(ROOT / "ports")
    servers["hub"].serve_forever()


if __name__ == "__main__":
    main()
