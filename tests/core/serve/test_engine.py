import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from core.serve.engine import Abandoned, Engine, WorkFailed
from core.serve.searching import How, search
from core.serve.waiting import Overloaded
from core.types import Document, Hit

BM25 = How("bm25", 3, None)


class Echo:
    """An index whose hits name the question: document `query|method|k|alpha`. It cannot search "poison"."""

    def __init__(self, seconds=0.0):
        self.calls, self.threads, self.seconds = [], set(), seconds

    def search(self, queries, k, *, method=None, alpha=None):
        self.calls.append((tuple(queries), k, method, alpha))
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        if "poison" in queries:
            raise ZeroDivisionError("bad query")
        return [[Hit(f"{query}|{method}|{k}|{alpha}", 1.0)] for query in queries]

    def documents(self, ids):
        return [Document(id_, f"text of {id_}") for id_ in ids]


def using(index, work, *, max_batch=64, max_wait_seconds=0.02, max_queue=1000):
    """What `work(engine)` gives."""

    async def run():
        limits = {"max_batch": max_batch, "max_wait_seconds": max_wait_seconds, "max_queue": max_queue}
        with ThreadPoolExecutor(1) as thread:
            async with Engine(partial(search, index), thread, **limits) as engine:
                return await asyncio.wait_for(work(engine), 20)

    return asyncio.run(run())


def ids(answer):
    return [[document.id for document, _ in row] for row in answer.rows]


def test_requests_that_come_together_are_one_search():
    index = Echo()
    answers = using(index, lambda engine: asyncio.gather(*(engine.ask([f"q{i}"], BM25) for i in range(10))))
    assert [ids(answer) for answer in answers] == [[[f"q{i}|bm25|3|None"]] for i in range(10)]
    assert index.calls == [(tuple(f"q{i}" for i in range(10)), 3, "bm25", None)]


def test_only_equal_questions_are_searched_together():
    index = Echo()
    hows = [How("hybrid", 3, 0.0), How("hybrid", 3, 1.0), How("hybrid", 4, 0.0), How("dense", 3, None)] * 2
    answers = using(index, lambda engine: asyncio.gather(*(engine.ask(["q"], how) for how in hows)))
    assert [ids(a) for a in answers] == [[[f"q|{how.method}|{how.k}|{how.alpha}"]] for how in hows]
    assert len(index.calls) == 4


def test_what_arrives_during_a_search_is_gathered_for_the_next():
    async def work(engine):
        first = asyncio.create_task(engine.ask(["first"], BM25))
        await asyncio.sleep(0.1)
        later = [asyncio.create_task(engine.ask([f"later{i}"], BM25)) for i in range(5)]
        return await asyncio.gather(first, *later)

    index = Echo(seconds=0.3)
    using(index, work, max_wait_seconds=0)
    assert [len(queries) for queries, *_ in index.calls] == [1, 5]
    assert len(index.threads) == 1


def test_a_full_batch_does_not_wait():
    async def work(engine):
        first = asyncio.create_task(engine.ask(["first"], BM25))
        await asyncio.sleep(0.1)  # the engine waits for company by now
        return await asyncio.gather(first, *(engine.ask([f"q{i}"], BM25) for i in range(3)))

    index, started = Echo(), time.monotonic()
    using(index, work, max_batch=4, max_wait_seconds=10)
    assert time.monotonic() - started < 5
    assert [len(queries) for queries, *_ in index.calls] == [4]


def test_no_search_has_more_queries_than_a_batch():
    index = Echo()
    requests = [[f"{name}{i}" for i in range(size)] for name, size in (("a", 3), ("b", 3), ("c", 11), ("d", 1))]
    answers = using(
        index, lambda engine: asyncio.gather(*(engine.ask(request, BM25) for request in requests)), max_batch=4
    )
    assert [[row[0].split("|")[0] for row in ids(answer)] for answer in answers] == requests
    # a and b do not fit together; c is larger than a batch and cut: 4 + 4 + 3; d comes after it
    assert [len(queries) for queries, *_ in index.calls] == [3, 3, 4, 4, 3, 1]


def test_each_distinct_query_is_searched_once_and_a_blank_one_never():
    index = Echo()
    answer = using(index, lambda engine: engine.ask(["a", "", "b", "a", " \n"], BM25))
    assert [[id_.split("|")[0] for id_ in row] for row in ids(answer)] == [["a"], [], ["b"], ["a"], []]
    assert index.calls == [(("a", "b"), 3, "bm25", None)]


def test_only_blank_queries_find_nothing_without_a_search():
    index = Echo()
    assert ids(using(index, lambda engine: engine.ask(["", " "], BM25))) == [[], []]
    assert index.calls == []


