"""Ranking measures of graded pairs, which have no corpus: the documents of one query, ranked by cosine against `rel`.

The gain of nDCG is `rel` itself, as in trec_eval and `core.measure`; source: Jarvelin and Kekalainen 2002.
"""

# Q queries, N distinct texts, H hidden

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sentence_transformers import SentenceTransformer

from core import measure
from core.embed.proof.vectors import Seen, distinct, measuring
from core.embed.rows.row import Row
from core.errors import DataError
from core.retrieval.encoder import Encoder

CUTOFFS = (1, 5, 10)
RELEVANT = 0.5
"""Least `rel` of a document that MRR and MAP call relevant."""
SAMPLE = 500
"""Rows that are encoded where none can be ranked."""


@dataclass(frozen=True)
class Scores:
    """What one model reaches."""

    by_query: Mapping[str, Mapping[str, float]]
    """Measure -> query id -> score, in the order of the rows; MRR and MAP of queries with a relevant document alone."""
    seen: Seen
    """The vectors of the distinct documents, and of the queries."""

    @property
    def means(self) -> dict[str, float]:
        """Measure -> mean over its queries; a measure that no query can say anything about is absent."""
        return {name: sum(of.values()) / len(of) for name, of in self.by_query.items()}


class Prepared:
    """Graded rows of one or many documents each, gathered by query.

    A query with one document, or whose documents have one `rel`, says nothing about a ranking: it is left out, and
    counted in `silent`.

    Raises:
        DataError: a row has no labels.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        pairs: dict[str, list[tuple[str, str, float]]] = {}
        texts: dict[str, str] = {}
        for row in rows:
            if row.labels is None:
                raise DataError("a graded row has no `rel`", where=f"query {row.query_id}")
            texts[row.query_id] = row.query
            pairs.setdefault(row.query_id, []).extend(zip(row.document_ids, row.documents, row.labels, strict=True))
        # In the order of ids, so that a stable sort by cosine breaks ties by id.
        self._pairs = {id_: sorted(of) for id_, of in pairs.items() if len({rel for _, _, rel in of}) > 1}
        self.silent = len(pairs) - len(self._pairs)
        documents = [text for of in self._pairs.values() for _, text, _ in of]
        self._queries = [texts[id_] for id_ in self._pairs]
        if not self._pairs:  # some are still looked at for what is wrong with their vectors
            documents = [text for row in rows[:SAMPLE] for text in row.documents]
            self._queries = [row.query for row in rows[:SAMPLE]]
        self._texts, self._numbers = distinct(documents)

    def __len__(self) -> int:
        """Queries that are measured."""
        return len(self._pairs)

    def ndcg(self, model: SentenceTransformer, *, k: int = 10) -> float | None:
        """Mean nDCG@k (k 1, 5 or 10) of `model`; None where no query can be measured.

        The model is left in the mode it was in, and no random number is drawn.

        Raises:
            ContractError: the model gives NaN.
        """
        if not self._pairs:
            return None
        with measuring(model) as encoder:
            return self.scores(encoder).means[f"ndcg@{k}"]

    def scores(self, encoder: Encoder) -> Scores:
        """All measures, query by query."""
        if not self._pairs:
            return Scores({}, Seen(encoder.documents(self._texts), encoder.queries(self._queries)))
        queries_QH, documents_NH = encoder.queries(self._queries), encoder.documents(self._texts)
        by_query: dict[str, dict[str, float]] = {}
        numbers = iter(self._numbers)
        for (id_, pairs), query in zip(self._pairs.items(), queries_QH, strict=True):
            # One product a document, not one of a matrix: it could differ in the last bit between equal texts.
            cosines = [float(documents_NH[number] @ query) for number in islice(numbers, len(pairs))]
            for name, score in _measured(cosines, [rel for _, _, rel in pairs]).items():
                by_query.setdefault(name, {})[id_] = score
        return Scores(by_query, Seen(documents_NH, queries_QH))


def _measured(cosines: Sequence[float], rels: Sequence[float]) -> dict[str, float]:
    """Each measure of one query. Documents go by their position: one text may have been graded twice."""
    ranking = [str(number) for number in sorted(range(len(rels)), key=lambda number: -cosines[number])]
    grades = {str(number): rel for number, rel in enumerate(rels)}
    scores = {f"ndcg@{k}": measure.ndcg(ranking, grades, k) for k in CUTOFFS}
    if relevant := {number: 1 for number, rel in grades.items() if rel >= RELEVANT}:
        scores["mrr"] = measure.reciprocal_rank(ranking, relevant, len(ranking))
        scores["map"] = measure.average_precision(ranking, relevant)
    return scores
