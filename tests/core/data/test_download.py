"""`dr data download` and `dr data list NAME`, against a hub that runs as a program of its own on loopback."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FIRST, SECOND = "1" * 40, "2" * 40
BIG = bytes(range(256)) * 12_000
"""3 MB."""

FILES = {
    "corpus.jsonl": b'{"id": "d1", "text": "a"}\n',
    "qrels/test.tsv": b"q1\td1\t1\n",
    "model.bin": BIG,
    "empty.txt": b"",
}


SERVE = """
import contextlib, io, json, os, sys
import cli.commands.download, cli.main
for line in sys.stdin:
    call = json.loads(line)
    os.chdir(call["in"])
    os.environ.pop("HF_TOKEN", None)
    os.environ.update(call["env"])
    sys.argv = ["dr", *call["argv"]]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main.main()
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
"""`dr` for many calls in one process, which has imported the libraries once."""


class Machine:
    """A hub, and a process in which `dr` reaches it; both serve all tests of this file."""

    def __init__(self, home):
        self.root, self.home = home / "hub", home
        self.root.mkdir()
        self.server = subprocess.Popen([sys.executable, str(ROOT / "tests/doubles/hub_server.py"), str(self.root)])
        while not (self.root / "ports").exists():
            assert self.server.poll() is None
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{(self.root / 'ports').read_text().split()[0]}"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.dr = subprocess.Popen([sys.executable, "-c", SERVE], env=self.environment(), **pipes)

    def environment(self, **more):
        clean = {
            k: v for k, v in os.environ.items() if not k.startswith(("HF_", "MODELSCOPE_")) and "proxy" not in k.lower()
        }
        ours = {"HF_ENDPOINT": self.url, "HF_HOME": str(self.home / "hf"), "PYTHONPATH": str(ROOT)}
        theirs = {"MODELSCOPE_ENDPOINT": self.url, "MODELSCOPE_HOME": str(self.home / "ms")}
        return {**clean, **ours, **theirs, "MODELSCOPE_CACHE": str(self.home / "mc"), **more}

    def end(self):
        for process in (self.dr, self.server):
            process.kill()
            process.communicate()


class Hub:
    """The machine as one test sees it: with its own working directory, and the hub as new."""

    def __init__(self, machine, home):
        self.machine, self.home, self.root, self.url = machine, home, machine.root, machine.url
        self.rule()
        self.add("datasets", "acme/notes", FIRST, FILES)
        self.forget()

    def add(self, kind, repository, commit, files):
        folder = self.root / kind / repository
        for name, data in files.items():
            (folder / commit / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / commit / name).write_bytes(data)
        (folder / "refs.json").write_text(json.dumps({"main": commit, "master": commit, "v1": FIRST}))

    def rule(self, **rules):
        (self.root / "hub.tmp").write_text(json.dumps(rules))
        (self.root / "hub.tmp").rename(self.root / "hub.json")

    def requests(self):
        return (self.root / "requests.log").read_text().splitlines()

    def fetched(self):
        """Names of the files whose bytes were asked for."""
        asked = [line.split() for line in self.requests() if line.startswith("GET") and _is_file(line)]
        return {name for _, path, *_ in asked for name in FILES if path.endswith((f"/{name}", f"={name}"))}

    def forget(self):
        (self.root / "requests.log").write_text("")

    def environment(self, **more):
        return self.machine.environment(**{"HF_HOME": str(self.home / "hf"), **more})

    def start(self, *argv, **env):
        """A process of its own: to be killed, or with other settings, which the libraries read when imported."""
        code = "import cli.commands.download, cli.main; cli.main.main()"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [sys.executable, "-c", code, "data", *argv]
        return subprocess.Popen(command, env=self.environment(**env), cwd=self.home, **pipes)

    def dr(self, *argv, **env):
        """Exit code, stdout, stderr."""
        if env.keys() - {"HF_TOKEN"}:
            child = self.start(*argv, **env)
            out, err = child.communicate(timeout=120)
            return child.returncode, out, err
        call = {"argv": ["data", *argv], "in": str(self.home), "env": env}
        self.machine.dr.stdin.write(json.dumps(call) + "\n")
        self.machine.dr.stdin.flush()
        return tuple(json.loads(self.machine.dr.stdout.readline()))

    def download(self, *argv, out="out", **env):
        return self.dr("download", "acme/notes", "--kind", "dataset", "--out", out, *argv, **env)

    def manifest(self, out="out"):
        return json.loads((self.home / out / "manifest.json").read_text())

    def files(self, out="out"):
        folder = self.home / out / "files"
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _is_file(line):
    return "/resolve/" in line or "/cdn/" in line or "FilePath=" in line


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine"))
    yield machine
    machine.end()


