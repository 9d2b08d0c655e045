"""Mining hard negatives with BM25 on a made corpus, beside a plain loop; one JSON object on stdout.

    python -m tests.bench.mine [documents] [queries] [rounds]

100,000 documents of about 80 words and 10,000 queries of 4 to 12, of a vocabulary of 200,000 under Zipf's law; the
queries are words of their document. The plain loop asks the same open index one query at a time for 100 hits, leaves
out the first three and the positive, and takes two of those that score below 95 % of it: no batches, no easy ones,
no look into the texts, no report. Each turn is a process of its own that opens the index; the index is built before.
Memory is given twice: `rss` holds pages of the mapped index, which the system takes back as it likes; `own` does not.
Medians of rounds that take turns.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from itertools import accumulate
from pathlib import Path

VOCABULARY, HARD, SKIP, DEPTH = 200_000, 2, 3, 100

MAKE = """
import sys
from pathlib import Path
from tests.bench import mine
mine.made(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
"""

MEASURED = """
import json, sys, threading, time
import psutil
from pathlib import Path
from tests.bench import mine

peak, process, done = {"rss": 0, "own": 0}, psutil.Process(), threading.Event()
def watch():
    while not done.wait(0.02):
        memory = process.memory_info()
        peak["rss"] = max(peak["rss"], memory.rss)
        peak["own"] = max(peak["own"], memory.rss - getattr(memory, "shared", 0))
watcher = threading.Thread(target=watch)
watcher.start()
started, used = time.perf_counter(), time.process_time()
getattr(mine, sys.argv[1])(Path(sys.argv[2]), sys.argv[3])
seconds, used = time.perf_counter() - started, time.process_time() - used
done.set()
watcher.join()
memory = {f"peak_{kind}_mb": size / 1e6 for kind, size in peak.items()}
print(json.dumps({"seconds": seconds, "cpu_seconds": used, **memory}))
"""


def made(home, documents, queries):
    """A data artifact, with all of the queries judged in one split and a quarter of them in another, and its index."""
    from core import artifact
    from core.formats import beir
    from core.index import build
    from core.index.recipe import Recipe
    from core.recipe import ArtifactRecipe
    from core.retrieval.spec import Bm25
    from core.text.spec import English
    from core.types import Document, Query

    def fill(recipe, work):
        rng = random.Random(7)
        words = [f"w{number}" for number in range(VOCABULARY)]
        weights = list(accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))
        texts = [rng.choices(words, cum_weights=weights, k=rng.randint(40, 120)) for _ in range(documents)]
        beir.write_documents(work.path, (Document(f"d{n}", " ".join(text)) for n, text in enumerate(texts)))
        asked = [(f"q{n}", rng.randrange(documents)) for n in range(queries)]
        told = (Query(q, " ".join(rng.sample(texts[d], rng.randint(4, 12)))) for q, d in asked)
        beir.write_queries(work.path, told)
        for split, size in (("all", queries), ("quarter", queries // 4)):
            beir.write_qrels(work.path, split, {q: {f"d{d}": 1} for q, d in asked[:size]})

    artifact.make(ArtifactRecipe(stage="data", out=home / "data"), fill)
    spec = Bm25(analyzer=English(type="english"))
    artifact.make(Recipe(stage="index", data=home / "data", out=home / "index", backend=spec), build.run)


def ours(home, split):
    """The stage itself, manifest and all."""
    from core import artifact
    from core.distill.mine import run
    from core.distill.mine.recipe import Recipe

    recipe = Recipe(stage="mine", queries=home / "data", split=split, index=home / "index", out=home / "mined")
    artifact.make(recipe, run.run, force=True)


def plain(home, split):
    """The loop that one writes first."""
    from core.formats import beir
    from core.retrieval.index import open_index

    index, qrels = open_index(home / "index"), beir.read_qrels(home / "data", split)
    with (home / "plain.jsonl").open("w") as file:
        for query in beir.read_queries(home / "data"):
            if query.id not in qrels:
                continue
            hits = index.search([query.text], DEPTH)[0]
            positive = next(iter(qrels[query.id]))
            bound = 0.95 * max((score for id_, score in hits if id_ == positive), default=0.0)
            chosen = [id_ for id_, score in hits[SKIP:] if id_ != positive and score < bound][:HARD]
            texts = [document.contents for document in index.documents([positive, *chosen])]
            file.write(json.dumps({"query": query.text, "texts": texts}) + "\n")


def measured(way, home, split):
    """Seconds and peak memory of one of the ways above, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, way, str(home), split], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main(documents="100000", queries="10000", rounds="3"):
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)

        subprocess.run([sys.executable, "-c", MAKE, folder, documents, queries], check=True)
        measured("ours", home, "quarter")  # compiles the kernels and reads the files once
        ways = {"ours": ("ours", "all"), "ours_quarter": ("ours", "quarter"), "plain": ("plain", "all")}
        turns = {name: [] for name in ways}
        for _ in range(int(rounds)):
            for name, (way, split) in ways.items():
                turns[name].append(measured(way, home, split))
    medians = {
        name: {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}
        for name, rows in turns.items()
    }
    report = {
        "documents": int(documents),
        "queries": int(queries),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        **medians,
        "ratio_plain_to_ours": round(medians["plain"]["seconds"] / medians["ours"]["seconds"], 2),
        "own_memory_mb_more_at_four_times_the_queries": round(
            medians["ours"]["peak_own_mb"] - medians["ours_quarter"]["peak_own_mb"], 1
        ),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
