"""`dr rewrite RECIPE`: a real server process, the real command."""

import json
import os
import subprocess
import sys

import pytest

from core import artifact
from core.errors import DataError
from core.formats import beir, prompts
from core.llm.rewriting import files
from core.recipe import ArtifactRecipe
from core.rewrite import estimate, questions
from core.rewrite.recipe import OfCorpus, OfFile, Recipe
from core.types import Query

QUERIES = [Query(f"q{number}", f"word{number:02} please") for number in range(30)]


@pytest.fixture
def home(tmp_path):
    """A data artifact of 30 judged queries and one that nobody judged, and a file of three lines."""

    def fill(_, work):
        beir.write_queries(work.path, [*QUERIES, Query("idle", "nobody judged this")])
        beir.write_documents(work.path, [])
        beir.write_qrels(work.path, "test", {query.id: {"d": 1} for query in QUERIES})

    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "data"), fill)
    (tmp_path / "three.txt").write_text("\ufeffword01\n\nword02\nword03\n", encoding="utf-8")
    return tmp_path


def script(home, *spoilt):
    """Every query becomes `better NN`; the answers for those of `spoilt` are prose."""
    said = {f"word{n:02}": f'<think>t</think><answer>{{"query": "better {n}"}}</answer>' for n in range(30)}
    (home / "script.json").write_text(json.dumps(said | dict.fromkeys(spoilt, "I cannot.")))
    return home / "script.json"


def recipe(home, server, name="r", **more):
    llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}, "retries": 0}
    fields = {"stage": "rewrite", "out": name, "queries": {"type": "corpus", "data": "data"}, "llm": llm, **more}
    (home / f"{name}.yaml").write_text(json.dumps(fields))
    return f"{name}.yaml"


def dr(home, *argv, status=0):
    command = [sys.executable, "-m", "cli.main", "rewrite", *argv]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_judged_queries_of_a_split_are_rewritten_in_their_order(home, llm_server):
    with llm_server(script=script(home)) as server:
        out, err = dr(home, recipe(home, server))
    assert out == "r\n"
    assert "30 of 30 rewrites differ" in err
    assert rows(home / "r/rewrites.jsonl") == [
        {"query_id": query.id, "query": query.text, "rewritten": f"better {n}", "fallback": None, "sample": 0}
        for n, query in enumerate(QUERIES)
    ]
    stats = artifact.read(home / "r")["stats"]
    assert (stats["queries"], stats["changed"], stats["fallbacks"], stats["fallback_share"]) == (30, 30, {}, 0)
    assert stats["prompts"]["name"] == "general"
    written = prompts.read(home / "r/prompts", needed=("query",))
    assert stats["prompts"]["digest"] == written.digest


def test_unusable_answers_are_counted_told_and_a_share_of_all(home, llm_server):
    with llm_server(script=script(home, "word03", "word07", "word11")) as server:
        _, err = dr(home, recipe(home, server))
    assert "warning: 10.0 % of the answers could not be used (3 × no answer): the original query stands there" in err
    stats = artifact.read(home / "r")["stats"]
    assert (stats["fallbacks"], stats["fallback_share"], stats["changed"]) == ({"no answer": 3}, 0.1, 27)
    kept = [row for row in rows(home / "r/rewrites.jsonl") if row["fallback"]]
    assert [row["query_id"] for row in kept] == ["q3", "q7", "q11"]
    assert all(row["rewritten"] == row["query"] for row in kept)


def test_a_run_that_was_killed_asks_nothing_twice(home, llm_server):
    with llm_server(script=script(home), latency=0.02, slots=1) as server:
        command = [sys.executable, "-m", "cli.main", "rewrite", recipe(home, server)]
        journal = home / "r.partial/logs/answers.jsonl"
        with subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE) as first:
            while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
                assert first.poll() is None, first.stderr.read()
            first.kill()
        kept = journal.read_bytes().count(b"\n")
        dr(home, "r.yaml")
    assert 3 <= kept < 30
    stats = artifact.read(home / "r")["stats"]
    assert (stats["llm"]["journal_hits"], stats["llm"]["answers"]) == (kept, 30 - kept)
    assert [row["rewritten"] for row in rows(home / "r/rewrites.jsonl")] == [f"better {n}" for n in range(30)]


