"""`dr distill run` with a language model: a real server process, the real command."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from core import artifact
from core.distill import prompts
from core.errors import UsageError
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.types import Document

WORDS = [
    a + b
    for a, b in zip("利基债股期保银证信外黄存贷分净估年季税费", "率金券票权险行券托汇金款款红值值报报率用", strict=True)
]


def document(number):
    # Each text holds a code of its own, so that a piece of it finds it again.
    words = "".join(WORDS[(number * 7 + step * (number % 5 + 1)) % len(WORDS)] for step in range(12))
    return Document(f"d{number}", f"产品代码{600000 + number}的公告：{words}，编号{number}。", f"公告{number}")


@pytest.fixture
def home(tmp_path):
    """A data artifact of 40 documents."""
    data = ArtifactRecipe(stage="data", out=tmp_path / "data")
    artifact.make(data, lambda _, work: beir.write_documents(work.path, map(document, range(40))))
    return tmp_path


def dr(home, *argv, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *argv],
        cwd=home,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def recipe(home, server, name="distill", **more):
    """A recipe file; `more` are its top-level fields, as JSON."""
    fields = {
        "stage": "distill",
        "data": "data",
        "out": name,
        "teacher": {
            "type": "two_stage",
            "llm": {"server": {"type": "openai", "model": "m", "base_url": server.url}, "timeout_seconds": 60},
        },
        "gates": {"round_trip_k": None, "duplicates": False},
        **more,
    }
    (home / f"{name}.yaml").write_text(json.dumps(fields))
    return f"{name}.yaml"


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def files(folder):
    """What is part of the result: all but the logs and the manifest."""
    skipped = {"manifest.json"}
    return {
        p.name: p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and "logs" not in p.parts and p.name not in skipped
    }


def test_every_document_gets_its_queries_with_how_they_came_about(home, llm_server):
    with llm_server() as server:
        done = dr(home, "distill", recipe(home, server, per_document=2))
    assert done.returncode == 0, done.stderr
    distilled = rows(home / "distill/distilled.jsonl")
    assert [row["id"] for row in distilled] == [f"d{n}" for n in range(40) for _ in range(2)]
    assert set(distilled[0]) == {"id", "contents", "character", "question_type", "difficulty", "query"}
    assert {row["question_type"] for row in distilled} <= {
        "keywords", "acquire_knowledge", "summary", "yes_or_no", "background",
    }  # fmt: skip
    assert {row["difficulty"] for row in distilled} == {"high_school", "university", "phd"}
    judged = beir.read_qrels(home / "distill", "train")
    assert judged["d3-q2"] == {"d3": 1}
    assert len(judged) == 80
    assert {d.id for d in beir.read_documents(home / "distill")} == {f"d{n}" for n in range(40)}


def test_stage_one_answers_three_fields_and_stage_two_one(home, llm_server):
    with llm_server() as server:
        dr(home, "distill", recipe(home, server))
        schemas = Counter(tuple(row["format"]["json_schema"]["schema"]["required"]) for row in server.tries())
    assert schemas == {("Question_Type", "Difficulty"): 40, ("Generated_Query",): 40}


def test_types_and_difficulties_are_dealt_out_as_the_recipe_says(home, llm_server):
    balance = {"question_types": {"keywords": 3, "summary": 1}, "difficulties": {"phd": 1}}
    with llm_server() as server:
        path = recipe(home, server)
        fields = json.loads((home / path).read_text())
        fields["teacher"]["balance"] = balance
        (home / path).write_text(json.dumps(fields))
        done = dr(home, "distill", path)
        assert done.returncode == 0, done.stderr
        asked = len(server.tries())
    # Everything is settled before stage 1: only the queries are asked for.
    assert asked == 40
    assert Counter(row["question_type"] for row in rows(home / "distill/distilled.jsonl")) == {
        "keywords": 30,
        "summary": 10,
    }
    assert {row["difficulty"] for row in rows(home / "distill/distilled.jsonl")} == {"phd"}


def test_a_killed_run_pays_for_nothing_twice_and_ends_in_the_same_bytes(home, llm_server):
    with llm_server() as server:
        assert dr(home, "distill", recipe(home, server, "whole")).returncode == 0
    with llm_server(latency=0.1, slots=8) as server:
        path = recipe(home, server, "killed")
        for answers in (12, 40):
            child = subprocess.Popen([sys.executable, "-m", "cli.main", "distill", path, "-q"], cwd=home)
            journal = home / "killed.partial/logs/answers.jsonl"
            deadline = time.monotonic() + 60
            while not (journal.exists() and journal.read_bytes().count(b"\n") >= answers):
                assert child.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
            child.wait()
        assert not (home / "killed").exists()
        kept = journal.read_bytes().count(b"\n")
        time.sleep(0.5)  # what was under way is noted
        before = len(server.tries())
        done = dr(home, "distill", path)
        assert done.returncode == 0, done.stderr
        answered = Counter(row["digest"] for row in server.tries())
        assert len(server.tries()) - before == 80 - kept  # only what no journal holds
    assert len(answered) == 80
    assert files(home / "whole") == files(home / "killed")
    manifests = [json.loads((home / name / "manifest.json").read_text()) for name in ("whole", "killed")]
    assert manifests[0]["digest"] == manifests[1]["digest"]


def test_faults_of_the_server_change_nothing_in_the_result(home, llm_server):
    with llm_server() as server:
        assert dr(home, "distill", recipe(home, server, "calm")).returncode == 0
    with llm_server(faults=0.3, kinds="500,429,broken", retry_after="0") as server:
        done = dr(home, "distill", recipe(home, server, "stormy"))
    assert done.returncode == 0, done.stderr
    assert files(home / "calm") == files(home / "stormy")


def test_a_cut_off_answer_is_asked_for_again_with_what_was_wrong(home, llm_server):
    with llm_server(faults=0.5, kinds="truncated") as server:
        done = dr(home, "distill", recipe(home, server), "teacher.attempts=12")
    assert done.returncode == 0, done.stderr
    stats = json.loads((home / "distill/manifest.json").read_text())["stats"]
    assert (stats["written"], stats["failed"]) == (40, {})


def test_what_fails_is_told_and_retried_alone(home, llm_server):
    # The content filter refuses whatever names document 7.
    with llm_server(filter="600007") as server:
        path = recipe(home, server)
        done = dr(home, "distill", path)
        assert done.returncode == 0, done.stderr
        assert [(row["document_id"], row["step"], row["reason"]) for row in rows(home / "distill/failed.jsonl")] == [
            ("d7", "choose", "content filter")
        ]
        assert "1 of 40 queries failed (1 × content filter): see failed.jsonl; --retry-failed" in done.stderr
        assert "d7-q1" not in beir.read_qrels(home / "distill", "train")
    with llm_server() as server:
        path = recipe(home, server)  # where the server is does not change what is made
        assert "up to date" in dr(home, "distill", path).stderr
        assert server.tries() == []
        done = dr(home, "distill", path, "--retry-failed")
        assert done.returncode == 0, done.stderr
        assert len(server.tries()) == 2  # both stages of the one that failed
    assert "d7-q1" in beir.read_qrels(home / "distill", "train")
    assert not (home / "distill/failed.jsonl").exists()
    assert (home / "distill.previous/failed.jsonl").exists()
    nothing = dr(home, "distill", path, "--retry-failed")
    assert (nothing.returncode, "nothing failed here" in nothing.stderr) == (2, True)


def test_unusable_answers_are_asked_anew_on_a_retry(home, llm_server):
    with llm_server(
        body='{"choices": [{"message": {"content": "I would rather not."}, "finish_reason": "stop"}]}'
    ) as server:
        path = recipe(home, server)
        done = dr(home, "distill", path)
        assert done.returncode == 1 and "no query is left" in done.stderr
        assert len(server.tries()) == 40 * 3  # three attempts at stage 1, each with a changed prompt
        assert len({row["digest"] for row in server.tries()}) == 40 * 2  # the third prompt says the same as the second
        again = dr(home, "distill", path)
        assert "run it again: it asks anew" in again.stderr
        assert len(server.tries()) == 2 * 40 * 3


def test_a_changed_gate_asks_nobody_anew(home, llm_server):
    with llm_server() as server:
        dr(home, "distill", recipe(home, server))
        asked = len(server.tries())
        path = recipe(home, server, gates={"round_trip_k": None, "language": None, "max_characters": 99})
        assert dr(home, "distill", path).returncode == 2  # made by another recipe
        done = dr(home, "distill", path, "--force")
        assert done.returncode == 0, done.stderr
        assert len(server.tries()) == asked


def test_the_cost_is_told_before_the_first_request(home, llm_server):
    with llm_server() as server:
        done = dr(home, "distill", recipe(home, server, per_document=3), "--dry-run")
        assert done.returncode == 0, done.stderr
        assert server.tries() == []
    assert re.search(
        r"120 queries for 40 documents: about 240 requests, [\d,]+ prompt and [\d,]+ answer tokens", done.stderr
    )


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [({"key": "right"}, 3, "key"), ({"model": ["another"]}, 3, "another"), ({"status": 500}, 3, "500")],
)
def test_a_server_that_does_not_serve_ends_the_run_in_one_sentence(home, llm_server, options, code, told):
    with llm_server(**options) as server:
        done = dr(home, "distill", recipe(home, server), "teacher.llm.retries=1", OPENAI_API_KEY="wrong")
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert "wrong" not in (home / "distill.yaml").read_text() + done.stderr


def test_answers_with_thoughts_fences_and_extra_fields_are_read(home, llm_server):
    for style in ("fenced", "thinking", "extra", "prose"):
        with llm_server(style=style) as server:
            done = dr(home, "distill", recipe(home, server, style))
        assert done.returncode == 0, done.stderr
        assert len(rows(home / style / "distilled.jsonl")) == 40


def test_answers_in_another_language_are_rejected_with_their_reason(home, llm_server):
    with llm_server(style="foreign") as server:
        done = dr(home, "distill", recipe(home, server, gates={"language": "zh", "round_trip_k": None}))
    assert done.returncode == 1
    assert "40 × language" in done.stderr


def test_prompts_of_the_users_own_are_checked(home, llm_server, root):
    shutil.copytree(root / "recipes/distill/prompts/finance_zh", home / "mine")
    (home / "mine/write.txt").write_text("写一条查询：$passge")
    with llm_server() as server:
        path = recipe(home, server)
        done = dr(home, "distill", path, "teacher.prompts=mine")
    assert done.returncode == 2
    assert "nobody fills `$passge`" in done.stderr and "mine/write.txt" in done.stderr


def test_a_retry_asks_for_what_failed_alone_and_keeps_all_that_was_got_before(home, llm_server):
    got, asked = {}, 0
    # A third of the answers is cut off, and nothing is asked twice in one run.
    with llm_server(faults=0.3, kinds="truncated", most_faults=3) as server:
        path = recipe(home, server, per_document=3, limit=10)
        fields = json.loads((home / path).read_text())
        # So that the prompts of a document's queries differ, and one may fail before another that is got.
        fields["teacher"]["balance"] = {"question_types": {"keywords": 1, "summary": 1, "background": 1}}
        (home / path).write_text(json.dumps(fields))
        for more in ((), *[("--retry-failed",)] * 9):
            failed = len(rows(home / "distill/failed.jsonl")) if more else 30
            done = dr(home, "distill", path, "teacher.attempts=1", *more)
            assert done.returncode == 0, done.stderr
            queries = {query.id: query.text for query in beir.read_queries(home / "distill")}
            assert got.items() <= queries.items()
            got, before, asked = queries, asked, len(server.tries())
            assert asked - before <= 2 * failed  # both stages of each
            if not (home / "distill/failed.jsonl").exists():
                break
        assert (len(got), bool(more)) == (30, True)
        result = files(home / "distill")
        assert dr(home, "distill", path, "teacher.attempts=1", "--force").returncode == 0
        assert (files(home / "distill"), len(server.tries())) == (result, asked)


@pytest.mark.parametrize(("persona", "found"), [("写公告的理财经理", 40), ("a farmer", 0)])
def test_documents_that_find_no_persona_are_told(home, llm_server, persona, found):
    (home / "persona.jsonl").write_text(json.dumps({"persona": persona}))
    (home / "who.yaml").write_text(json.dumps({"stage": "personas", "source": "persona.jsonl", "out": "who"}))
    assert dr(home, "distill", "personas", "who.yaml").returncode == 0
    with llm_server() as server:
        path = recipe(home, server)
        fields = json.loads((home / path).read_text())
        fields["teacher"]["personas"] = {"index": "who"}
        (home / path).write_text(json.dumps(fields))
        done = dr(home, "distill", path)
    assert done.returncode == 0, done.stderr
    assert ("40 of 40 documents (100 %) find no persona" in done.stderr) is (found == 0)
    characters = Counter(row["character"] for row in rows(home / "distill/distilled.jsonl"))
    assert characters == {persona if found else "": 40}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("write.txt", "写一条查询", "there is no `$passage`"),
        ("again.txt", "再来一次", "there is no `$problem`"),
        (
            "words.txt",
            "choose_character: a\nchoose_nobody: b\nasking: 提问者：$persona\nprevious: c",
            "nobody fills `$persona`",
        ),
        (
            "words.txt",
            "choose_character: a\nchoose_nobody: b\nasking: 有 $5 的 $character\nprevious: c",
            "is no placeholder",
        ),
    ],
)
def test_prompts_that_would_fail_after_the_first_answers_are_refused_before(root, tmp_path, file, text, told):
    shutil.copytree(root / "recipes/distill/prompts/finance_zh", tmp_path / "mine")
    (tmp_path / "mine" / file).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(told)):
        prompts.load(str(tmp_path / "mine"))
