"""The parts of the client, each alone."""

import asyncio
import contextlib
import json
import os
import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import retry
from core.errors import DataError, DrError, Missing, UsageError
from core.llm import endpoint, faults, reading
from core.llm.chat import Answer, Message, Request
from core.llm.dialect import Dialect
from core.llm.errors import NoObject
from core.llm.estimate import Estimate, estimate, tokens
from core.llm.faults import Verdict
from core.llm.journal import Journal
from core.llm.limits import Rate, Slots
from core.llm.over import over
from core.llm.repair import parse_object
from core.llm.spec import Llm, OpenAI

DIGEST = "ab" * 32


def llm(**fields):
    return Llm(server={"type": "openai", "model": "m", "base_url": "http://localhost/v1"}, **fields)


def answer(text="yes", tokens=3):
    return Answer(text, "", tokens, 1, "stop")


class TestSpec:
    def test_a_cap_on_money_needs_both_prices(self):
        with pytest.raises(ValueError, match="price_per_million_answer_tokens"):
            llm(budget={"max_cost": 1.0, "price_per_million_prompt_tokens": 1.0})


class TestDigest:
    def test_it_is_over_all_that_decides_the_answer_and_nothing_else(self):
        request = Request((Message("user", "hello"),))
        here = request.digest(llm())
        assert here == Request((Message("user", "hello"),)).digest(llm(concurrency=2, timeout_seconds=1, retries=0))
        others = [
            request.digest(llm(temperature=0.2)),
            request.digest(llm(max_tokens=5)),
            request.digest(llm(top_p=0.5)),
        ]
        others += [
            Request(request.messages, attempt=1).digest(llm()),
            Request(request.messages, {"a": 1}).digest(llm()),
        ]
        others += [Request((Message("system", "hello"),)).digest(llm()), request.digest(llm(thinking=True))]
        assert len({here, *others}) == 8


