"""Building and opening a BM25 index beside bm25s, on a real collection; one JSON object on stdout.

    python -m tests.bench.bm25 ../shared/data/stard_law_zh_hard.tar.gz [chinese|english] [rounds]

Both sides get the same terms: bm25s is fed those of our analyzer, so its time for them is counted with ours.
Medians of rounds that take turns; one core where the machine lets us choose (Linux).
"""

import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

OPEN = """
import sys, time
from pathlib import Path
from core.retrieval.index import open_index
started = time.perf_counter()
index = open_index(Path(sys.argv[1]))
opened = time.perf_counter()
index.search([sys.argv[2]], 10)
print(opened - started, time.perf_counter() - opened)
"""


def ours(folder, language, out):
    from pydantic import TypeAdapter

    from core.formats import beir
    from core.retrieval.index import build
    from core.retrieval.spec import Bm25
    from core.text.spec import Analysis

    spec = Bm25(analyzer=TypeAdapter(Analysis).validate_python({"type": language}))
    started = time.perf_counter()
    build(beir.read_documents(folder), spec, out)
    return time.perf_counter() - started


def theirs(folder, language, out):
    import bm25s
    from pydantic import TypeAdapter

    from core.formats import beir
    from core.text import analyzer
    from core.text.spec import Analysis

    started = time.perf_counter()
    terms = analyzer.from_spec(TypeAdapter(Analysis).validate_python({"type": language})).terms
    index = bm25s.BM25(method="lucene", k1=0.9, b=0.6)
    index.index([terms(document.contents) for document in beir.read_documents(folder)], show_progress=False)
    index.save(str(out))
    return time.perf_counter() - started


def opening(index, query):
    """Seconds to open and to answer the first query, in a fresh process with warm caches."""
    done = subprocess.run([sys.executable, "-c", OPEN, index, query], capture_output=True, text=True, check=True)
    return [float(value) for value in done.stdout.split()]


def main(archive, language="chinese", rounds="5"):
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as home:
        with tarfile.open(archive) as tar:
            tar.extractall(home, filter="data")
        (folder,) = (path.parent for path in Path(home).glob("*/corpus.jsonl"))
        ours(folder, language, Path(home) / "warm")  # compiles the kernels and reads the files once
        times = {"ours": [], "bm25s": []}
        for turn in range(int(rounds)):
            times["ours"].append(ours(folder, language, Path(home) / f"ours-{turn}"))
            times["bm25s"].append(theirs(folder, language, Path(home) / f"theirs-{turn}"))
        openings = [opening(str(Path(home) / "warm"), "民间借贷的利率上限") for _ in range(int(rounds))]
    medians = {name: statistics.median(values) for name, values in times.items()}
    report = {
        "collection": Path(archive).name,
        "build_seconds": medians,
        "build_ratio_bm25s_to_ours": medians["bm25s"] / medians["ours"],
        "open_seconds": statistics.median(row[0] for row in openings),
        "first_search_seconds": statistics.median(row[1] for row in openings),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