@pytest.fixture
def hub(machine, tmp_path):
    return Hub(machine, tmp_path)


BOTH = pytest.mark.parametrize("name", ["huggingface", "modelscope"])


@BOTH
def test_a_download_holds_the_files_and_says_where_they_came_from(hub, name):
    code, out, err = hub.download("--hub", name)
    assert (code, out) == (0, "out\n"), err
    assert hub.files() == FILES
    stats = hub.manifest()["stats"]
    assert stats["checked"] == ({"sha256": 4} if name == "modelscope" else {"git": 3, "sha256": 1})
    del stats["checked"]
    assert stats == {
        "hub": name,
        "repository": "acme/notes",
        "kind": "dataset",
        "revision": None,
        "commit": FIRST,
        "from": hub.url,
        "files": 4,
        "bytes": sum(map(len, FILES.values())),
    }
    assert not (hub.home / "out" / "incoming").exists()
    hub.forget()
    assert hub.download("--hub", name)[0] == 0
    assert hub.requests() == []  # up to date: nobody is asked


def test_both_hubs_give_the_same_artifact(hub):
    for name in ("huggingface", "modelscope"):
        assert hub.download("--hub", name, out=name)[0] == 0
    assert hub.manifest("huggingface")["digest"] == hub.manifest("modelscope")["digest"]