class TestJournal:
    def test_answers_come_back_as_they_were(self, tmp_path):
        first = Answer("值\n", "because", 5, 7, "length")
        with Journal(tmp_path / "a" / "j") as journal:
            journal.add(DIGEST, first)
            assert journal.get(DIGEST) == first
        with Journal(tmp_path / "a" / "j") as journal:
            assert journal.get(DIGEST) == first
            assert journal.get(DIGEST).from_journal
            assert journal.get("cd" * 32) is None
            assert (journal.spent.prompt_tokens, journal.spent.completion_tokens) == (5, 7)

    @pytest.mark.parametrize("keep", [1, 20, -1])
    def test_a_torn_last_line_is_cut_off_and_the_rest_kept(self, tmp_path, keep):
        path = tmp_path / "j"
        with Journal(path) as journal:
            journal.add(DIGEST, answer())
            whole = path.read_bytes()
            journal.add("cd" * 32, answer())
        torn = path.read_bytes()[len(whole) :][:keep]
        path.write_bytes(whole + torn)
        with Journal(path) as journal:
            assert path.read_bytes() == whole
            assert len(journal) == 1
            journal.add("cd" * 32, answer("again"))
        with Journal(path) as journal:
            assert journal.get("cd" * 32).text == "again"

    def test_a_broken_line_in_the_middle_is_told_with_its_number(self, tmp_path):
        path = tmp_path / "j"
        with Journal(path) as journal:
            journal.add(DIGEST, answer())
        path.write_bytes(path.read_bytes() + b'{"digest": 3}\n' + path.read_bytes())
        with pytest.raises(DataError) as caught:
            Journal(path)
        assert caught.value.where == f"{path}:2"

    def test_two_writers_of_a_shared_file_see_each_other(self, tmp_path):
        with Journal(tmp_path / "j", shared=True) as one, Journal(tmp_path / "j", shared=True) as two:
            one.add(DIGEST, answer("first"))
            assert two.get(DIGEST).text == "first"
            two.add("cd" * 32, answer("second"))
            one.add("ef" * 32, answer("third"))
            assert [one.get(key * 32).text for key in ("ab", "cd", "ef")] == ["first", "second", "third"]
            assert two.get("ef" * 32).text == "third"

    def test_an_answer_that_another_writer_was_faster_with_is_not_written_again(self, tmp_path):
        with Journal(tmp_path / "j", shared=True) as one, Journal(tmp_path / "j", shared=True) as two:
            one.add(DIGEST, answer("first"))
            two.add(DIGEST, answer("second"))
            assert two.get(DIGEST).text == "first"
        assert len((tmp_path / "j").read_bytes().splitlines()) == 1

    def test_a_writer_mends_what_a_killed_one_left_in_a_shared_file(self, tmp_path):
        with Journal(tmp_path / "j", shared=True) as one:
            with (tmp_path / "j").open("ab") as file:
                file.write(b'{"digest":')
            one.add(DIGEST, answer())
        with Journal(tmp_path / "j") as journal:
            assert len(journal) == 1

    def test_answers_beyond_one_block_are_found(self, tmp_path):
        with Journal(tmp_path / "j") as journal:
            for number in range(90):
                journal.add(f"{number:064x}", answer(f"{number}" * 60_000))
        with Journal(tmp_path / "j") as journal:
            assert all(journal.get(f"{number:064x}").text == f"{number}" * 60_000 for number in range(90))

    def test_a_place_that_cannot_be_written_is_told(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(DrError, match="cannot be opened"):
            Journal(tmp_path / "file" / "j")


class TestRepair:
    @pytest.mark.parametrize(
        ("text", "repaired"),
        [
            ('{"a": 1}', ""),
            (' \n{"a": 1}\n', ""),
            ('```json\n{"a": 1}\n```', "unwrapped"),
            ('```\n{"a": 1}', "unwrapped"),
            ('Sure! {"a": 1} Anything else?', "unwrapped"),
            ('<think>{"a": 2}?</think>{"a": 1}', "unwrapped"),
            ('in {braces}: {"a": 1}', "unwrapped"),
            ('{"a": 1,}', "mended"),
            ("{'a': 1}", "mended"),
            ('{"a": 1', "mended"),
            ('{a: 1}', "mended"),
            ('```json\n{"a": 1,}\n```', "mended"),
        ],
    )  # fmt: skip
    def test_the_object_is_found(self, text, repaired):
        parsed = parse_object(text)
        assert parsed.value == {"a": 1}
        assert parsed.repaired == repaired

    def test_an_inner_object_is_not_taken_for_a_broken_outer_one(self):
        parsed = parse_object('{"x": {"a": 1}, "query": "what is')
        assert parsed.value == {"x": {"a": 1}, "query": "what is"}

    @pytest.mark.parametrize(
        "text", ["", "no", "[1, 2]", "{", "null", "```json\n```", "<think>{}", '<think>{"a": 2}', "3"]
    )
    def test_where_there_is_none_an_error_quotes_the_answer(self, text):
        with pytest.raises(NoObject, match="no JSON object"):
            parse_object(text)

    @given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), min_size=1, max_size=4), st.text(max_size=30))
    @settings(max_examples=150)
    def test_every_object_survives_prose_after_it(self, value, prose):
        text = json.dumps(value, ensure_ascii=False) + prose.replace("{", "").replace("</think>", "").replace("```", "")
        if "</think>" not in text and "```" not in text:
            assert parse_object(text).value == value

    @given(
        st.dictionaries(st.text("abc", min_size=1, max_size=5), st.text("值 {}[],:\"'a", max_size=20), min_size=1),
        st.data(),
    )
    @settings(max_examples=150)
    def test_a_cut_object_gives_an_object_or_a_clear_error(self, value, data):
        text = json.dumps(value, ensure_ascii=False)
        cut = text[: data.draw(st.integers(0, len(text)))]
        with contextlib.suppress(NoObject):
            assert isinstance(parse_object(cut).value, dict)

    def test_half_a_character_is_no_text(self):
        for text in (r'{"a": "\ud83d"}', r'so: {"a": "\ud83d"}', r'{"a": "\ud83d",}'):
            with pytest.raises(NoObject):
                parse_object(text)
        assert parse_object(r'{"a": "\ud83d\ude00"}').value == {"a": "😀"}

    def test_what_never_ends_is_given_up_at_once(self):
        with pytest.raises(NoObject):
            parse_object('{"' * 1_000_000)


