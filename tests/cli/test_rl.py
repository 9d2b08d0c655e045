"""`dr rl probe`: the real command, a language model's double, a real `dr serve` over a real index."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import address, artifact, process
from core.formats import beir
from core.process import Command
from core.recipe import ArtifactRecipe
from core.types import Document, Query

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jolly")
"""Word of the one document that is right for each query."""

GOOD = [f'<think>t</think><answer>{{"query": "{word}"}}</answer>' for word in WORDS]
BAD = '<think>t</think><answer>{"query": "quartz"}</answer>'
REWARD = {"parts": [{"type": "format", "good": 0.1, "bad": -0.1}, {"type": "recall", "k": 1}]}
PATIENCE = {"timeout_seconds": 2, "retries": 2, "give_up_seconds": 3}

SCRIPT = {f"word{n:02}": [GOOD[n], BAD, BAD, BAD] for n in range(10)} | {
    "word00": [GOOD[0]] * 4,
    "word02": [GOOD[2], GOOD[2], BAD, "I cannot."],
    "word03": [BAD] * 4,
}
"""Four answers to each query; what the numbers below are worked out from."""


def corpus(home, name, judged):
    """Ten documents of a word each; that of query 0 holds the query's own word too."""
    documents = [Document(f"d{n}", f"{word} word00" if n == 0 else word) for n, word in enumerate(WORDS)]

    def fill(_, work):
        beir.write_queries(work.path, [Query(f"q{n}", f"word{n:02}") for n in range(10)])
        beir.write_documents(work.path, documents)
        beir.write_qrels(work.path, "train", judged)

    artifact.make(ArtifactRecipe(stage="data", out=home / name), fill)


