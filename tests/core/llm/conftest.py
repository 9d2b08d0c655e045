"""Servers of a language model, as many as a test asks for, all in one process."""

import json
import subprocess
import sys
import urllib.request
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.llm.spec import Llm

DOUBLE = Path(__file__).parents[2] / "doubles" / "llm_server.py"


@pytest.fixture(scope="session")
def llm_host():
    """The address of a process that makes servers."""
    with subprocess.Popen([sys.executable, str(DOUBLE)], stdout=subprocess.PIPE, text=True) as child:
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}"
        child.kill()


@pytest.fixture
def llm_server(llm_host, tmp_path):
    """Make one: `llm_server("--faults", "0.3")` gives its `url`, `tries()`, and an `llm(...)` that asks it."""
    numbers = count()

    def start(*arguments):
        log = tmp_path / f"tries{next(numbers)}.jsonl"
        argv = json.dumps(["--log", str(log), *map(str, arguments)]).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{llm_host}/doubles", data=argv, timeout=30) as reply:
            url = f"{llm_host}/{json.load(reply)['name']}/v1"

        def tries():
            return [json.loads(line) for line in log.read_text().splitlines()]

        def llm(**fields):
            server = {"type": "openai", "model": "double", "base_url": url} | fields.pop("server", {})
            return Llm(server=server, **{"timeout_seconds": 20, **fields})

        return SimpleNamespace(url=url, tries=tries, llm=llm)

    return start