class TestReading:
    @pytest.mark.parametrize(
        ("message", "text", "aloud"),
        [
            ({"content": [{"type": "text", "text": "ye"}, {"type": "text", "text": "s"}]}, "yes", ""),
            ({"content": "yes", "reasoning": {"effort": 1}}, "yes", ""),
            ({"content": "yes", "reasoning_content": [{"text": "so"}]}, "yes", "so"),
        ],
    )
    def test_texts_may_come_in_parts(self, message, text, aloud):
        read = reading.read(json.dumps({"choices": [{"message": message, "finish_reason": 7}]}).encode())
        assert (read.text, read.reasoning, read.finish_reason) == (text, aloud, "7")

    @pytest.mark.parametrize("content", [5, {"text": "yes"}, [5]])
    def test_what_is_no_text_is_a_fault(self, content):
        read = reading.read(json.dumps({"choices": [{"message": {"content": content}}]}).encode())
        assert (read.kind, read.verdict) == ("no content", Verdict.LATER)

    def test_counts_that_are_null_do_not_lose_the_answer(self):
        body = {"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": None, "completion_tokens": 3}}
        read = reading.read(json.dumps(body).encode())
        assert (read.text, read.prompt_tokens, read.completion_tokens) == ("yes", -1, 3)

    def test_thoughts_are_kept_apart(self):
        assert reading.split_thought("<think>so</think>\nyes") == ("yes", "so")
        assert reading.split_thought("so</think>yes") == ("yes", "so")
        assert reading.split_thought("<think>cut off") == ("", "cut off")
        assert reading.split_thought("a < b") == ("a < b", "")

    def test_reasoning_content_is_the_reasoning(self):
        body = {"choices": [{"message": {"content": "yes", "reasoning_content": "so"}, "finish_reason": "stop"}]}
        read = reading.read(json.dumps(body).encode())
        assert (read.text, read.reasoning, read.prompt_tokens) == ("yes", "so", -1)


class TestFaults:
    @pytest.mark.parametrize(
        ("status", "message", "verdict"),
        [
            (401, "no", Verdict.KEY),
            (402, "Insufficient Balance", Verdict.KEY),
            (429, "insufficient_quota: you exceeded your current quota", Verdict.KEY),
            (429, "slow down", Verdict.BUSY),
            (503, "loading", Verdict.BUSY),
            (500, "oops", Verdict.LATER),
            (504, "gateway", Verdict.LATER),
            (404, "The model `x` does not exist", Verdict.MODEL),
            (400, "Model not exist.", Verdict.MODEL),
            (400, "Range of input length should be [1, 30720]", Verdict.REQUEST),
            (400, "DataInspectionFailed: may contain inappropriate content", Verdict.REQUEST),
            (413, "", Verdict.REQUEST),
            (422, "Unexpected keys", Verdict.WORDS),
            (301, "", Verdict.ADDRESS),
            (405, "", Verdict.ADDRESS),
        ],
    )
    def test_a_status_and_its_message_say_whom_a_fault_is_about(self, status, message, verdict):
        body = json.dumps({"error": {"message": message}}).encode()
        assert faults.of_response(status, {}, body).verdict is verdict

    @pytest.mark.parametrize(
        "body",
        [b'{"error": {"message": "why"}}', b'{"detail": "why"}', b'{"error": "why"}', b"why", b'{"message": "why"}'],
    )
    def test_the_message_is_found_in_every_shape(self, body):
        assert faults.told(body) == "why"

    def test_a_list_of_details_is_told_as_it_is(self):
        assert "enable_thinking" in faults.told(b'{"detail": [{"loc": ["body", "enable_thinking"], "msg": "extra"}]}')


class TestRetry:
    def test_backoff_is_jittered_and_bounded(self):
        random.seed(1)
        for failures, most in ((1, 0.5), (2, 1), (4, 4), (20, 30)):
            waits = [retry.backoff(failures) for _ in range(200)]
            assert 0 <= min(waits) < most * 0.2
            assert most * 0.8 < max(waits) <= most

    def test_retry_after_is_seconds_or_a_date(self):
        now = datetime(2025, 1, 1, tzinfo=UTC)
        assert retry.asked_pause("7") == 7
        assert retry.asked_pause(format_datetime(now.replace(second=30), usegmt=True), now) == 30
        assert retry.asked_pause(format_datetime(now.replace(year=2024), usegmt=True), now) == 0
        assert retry.asked_pause("soon") is None
        assert retry.asked_pause(None) is None
        assert retry.asked_pause("nan") is None
        assert retry.asked_pause("inf") is None


