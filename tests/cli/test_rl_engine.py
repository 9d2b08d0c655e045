"""`dr rl probe` over a search engine of others: the real command, doubles of PubMed and of a language model."""

import json
import subprocess
import sys

import pytest

from core import artifact
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.types import Document, Query

QUERIES = {"q0": "early signs", "q1": "after a stroke"}
QRELS = {"q0": {"106": 1}, "q1": {"103": 1}}
ANSWERS = {
    "early signs": ["diabetes AND signs", "(signs", "aspirin", "diabetes AND signs"],
    "after a stroke": ["stroke NOT insulin", "stroke", "statins", "(stroke"],
}
"""Four answers to each query: right, refused by the engine, or wrong."""


def dr(home, *argv, status=0):
    done = subprocess.run([sys.executable, "-m", "cli.main", *argv], cwd=home, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def home(tmp_path):
    def fill(_, work):
        beir.write_queries(work.path, [Query(id_, text) for id_, text in QUERIES.items()])
        beir.write_documents(work.path, [Document(id_, "x") for id_ in ("103", "106")])
        beir.write_qrels(work.path, "train", QRELS)

    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "data"), fill)
    said = {text: [f'<answer>{{"query": "{each}"}}</answer>' for each in answers] for text, answers in ANSWERS.items()}
    (tmp_path / "script.json").write_text(json.dumps(said))
    return tmp_path


def recipe(home, server, engine):
    fields = {
        "stage": "probe",
        "out": "p",
        "queries": {"type": "corpus", "data": "data", "prompts": "literature"},
        "samples": 4,
        "llm": {"server": {"type": "openai", "model": "m", "base_url": server.url}, "retries": 0},
        "reward": {"parts": [{"type": "recall", "k": 10}]},
        "engine": engine,
    }
    (home / "p.yaml").write_text(json.dumps(fields))
    return "p.yaml"


def test_rewards_are_those_of_the_engine(home, llm_server, search_engines):
    with llm_server(script=home / "script.json") as server:
        dr(home, "rl", "probe", recipe(home, server, {**search_engines.specs["pubmed"], "texts": False}))
    rows = [json.loads(line) for line in (home / "p/rollouts.jsonl").read_text().splitlines()]
    assert {row["rewritten"]: row["score"] for row in rows} == {
        "diabetes AND signs": 1,
        "(signs": 0,
        "aspirin": 0,
        "stroke NOT insulin": 1,
        "stroke": 1,
        "statins": 0,
        "(stroke": 0,
    }
    assert "a query finds nothing, for it was refused" in (home / "p/logs/search.log").read_text()


def test_prompts_with_operators_are_refused_before_anybody_is_asked(home, llm_server, search_engines):
    with llm_server(script=home / "script.json") as server:
        _, err = dr(home, "rl", "probe", recipe(home, server, search_engines.specs["elasticsearch"]), status=4)
        assert server.tries() == []
    assert "Boolean operators, and the engine `Elasticsearch/articles` takes them for words" in err
    assert search_engines.asked() == []


def test_an_engine_that_is_not_there_is_exit_3_before_the_model_is_asked(home, llm_server, own_search_engines):
    own_search_engines.kill()
    with llm_server(script=home / "script.json") as server:
        engine = {**own_search_engines.specs["pubmed"], "retries": 0}
        _, err = dr(home, "rl", "probe", recipe(home, server, engine), status=3)
        assert server.tries() == []
    assert "the search engine PubMed gave no usable answer" in err
