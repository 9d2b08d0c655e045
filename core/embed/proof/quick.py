"""nDCG of a model while it is trained: in memory, by exact cosine, over a part of the exam."""

# Q queries, D documents, N distinct texts, H hidden

from collections.abc import Mapping, Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from core import digest, measure
from core.embed.proof.vectors import distinct, measuring
from core.embed.rows.row import Exam
from core.errors import DataError
from core.retrieval.encoder import Encoder
from core.types import Document, Query

MAX_QUERIES, MAX_DOCUMENTS = 200, 1_000


def ndcg(model: SentenceTransformer, exam: Exam, *, k: int = 10) -> float:
    """Mean nDCG@k of `model` over a part of `exam`. Who asks more than once keeps a `Prepared`."""
    return Prepared(exam).ndcg(model, k=k)


class Prepared:
    """An exam cut to 200 queries and 1,000 documents, in the order of their ids' digests; all that is relevant is in.

    A query without a relevant document is left out: it scores 0 whatever the model does.

    Raises:
        DataError: no query has a relevant document.
    """

    def __init__(self, exam: Exam) -> None:
        self.queries, self.documents = _cut(exam)
        if not self.queries:
            raise DataError(f"no query has a relevant document ({exam.origin})")
        self.qrels = {query.id: exam.qrels[query.id] for query in self.queries}
        # In the order of an index, so that a stable sort by score breaks ties as an index does.
        self.documents.sort(key=lambda document: document.id.encode())
        self._texts, self._numbers = distinct([document.contents for document in self.documents])

    def ndcg(self, model: SentenceTransformer, *, k: int = 10) -> float:
        """Mean nDCG@k of `model`, which is left in the mode it was in; no random number is drawn.

        Raises:
            ContractError: the model gives NaN.
        """
        with measuring(model) as encoder:
            rankings = self.rankings(encoder, k)
        scores = [measure.ndcg(rankings[id_], grades, k) for id_, grades in self.qrels.items()]
        return sum(scores) / len(scores)

    def rankings(self, encoder: Encoder, k: int) -> Mapping[str, Sequence[str]]:
        """Query id -> ids of its `k` nearest documents, best first, ties by id; none for a vector of zeros."""
        queries_QH = encoder.queries([query.text for query in self.queries])
        scores_QN = queries_QH @ encoder.documents(self._texts).T
        order_QD = np.argsort(-scores_QN[:, self._numbers], axis=1, kind="stable")[:, :k]
        return {
            query.id: [self.documents[number].id for number in order] if vector.any() else []
            for query, vector, order in zip(self.queries, queries_QH, order_QD.tolist(), strict=True)
        }


def _cut(exam: Exam) -> tuple[list[Query], list[Document]]:
    queries, wanted = list[Query](), set[str]()
    for query in sorted(exam.queries, key=lambda query: digest.of_text(query.id)):
        relevant = {id_ for id_, grade in exam.qrels.get(query.id, {}).items() if grade > 0}
        if relevant and len(queries) < MAX_QUERIES and (not queries or len(wanted | relevant) <= MAX_DOCUMENTS):
            queries.append(query)
            wanted |= relevant
    others = sorted((d for d in exam.documents if d.id not in wanted), key=lambda d: digest.of_text(d.id))
    return queries, [d for d in exam.documents if d.id in wanted] + others[: max(0, MAX_DOCUMENTS - len(wanted))]