class TestRate:
    @pytest.mark.parametrize("per_minute", [1, 7, 60, 600, 5000])
    def test_no_minute_has_more_and_the_flow_is_used_up(self, per_minute):
        rate, now, times = Rate(per_minute), 0.0, []
        for _ in range(3 * per_minute):
            now += rate.take(1, now)
            times.append(now)
        for first, last in zip(times, times[per_minute:], strict=False):
            assert last - first >= 60 - 1e-6
        assert times[-1] <= 3.2 * 60

    def test_what_was_guessed_too_low_is_made_up_for(self):
        rate = Rate(60)
        assert rate.take(1, 0.0) == 0
        rate.correct(9)
        assert rate.take(1, 0.0) == pytest.approx(10)


class TestSlots:
    def test_the_oldest_request_goes_first(self):
        async def main():
            slots, order = Slots(1), []

            async def one(number):
                ticket = await slots.acquire(number)
                order.append(number)
                await asyncio.sleep(0)
                slots.release(ticket, refused=False)

            await asyncio.gather(*(one(number) for number in (0, 3, 2, 1)))
            return order

        assert asyncio.run(main()) == [0, 1, 2, 3]

    def test_a_cancelled_wait_loses_no_slot(self):
        async def main():
            slots = Slots(1)
            ticket = await slots.acquire(0)
            waiting = [asyncio.create_task(slots.acquire(number)) for number in range(3)]
            await asyncio.sleep(0)
            slots.release(ticket, refused=False)  # the first has its slot, and does not know it yet
            waiting[0].cancel()
            await asyncio.sleep(0.01)
            waiting[1].cancel()
            await asyncio.gather(*waiting[:1], return_exceptions=True)
            return await asyncio.wait_for(waiting[2], 5) if not waiting[1].done() else slots.under_way

        assert asyncio.run(main()) in {0, 1}

    def simulate(self, capacity, share_of_faults, tries=4000):
        """Bounds after each try, at a server that refuses what exceeds `capacity` and some tries besides."""

        async def main():
            slots, under_way, limits, pick = Slots(64), [], [], random.Random(1)
            for number in range(tries):
                while slots.under_way >= slots.limit:
                    slots.release(under_way.pop(0), refused=pick.random() < share_of_faults)
                ticket = await slots.acquire(number)
                if slots.under_way > capacity:
                    slots.release(ticket, refused=True)
                else:
                    under_way.append(ticket)
                limits.append(slots.limit)
            return limits

        return asyncio.run(main())

    def test_faults_by_chance_do_not_slow_it_down(self):
        assert set(self.simulate(64, 0.3)) == {64}

    @pytest.mark.parametrize("capacity", [3, 20, 50])
    def test_it_finds_what_the_server_bears(self, capacity):
        late = self.simulate(capacity, 0.05)[2000:]
        assert 0.6 * capacity <= sum(late) / len(late) <= 1.3 * capacity + 2

    def test_it_grows_back_when_the_server_recovers(self):
        async def main():
            slots = Slots(64)
            for refused in [True] * 200 + [False] * 20_000:
                slots.release(await slots.acquire(0), refused=refused)
                if refused is True:
                    lowest = slots.limit
            return lowest, slots.limit

        assert asyncio.run(main()) == (1, 64)


class TestOver:
    def test_no_more_than_the_window_is_read_ahead_or_under_way(self):
        taken, running, most = [], 0, 0

        async def work(item):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001 * (item % 3))
            running -= 1
            return item * 2

        def items():
            for number in range(50):
                taken.append(number)
                yield number

        async def main():
            made = {}
            async for number, value in over(items(), work, 5):
                made[number] = value
                assert len(taken) <= len(made) + 5
            return made

        assert asyncio.run(main()) == {number: 2 * number for number in range(50)}
        assert most == 5

    def test_a_failure_lets_the_others_end_and_is_raised(self):
        ended = []

        async def work(item):
            await asyncio.sleep(0.01 if item == 1 else 0.1)
            if item == 1:
                raise Missing("gone")
            ended.append(item)

        async def main():
            async for _ in over(range(100), work, 4):
                pass

        with pytest.raises(Missing):
            asyncio.run(main())
        assert sorted(ended) == [0, 2, 3]

    def test_leaving_early_cancels_the_rest(self):
        async def main():
            async with contextlib.aclosing(over(range(10), lambda item: asyncio.sleep(item * 100), 3)) as results:
                async for _ in results:
                    break
            return len(asyncio.all_tasks())

        assert asyncio.run(main()) == 1

    def test_nothing_gives_nothing(self):
        async def main():
            return [pair async for pair in over([], asyncio.sleep, 3)]

        assert asyncio.run(main()) == []


