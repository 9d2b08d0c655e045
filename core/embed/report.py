"""What a model learnt, against BM25 alone, on questions cut out of documents that were kept back from training."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.embed.pairs import Pair
from core.measure import hit, ndcg
from core.retrieval import index
from core.retrieval.spec import Bm25, Dense, Hybrid, Method
from core.significance import Comparison, compare
from core.types import Document

MAX_OTHERS = 5_000
"""Training documents among which the answers are sought."""

METHODS: tuple[Method, ...] = ("bm25", "dense", "hybrid")
"""What is measured; the first is what the others are compared with."""
K = 10


def measure(model: Path, bm25: Bm25, held_out: Sequence[Pair], others: Sequence[Document], seed: int) -> dict[str, Any]:
    """Scores of BM25, the model, and both fused; each of the latter compared with BM25; a verdict in words.

    A question's one answer is its document without the question's words; it stands among the other answers and up to
    5,000 of `others`.
    """
    answers = [Document(pair.document_id, pair.positive) for pair in held_out]
    rankings = _rankings(
        [*answers, *others[:MAX_OTHERS]],
        Hybrid(type="hybrid", bm25=bm25, dense=Dense(type="dense", model=str(model))),
        [pair.query for pair in held_out],
    )
    grades = [{pair.document_id: 1} for pair in held_out]
    gains = {m: [ndcg(r, g, K) for r, g in zip(rankings[m], grades, strict=True)] for m in METHODS}
    hits = {m: [hit(r, g, K) for r, g in zip(rankings[m], grades, strict=True)] for m in METHODS}
    against = {m: compare(gains["bm25"], gains[m], seed=seed) for m in METHODS[1:]}
    return {
        "questions": len(held_out),
        "documents": len(answers) + len(others[:MAX_OTHERS]),
        f"ndcg@{K}": {m: sum(values) / len(values) for m, values in gains.items()},
        f"hit@{K}": {m: sum(values) / len(values) for m, values in hits.items()},
        "against_bm25": {m: comparison.as_dict() for m, comparison in against.items()},
        "verdict": _verdict(against),
    }


def _rankings(documents: Sequence[Document], spec: Hybrid, queries: Sequence[str]) -> dict[Method, list[list[str]]]:
    """Method -> ids found for each query, best first."""
    with tempfile.TemporaryDirectory(prefix="dr-embed-") as folder:
        index.build(documents, spec, Path(folder))
        opened = index.open_index(Path(folder))
        return {m: [[h.document_id for h in found] for found in opened.search(queries, K, method=m)] for m in METHODS}


def _verdict(against: Mapping[Method, Comparison]) -> str:
    dense, hybrid = against["dense"], against["hybrid"]
    return (
        f"On {dense.num_queries} questions cut out of documents it never saw, BM25 alone has nDCG@{K} "
        f"{dense.mean_a:.3f}. {_told('The model alone', dense)} {_told('Both fused', hybrid)} "
        "Cutting takes shared words away, so this is harder on BM25 than real questions are: `dr eval` decides."
    )


def _told(who: str, c: Comparison) -> str:
    words = {"better": "better than BM25", "worse": "worse than BM25"}.get(c.verdict, "no sure difference")
    interval = f"{c.difference:+.3f}, 95 % interval {c.low:+.3f} to {c.high:+.3f}, p = {c.p_value:.3g}"
    return f"{who}: {c.mean_b:.3f}, {words} ({interval})."
