"""`dr distill` itself against a server of fixed speed, both stages of every document; one JSON object on stdout.

    python -m tests.bench.distill [documents] [slots] [latency seconds] [share of faults] [time-out seconds]

Shares of the ideal are counted from the first request to the last answer, as `tests.bench.llm` counts them. Faults are
500, 429 with Retry-After, stalls until the time-out, and JSON that is cut off: `dr` asks for that one anew.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core import artifact
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.types import Document
from tests.bench.llm import RETRY_AFTER, chains, schedule, server

SENTENCE = "基金管理人应当在每个交易日公告第{0}号基金的份额净值，并在年度报告中披露编号{0}的主要风险与费用。"


def prepare(home, documents):
    data = ArtifactRecipe(stage="data", out=home / "data")
    items = [Document(f"d{number}", SENTENCE.format(number) * 6) for number in range(documents)]
    artifact.make(data, lambda _, work: beir.write_documents(work.path, items))


def recipe(home, url, slots, timeout, out):
    llm = {"server": {"type": "openai", "model": "double", "base_url": url}}
    llm |= {"concurrency": slots, "timeout_seconds": timeout}
    teacher = {"type": "two_stage", "llm": llm, "attempts": 6}
    gates = {"round_trip_k": None, "duplicates": False}
    path = home / f"{out}.yaml"
    fields = {"stage": "distill", "data": "data", "out": out, "teacher": teacher, "gates": gates}
    path.write_text(json.dumps(fields))
    return path


def measure(home, documents, slots, latency, faults, timeout):
    out, log = f"faults-{faults:g}", home / f"tries-{faults:g}.jsonl"
    options = {"latency": latency, "slots": slots, "log": log, "seed": 1, "faults": faults}
    options |= {"kinds": "500,429,stall,truncated", "retry-after": f"{RETRY_AFTER:g}"}
    with server(*(word for name, value in options.items() for word in (f"--{name}", str(value)))) as url:
        path, started = recipe(home, url, slots, timeout, out), time.time()
        command = [sys.executable, "-m", "cli.main", "distill", str(path), "-q"]
        subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL)
        whole = time.time() - started
    stats = json.loads((home / out / "manifest.json").read_text())["stats"]
    assert (stats["written"], stats["failed"]) == (documents, {}), stats
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    first, last = min(row["started"] for row in rows), max(row["ended"] for row in rows if row["status"] == 200)
    answers = sum(row["status"] == 200 for row in rows)
    ideal = schedule(chains(rows), slots) if faults else answers / slots * latency
    return {
        "seconds": round(last - first, 3),
        "ideal_seconds": round(ideal, 3),
        "share_of_ideal": round(ideal / (last - first), 4),
        "answers": answers,
        "tries": len(rows),
        "command_seconds": round(whole, 2),
    }


def main(documents="2000", slots="64", latency="0.2", faults="0.3", timeout="2"):
    report = {"documents": int(documents), "slots": int(slots), "latency_seconds": float(latency)}
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), int(documents))
        for key, share in (("without_faults", 0.0), ("with_faults", float(faults))):
            arguments = (Path(name), int(documents), int(slots), float(latency), share, float(timeout))
            report[key] = measure(*arguments)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