def test_a_server_that_breaks_on_the_way_ends_the_run_and_what_it_answered_is_kept(home, llm_server):
    broken = {"message": {"role": "assistant", "content": None}}
    path = script(home)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"word29": broken}))
    with llm_server(script=path) as server:
        _, err = dr(home, recipe(home, server), status=3)
    assert "no `choices[0].message.content`" in err or "is no text" in err
    assert not (home / "r").exists()
    with llm_server(script=script(home)) as server:
        dr(home, "r.yaml", f"llm.server.base_url={server.url}")
        assert len(server.tries()) == 1


def test_nobody_there_is_exit_3(home, llm_server):
    with llm_server() as server:
        recipe(home, server)
    _, err = dr(home, "r.yaml", status=3)
    assert "does not answer" in err
    assert not (home / "r").exists()


def test_each_sample_is_another_answer_to_the_same_query(home, llm_server):
    with llm_server(script=script(home)) as server:
        file = {"type": "file", "path": "three.txt"}
        dr(home, recipe(home, server, queries=file, samples=2))
        assert len(server.tries()) == 6
    found = rows(home / "r/rewrites.jsonl")
    assert [(row["query_id"], row["sample"]) for row in found] == [(n, s) for n in ("1", "3", "4") for s in (0, 1)]


def test_an_edited_template_is_another_artifact(home, llm_server):
    (home / "mine").mkdir()
    (home / "mine/user.txt").write_text("Reword $query")
    with llm_server(script=script(home)) as server:
        dr(home, recipe(home, server, prompts="./mine"))
        (home / "mine/user.txt").write_text("Rewrite $query")
        _, err = dr(home, "r.yaml", status=2)
    assert "prompts: has other content" in err


def test_queries_come_from_rows_of_any_kind_with_their_ids(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 7, "question": "how"}\n{"_id": "x", "text": "why"}\n')
    (tmp_path / "b.csv").write_text("query_id,query\n1,who\n")
    assert questions.read(OfFile(type="file", path=tmp_path / "a.jsonl")) == [Query("7", "how"), Query("x", "why")]
    assert questions.read(OfFile(type="file", path=tmp_path / "b.csv")) == [Query("1", "who")]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", '{"id": 1, "text": "a"}\n{"id": "1", "text": "b"}\n', "used twice"),
        ("a.jsonl", '{"id": 1, "text": " "}\n', "empty"),
        ("a.jsonl", '{"id": 1}\n', "no text"),
        ("a.txt", "\n \n", "no"),
        ("a.txt", b"\xff\xfe\n", "UTF-"),
    ],
)
def test_a_bad_query_is_told_before_anybody_is_asked(tmp_path, name, text, told):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=told):
        questions.read(OfFile(type="file", path=tmp_path / name))


def test_a_corpus_without_a_split_gives_all_its_queries(home):
    assert len(questions.read(OfCorpus(type="corpus", data=home / "data", split=None))) == 31


def test_the_cost_is_told_beforehand(home):
    fields = {"stage": "rewrite", "out": home / "r", "llm": {"server": {"type": "openai"}}, "samples": 2}
    asked = Recipe.model_validate({**fields, "queries": {"type": "corpus", "data": home / "data"}})
    assert estimate.run(asked).startswith("30 queries are rewritten: about 60 requests")


def test_the_shipped_tiny_recipe_runs_on_the_shipped_sample(tmp_path, root, llm_server):
    environment = {**os.environ, "PYTHONPATH": str(root)}
    say = [sys.executable, "-m", "cli.main"]
    subprocess.run([*say, "data", "data/tiny"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    (tmp_path / "script.json").write_text('{"请": "<answer>{\\"query\\": \\"净值\\"}</answer>"}')
    with llm_server(script=tmp_path / "script.json") as server:
        command = [*say, "rewrite", "rewrite/tiny", f"llm.server.base_url={server.url}"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "artifacts/tiny/rewrite" / files.REWRITES)
    assert len(found) == artifact.read(tmp_path / "artifacts/tiny/rewrite")["stats"]["queries"] > 50
    assert {row["rewritten"] for row in found} == {"净值"}