class TestDialect:
    def test_thinking_is_off_in_both_words(self):
        body = Dialect(llm()).body(Request((Message("user", "hi"),)))
        assert body["enable_thinking"] is False
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        assert "response_format" not in body
        assert "top_p" not in body

    def test_the_length_has_another_name_where_a_server_says_so(self):
        dialect, request = Dialect(llm()), Request((Message("user", "hi"),))
        told = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        assert dialect.adapt(told, dialect.body(request))
        assert dialect.body(request)["max_completion_tokens"] == 1024
        assert "max_tokens" not in dialect.body(request)
        assert not dialect.adapt(told, dialect.body(request))

    def test_a_complaint_about_something_else_changes_nothing(self):
        dialect, request = Dialect(llm()), Request((Message("user", "hi"),), {"type": "object"})
        assert not dialect.adapt("temperature must be 1", dialect.body(request))


class TestEndpoint:
    def test_keys_and_passwords_are_never_shown(self):
        server = llm().server.model_copy(update={"base_url": "http://me:word@host/v1/"})
        found = endpoint.resolve(server, environment={"QWEN_API_KEY": "secret"})
        assert found.key == "secret"
        assert "secret" not in repr(found)
        assert found.shown == "http://host/v1"
        assert found.without_secrets("bad key secret") == "bad key ***"

    def test_the_first_variable_that_is_set_counts(self):
        server = llm().server.model_copy(update={"base_url": None})
        told = {"QWEN_URL": "http://b/v1/chat/completions", "OPENAI_BASE_URL": ""}
        assert endpoint.resolve(server, environment=told).base_url == "http://b/v1"

    def test_a_key_that_no_header_carries_is_told(self):
        with pytest.raises(Missing, match="OPENAI_API_KEY"):
            endpoint.resolve(llm().server, environment={"OPENAI_API_KEY": "密钥"})


class TestEstimate:
    def test_tokens_by_script(self):
        assert tokens("") == 0
        assert tokens("基金份额净值") == 4  # 6 * 0.6 = 3.6
        assert tokens("2024") == 4  # 4 * 1.1 = 4.4
        assert tokens("the fund") == 2

    def test_money_and_time(self):
        prices = {"price_per_million_prompt_tokens": 1.0, "price_per_million_answer_tokens": 10.0}
        told = estimate(llm(budget=prices, concurrency=10), 1000, ["x " * 90] * 3, 50, seconds_per_answer=2)
        # (90 + 2 * 5) tokens * 1000 = 0.1 M prompts, 0.05 M answers: 0.1 + 0.5; 1000 * 2 s / 10 at once
        assert told == Estimate(1000, 100_000, 50_000, pytest.approx(0.6), 200)
        assert str(told) == (
            "about 1,000 requests, 100,000 prompt and 50,000 answer tokens, cost 0.60, 3.3 minutes"
        )  # fmt: skip

    def test_limits_a_minute_bound_the_time(self):
        assert estimate(llm(requests_per_minute=60), 600, ["x"], 50, seconds_per_answer=0.1).seconds == 600
        assert "cost unknown" in str(estimate(llm(), 1, [], 5))


def test_the_environment_is_left_as_it_was():
    assert "DR_TEST_KEY" not in os.environ


@pytest.mark.parametrize(
    "address", ["http://[::1/v1", "http://localhost:99999/v1", f"http://{'a' * 80}.b/v1", "ftp://a/v1", "a"]
)
def test_what_is_no_address_is_told_before_anything_is_sent(address):
    with pytest.raises(UsageError, match="`base_url` is no address"):
        endpoint.resolve(OpenAI(type="openai", base_url=address))
