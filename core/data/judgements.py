"""Judgements on their way from the source to the splits of the artifact."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from core.data import split
from core.data.recipe import Split
from core.data.source import Source
from core.errors import DataError
from core.formats.bad_rows import BadRows
from core.formats.qrels import Judgement
from core.formats.rows import BadRow, Reason
from core.types import Qrels


def read(source: Source, query_ids: set[str], bad: BadRows) -> list[Judgement]:
    """All judgements of known queries, each pair once in a split; the documents are not known yet."""
    kept: dict[tuple[str, str, str], Judgement] = {}
    for judgement in source.judgements(bad):
        first = kept.get(key := judgement[:3])
        if judgement.query_id not in query_ids:
            bad(
                _bad(
                    judgement, "unknown query", f"query `{judgement.query_id}` is judged, and is not among the queries"
                )
            )
        elif first:
            what = f"query `{key[1]}` and document `{key[2]}` are judged before, at {first.where}"
            bad(_bad(judgement, "duplicate judgement", what))
        else:
            kept[key] = judgement
    bad.settle()
    return list(kept.values())


def documents_there(source: Source, judgements: Iterable[Judgement]) -> set[str]:
    """Ids of the judged documents that the source has; reads it as far as it must, and leaves bad rows for later."""
    missing = {judgement.document_id for judgement in judgements}
    there: set[str] = set()
    for found in source.documents(_later):
        if found.item.id in missing:
            missing.remove(found.item.id)
            there.add(found.item.id)
        if not missing:
            break
    return there


def _later(bad: BadRow) -> None:
    """Bad rows are told when the documents are read for good."""


def of_documents(judgements: Iterable[Judgement], pieces: Mapping[str, Sequence[str]], bad: BadRows) -> list[Judgement]:
    """Judgements of documents that were written. Those that the limit left out have no pieces, others are unknown."""
    kept = []
    for judgement in judgements:
        identifier = judgement.document_id
        if identifier not in pieces:
            what = f"document `{identifier}` is judged, and is not among the good documents"
            bad(_bad(judgement, "unknown document", what))
        elif pieces[identifier]:
            kept.append(judgement)
    bad.settle()
    return kept


def queries_left_without(before: Iterable[Judgement], after: Iterable[Judgement]) -> set[str]:
    """Queries that had a relevant document and have none now: they could only score zero."""
    had, have = ({judgement.query_id for judgement in some if judgement.grade > 0} for some in (before, after))
    return had - have


def by_split(
    judgements: Iterable[Judgement], how: Split | None, seed: int, alike: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Qrels]:
    """The source's own splits, or new ones as `how` says, with documents that are `alike` on one side.

    Raises:
        DataError: new splits of a source whose splits contradict each other, or one that would get no query.
    """
    if how:
        return split.deal(_together(judgements), how, seed, alike)
    splits: dict[str, dict[str, dict[str, int]]] = {}
    for name, query_id, document_id, grade, _ in judgements:
        splits.setdefault(name, {}).setdefault(query_id, {})[document_id] = grade
    return dict(splits)


def of_pieces(qrels: Qrels, pieces: Mapping[str, Sequence[str]]) -> Qrels:
    """Every piece of a judged document gets the document's grade; see `core.data.recipe.Chunk` for why."""
    return {
        query: {piece: grade for document, grade in judged.items() for piece in pieces[document]}
        for query, judged in qrels.items()
    }


def _together(judgements: Iterable[Judgement]) -> dict[str, dict[str, int]]:
    together: dict[str, dict[str, int]] = {}
    for _, query_id, document_id, grade, where in judgements:
        if together.setdefault(query_id, {}).setdefault(document_id, grade) != grade:
            what = f"query `{query_id}` and document `{document_id}` have another grade in another split of the source"
            raise DataError(what, where=where, hint="make them agree, or keep the source's splits with `split: null`")
    return together


def _bad(judgement: Judgement, reason: Reason, what: str) -> BadRow:
    row = f"{judgement.query_id}\t{judgement.document_id}\t{judgement.grade}"
    return BadRow(reason, what, where=judgement.where, row=row)
