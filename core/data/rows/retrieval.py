"""Judged queries as items: the ground truth is JSON text of the relevant documents' ids with their grades."""

from collections.abc import Iterator

import orjson

from core import artifact
from core.data.rows.item import Item, LeftOut
from core.data.rows.recipe import Retrieval
from core.errors import UsageError
from core.formats import beir
from core.formats.prompts import Prompts
from core.recipe import CORPUS

NAMES = ("query",)
"""What a template must have."""

NOTHING_RELEVANT = LeftOut("the query has no relevant document")


def items(spec: Retrieval, prompts: Prompts) -> Iterator[Item | LeftOut]:
    """The judged queries of every split, in the order of its judgements.

    Raises:
        UsageError: the artifact has no judgements, or not this split.
        DataError: a judged query is not among the queries.
    """
    artifact.read(spec.data, CORPUS.stages)
    queries = {query.id: query.text for query in beir.read_queries(spec.data)}
    for split in spec.splits or _splits(spec):
        for query_id, judged in beir.read_qrels(spec.data, split).items():
            relevant = {document: grade for document, grade in judged.items() if grade > 0}
            if query_id not in queries:
                what = f"query `{query_id}` is judged, and is not among the queries"
                raise UsageError(what, where=f"{spec.data}: split {split}", hint=f"`dr data check {spec.data}`")
            if not relevant:
                yield NOTHING_RELEVANT
                continue
            text = queries[query_id]
            yield Item(
                where=f"{spec.data}: query {query_id}",
                question=text,
                prompt=prompts.fill(query=text),
                answer="",
                truth=orjson.dumps(relevant).decode(),
                kin=(text,),
                split=split,
            )


def _splits(spec: Retrieval) -> list[str]:
    if splits := beir.splits(spec.data):
        return splits
    hint = "`split:` in the recipe of `dr data` deals judged queries out to train, dev and test"
    raise UsageError(
        "the artifact has no judgements: nothing tells how good a rewriting is", where=str(spec.data), hint=hint
    )
