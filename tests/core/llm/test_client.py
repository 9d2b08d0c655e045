"""The client against a server that fails in every way that servers do."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from core.errors import DrError, Missing, UsageError
from core.llm.chat import Message, Request
from core.llm.client import open_client
from core.llm.errors import BudgetReached, Unanswered
from core.llm.journal import Journal, Spent
from core.llm.meter import Meter
from core.llm.over import over
from core.llm.repair import parse_object
from core.llm.spec import Llm

ROOT = Path(__file__).parents[3]
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["summary", "keywords"]}, "query": {"type": "string"}},
    "required": ["kind", "query"],
}


def question(number, schema=SCHEMA, attempt=0):
    text = f"{number}: the manager of the fund publishes its net asset value on every day of trading"
    return Request((Message("system", "you are helpful"), Message("user", text)), schema, attempt)


def ask(llm, path, requests, window=None):
    """Answers, or the Unanswered of each, in order; and the client."""

    async def main():
        with Journal(path) as journal:
            async with open_client(llm, journal) as client:

                async def one(request):
                    try:
                        return await client.ask(request)
                    except Unanswered as error:
                        return error

                found = {number: answer async for number, answer in over(requests, one, window or client.window)}
                return [found[number] for number in range(len(found))], client

    return asyncio.run(main())


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def fails(llm, path, requests=1):
    with pytest.raises(DrError) as caught:
        ask(llm, path, [question(number) for number in range(requests)])
    return caught.value


def test_an_answer_fits_the_schema_and_is_counted(llm_server, tmp_path):
    server = llm_server()
    (answer,), client = ask(server.llm(), tmp_path / "j", [question(1)])
    value = json.loads(answer.text)
    assert set(value) == {"kind", "query"}
    assert not answer.from_journal
    assert client.usage.answers == client.usage.requests == 1
    assert client.usage.prompt_tokens == answer.prompt_tokens > 0
    (row,) = server.tries()
    assert row["format"]["type"] == "json_schema"


def test_a_second_run_asks_nothing(llm_server, tmp_path):
    server = llm_server()
    requests = [question(number) for number in range(30)]
    first, _ = ask(server.llm(), tmp_path / "j", requests)
    second, client = ask(server.llm(), tmp_path / "j", requests)
    assert second == first
    assert all(answer.from_journal for answer in second)
    assert len(server.tries()) == client.usage.journal_hits == 30


def test_equal_requests_under_way_are_asked_once_and_attempts_anew(llm_server, tmp_path):
    server = llm_server("--latency", 0.2)
    requests = [question(1)] * 5 + [question(1, attempt=1)]
    answers, _ = ask(server.llm(), tmp_path / "j", requests)
    assert len(server.tries()) == 2
    assert len({answer.text for answer in answers}) == 1


def test_every_fault_is_made_good_and_nothing_is_lost(llm_server, tmp_path):
    # A busy machine may let an answer come too late: more time-outs than were asked for, and answers paid twice.
    server = llm_server("--faults", 0.4, "--kinds", "500,429,stall,broken", "--retry-after", 0.1, "--most-faults", 3)
    requests = [question(number) for number in range(60)]
    answers, client = ask(server.llm(timeout_seconds=2, concurrency=32, retries=30), tmp_path / "j", requests)
    faultless = llm_server()
    expected, _ = ask(faultless.llm(), tmp_path / "other", requests)
    assert answers == expected
    assert {"HTTP 500", "HTTP 429", "time-out", "lost connection"} <= set(client.usage.faults)
    answered = Counter(row["digest"] for row in server.tries() if row["status"] == 200 and not row["fault"])
    assert len(answered) == client.usage.answers == 60
    assert sum(answered.values()) <= 60 + client.usage.faults["time-out"]
    assert client.usage.retries == sum(client.usage.faults.values())


def test_a_truncated_answer_is_asked_for_anew(llm_server, tmp_path):
    server = llm_server("--faults", 1, "--kinds", "truncated", "--most-faults", 1)
    (cut,), _ = ask(server.llm(), tmp_path / "j", [question(1)])
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(cut.text)
    (again,), _ = ask(server.llm(), tmp_path / "j", [question(1, attempt=1)])
    assert parse_object(again.text).repaired == ""
    assert len(server.tries()) == 2


def test_a_pause_of_hours_ends_the_run(llm_server, tmp_path):
    server = llm_server("--faults", 1, "--kinds", "429", "--retry-after", 7200)
    error = fails(server.llm(), tmp_path / "j", 3)
    assert isinstance(error, Missing)
    assert "7,200 s" in error.what


@contextlib.contextmanager
def double(*arguments):
    """A server that is a process of its own, and its port."""
    argv = [sys.executable, ROOT / "tests/doubles/llm_server.py", *map(str, arguments)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child, int(child.stdout.readline())
        finally:
            child.kill()


def ask_while_it_goes_away(path, requests, when_gone, **fields):
    """Ask a server that is killed after 20 answers; `when_gone` then gets its port. Texts by number."""
    with double("--latency", 0.05) as (child, port):
        llm = Llm(server={"type": "openai", "base_url": f"http://127.0.0.1:{port}/v1"}, concurrency=4, **fields)

        async def main():
            gone, made = None, {}
            with Journal(path) as journal:
                async with open_client(llm, journal) as client:
                    async for number, answer in over(map(question, range(requests)), client.ask, client.window):
                        made[number] = answer.text
                        if gone is None and len(made) >= 20:
                            child.kill()
                            child.wait()
                            gone = asyncio.create_task(when_gone(port))
                    await gone
            return made, client.usage

        return asyncio.run(main())


def test_a_server_that_goes_away_ends_the_run_and_the_answers_stay(tmp_path):
    async def nothing(port):
        pass

    began = time.monotonic()
    with pytest.raises(Missing, match="does not answer any more") as caught:
        ask_while_it_goes_away(tmp_path / "j", 100, nothing, retries=1, restart_seconds=2)
    assert time.monotonic() - began >= 2
    assert "what was answered is kept" in caught.value.hint
    with Journal(tmp_path / "j") as journal:
        assert 20 <= len(journal) < 100


def test_a_server_that_is_started_again_goes_on_and_nothing_is_lost(tmp_path, caplog):
    with contextlib.ExitStack() as stack:

        async def again(port):
            await asyncio.sleep(4)
            stack.enter_context(double("--port", port))

        made, usage = ask_while_it_goes_away(tmp_path / "j", 100, again, retries=1)
    assert sorted(made) == list(range(100))
    assert (usage.answers, usage.unanswered) == (100, 0)
    assert usage.faults["no connection"] < 60  # one looks, the others wait
    assert caplog.text.count("is gone") == caplog.text.count("is back") == 1


def test_a_request_that_breaks_every_connection_does_not_end_the_run(llm_server, tmp_path):
    server = llm_server("--breaks", "gambling")
    bad = Request((Message("user", "about gambling"),))
    answers, _ = ask(server.llm(retries=2, concurrency=1), tmp_path / "j", [question(1), bad])
    assert [getattr(answer, "reason", "") for answer in answers] == ["", "lost connection"]
    answers, _ = ask(server.llm(retries=2), tmp_path / "j", [bad, *map(question, range(1, 40))])
    assert [number for number, answer in enumerate(answers) if isinstance(answer, Unanswered)] == [0]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(llm_server, tmp_path):
    server = llm_server()
    os.environ["HTTP_PROXY"] = os.environ["http_proxy"] = "http://127.0.0.1:9"
    try:
        answers, _ = ask(server.llm(), tmp_path / "j", [question(1)])
    finally:
        del os.environ["HTTP_PROXY"], os.environ["http_proxy"]
    assert answers[0].text


def test_estimates_import_nothing_heavy():
    code = "import sys, core.llm.estimate, core.llm.spec; print({'aiohttp', 'numpy', 'json_repair'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_date_in_retry_after_is_honoured(llm_server, tmp_path):
    server = llm_server("--faults", 1, "--kinds", "429", "--most-faults", 1, "--retry-after", "date")
    answers, _ = ask(server.llm(), tmp_path / "j", [question(1)])
    refused, answered = server.tries()
    assert answers[0].text
    assert int(answered["started"]) > int(refused["started"])  # HTTP dates have whole seconds


def test_requests_under_way_never_exceed_the_bound(llm_server, tmp_path):
    server = llm_server("--latency", 0.02, "--faults", 0.2, "--kinds", "500,429", "--retry-after", 0)
    _, client = ask(server.llm(concurrency=7), tmp_path / "j", [question(number) for number in range(100)], 50)
    assert max(row["under_way"] for row in server.tries()) <= client.usage.most_at_once == 7


def test_a_server_of_few_slots_is_not_hammered(llm_server, tmp_path):
    server = llm_server("--slots", 5, "--refuse", "--latency", 0.03, "--retry-after", 0.05)
    answers, client = ask(server.llm(concurrency=64), tmp_path / "j", [question(number) for number in range(200)])
    statuses = Counter(row["status"] for row in server.tries())
    assert statuses[200] == len(answers) == 200
    assert client.usage.unanswered == 0
    assert client._slots.limit < 20
    assert statuses[429] < 600


@pytest.mark.parametrize("count", [1, 40])
def test_a_server_that_is_down_is_told_in_a_sentence(tmp_path, count):
    started = time.monotonic()
    server = {"type": "openai", "base_url": "http://127.0.0.1:9/v1"}
    error = fails(Llm(server=server), tmp_path / "j", count)
    assert isinstance(error, Missing)
    assert "does not answer" in error.what
    assert "base_url" in error.hint
    assert time.monotonic() - started < 15


def test_a_wrong_key_ends_the_run_and_is_not_shown(llm_server, tmp_path):
    server = llm_server("--key", "right")
    os.environ["DR_TEST_KEY"] = "a-wrong-secret"
    try:
        error = fails(server.llm(server={"api_key_env": ["DR_TEST_KEY"]}), tmp_path / "j", 50)
        assert isinstance(error, Missing)
        assert "does not accept the key" in error.what
        assert "DR_TEST_KEY" in error.hint
        assert "a-wrong-secret" not in error.render()
        os.environ["DR_TEST_KEY"] = " right\n"
        assert ask(server.llm(server={"api_key_env": ["DR_TEST_KEY"]}), tmp_path / "j", [question(1)])[0][0].text
    finally:
        del os.environ["DR_TEST_KEY"]
    assert "asks for a key" in fails(server.llm(), tmp_path / "j2").what


def test_an_unknown_model_is_told_with_those_that_are_near(llm_server, tmp_path):
    server = llm_server("--model", "qwen3-30b", "--model", "other")
    error = fails(server.llm(server={"model": "qwen3-30"}), tmp_path / "j")
    assert isinstance(error, Missing)
    assert "does not know the model `qwen3-30`" in error.what
    assert "`qwen3-30b`" in error.hint


def test_a_wrong_path_is_told(llm_server, tmp_path):
    server = llm_server()
    error = fails(server.llm(server={"base_url": server.url.removesuffix("/v1") + "/v2"}), tmp_path / "j")
    assert isinstance(error, Missing)
    assert "/v1" in error.hint


def test_a_long_context_and_a_filter_cost_their_own_request_only(llm_server, tmp_path):
    server = llm_server("--context", 400, "--filter", "gambling")
    long = Request((Message("user", "long " * 200),))
    bad = Request((Message("user", "about gambling"),))
    answers, client = ask(server.llm(), tmp_path / "j", [question(1), long, bad, question(2)])
    assert [getattr(answer, "reason", "") for answer in answers] == ["", "context too long", "content filter", ""]
    assert "max_document_characters" in answers[1].hint
    assert client.usage.unanswered == 2
    assert len(server.tries()) == 4  # no retry of what cannot pass


def test_one_request_that_always_times_out_does_not_end_the_run(llm_server, tmp_path):
    # Half of the questions stall, and no retry is allowed.
    server = llm_server("--faults", 0.5, "--kinds", "stall", "--most-faults", 1, "--seed", 3)
    requests = [question(number) for number in range(40)]
    answers, _ = ask(server.llm(timeout_seconds=3, retries=0), tmp_path / "j", requests)
    lost = [answer for answer in answers if isinstance(answer, Unanswered)]
    assert 0 < len(lost) < 40
    assert {error.reason for error in lost} == {"time-out"}
    answers, _ = ask(server.llm(timeout_seconds=20, retries=0), tmp_path / "j", requests)
    assert not [answer for answer in answers if isinstance(answer, Unanswered)]


def test_a_server_that_fails_always_ends_the_run(llm_server, tmp_path):
    server = llm_server("--status", 500)
    error = fails(server.llm(retries=1), tmp_path / "j", 100)
    assert isinstance(error, Missing)
    assert "in a row" in error.what
    assert len(server.tries()) < 250


@pytest.mark.parametrize("formats", ["json_object", "none"])
def test_a_server_without_json_schema_is_asked_otherwise_once_and_for_all(llm_server, tmp_path, formats):
    server = llm_server("--formats", formats)
    requests = [question(number) for number in range(60)]
    ask(server.llm(concurrency=4), tmp_path / "j", requests)
    kinds = Counter((row["format"] or {}).get("type", "none") for row in server.tries() if row["status"] == 200)
    assert kinds == {formats: 60}
    assert len(server.tries()) <= 60 + 2 * 4  # those under way when it was found out


def test_a_format_that_the_recipe_insists_on_is_not_given_up(llm_server, tmp_path):
    server = llm_server("--formats", "json_object")
    llm = server.llm(response_format="json_schema", concurrency=1)
    answers, _ = ask(llm, tmp_path / "j", [question(1)])
    assert "response_format" in answers[0].what


def test_fields_that_a_strict_server_refuses_are_left_out(llm_server, tmp_path):
    server = llm_server("--strict", "--formats", "none")
    ask(server.llm(concurrency=1), tmp_path / "j", [question(number) for number in range(10)])
    fields = [row["fields"] for row in server.tries()]
    assert "enable_thinking" in fields[0]
    assert "chat_template_kwargs" in fields[0]
    assert fields[-1] == ["max_tokens", "messages", "model", "temperature"]
    assert len(fields) <= 10 + 4


@pytest.mark.parametrize("style", ["plain", "fenced", "prose", "thinking", "extra", "foreign"])
def test_an_answer_in_any_dress_holds_its_object(llm_server, tmp_path, style):
    server = llm_server("--style", style)
    (answer,), _ = ask(server.llm(), tmp_path / "j", [question(1)])
    parsed = parse_object(answer.text)
    assert {"kind", "query"} <= set(parsed.value)
    assert parsed.repaired == ("unwrapped" if style in {"fenced", "prose"} else "")
    assert bool(answer.reasoning) == (style == "thinking")


@pytest.mark.parametrize(
    "body", ["<html>welcome</html>", "{}", '{"choices": []}', '{"choices": [{"message": {"content": null}}]}', "[]"]
)
def test_an_answer_of_another_shape_is_told(llm_server, tmp_path, body):
    server = llm_server("--body", body)
    answers, _ = ask(server.llm(retries=1), tmp_path / "j", [question(1)])
    assert "choices[0].message.content" in answers[0].what
    assert len(server.tries()) == 2


def test_tokens_are_estimated_where_the_server_does_not_count(llm_server, tmp_path):
    server = llm_server("--no-usage")
    (answer,), _ = ask(server.llm(), tmp_path / "j", [question(1)])
    assert answer.prompt_tokens > 10
    assert answer.completion_tokens > 3


def test_a_budget_is_never_exceeded_and_counts_earlier_runs(llm_server, tmp_path):
    server = llm_server("--latency", 0.02)
    requests = [question(number) for number in range(200)]
    llm = server.llm(max_tokens=100, budget={"max_tokens": 3000}, concurrency=16)
    with pytest.raises(BudgetReached, match="3,000 tokens"):
        ask(llm, tmp_path / "j", requests)
    with Journal(tmp_path / "j") as journal:
        spent, kept = journal.spent.prompt_tokens + journal.spent.completion_tokens, len(journal)
    assert 2000 < spent <= 3000
    assert kept == len(server.tries())
    with pytest.raises(BudgetReached):
        ask(llm, tmp_path / "j", requests)
    with Journal(tmp_path / "j") as journal:
        assert journal.spent.prompt_tokens + journal.spent.completion_tokens <= 3000
    answers, client = ask(server.llm(max_tokens=100), tmp_path / "j", requests)
    assert client.usage.journal_hits >= kept
    assert len(answers) == len({row["digest"] for row in server.tries()}) == len(server.tries()) == 200


def test_money_is_capped_as_tokens_are(llm_server, tmp_path):
    prices = {"price_per_million_prompt_tokens": 1000.0, "price_per_million_answer_tokens": 2000.0, "max_cost": 1.0}
    server = llm_server()
    with pytest.raises(BudgetReached, match="spent"):
        ask(server.llm(max_tokens=50, budget=prices), tmp_path / "j", [question(number) for number in range(200)])
    with Journal(tmp_path / "j") as journal:
        assert 0.5 < journal.spent.prompt_tokens * 0.001 + journal.spent.completion_tokens * 0.002 <= 1.0


def test_requests_per_minute_are_kept(llm_server, tmp_path):
    # 1200 a minute: 20 in the first second's burst, then 19.7 a second.
    server = llm_server()
    began = time.time()
    ask(server.llm(requests_per_minute=1200), tmp_path / "j", [question(number) for number in range(50)])
    starts = sorted(row["started"] - began for row in server.tries())
    assert all(start >= (number - 20) / 20 for number, start in enumerate(starts))
    assert starts[-1] > 1.3


def test_tokens_per_minute_are_kept(llm_server, tmp_path):
    server = llm_server()
    requests = [question(number) for number in range(40)]
    llm = server.llm(tokens_per_minute=60_000, max_tokens=60)  # 1000 a second
    began = time.time()
    _, client = ask(llm, tmp_path / "j", requests)
    seconds = max(row["started"] for row in server.tries()) - began
    assert client.usage.prompt_tokens + client.usage.completion_tokens <= 1000 * (seconds + 1) + 1000


def test_a_request_that_no_minute_has_room_for_is_told_and_the_others_go_on(llm_server, tmp_path):
    server = llm_server()
    long = Request((Message("user", "long " * 5000),))
    answers, client = ask(server.llm(tokens_per_minute=4000), tmp_path / "j", [long, question(1)])
    assert answers[0].reason == "over the limit per minute"
    assert "`tokens_per_minute` allows 4,000" in answers[0].what
    assert "max_document_characters" in answers[0].hint
    assert answers[1].text
    assert client.usage.unanswered == len(server.tries()) == 1


def test_a_long_wait_for_a_limit_is_told_once(caplog):
    meter = Meter(Llm(server={"type": "openai"}, tokens_per_minute=4000, max_tokens=500), Spent())

    async def waits():
        return [meter.wait(await meter.admit(question(number))) for number in range(6)]

    seconds = asyncio.run(waits())
    assert seconds[0] == 0
    assert seconds[-1] > 20
    (told,) = [message for message in caplog.messages if "limit" in message]
    assert "4,000 tokens a minute" in told


def test_a_cache_is_shared_between_pieces_of_work(llm_server, tmp_path):
    server, requests = llm_server(), [question(number) for number in range(20)]
    llm = server.llm(cache=tmp_path / "shared" / "cache.jsonl", budget={"max_tokens": 100_000})
    first, _ = ask(llm, tmp_path / "a", requests)
    second, client = ask(llm, tmp_path / "b", requests)
    assert second == first
    assert client.usage.cache_hits == 20
    assert len(server.tries()) == 20
    with Journal(tmp_path / "b") as journal:
        assert len(journal) == 20
        assert journal.spent.prompt_tokens == 0  # paid by the first


def test_two_processes_that_start_together_on_one_cache_pay_once(llm_server, tmp_path):
    server = llm_server("--latency", 0.05)
    cache = tmp_path / "cache.jsonl"
    both = [
        subprocess.Popen([sys.executable, "-c", CHILD, server.url, *map(str, paths), str(cache)], cwd=ROOT)
        for paths in ((tmp_path / "j1", tmp_path / "out1"), (tmp_path / "j2", tmp_path / "out2"))
    ]
    assert [child.wait() for child in both] == [0, 0]
    assert len(server.tries()) == len({row["digest"] for row in server.tries()}) == 300
    assert len(cache.read_bytes().splitlines()) == 300
    assert (tmp_path / "out1").read_bytes() == (tmp_path / "out2").read_bytes()


def test_what_a_killed_process_was_asking_is_asked_by_the_other(llm_server, tmp_path):
    server = llm_server("--latency", 0.05)
    cache = tmp_path / "cache.jsonl"
    argv = [sys.executable, "-c", CHILD, server.url]
    with subprocess.Popen([*argv, str(tmp_path / "j1"), str(tmp_path / "out1"), str(cache)], cwd=ROOT) as first:
        while len(server.tries()) < 30:
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)  # it holds what it was asking
        with subprocess.Popen([*argv, str(tmp_path / "j2"), str(tmp_path / "out2"), str(cache)], cwd=ROOT) as second:
            wait_until(lambda: (tmp_path / "j2").exists() and (tmp_path / "j2").read_bytes().count(b"\n") >= 20)
            first.kill()
            assert second.wait() == 0
    paid = Counter(row["digest"] for row in server.tries())
    assert len(paid) == 300
    assert sum(paid.values()) <= 300 + 8


def test_no_address_and_a_wrong_one_are_told(tmp_path):
    server = {"type": "openai", "base_url_env": ["DR_TEST_NO_SUCH"]}
    error = fails(Llm(server=server), tmp_path / "j")
    assert isinstance(error, Missing)
    assert "DR_TEST_NO_SUCH" in error.hint
    error = fails(Llm(server={"type": "openai", "base_url": "localhost:8000"}), tmp_path / "j")
    assert isinstance(error, UsageError)


def test_a_full_disk_ends_the_run_and_the_journal_stays_whole(llm_server, small_disk):
    server = llm_server()
    long = [Request((Message("user", f"{number} " + "word " * 3000),), None) for number in range(3)]
    (small_disk / "filler").write_bytes(b"x" * 1_040_000)
    requests = long + [question(number) for number in range(200)]
    with pytest.raises(DrError, match="cannot be kept"):
        ask(server.llm(), small_disk / "j", requests)
    (small_disk / "filler").unlink()
    kept = (small_disk / "j").read_bytes()
    assert kept == b"" or kept.endswith(b"}\n")
    answers, _ = ask(server.llm(), small_disk / "j", requests)
    assert len(answers) == 203


CHILD = """
import asyncio, sys
from pathlib import Path
from core.llm.chat import Message, Request
from core.llm.client import open_client
from core.llm.journal import Journal
from core.llm.over import over
from core.llm.spec import Llm