def run(home, *argv, status=0):
    done = subprocess.run([sys.executable, "-m", "cli.main", *argv], cwd=home, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus, its index, its rows for RL."""
    home = tmp_path_factory.mktemp("made")
    corpus(home, "data", {f"q{n}": {f"d{n}": 1} for n in range(10)})
    index = {"stage": "index", "data": "data", "out": "index", "backend": {"type": "bm25"}}
    rows = {"stage": "rows", "out": "rows", "source": {"type": "retrieval", "data": "data"}, "targets": ["rl"]}
    for stage, recipe in (("index", index), ("data", rows)):
        (home / f"{recipe['stage']}.yaml").write_text(json.dumps(recipe))
        run(home, stage, "build" if stage == "index" else "rows", f"{recipe['stage']}.yaml")
    return home


@pytest.fixture
def home(made, tmp_path):
    shutil.copytree(made, tmp_path / "home")
    (tmp_path / "home/script.json").write_text(json.dumps(SCRIPT))
    return tmp_path / "home"


@contextlib.contextmanager
def serving(made):
    """A running `dr serve` over the index: its address, and its process."""
    url = address.url("127.0.0.1", port := address.free("127.0.0.1", 0))
    (made / "serve.yaml").write_text(json.dumps({"stage": "serve", "index": str(made / "index"), "port": port}))
    command = Command((sys.executable, "-m", "cli.main", "serve", "retrieval", str(made / "serve.yaml")), cwd=made)
    with process.service(command, made / "serve.log", ready=f"{url}/health", timeout_seconds=60) as running:
        yield url, running.child


@pytest.fixture(scope="module")
def served(made):
    """The address of a server that lives as long as these tests."""
    with serving(made) as (url, _):
        yield url


def recipe(home, server, **more):
    fields = {
        "stage": "probe",
        "out": "p",
        "queries": {"type": "corpus", "data": "data"},
        "samples": 4,
        "llm": {"server": {"type": "openai", "model": "m", "base_url": server.url}, "retries": 0},
        "reward": REWARD,
        "index": "index",
        **more,
    }
    (home / "p.yaml").write_text(json.dumps(fields))
    return "p.yaml"


def at(url):
    return {"index": None, "reward": {**REWARD, "retriever": {"url": f"{url}/retrieve", **PATIENCE}}}


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def search_service(folder):
    """The process that a probe has started to search, by its recipe's place."""
    for entry in Path("/proc").iterdir():
        try:
            argv, cwd = (entry / "cmdline").read_bytes(), (entry / "cwd").readlink()
        except OSError:
            continue
        if entry.name.isdigit() and b"search.yaml" in argv and cwd == folder and b"sh" not in argv.split(b"\0")[0]:
            return int(entry.name)
    return None


def test_the_report_is_what_the_answers_are_worth(home, llm_server):
    with llm_server(script=home / "script.json") as server:
        out, _ = run(home, "rl", "probe", recipe(home, server, training={"batch_size": 4, "group_size": 2}), "--json")
        assert len(server.tries()) == 40
    stats = json.loads(out)["stats"]
    assert stats == json.loads((home / "p/report.json").read_text())
    # In form 0.1, found 1.1: original query found by q0 alone, (1.1 + 9 x 0.1) / 10
    assert stats["original"] == pytest.approx(0.2)
    # Means: q0 1.1; q2 (1.1 + 1.1 + 0.1 - 0.1) / 4; q3 0.1; the other seven (1.1 + 3 x 0.1) / 4
    assert stats["mean"] == pytest.approx((1.1 + 0.55 + 0.1 + 7 * 0.35) / 10)
    # Best of 2: q2 misses in 1 of 6 pairs; the seven hit in 3 of 6. Best of 4: all but q3.
    bests = {row["n"]: row["mean"] for row in stats["best_of"]}
    pairs = (1.1 + (5 * 1.1 + 0.1) / 6 + 0.1 + 7 * 0.6) / 10
    assert bests == pytest.approx({1: 0.42, 2: pairs, 4: 1.0})
    against = stats["best_of"][-1]["against_original"]
    # Eight queries differ, all by +1: 2 of 2^8 sign patterns are as far off; three comparisons by Holm
    assert (against["difference"], against["wins"], against["losses"]) == (pytest.approx(0.8), 8, 0)
    assert (against["p_value"], against["adjusted_p"]) == (2 / 256, pytest.approx(6 / 256))
    assert 0.5 <= against["low"] < 0.8 < against["high"] <= 1
    groups = stats["groups"]
    assert (groups["groups"], groups["without_variance"], groups["all_at_the_highest"]) == (10, 0.2, 0.1)
    assert (stats["lowest_reward"], stats["highest_reward"]) == (-0.1, 1.1)
    assert (stats["headroom"], stats["headroom_share"]) == (pytest.approx(0.9), pytest.approx(0.75))
    assert (stats["unusable_share"], stats["unusable"]) == (1 / 40, {"no answer": 1})
    assert stats["ids"] == {"index": "index", "named": 10, "missing": 0}
    assert stats["parts"]["recall"] == {"answers": pytest.approx(13 / 40), "original": pytest.approx(0.1)}
    assert stats["verdict"] == "go on"
    # 3 epochs of 10 rows, 4 a step: 8 steps of 4 x 2
    assert (stats["training"]["steps"], stats["training"]["rollouts"]) == (8, 64)
    assert stats["training"]["answer_tokens"] == round(64 * stats["cost"]["answer_tokens"] / 40)
    assert search_service(home) is None


def test_a_finished_probe_prints_its_tables_again_and_asks_nobody(home, llm_server, served):
    with llm_server(script=home / "script.json") as server:
        first, _ = run(home, "rl", "probe", recipe(home, server, **at(served)))
        second, err = run(home, "rl", "probe", "p.yaml")
        assert (first, len(server.tries())) == (second, 40)
        assert "up to date" in err
        # Made anew for another verdict: the answers are there already.
        again, _ = run(home, "rl", "probe", "p.yaml", "verdict.most_without_variance=0.1", "--force")
        assert len(server.tries()) == 40
    table = {line.split("  ")[0]: line.split()[-1] for line in first.splitlines() if line}
    assert table["groups without variance, share"] == "0.2000"
    assert "verdict: go on: 80.0% of the groups tell their answers apart" in first
    assert "verdict: no variance: in 20.0% of the groups" in again
    assert "  try: llm.temperature=1.0\n" in again


def test_rows_of_a_training_are_asked_in_their_own_prompt_and_replayed_under_the_same_reward(
    made, home, llm_server, served
):
    queries = {"type": "rows", "rows": "rows"}
    with llm_server(script=home / "script.json") as server:
        out, _ = run(home, "rl", "probe", recipe(home, server, queries=queries, **at(served)), "--json")
    stats = json.loads(out)["stats"]
    assert (stats["mean"], stats["original"]) == (pytest.approx(0.42), pytest.approx(0.2))
    assert stats["ids"] == {"index": str(made / "index"), "named": 10, "missing": 0}
    (home / "reward.yaml").write_text(json.dumps({"stage": "reward", **at(served)["reward"]}))
    replayed = json.loads(run(home, "reward", "replay", "reward.yaml", "p/rollouts.jsonl", "--json")[0])
    assert (replayed["rollouts"], replayed["mean"]) == (40, pytest.approx(0.42))
    assert replayed["stored"]["correlation"] == pytest.approx(1)
    assert replayed["groups"]["without_variance"] == 0.2
    originals = json.loads(run(home, "reward", "replay", "reward.yaml", "p/originals.jsonl", "--json")[0])
    assert originals["mean"] == pytest.approx(0.2)


def test_a_reward_that_does_not_search_has_no_original_query_to_be_held_against(home, llm_server):
    asked = [{"question": f"ask{n:02}?", "choices": ["left", "right"], "answer": "B"} for n in range(40)]
    (home / "asked.jsonl").write_text("\n".join(map(json.dumps, asked)))
    source = {"type": "choice", "path": "asked.jsonl", "prompts": "choice_en", "train_ratio": 0.5}
    (home / "c.yaml").write_text(json.dumps({"stage": "rows", "out": "c", "source": source, "targets": ["rl"]}))
    run(home, "data", "rows", "c.yaml")
    right, wrong = (f"<think>t</think><answer>{letter}</answer>" for letter in "BA")
    (home / "script.json").write_text(json.dumps({"ask": [right, wrong, wrong, "<think>t</think>"]}))
    reward = {"parts": [{"type": "format", "good": 0, "bad": -1, "answer": "text"}, {"type": "choice"}]}
    with llm_server(script=home / "script.json") as server:
        queries = {"type": "rows", "rows": "c"}
        out, _ = run(home, "rl", "probe", recipe(home, server, queries=queries, reward=reward, index=None), "--json")
        told, _ = run(home, "rl", "probe", "p.yaml")
    stats = json.loads(out)["stats"]
    assert (stats["original"], stats["ids"]) == (None, None)
    # 1, 0, 0, -1 of four: the mean 0, the highest 1, so the head-room 1
    assert (stats["mean"], stats["headroom"], stats["best_of"][-1]) == (0, 1, {"n": 4, "mean": 1})
    assert (stats["unusable_share"], stats["unusable"]) == (0.25, {"no answer": stats["queries"]})
    assert "verdict: the model cannot write the format" in told


def test_a_model_without_the_form_is_told_to_learn_it_first(home, llm_server, served):
    with llm_server(body='{"choices": [{"message": {"content": "I would search the web."}}]}') as server:
        out, _ = run(home, "rl", "probe", recipe(home, server, **at(served)))
    assert "verdict: the model cannot write the format: 100.0% of the answers are of no use (40 × no answer)" in out


@pytest.mark.slow
def test_a_run_that_was_killed_asks_nothing_twice_and_leaves_no_service(home, llm_server):
    (home / "script.json").write_text(json.dumps({f"word{n:02}": good for n, good in enumerate(GOOD)}))
    with llm_server(script=home / "script.json", latency=0.05, slots=1) as server:
        command = [sys.executable, "-m", "cli.main", "rl", "probe", recipe(home, server)]
        journal = home / "p.partial/logs/answers.jsonl"
        with subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE) as first:
            while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
                assert first.poll() is None, first.stderr.read()
            assert search_service(home)
            first.kill()
        deadline = time.monotonic() + 30
        while search_service(home):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kept = journal.read_bytes().count(b"\n")
        out, _ = run(home, "rl", "probe", "p.yaml", "--json")
    stats = json.loads(out)["stats"]
    assert 3 <= kept < 40
    assert stats["cost"]["answers_of_this_run"] == 40 - kept
    assert stats["mean"] == pytest.approx(1.1)
    assert [row["score"] for row in rows(home / "p/rollouts.jsonl")] == [pytest.approx(1.1)] * 40


