"""`dr data build`: from a source to a checked BEIR folder.

Queries and judgements are small and come first: they are held in memory, and their faults show at once.
Documents then pass through one by one.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from core import artifact
from core.data import alike, clean, judgements
from core.data.documents import Documents
from core.data.limit import Limit
from core.data.recipe import Clean, Recipe, Split
from core.data.source import Source, opened
from core.errors import DataError
from core.formats import bad_rows, beir
from core.formats.bad_rows import BadRows
from core.formats.qrels import Judgement
from core.formats.rows import BadRow, Found
from core.types import Qrels, Query

log = logging.getLogger(__name__)

REJECTED = "rejected.jsonl"
DUPLICATES = "duplicates.jsonl"


def run(recipe: Recipe, work: artifact.Work) -> None:
    """Fill `work` with the corpus of the recipe's source.

    Raises:
        DataError: the source cannot be read, has bad rows under `on_bad_row: fail`, or leaves nothing to write.
    """
    source = opened(recipe.source)
    with bad_rows.opened(recipe.on_bad_row, work.path / REJECTED) as bad:
        found = _queries(source, recipe.clean, bad)
        queries = [query.item for query in found]
        judged = judgements.read(source, {query.id for query in queries}, bad)
        limit = _limit(recipe, source, queries, judged)
        documents = Documents(recipe, {judgement.document_id for judgement in judged}, limit)
        work.stats["documents"] = beir.write_documents(work.path, documents.stream(source, bad))
        bad.settle()
        there = judgements.of_documents(judged, documents.pieces, bad)
    if not work.stats["documents"]:
        raise _nothing_left(bad)
    lost = judgements.queries_left_without(judged, there)
    kept = [judgement for judgement in there if judgement.query_id not in lost]
    _write_queries(work, [query for query in queries if query.id not in lost])
    same = _alike(recipe.split, kept, work.path)
    _write_judgements(work, judgements.by_split(kept, recipe.split, recipe.seed, same), documents.pieces)
    if bad.counts:
        log.warning("%d bad rows are in %s (%s)", bad.counts.total(), REJECTED, _counted(bad))
    work.stats |= {
        "dropped_queries": len(lost),
        "source_documents": documents.num_read,
        "near_duplicates": len(same),
        "bad_rows": dict(bad.counts),
        "duplicates": _write_duplicates(work.path, documents),
        "documents_cut": documents.num_cut,
        "judgements_added_by_cutting": sum(len(documents.pieces[judgement.document_id]) - 1 for judgement in kept),
        "fields": {
            "documents": _told(documents.fields),
            "queries": _told(Counter((query.id_field, query.text_field) for query in found)),
        },
    }


def _limit(recipe: Recipe, source: Source, queries: Sequence[Query], judged: Sequence[Judgement]) -> Limit | None:
    """The limit, where the recipe has one. Judged documents that the source lacks take no place in it.

    They end the run under `on_bad_row: fail`; only when they are set aside, the source is read once more for them.
    """
    if recipe.limit is None:
        return None
    if recipe.on_bad_row == "reject" and judged:
        there = judgements.documents_there(source, judged)
        judged = [judgement for judgement in judged if judgement.document_id in there]
    return Limit(recipe.limit, queries, judged)


def _alike(how: Split | None, kept: Sequence[Judgement], folder: Path) -> dict[str, str]:
    """Relevant documents that are near-duplicates of others, where the recipe's split asks for them."""
    if how is None or how.by != "document" or how.near_duplicates is None:
        return {}
    relevant = {judgement.document_id for judgement in kept if judgement.grade > 0}
    return alike.representatives(folder, relevant, how.near_duplicates)


def _queries(source: Source, how: Clean | None, bad: BadRows) -> list[Found[Query]]:
    kept: dict[str, Found[Query]] = {}
    for found in source.queries(bad):
        query = clean.query(found.item, how) if how else found.item
        if query.id in kept:
            what = f"the query id `{query.id}` is used before, at {kept[query.id].where}"
            bad(BadRow("duplicate id", what, where=found.where, row=query.text))
        elif not query.text.strip():
            bad(BadRow("empty query", f"query `{query.id}` is empty", where=found.where, row=found.item.text))
        else:
            kept[query.id] = found._replace(item=query)
    bad.settle()
    return list(kept.values())


def _counted(bad: BadRows) -> str:
    return ", ".join(f"{count} × {reason}" for reason, count in bad.counts.items())


def _nothing_left(bad: BadRows) -> DataError:
    """The error says which rows were set aside first: the file of them goes with the unfinished artifact."""
    reasons = _counted(bad) or "the source gives none"
    told = "".join(f"\n  {row.where}: {row.what}" for row in bad.first)
    hint = next((row.hint for row in bad.first if row.hint), None)
    return DataError(f"no document is left: {reasons}{told}", where=next((r.where for r in bad.first), None), hint=hint)


def _write_queries(work: artifact.Work, queries: Sequence[Query]) -> None:
    work.stats["queries"] = beir.write_queries(work.path, queries) if queries else 0


def _write_judgements(work: artifact.Work, splits: Mapping[str, Qrels], pieces: Mapping[str, Sequence[str]]) -> None:
    work.stats["judgements"] = {
        name: beir.write_qrels(work.path, name, judgements.of_pieces(qrels, pieces)) for name, qrels in splits.items()
    }
    work.stats["judged_queries"] = {name: len(qrels) for name, qrels in splits.items()}


def _write_duplicates(folder: Path, documents: Documents) -> int:
    if documents.duplicates.count:
        with (folder / DUPLICATES).open("wb") as file:
            for identifier, first in documents.duplicates.pairs(beir.read_documents(folder)):
                file.write(orjson.dumps({"id": identifier, "first": first}, option=orjson.OPT_APPEND_NEWLINE))
    return documents.duplicates.count


def _told(fields: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """How often the id, and how often the text, stood under which name."""
    told: dict[str, Counter[str]] = {"id": Counter(), "text": Counter()}
    for (id_field, text_field), count in fields.items():
        told["id"][id_field] += count
        told["text"][text_field] += count
    return {name: dict(counts) for name, counts in told.items()}