@BOTH
def test_the_files_are_listed_without_fetching_one(hub, name):
    code, out, err = hub.dr("list", "acme/notes", "--kind", "dataset", "--hub", name, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["commit"] == FIRST
    assert {file["path"]: file["bytes"] for file in answer["files"]} == {k: len(v) for k, v in FILES.items()}
    assert hub.fetched() == set()
    code, out, _ = hub.dr("list", "acme/notes", "--kind", "dataset", "--hub", name)
    assert "qrels/test.tsv" in out
    assert f"4 files, {sum(map(len, FILES.values())):,} bytes" in out


@pytest.mark.parametrize(
    ("name", "end"), [("huggingface", signal.SIGKILL), ("modelscope", signal.SIGKILL), ("huggingface", signal.SIGTERM)]
)
def test_a_stopped_download_goes_on_at_its_commit_and_fetches_only_what_is_owed(hub, name, end):
    hub.rule(faults={"model.bin": {"pause": 0.1}})  # 47 pieces: 4.7 s
    child = hub.start("download", "acme/notes", "--kind", "dataset", "--out", "out", "--hub", name)
    small = hub.home / "out.partial" / "files"
    while not {"corpus.jsonl", "empty.txt", "test.tsv"} <= {p.name for p in small.rglob("*")}:
        time.sleep(0.02)
        assert child.poll() is None
    child.send_signal(end)
    child.communicate()
    assert child.returncode == (143 if end == signal.SIGTERM else -signal.SIGKILL)
    assert not (hub.home / "out").exists()
    hub.rule()
    hub.add(
        "datasets", "acme/notes", SECOND, {name: data[::-1] + b"!" for name, data in FILES.items()}
    )  # the branch moves on
    hub.forget()
    code, _, err = hub.download("--hub", name)
    assert code == 0, err
    assert hub.fetched() == {"model.bin"}
    assert hub.files() == FILES
    assert hub.manifest()["stats"]["commit"] == FIRST


@pytest.mark.parametrize("fault", [{"change": True}, {"short": 10}])
@pytest.mark.parametrize("file", ["model.bin", "corpus.jsonl"])
def test_a_file_that_arrives_broken_is_named_and_fetched_again(hub, fault, file):
    hub.rule(faults={file: fault})
    code, _, err = hub.download()
    assert code == 1
    assert f"`{file}` did not arrive whole" in err
    assert not (hub.home / "out").exists()
    hub.rule()
    hub.forget()
    assert hub.download()[0] == 0
    assert hub.fetched() == {file}
    assert hub.files() == FILES


@pytest.mark.slow  # the library itself tries again, with pauses
@BOTH
def test_a_connection_that_breaks_off_is_an_error_that_names_the_file(hub, name):
    hub.rule(faults={"model.bin": {"cut": 10}})
    code, _, err = hub.download("--hub", name, MODELSCOPE_DOWNLOAD_MAX_RETRIES="1")
    assert code in {1, 3}
    assert "model.bin" in err
    assert "Traceback" not in err
    hub.rule()
    assert hub.download("--hub", name)[0] == 0


@pytest.mark.slow  # the library itself tries again, with pauses
def test_modelscope_files_are_held_against_their_checksum(hub):
    hub.rule(faults={"model.bin": {"change": True}})
    code, _, err = hub.download("--hub", "modelscope")
    assert (code, "`model.bin` did not arrive whole" in err) == (1, True)


@pytest.mark.slow  # the library itself tries again, with pauses
def test_a_file_that_stalls_ends_the_wait(hub):
    hub.rule(faults={"model.bin": {"stall": 60}})
    code, _, err = hub.download(HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert (code, "does not answer" in err, "model.bin" in err) == (3, True, True)


def test_a_hub_that_stalls_is_not_waited_for(hub):
    hub.rule(faults={"listing": {"stall": 60}})
    code, _, err = hub.download(HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert (code, "does not answer" in err) == (3, True)
    assert not (hub.home / "out.partial").exists()


@BOTH
def test_a_hub_that_cannot_be_reached_is_one_sentence(hub, name):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        code, out, err = hub.download("--hub", name, HF_ENDPOINT=url, MODELSCOPE_ENDPOINT=url)
    assert (code, out) == (3, "")
    assert err.startswith(f"error: {url} does not answer")
    assert not (hub.home / "out.partial").exists()


@pytest.mark.parametrize("fault", [{"redirect": "nowhere://x/y"}, {"page": True}])
def test_a_listing_that_the_transport_itself_refuses_is_the_same_sentence(hub, fault):
    hub.rule(faults={"listing": fault})
    code, out, err = hub.download("--hub", "modelscope")
    assert (code, out) == (3, "")
    assert err.startswith(f"error: {hub.url} does not answer (")
    assert not (hub.home / "out").exists()


def test_a_file_that_the_transport_itself_refuses_is_the_same_sentence(hub):
    hub.rule(faults={"corpus.jsonl": {"redirect": "nowhere://x/y"}})
    code, _, err = hub.download("--hub", "modelscope", MODELSCOPE_DOWNLOAD_MAX_RETRIES="1")
    assert (code, "does not answer" in err, "corpus.jsonl" in err) == (3, True, True)
    hub.rule()
    assert hub.download("--hub", "modelscope")[0] == 0


def test_redirects_are_followed_and_the_token_stays_with_the_hub(hub):
    hub.rule(secret={"acme/notes": "hf_very_secret"}, moved={"old/notes": "acme/notes"})
    code, out, err = hub.dr("download", "old/notes", "--kind", "dataset", "--out", "out", HF_TOKEN="hf_very_secret")
    assert code == 0, err
    assert hub.files() == FILES
    to_cdn = [line for line in hub.requests() if "/cdn/" in line]
    assert to_cdn
    assert all(line.endswith(" anonymous") for line in to_cdn)
    written = b"".join(p.read_bytes() for p in (hub.home / "out").rglob("*") if p.is_file())
    assert "hf_very_secret" not in out + err + written.decode("latin-1")


@pytest.mark.parametrize(
    ("rules", "argv", "code", "said"),
    [
        ({}, ["acme/nothing", "--kind", "dataset"], 2, "there is no dataset `acme/nothing`"),
        ({}, ["acme/notes", "--kind", "model"], 2, "is it a dataset (--kind dataset)?"),
        ({}, ["BeIR/scifact"], 2, "there is no dataset `BeIR/scifact`"),
        ({}, ["BeIR/scifacts", "--kind", "dataset"], 2, "did you mean `BeIR/scifact`"),
        ({}, ["acme/notes", "--kind", "dataset", "--revision", "v9"], 2, "has no revision `v9`"),
        ({"gated": ["acme/notes"]}, ["acme/notes", "--kind", "dataset"], 3, "is gated"),
        ({"secret": {"acme/notes": "x"}}, ["acme/notes", "--kind", "dataset"], 3, "set HF_TOKEN"),
        ({"faults": {"listing": {"status": 503}}}, ["acme/notes", "--kind", "dataset"], 3, "(HTTP 503)"),
        ({"faults": {"listing": {"status": 429}}}, ["acme/notes", "--kind", "dataset"], 3, "(HTTP 429)"),
        ({}, ["acme/nothing", "--kind", "dataset", "--hub", "modelscope"], 2, "there is no dataset `acme/nothing`"),
        ({}, ["acme/notes", "--kind", "dataset", "--hub", "modelscope", "--revision", "v9"], 2, "at revision `v9`"),
        ({"secret": {"acme/notes": "x"}}, ["acme/notes", "--kind", "dataset", "--hub", "modelscope"], 3, "_API_TOKEN"),
        ({}, ["nobody-knows", "--kind", "dataset"], 2, "no repository is known by the name"),
        ({}, ["acme/notes"], 2, "a dataset or a model?"),
        ({}, ["acme/notes", "--kind", "data"], 2, "`kind`: input should be 'dataset' or 'model'"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_work_says_why(hub, rules, argv, code, said):
    hub.rule(**rules)
    ended, _, err = hub.dr("list", *argv)
    assert (ended, said in err) == (code, True), err
    assert "Traceback" not in err


def test_a_revision_is_resolved_before_the_first_byte(hub):
    hub.add("datasets", "acme/notes", SECOND, {"corpus.jsonl": b"newer\n"})
    assert hub.download("--revision", "v1", "--include", "corpus.jsonl")[0] == 0
    assert hub.files() == {"corpus.jsonl": FILES["corpus.jsonl"]}
    assert (hub.manifest()["stats"]["revision"], hub.manifest()["stats"]["commit"]) == ("v1", FIRST)
    assert all(FIRST in line for line in hub.requests() if _is_file(line))
    assert hub.download("--include", "corpus.jsonl", out="new")[0] == 0
    assert (hub.files("new"), hub.manifest("new")["stats"]["commit"]) == ({"corpus.jsonl": b"newer\n"}, SECOND)


def test_patterns_choose_the_files(hub):
    assert hub.download("--include", "qrels/", "--include", "*.txt", out="a")[0] == 0
    assert set(hub.files("a")) == {"qrels/test.tsv", "empty.txt"}
    assert hub.download("--exclude", "*.bin", "--exclude", "qrels/*", out="b")[0] == 0
    assert set(hub.files("b")) == {"corpus.jsonl", "empty.txt"}
    code, _, err = hub.download("--include", "*.parquet", out="c")
    assert (code, "no file of the dataset `acme/notes` is chosen; it holds corpus.jsonl" in err) == (2, True)
    assert not (hub.home / "c.partial").exists()


def test_what_the_hubs_own_tools_left_on_a_machine_gives_the_same_artifact_on_another(hub):
    # An independent implementation fetches: the library's own snapshot, into its cache and into a plain folder.
    code = (
        "import huggingface_hub as h; h.snapshot_download('acme/notes', repo_type='dataset')\n"
        "h.snapshot_download('acme/notes', repo_type='dataset', local_dir='plain')"
    )
    subprocess.run([sys.executable, "-c", code], env=hub.environment(), cwd=hub.home, check=True, capture_output=True)
    assert hub.download(out="online")[0] == 0
    hub.forget()
    ways = {
        "cache": ["--from-dir", "hf/hub"],
        "home": ["--from-dir", "hf"],
        "plain": ["--from-dir", "plain"],
        "artifact": ["--from-dir", "online"],
    }
    for name, argv in ways.items():
        ended, _, err = hub.download(*argv, out=f"from-{name}")
        assert ended == 0, err
    assert hub.download(out="from-offline", HF_HUB_OFFLINE="1")[0] == 0
    for name in (*ways, "offline"):
        assert hub.manifest(f"from-{name}")["digest"] == hub.manifest("online")["digest"]
        assert hub.manifest(f"from-{name}")["stats"]["commit"] == FIRST
        assert "none" not in hub.manifest(f"from-{name}")["stats"]["checked"]
    assert hub.requests() == []


def test_a_copied_folder_is_held_against_its_own_list(hub):
    folder = hub.home / "copied"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"damaged on the way\n")
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(b'as it was').hexdigest()}  a.txt\n")
    code, _, err = hub.download("--from-dir", "copied")
    assert (code, "`a.txt` did not arrive whole: its sha256 begins" in err) == (1, True)
    (folder / "a.txt").write_bytes(b"as it was")
    assert hub.download("--from-dir", "copied")[0] == 0
    assert hub.files() == {"a.txt": b"as it was"}
    assert hub.requests() == []


def test_a_folder_without_checksums_is_taken_as_it_is_and_that_is_said(hub):
    (hub.home / "copied").mkdir()
    (hub.home / "copied/a.txt").write_bytes(b"whatever")
    code, _, err = hub.download("--from-dir", "copied")
    assert (code, "1 files came without a checksum" in err) == (0, True)
    assert hub.manifest()["stats"]["checked"] == {"none": 1}


def test_a_disk_that_is_too_small_is_seen_before_the_first_byte(hub, small_disk):
    code, _, err = hub.download(out=str(small_disk / "out"))
    assert (code, "the files need 3.1 MB, and the disk has" in err) == (1, True)
    assert hub.fetched() == set()
    assert hub.download("--exclude", "*.bin", out=str(small_disk / "small"))[0] == 0


def test_an_artifact_of_another_repository_is_refused(hub):
    hub.add("datasets", "acme/other", FIRST, FILES)
    assert hub.download()[0] == 0
    code, _, err = hub.dr("download", "acme/other", "--kind", "dataset", "--out", "other", "--from-dir", "out")
    assert (code, "this is the dataset `acme/notes`, not the dataset `acme/other`" in err) == (2, True)


def test_a_file_in_the_librarys_cache_is_taken_when_it_is_whole_and_fetched_when_it_is_not(hub):
    code = "import huggingface_hub as h; h.snapshot_download('acme/notes', repo_type='dataset')"
    subprocess.run([sys.executable, "-c", code], env=hub.environment(), check=True, capture_output=True)
    blob = next((hub.home / "hf").rglob(f"blobs/{hashlib.sha256(BIG).hexdigest()}"))
    blob.write_bytes(BIG[:-1])
    hub.forget()
    assert hub.download(HF_HOME=str(hub.home / "hf"))[0] == 0
    assert hub.fetched() == {"model.bin"}
    assert hub.files() == FILES


def test_offline_without_a_copy_is_one_sentence(hub):
    code, _, err = hub.download(HF_HUB_OFFLINE="1")
    assert (code, "is not in the cache, and HF_HUB_OFFLINE is set" in err) == (3, True)
    assert hub.requests() == []


def test_a_dry_run_shows_the_recipe_and_asks_nobody(hub):
    code, out, err = hub.download("--dry-run")
    assert (code, hub.requests()) == (0, [])
    assert "repository: acme/notes" in out
    assert "would make out" in err


def test_a_recipe_in_a_file_does_the_same(hub):
    recipe = "stage: download\nrepository: acme/notes\nkind: dataset\ninclude: ['*.jsonl']\nout: out\n"
    (hub.home / "download.yaml").write_text(recipe)
    (hub.home / "pipeline.yaml").write_text("stage: run\nsteps: [{recipe: download.yaml}]\n")
    command = [sys.executable, "-m", "cli.main", "run", "pipeline.yaml"]
    done = subprocess.run(command, env=hub.environment(), cwd=hub.home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert hub.files().keys() == {"corpus.jsonl"}
    code, _, err = hub.dr("download", "download.yaml")
    assert (code, "up to date" in err) == (0, True)
    code, out, _ = hub.dr("download", "download.yaml", "--out", "other", "--include", "*.txt", "--hub", "modelscope")
    assert (code, out) == (0, "other\n")
    assert hub.files("other").keys() == {"empty.txt"}


def test_a_download_without_a_place_is_refused(hub):
    code, _, err = hub.dr("download", "acme/notes", "--kind", "dataset")
    assert (code, "`out` is required" in err) == (2, True)


def test_as_json_the_result_is_one_object(hub):
    code, out, _ = hub.download("--json", "--include", "*.txt")
    assert (code, json.loads(out)["stats"]["commit"]) == (0, FIRST)
    hub.rule(gated=["acme/notes"])
    code, out, _ = hub.download("--json", out="other")
    assert (code, json.loads(out)["exit_code"]) == (3, 3)