def killed(home, server, search, **more):
    """The end of a probe whose search is killed once the model has answered: status, stdout, stderr."""
    command = [sys.executable, "-m", "cli.main", "rl", "probe", recipe(home, server, **more)]
    journal = home / "p.partial/logs/answers.jsonl"
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as probe:
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
            assert probe.poll() is None, probe.stderr.read()
        os.kill(search(), signal.SIGKILL)
        out, err = probe.communicate()
    assert not list(home.rglob("rollouts.jsonl"))
    assert not (home / "p").exists()
    return probe.returncode, out, err


def test_a_search_of_our_own_that_dies_in_the_middle_is_exit_3_and_no_score(home, llm_server):
    with llm_server(script=home / "script.json", latency=0.05, slots=1) as server:
        status, out, err = killed(home, server, lambda: search_service(home))
    assert (status, out) == (3, ""), err
    assert "the search service ended" in err
    assert "no score was made of it" in err


def test_a_named_search_that_dies_in_the_middle_is_exit_3_and_no_score(made, home, llm_server):
    with llm_server(script=home / "script.json", latency=0.05, slots=1) as server, contextlib.ExitStack() as stack:
        url, child = stack.enter_context(serving(made))
        status, out, err = killed(home, server, lambda: child.pid, **at(url))
    assert (status, out) == (3, ""), err
    assert "the retriever gave no usable answer" in err
    assert "no score was made of it" in err


