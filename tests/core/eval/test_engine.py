"""A search engine of others against judgements, from a recipe to what `dr eval` prints."""

import json
import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from core import artifact
from core.errors import ContractError
from core.eval import score
from core.eval.recipe import Recipe
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.remote.faults import ServiceFailed
from core.types import Document, Query

QUERIES = {"q1": "heart", "q2": "sugar", "q3": "(stroke"}
QRELS = {"q1": {"105": 1}, "q2": {"101": 1, "102": 1}, "q3": {"103": 1}}
"""The engine finds 104 and 105 for q1, nothing for q2, and cannot read q3."""
REWRITTEN = {"q1": "heart AND exercise", "q2": "metformin OR insulin", "q3": "stroke"}


@pytest.fixture(scope="module")
def home(tmp_path_factory, llm_server):
    """Data, and rewritings of its queries with operators and without."""
    home = tmp_path_factory.mktemp("world")

    def fill(_, work):
        beir.write_documents(work.path, [Document(str(number), f"text {number}") for number in range(101, 107)])
        beir.write_queries(work.path, [Query(id_, text) for id_, text in QUERIES.items()])
        beir.write_qrels(work.path, "test", QRELS)

    artifact.make(ArtifactRecipe(stage="data", out=home / "data"), fill)
    script = {QUERIES[id_]: f'<answer>{{"query": "{text}"}}</answer>' for id_, text in REWRITTEN.items()}
    (home / "script.json").write_text(json.dumps(script))
    with llm_server(script=home / "script.json") as server:
        llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}, "retries": 0}
        fields = {"stage": "rewrite", "queries": {"type": "corpus", "data": "data"}, "llm": llm}
        recipe = home / "rewrite.yaml"
        recipe.write_text(json.dumps({**fields, "out": "operators", "prompts": "literature"}))
        dr(home, "rewrite", "rewrite.yaml")
    return home


def dr(home, *argv):
    command = [sys.executable, "-m", "cli.main", *argv]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def recipe(home, engine, out, **more):
    system = {"type": "engine", "engine": engine}
    fields = {"stage": "eval", "data": home / "data", "out": home / out, "system": system, "depth": 10}
    return {**fields, "measures": ["recall@10", "mrr@10"], **more}


def evaluate(made):
    artifact.make(Recipe.model_validate(made), score.run)
    return artifact.read(made["out"])["stats"]


def test_an_engine_is_measured_and_what_it_refuses_is_told(home, search_engines):
    stats = evaluate(recipe(home, search_engines.specs["pubmed"], "original"))
    # q1: 105 is second of two -> 1 and 1/2; q2 and q3 find nothing -> 0
    assert stats["measures"] == {"recall@10": pytest.approx(1 / 3), "mrr@10": pytest.approx(1 / 6)}
    assert (stats["queries"], stats["missing"]) == (3, 2)
    assert stats["engine"]["counters"] == {"asked": 3, "remembered": 0, "refused": 1}


def test_rewriting_with_operators_is_measured_on_an_engine_that_parses_them(home, search_engines):
    engine = {**search_engines.specs["pubmed"], "texts": False}
    made = recipe(home, engine, "rewritten", rewrites=home / "operators", system={"type": "engine", "engine": engine})
    (home / "eval.yaml").write_text(json.dumps(made, default=str))
    printed = dr(home, "eval", "eval.yaml")
    stats = artifact.read(home / "rewritten")["stats"]
    assert stats["measures"]["recall@10"] == 1
    assert stats["rewrites"]["scores"]["original"]["recall@10"] == pytest.approx(1 / 3)
    assert "rewritten" in printed
    assert all(note["path"].endswith("esearch.fcgi") for note in search_engines.asked())  # no texts, no efetch


def test_rewriting_with_operators_is_refused_where_they_are_words(home, search_engines):
    made = recipe(home, search_engines.specs["elasticsearch"], "deaf", rewrites=home / "operators")
    with pytest.raises(ContractError, match=r"Boolean operators, and the engine `Elasticsearch/articles`"):
        evaluate(made)


def test_an_engine_that_is_gone_leaves_no_score(home, own_search_engines):
    own_search_engines.kill()
    made = recipe(home, {**own_search_engines.specs["http"], "retries": 0}, "gone")
    with pytest.raises(ServiceFailed):
        evaluate(made)
    assert not (home / "gone").exists()


def test_an_engine_is_not_asked_for_more_than_it_gives(home):
    with pytest.raises(ValidationError, match="PubMed gives 9999 documents at most"):
        Recipe.model_validate(recipe(home, {"type": "pubmed"}, "deep", depth=10_000))