def test_a_failing_request_fails_alone_and_is_logged(caplog):
    async def work(engine):
        crowd = [engine.ask([query], BM25) for query in ("a", "poison", "b")]
        together = await asyncio.gather(*crowd, return_exceptions=True)
        return together, await engine.ask(["after"], BM25), engine.counters["failed"]

    with caplog.at_level(logging.ERROR):
        (a, poison, b), after, failed = using(Echo(), work)
    assert (ids(a), ids(b), ids(after)) == ([["a|bm25|3|None"]], [["b|bm25|3|None"]], [["after|bm25|3|None"]])
    assert isinstance(poison, WorkFailed)
    assert str(poison) == "ZeroDivisionError: bad query"
    assert failed == 1
    assert "ZeroDivisionError" in caplog.text


def test_what_does_not_fit_the_queue_is_refused_and_the_rest_is_answered():
    async def work(engine):
        asked = [asyncio.create_task(engine.ask([f"q{i}a", f"q{i}b"], BM25)) for i in range(5)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        return done, engine.counters, engine.queue.num_items

    # 5 requests of 2 queries, room for 7: three wait, two are refused
    done, counters, left = using(Echo(), work, max_queue=7)
    assert [type(answer).__name__ for answer in done] == ["Answer"] * 3 + ["Overloaded"] * 2
    assert isinstance(done[-1], Overloaded)
    assert (counters["requests"], counters["items"], counters["overloaded"], left) == (3, 6, 2, 0)


def test_a_request_whose_client_left_while_it_waited_is_not_searched():
    async def left():
        return True

    async def work(engine):
        slow = asyncio.create_task(engine.ask(["slow"], BM25))
        await asyncio.sleep(0.1)
        gone = asyncio.create_task(engine.ask(["gone"], BM25, left))
        stays = asyncio.create_task(engine.ask(["stays"], BM25))
        return await asyncio.gather(slow, gone, stays, return_exceptions=True)

    index = Echo(seconds=1.3)
    _, gone, stays = using(index, work, max_wait_seconds=0)
    assert isinstance(gone, Abandoned)
    assert ids(stays) == [["stays|bm25|3|None"]]
    assert [queries for queries, *_ in index.calls] == [("slow",), ("stays",)]


def test_a_long_request_of_a_client_that_left_is_worked_on_no_further():
    async def left():
        return True

    async def work(engine):
        with pytest.raises(Abandoned):
            await engine.ask([f"q{i}" for i in range(5)], BM25, left)

    index = Echo(seconds=1.3)
    using(index, work, max_batch=1)
    assert [queries for queries, *_ in index.calls] == [("q0",)]


def test_engines_that_share_a_thread_take_turns():
    calls = []

    def working(name):
        def work(_, items):
            calls.append((name, tuple(items)))
            time.sleep(0.1)
            return items

        return work

    async def run():
        limits = {"max_wait_seconds": 0, "max_queue": 100}
        with ThreadPoolExecutor(1) as thread:
            async with (
                Engine(working("long"), thread, max_batch=1, **limits) as long,
                Engine(working("short"), thread, max_batch=10, **limits) as short,
            ):
                begun = asyncio.create_task(long.ask("abcd", None))
                await asyncio.sleep(0.05)
                assert (await short.ask("x", None)).rows == ["x"]
                assert (await begun).rows == list("abcd")

    asyncio.run(run())
    assert len(calls) == 5
    assert calls.index(("short", ("x",))) < calls.index(("long", ("d",)))


def test_an_asker_that_is_cancelled_does_not_stop_the_others():
    async def work(engine):
        first, second = (asyncio.create_task(engine.ask([query], BM25)) for query in "ab")
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert ids(using(Echo(), work)) == [["b|bm25|3|None"]]


def test_a_stopped_engine_says_so():
    async def run():
        with ThreadPoolExecutor(1) as thread:
            async with Engine(partial(search, Echo()), thread, max_batch=1, max_wait_seconds=0, max_queue=1) as engine:
                assert engine.running
        assert not engine.running
        with pytest.raises(WorkFailed, match="stopped"):
            await engine.ask(["q"], BM25)

    asyncio.run(run())


def test_when_a_bug_ends_the_engine_all_who_wait_are_told():
    async def broken():
        raise RuntimeError("a bug")

    answers = []

    async def work(engine):
        slow = asyncio.create_task(engine.ask(["slow"], BM25))
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(engine.ask([query], BM25, broken)) for query in "ab"]
        answers.extend(await asyncio.gather(slow, *waiting, return_exceptions=True))
        assert not engine.running

    with pytest.raises(RuntimeError, match="a bug"):
        using(Echo(seconds=1.3), work, max_wait_seconds=0)
    assert [type(answer) for answer in answers[1:]] == [WorkFailed, WorkFailed]
