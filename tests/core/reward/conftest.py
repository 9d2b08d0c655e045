"""Rewards as a recipe makes them, and the services they ask, in a process of their own."""

import contextlib
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from core.reward.plain import plain
from core.reward.scorer import Scorer
from core.reward.spec import Reward

DOUBLE = Path(__file__).parents[2] / "doubles" / "reward_server.py"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATIENCE = {"timeout_seconds": 1, "retries": 2, "give_up_seconds": 4}


class Services:
    """A retriever and a judge, in a process that can be killed."""

    def __init__(self, child):
        self.child = child
        self.root = f"http://127.0.0.1:{child.stdout.readline().strip()}"
        self.retriever = {"url": f"{self.root}/retrieve", **PATIENCE}
        self.server = {"type": "openai", "model": "double", "base_url": f"{self.root}/v1"}
        self.judge = {"server": self.server, **PATIENCE}

    def fail(self, *faults):
        """Let the next requests fail, one each."""
        request = urllib.request.Request(f"{self.root}/faults", data=json.dumps(faults).encode())
        with DIRECT.open(request, timeout=10):
            pass

    def asked(self):
        """What was asked since the last time."""
        with DIRECT.open(f"{self.root}/log", timeout=10) as reply:
            return json.load(reply)

    def kill(self):
        self.child.kill()
        self.child.wait()


@contextlib.contextmanager
def double():
    with subprocess.Popen([sys.executable, str(DOUBLE)], stdout=subprocess.PIPE, text=True) as child:
        try:
            yield Services(child)
        finally:
            child.kill()


@pytest.fixture(scope="session")
def shared_services():
    with double() as services:
        yield services


@pytest.fixture
def services(shared_services):
    """Services that all is well with."""
    shared_services.fail()
    shared_services.asked()
    return shared_services


@pytest.fixture
def own_services():
    """Services of one test, which may kill them."""
    with double() as services:
        yield services


@pytest.fixture
def scorer(services, tmp_path):
    """Make a scorer: `scorer(part, …, field=…)`."""
    with contextlib.ExitStack() as stack:

        def make(*parts, **fields):
            reward = Reward.model_validate({"parts": parts, "retriever": services.retriever, **fields})
            path = tmp_path / "reward.json"
            path.write_text(json.dumps(plain(reward)), encoding="utf-8")
            return stack.enter_context(Scorer.load(path))

        yield make


@pytest.fixture
def prompt(tmp_path):
    """Make a judge's template: the folder of `user.txt`."""

    def make(user):
        (tmp_path / "prompt").mkdir(exist_ok=True)
        (tmp_path / "prompt/user.txt").write_text(user, encoding="utf-8")
        return str(tmp_path / "prompt")

    return make
