"""What a model is asked: judged queries of a corpus, or those held out from training."""

import logging
import random
from collections.abc import Sequence
from pathlib import Path

from core.embed.proof.spec import Proof
from core.embed.rows import corpus
from core.embed.rows.row import Exam
from core.errors import ContractError
from core.formats import beir
from core.types import Document, Qrels, Query

log = logging.getLogger(__name__)


def of_corpus(folder: Path, proof: Proof, seed: int) -> Exam:
    """The judged queries of a split, up to `proof.limit` of them, over its corpus.

    Raises:
        UsageError: there is no such split.
        ContractError: none of its queries, or of the documents that answer them, is in the corpus.
    """
    found = corpus.read(folder, proof.split, seed)
    queries = [query for query in found.queries if any(g > 0 for g in found.qrels[query.id].values())]
    answered = [query for query in queries if _answered(query, found.qrels, found.judged)]
    path = str(folder / beir.QRELS / f"{proof.split}.tsv")
    if not answered:
        what = "no judged query has a document that answers it in the corpus: nothing can be asked"
        hint = f"{len(queries):,} queries are there and have a grade above 0; do corpus and judgements belong together?"
        raise ContractError(what, where=path, hint=hint)
    if missed := len(queries) - len(answered):
        log.warning("%s: %d of %d queries are not asked: no document that answers is here", path, missed, len(queries))
    return of(
        answered, found.qrels, found.documents, f"the split {proof.split} of {folder}{found.sampled}", proof, seed
    )


def of(
    queries: Sequence[Query],
    qrels: Qrels,
    documents: Sequence[Document],
    origin: str,
    proof: Proof,
    seed: int,
    *,
    cut_out: bool = False,
) -> Exam:
    """The first `proof.limit` of the queries in the order of a shuffle by the seed, with their judgements."""
    order = list(queries)
    random.Random(f"{seed}/exam").shuffle(order)  # noqa: S311 - no secret hangs on it
    asked = order[: proof.limit]
    return Exam(asked, {query.id: qrels[query.id] for query in asked}, documents, origin, cut_out)


def _answered(query: Query, qrels: Qrels, there: dict[str, Document]) -> bool:
    return any(grade > 0 and document in there for document, grade in qrels[query.id].items())
