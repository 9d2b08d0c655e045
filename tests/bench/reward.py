"""The path of a reward: rewrites scored against a served index, and a judge kept busy; one JSON object on stdout.

    python -m tests.bench.reward [documents] [rewrites] [rounds] [judge calls] [latency seconds] [slots]

Rewrites are scored as in training: read, asked of `dr serve` over HTTP, measured. Every round asks other queries, so
nothing is remembered; the median counts. The scorer and the server share the machine. A judge of fixed speed writes
`slots` answers at once: busy is the time that its answers need beside the time that passed.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core import artifact
from core.formats import beir
from core.index import build
from core.index.recipe import Recipe as IndexRecipe
from core.recipe import ArtifactRecipe
from core.retrieval.spec import Bm25
from core.reward.plain import plain
from core.reward.sample import Sample
from core.reward.scorer import Scorer
from core.reward.spec import Reward
from core.types import Document
from tests.bench.llm import server
from tests.bench.serve import PORT, wait_for_server

WORDS = 60
"""Words of a document."""
VOCABULARY = 30_000


class Language:
    """Words as often as in real texts: the n-th about 1/n as often as the first."""

    def __init__(self):
        pick = random.Random(1)
        letters = "etaoinshrdlucmfwypvbgkqjxz"
        self.words = ["".join(pick.choices(letters, k=pick.randint(3, 9))) for _ in range(VOCABULARY)]
        self.weights = [1 / (place + 10) for place in range(VOCABULARY)]
        self.pick = pick

    def text(self, words):
        return " ".join(self.pick.choices(self.words, self.weights, k=words))


def prepare(home, documents):
    language = Language()
    texts = [language.text(WORDS) for _ in range(documents)]
    items = [Document(f"d{number}", text) for number, text in enumerate(texts)]
    data = ArtifactRecipe(stage="data", out=home / "data")
    artifact.make(data, lambda _, work: beir.write_documents(work.path, items))
    artifact.make(IndexRecipe(stage="index", data=data.out, out=home / "index", backend=Bm25()), build.run)
    return texts


def rewrites(texts, count, pick):
    """Responses whose query is some words of a document, which is relevant."""
    samples = []
    for _ in range(count):
        place = pick.randrange(len(texts))
        query = " ".join(pick.sample(texts[place].split(), 8))
        response = f"<think>{texts[place]}</think>\n<answer>{json.dumps({'query': query})}</answer>"
        samples.append(Sample("q", response, json.dumps({f"d{place}": 1})))
    return samples


def retrieval(home, documents, count, rounds):
    texts, pick = prepare(home, documents), random.Random(2)
    (home / "serve.yaml").write_text(f"stage: serve\nindex: {home}/index\nport: {PORT}\n")
    retriever = {"url": f"http://127.0.0.1:{PORT}/retrieve"}
    parts = [{"type": "format", "good": 1, "bad": -4}, {"type": "recall", "k": 10}]
    reward, seconds, recall = Reward.model_validate({"parts": parts, "retriever": retriever}), [], 0.0
    with subprocess.Popen([sys.executable, "-m", "cli.main", "serve", str(home / "serve.yaml"), "-q"]) as child:
        try:
            wait_for_server(child)
            with Scorer(plain(reward)) as scorer:
                scorer.score(rewrites(texts, 16, pick))  # the first search loads what the engine needs
                for _ in range(rounds):
                    samples = rewrites(texts, count, pick)
                    started = time.perf_counter()
                    scored = scorer.score(samples)
                    seconds.append(time.perf_counter() - started)
                    recall = statistics.fmean(item.parts["recall"] for item in scored)
        finally:
            child.terminate()
    return {
        "documents": documents,
        "rewrites": count,
        "seconds": round(statistics.median(seconds), 3),
        "rounds": [round(second, 3) for second in seconds],
        "recall@10": round(recall, 3),
    }


def judging(home, calls, latency, slots):
    log = home / "tries.jsonl"
    (home / "prompt").mkdir()
    (home / "prompt/user.txt").write_text("$answer")
    options = {"latency": latency, "slots": slots, "log": log}
    with server(*(word for name, value in options.items() for word in (f"--{name}", str(value)))) as url:
        judge = {"server": {"type": "openai", "model": "double", "base_url": url}, "concurrency": slots}
        part = {"type": "semantic_match", "prompt": str(home / "prompt"), "judge": judge}
        # the double answers with words of the question: here a grade, another one for each
        answers = [f"{number % 10}.{number:05d}" for number in range(calls)]
        samples = [Sample("q", f"<answer>{answer}</answer>", "t") for answer in answers]
        with Scorer(plain(Reward.model_validate({"parts": [part]}))) as scorer:
            scored = scorer.score(samples)
    assert [item.total for item in scored] == [round(float(answer) / 10, 12) for answer in answers]
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    passed = max(row["ended"] for row in rows) - min(row["started"] for row in rows)
    return {
        "calls": calls,
        "slots": slots,
        "latency_seconds": latency,
        "seconds": round(passed, 3),
        "busy": round(len(rows) * latency / slots / passed, 4),
    }


def main(documents="100000", count="2560", rounds="3", calls="1600", latency="0.2", slots="16"):
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        report = {"retrieval": retrieval(home, int(documents), int(count), int(rounds))}
        report["judge"] = judging(home, int(calls), float(latency), int(slots))
    report["load_average"] = round(os.getloadavg()[0], 1)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
