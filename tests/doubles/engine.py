"""Stands in for the interpreter of an engine: answers about its packages, and serves `/health` as vLLM does.

Copied to `<folder>/bin/python` with a first line that names a real Python. Beside it, `engine.json` says what it is:
`versions` (packages), `wait_for` (a file without which it is not ready), `dies` (what it prints before it ends with
status 1), `deaf` (SIGTERM is ignored). It writes `started.json` (its arguments, its key, its process id) there.
`POST /die` ends it as a full memory would.
"""

import http.server
import json
import os
import signal
import sys
from pathlib import Path

HERE = Path(sys.argv[0]).parent
CONFIG = json.loads((HERE / "engine.json").read_text())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = not CONFIG.get("wait_for") or Path(CONFIG["wait_for"]).exists()
        self.send_response(200 if ready else 503)
        self.end_headers()

    def do_POST(self):
        print("RuntimeError: out of memory", flush=True)
        os._exit(7)


def main():
    if sys.argv[1] == "-c":
        print(json.dumps(CONFIG["versions"]))
        return
    if CONFIG.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    told = {"argv": sys.argv[1:], "key": os.environ.get("VLLM_API_KEY"), "pid": os.getpid()}
    (HERE / "started.new").write_text(json.dumps(told))
    (HERE / "started.new").rename(HERE / "started.json")
    print("loading the model", flush=True)
    if CONFIG.get("dies"):
        raise SystemExit(CONFIG["dies"])
    host, port = (sys.argv[sys.argv.index(name) + 1] for name in ("--host", "--port"))
    http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


main()
