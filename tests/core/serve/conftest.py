"""Real servers: a process on a free port, over small indexes."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import pytest

from core import artifact
from core.recipe import ArtifactRecipe
from core.retrieval.index import build
from core.retrieval.spec import Bm25, Dense, Hybrid
from core.types import Document

DOCUMENTS = [
    Document("f1", "基金的单位净值是一点二元", title="净值 公告"),
    Document("f2", "基金管理人收取管理费"),
    Document("f3", "本基金的净值每日公布\n节假日除外"),
    Document("b1", "债券的久期与收益率"),
    Document("b2", "债券基金的收益分配"),
    Document("w1", '"Fund"\nA fund pays a dividend'),
]

SERVE = """
import json, logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
from core.errors import DrError
from core.serve.app import run
from core.serve.recipe import Recipe
try:
    run(Recipe.model_validate_json(sys.argv[1]))
except DrError as error:
    print(error.render(), file=sys.stderr)
    sys.exit(error.exit_code)
"""


class IndexRecipe(ArtifactRecipe):
    """Stands for the one of `dr index`."""

    stage: Literal["index"] = "index"


@pytest.fixture(scope="session")
def indexes(static_model, tmp_path_factory):
    """Artifacts of stage `index`, by kind."""
    home = tmp_path_factory.mktemp("served")
    dense = Dense(type="dense", model=str(static_model))
    for name, spec in {"bm25": Bm25(), "hybrid": Hybrid(type="hybrid", dense=dense)}.items():
        artifact.make(
            IndexRecipe(out=home / name),
            lambda _, work, spec=spec: work.stats.update(build(DOCUMENTS, spec, work.path)),
        )
    return {name: home / name for name in ("bm25", "hybrid")}


@dataclass
class Service:
    """A server that runs."""

    url: str
    process: subprocess.Popen
    log: Path

    def retrieve(self, **body):
        return httpx.post(f"{self.url}/retrieve", json=body, timeout=30)

    def health(self):
        return httpx.get(f"{self.url}/health", timeout=30).json()


def start(recipe, log, **env):
    """The process of a server, its output in `log`."""
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-c", SERVE, json.dumps({"stage": "serve", **recipe}, default=str)],
            env={**os.environ, **env},
            stdout=sink,
            stderr=sink,
        )


@pytest.fixture(scope="session")
def serving(tmp_path_factory):
    """`with serving(index=..., port=0, ...) as service:`; `env` is added to the server's environment."""

    @contextlib.contextmanager
    def serve(env=None, **recipe):
        log = tmp_path_factory.mktemp("server") / "log.txt"
        process = start({"port": 0, **recipe}, log, **(env or {}))
        try:
            yield Service(_url(process, log), process, log)
        finally:
            process.kill()
            process.wait()

    return serve


def _url(process, log):
    deadline = time.monotonic() + 120
    while not (found := re.search(r"^serving .* at (http://\S+),", log.read_text(encoding="utf-8"), re.MULTILINE)):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.05)
    return found[1]
