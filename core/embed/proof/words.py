"""What a report says in words."""

from collections.abc import Mapping, Sequence

from core.embed.proof.graded import Prepared
from core.embed.rows.row import Exam
from core.significance import Comparison


def of_exam(
    exam: Exam,
    against_base: Mapping[str, Comparison],
    against_bm25: Mapping[str, Comparison],
    alarms: Sequence[str],
    *,
    chosen: bool,
) -> str:
    """The verdict of an exam through the index; `against_base` is empty for a model from nothing.

    chosen: the checkpoint was chosen by what it scored on these queries.
    """
    bm25 = against_bm25["dense"]
    parts = [
        f"On {bm25.num_queries:,} queries ({exam.origin}) over {len(exam.documents):,} documents, nDCG@10 of BM25 "
        f"alone is {bm25.mean_a:.3f}."
    ]
    for method, who in (("dense", "The trained model alone"), ("hybrid", "Both fused")):
        told = [_compared("BM25", against_bm25[method])]
        if method in against_base:
            told.insert(0, _compared("its base" if method == "dense" else "the fused base", against_base[method]))
        parts.append(f"{who}: {against_bm25[method].mean_b:.3f}, {'; '.join(told)}.")
    if not against_base:
        parts.append("The model was trained from nothing, so it has no base to be held against.")
    if exam.cut_out:
        parts.append(
            "The queries are cut out of documents, which takes shared words away: this is harder on BM25 than real "
            "queries are, and `dr eval` decides."
        )
    if chosen:
        parts.append(_flattered("`proof.data` or `dr eval`"))
    return " ".join([*parts, *_alarmed(alarms)])


def of_pairs(
    prepared: Prepared,
    means: Mapping[str, float],
    against_base: Comparison | None,
    alarms: Sequence[str],
    *,
    chosen: bool,
) -> str:
    """The verdict of graded pairs; `chosen` as in `of_exam`."""
    left_out = f"{prepared.silent:,} queries with one document or one `rel` say nothing about a ranking"
    if not len(prepared):
        parts = [f"No query can be measured: {left_out}. Give pairs with several documents a query as `train.test`."]
    else:
        compared = f", {_compared('its base', against_base)}" if against_base else ""
        parts = [
            f"On {len(prepared):,} queries of graded pairs, each over its own documents, nDCG@10 of the trained model "
            f"is {means['ndcg@10']:.3f}{compared}."
        ]
        parts += [f"Left out: {left_out}."] if prepared.silent else []
        parts += [_flattered("`train.test`")] if chosen else []
    return " ".join([*parts, *_alarmed(alarms)])


def _compared(with_whom: str, c: Comparison) -> str:
    word = {"better": f"better than {with_whom}", "worse": f"worse than {with_whom}"}
    said = word.get(c.verdict, f"no sure difference to {with_whom}")
    interval = f"{c.difference:+.3f}, 95 % interval {c.low:+.3f} to {c.high:+.3f}, p = {c.adjusted_p:.3g}"
    return f"{said} with {c.mean_a:.3f} ({interval})"


def _flattered(others: str) -> str:
    return (
        "The checkpoint was chosen by what it scored on the same queries, which flatters it a little: to be sure, ask "
        f"others by {others}."
    )


def _alarmed(alarms: Sequence[str]) -> list[str]:
    return [f"Beware: {alarm}." for alarm in alarms]
