"""Conversions of plain formats beside orjson alone (loads and dumps of every line); one JSON object on stdout.

    python -m tests.bench.convert [megabytes] [rounds]

Each in a process of its own on one core (where the machine lets us choose), rounds take turns, medians count.
Megabytes a second are those of the input, by the clock and by the processor time that was used (which other work on
the machine does not change much); peaks are the highest resident sizes (Linux only).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CODE = """
import sys, time
from pathlib import Path
source, out, name, target = sys.argv[1:]
started, used = time.perf_counter(), time.process_time()
if name == "orjson":
    import orjson
    with open(source, "rb") as lines, open(out, "wb") as file:
        for line in lines:
            file.write(orjson.dumps(orjson.loads(line), option=orjson.OPT_APPEND_NEWLINE))
else:
    from core.data.convert.run import convert
    convert(Path(source), Path(out), source_format=name, target_format=target)
seconds, used = time.perf_counter() - started, time.process_time() - used
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else ["VmHWM: 0"]
print(seconds, used, next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""
# VmHWM, not ru_maxrss: that of a child begins with what its parent had.

PLAIN = (("pyserini", "beir"), ("flagembedding", "ms-swift"), ("ms-swift", "flagembedding"))
OTHERS = (("triples", "examples"), ("flagembedding", "beir"))
TEXT = "基金净值公告，" * 20 + "the price of a bond falls when rates rise. " * 6


def row(name, number):
    text = f"{TEXT}{number}"
    if name == "pyserini":
        return {"id": f"d{number}", "contents": text}
    if name == "triples":
        return {"query": f"问题{number // 4}", "document": text, "rel": (number % 4) / 3, "weight": 1.0}
    return {"query": f"问题{number}", "pos": [text], "neg": [f"{place}{text}" for place in range(7)]}


def write(path, name, megabytes):
    size = number = 0
    with path.open("wb") as file:
        while size < megabytes * 1_000_000:
            size += file.write(json.dumps(row(name, number), ensure_ascii=False).encode() + b"\n")
            number += 1


def one(source, out, name, target):
    command = [sys.executable, "-c", CODE, source, out, name, target]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, used, peak = map(float, done.stdout.split())
    return seconds, used, peak / 1000


def main(megabytes="200", rounds="3"):
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    report = {}
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        for name in ("pyserini", "flagembedding", "triples"):
            write(folder / name, name, float(megabytes))
        one(folder / "flagembedding", folder / "ms-swift", "flagembedding", "ms-swift")
        sides = [("orjson", "pyserini"), ("orjson", "flagembedding"), *PLAIN, *OTHERS]
        measured = {side: [] for side in sides}
        for turn in range(int(rounds)):
            for name, target in sides:
                source = folder / (target if name == "orjson" else name)
                out = folder / f"{name}-{target}-{turn}"
                measured[name, target].append((source.stat().st_size / 1e6, *one(source, out, name, target)))
                subprocess.run(["rm", "-r", out], check=True)
    for (name, target), results in measured.items():
        report[f"{name} of {target}" if name == "orjson" else f"{name} -> {target}"] = {
            "megabytes_per_second": round(statistics.median(size / seconds for size, seconds, *_ in results), 1),
            "megabytes_per_core_second": round(statistics.median(size / used for size, _, used, _ in results), 1),
            "peak_megabytes": round(statistics.median(peak for *_, peak in results), 1),
        }
    print(json.dumps({"megabytes": float(megabytes), "rounds": int(rounds), **report}, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
