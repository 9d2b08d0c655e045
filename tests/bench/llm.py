"""The client of language models against a server of fixed speed; one JSON object on stdout.

    python -m tests.bench.llm [requests] [slots] [latency seconds] [share of faults] [time-out seconds]

The server (tests/doubles/llm_server.py) is a process of its own on the same machine. Two ideals are told for each run,
both from what the server saw: `bound`, all its busy seconds spread over all slots with no gap; and `schedule`, the same
tries dealt out by a scheduler without any cost of its own that does not know what will fail: each goes to the first
free slot, retries before new questions, no sooner than a Retry-After allows.
"""

import asyncio
import heapq
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from core.llm.chat import Message, Request
from core.llm.client import open_client
from core.llm.errors import NoObject
from core.llm.journal import Journal
from core.llm.over import over
from core.llm.repair import parse_object
from core.llm.spec import Llm

DOUBLE = Path(__file__).parents[1] / "doubles" / "llm_server.py"
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["summary", "keywords"]}, "query": {"type": "string"}},
    "required": ["kind", "query"],
}
PASSAGE = "基金管理人应当在每个交易日公告基金份额净值，并在年度报告中披露主要风险。" * 12
RETRY_AFTER = 1.0


@contextmanager
def server(*arguments):
    child = subprocess.Popen([sys.executable, str(DOUBLE), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}/v1"
    finally:
        child.terminate()
        child.wait()
        child.stdout.close()


async def distil(llm, journal, requests):
    """All answers, each parsed; an answer whose JSON is cut off is asked for anew."""

    async def one(number):
        for attempt in range(4):
            messages = (Message("system", "你是分析助手"), Message("user", f"{number} {attempt}\n{PASSAGE}"))
            answer = await client.ask(Request(messages, SCHEMA))
            try:
                parsed = parse_object(answer.text)
            except NoObject:
                continue
            if not parsed.repaired:
                return parsed.value
        raise SystemExit(f"{number} was cut off four times")

    async with open_client(llm, journal) as client:
        made = [number async for number, _ in over(range(requests), one, client.window)]
    return made, client.usage


def chains(rows):
    """The tries of each question, in the order of their first: seconds and what had to be waited after each."""
    found = {}
    for row in sorted(rows, key=lambda row: row["started"]):
        seconds = row["ended"] - row["started"]
        found.setdefault(row["digest"], []).append((seconds, RETRY_AFTER if row["status"] == 429 else 0.0))
    return list(found.values())


def schedule(questions, slots):
    """Seconds that the tries take when dealt out without any cost."""
    free, again, fresh, end = [0.0] * slots, [], iter(enumerate(questions)), 0.0
    pending = next(fresh, None)
    while pending or again:
        now = heapq.heappop(free)
        due = [entry for entry in again if entry[0] <= now]
        if due:
            entry = min(due, key=lambda entry: entry[1])
            again.remove(entry)
            _, number, left = entry
        elif pending:
            (number, left), pending = pending, next(fresh, None)
        else:
            heapq.heappush(free, min(entry[0] for entry in again))
            continue
        (seconds, pause), *left = left
        end = max(end, now + seconds)
        heapq.heappush(free, now + seconds)
        if left:
            again.append((now + seconds + pause, number, left))
    return end


def measure(requests, slots, latency, faults, timeout):
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "tries.jsonl"
        arguments = ["--latency", str(latency), "--slots", str(slots), "--log", str(log), "--seed", "1"]
        arguments += [
            "--faults",
            str(faults),
            "--kinds",
            "500,429,stall,truncated",
            "--retry-after",
            f"{RETRY_AFTER:g}",
        ]
        with server(*arguments) as url, Journal(Path(home) / "answers.jsonl") as journal:
            asked = {"concurrency": slots, "timeout_seconds": timeout}
            llm = Llm(server={"type": "openai", "model": "double", "base_url": url}, **asked)
            before, started = resource.getrusage(resource.RUSAGE_SELF), time.time()
            made, usage = asyncio.run(distil(llm, journal, requests))
            after = resource.getrusage(resource.RUSAGE_SELF)
        rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted(made) == list(range(requests)), "answers are missing"
    first, last = min(row["started"] for row in rows), max(row["ended"] for row in rows if row["status"] == 200)
    busy = sum(row["ended"] - row["started"] for row in rows)
    ideals = {"bound": busy / slots, "schedule": schedule(chains(rows), slots)}
    if not faults:
        ideals = {"bound": requests / slots * latency}
    return {
        "seconds": round(last - first, 3),
        "ideal_seconds": {name: round(seconds, 3) for name, seconds in ideals.items()},
        "share_of_ideal": {name: round(seconds / (last - first), 4) for name, seconds in ideals.items()},
        "tries": len(rows),
        "faults": dict(usage.faults),
        "most_at_once": max(row.get("under_way", 0) for row in rows),
        "seconds_before_first": round(first - started, 3),
        "client_cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
    }


def main(requests="2000", slots="64", latency="0.2", faults="0.3", timeout="2"):
    report = {"requests": int(requests), "slots": int(slots), "latency_seconds": float(latency)}
    report["without_faults"] = measure(int(requests), int(slots), float(latency), 0.0, float(timeout))
    report["with_faults"] = measure(int(requests), int(slots), float(latency), float(faults), float(timeout))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