def test_a_search_that_was_never_there_is_told_before_the_model_is_asked(home, llm_server):
    with llm_server() as server:
        nowhere = at(f"http://127.0.0.1:{address.free('127.0.0.1', 0)}")
        _, err = run(home, "rl", "probe", recipe(home, server, **nowhere), status=3)
        assert not server.tries()
    assert "the retriever gave no usable answer" in err


def test_a_model_that_is_not_there_is_exit_3(home, llm_server, served):
    with llm_server() as server:
        recipe(home, server, **at(served))
    _, err = run(home, "rl", "probe", "p.yaml", status=3)
    assert "does not answer" in err


def test_documents_that_the_index_lacks_are_refused_with_their_share(home, llm_server, served):
    corpus(home, "other", {"q1": {"d1": 1, "gone": 1}, "q2": {"d2": 1, "lost": 2}})
    with llm_server(script=home / "script.json") as server:
        other = recipe(home, server, queries={"type": "corpus", "data": "other"}, **at(served))
        _, err = run(home, "rl", "probe", other, status=4)
        assert not server.tries()
        assert "the index lacks 2 of 4 documents of the ground truth (50.0%): 'gone', 'lost'" in err
        out, _ = run(home, "rl", "probe", other, "most_missing_ids=0.5", "--json")
    assert json.loads(out)["stats"]["ids"]["missing"] == 2


def test_an_empty_ground_truth_is_refused_with_its_share(home, llm_server):
    corpus(home, "other", {"q1": {"d1": 1}, "q2": {"d2": 0}, "q3": {"d3": 0}})
    with llm_server() as server:
        other = recipe(home, server, queries={"type": "corpus", "data": "other"})
        _, err = run(home, "rl", "probe", other, status=4)
        assert not server.tries()
    assert "2 of 3 ground truths (66.7%) cannot be used; the first: the ground truth names no relevant document" in err
    assert "other: query q2" in err


def test_a_dry_run_tells_the_cost_and_asks_nobody(home, llm_server):
    with llm_server() as server:
        _, err = run(home, "rl", "probe", recipe(home, server), "max_queries=5", "--dry-run")
        assert not server.tries()
    assert "4 answers to each of 5 queries: about 20 requests" in err
    assert "a training of 1 steps x 64 prompts x 5 answers needs 320 answers" in err
    assert not (home / "p.partial").exists()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("llm.temperature=0", "all answers to a query would be the same"),
        ("samples=1", "greater than or equal to 2"),
        ("reward.parts=[{type: f1}]", "no part of the reward searches"),
        ("queries.split=none", "there is no split `none`"),
    ],
)
def test_what_makes_no_sense_is_exit_2(home, llm_server, override, sentence):
    with llm_server() as server:
        _, err = run(home, "rl", "probe", recipe(home, server), override, status=2)
    assert sentence in err
