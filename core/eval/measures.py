"""Per-query scores through ir_measures (trec_eval's code), over the order that our ties rule gives."""

from collections.abc import Sequence

import ir_measures

from core.eval.names import Measure
from core.types import Qrels, Run


def per_query(names: Sequence[Measure], qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Query -> measure -> score, for every judged query; one that the run does not answer scores 0."""
    ours = {ir_measures.parse_measure(name.theirs): str(name) for name in names}
    scores = {query_id: dict.fromkeys(ours.values(), 0.0) for query_id in qrels}
    # trec_eval breaks ties by falling id; ranks instead of scores keep our order (ties by rising id).
    ranked = {
        q: {hit.document_id: float(-rank) for rank, hit in enumerate(hits)} for q, hits in run.items() if q in qrels
    }
    judged = {query_id: dict(grades) for query_id, grades in qrels.items()}
    for score in ir_measures.iter_calc(list(ours), judged, ranked):
        scores[score.query_id][ours[score.measure]] = float(score.value)
    return scores