async def main(url, path, out, cache=None):
    llm = Llm(server={"type": "openai", "model": "double", "base_url": url}, concurrency=8, cache=cache)
    with Journal(Path(path)) as journal:
        async with open_client(llm, journal) as client:
            async def one(number):
                return (await client.ask(Request((Message("user", f"what is {number}?"),)))).text
            made = {number: text async for number, text in over(range(300), one, client.window)}
    open(out, "w").write("".join(f"{number} {made[number]}\\n" for number in range(300)))

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_killed_run_pays_nothing_twice_but_what_was_under_way(llm_server, tmp_path):
    server = llm_server("--latency", 0.05)
    paths = [str(tmp_path / name) for name in ("j", "out")]
    argv = [sys.executable, "-c", CHILD, server.url, *paths]
    kills = 0
    for lines in (40, 90):
        with subprocess.Popen(argv, cwd=ROOT) as child:
            while child.poll() is None and len(server.tries()) < lines:
                time.sleep(0.01)
            kills += child.poll() is None
            child.kill()
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"digest":"torn')
    subprocess.run(argv, cwd=ROOT, check=True)
    paid = Counter(row["digest"] for row in server.tries())
    assert kills, "both runs ended before they could be killed"
    assert len(paid) == 300
    assert sum(count - 1 for count in paid.values()) <= kills * 8
    subprocess.run([*argv[:-2], str(tmp_path / "j2"), str(tmp_path / "out2")], cwd=ROOT, check=True)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "out2").read_bytes()
    assert len((tmp_path / "j").read_bytes().splitlines()) == 300
