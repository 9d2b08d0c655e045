"""A collection's judged queries with their documents: examples and graded pairs are made of them."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from core.data.convert import shelf
from core.data.convert.kinds import Collection, Examples, Job, Pairs
from core.errors import DataError, UsageError
from core.formats import qrels
from core.formats.lost import Lost
from core.types import Document, Example, Pair, Passage, Query

T = TypeVar("T")
Judged = tuple[Query, list[tuple[Document, int]]]


def examples(collection: Collection, job: Job) -> Examples:
    """An example for each judged query: grades above 0 are positives, others negatives.

    Grades become scores of the passages, unless all of a query are 1 or 0. Metadata and instruction are the query's.

    Raises:
        UsageError: a part is missing, or the splits are many and none is named.
        DataError: a judgement of what is not there.
    """
    return Examples(_stream(collection, job, lambda _highest: _example))


def pairs(collection: Collection, job: Job) -> Pairs:
    """A pair for each judgement: its label is the grade as a share of the highest one, and 0 below 1.

    Raises:
        UsageError: a part is missing, or the splits are many and none is named.
        DataError: a judgement of what is not there.
    """

    def maker(highest: int) -> Callable[[Judged, Lost], Iterator[Pair]]:
        return lambda judged, lost: _pairs(judged, lost, highest)

    return Pairs(_stream(collection, job, maker))


def _stream(
    collection: Collection, job: Job, maker: Callable[[int], Callable[[Judged, Lost], Iterator[T]]]
) -> Callable[[Lost], Iterator[T]]:
    grades = _grades(collection, job)
    documents, queries = needed(collection, "documents"), needed(collection, "queries")
    wanted = {identifier for of_query in grades.values() for identifier in of_query}
    others = shelf.put(documents(Lost()), wanted, kept := job.shelf("documents"))
    make = maker(max((grade for of_query in grades.values() for grade in of_query.values()), default=1))

    def stream(lost: Lost) -> Iterator[T]:
        lost["documents"] += others
        unmet = set(grades)
        for query in queries(lost):
            if query.id not in grades:
                lost["queries"] += 1
                continue
            if query.id not in unmet:
                raise DataError(f"the query id `{query.id}` is used twice", where=str(job.input))
            unmet.remove(query.id)
            yield from make((query, _documents(query.id, grades[query.id], kept, job)), lost)
        if unmet:
            what = f"{len(unmet):,} judged queries are not among the queries, `{min(unmet)}` for one"
            raise DataError(what, where=str(job.input))

    return stream


def _grades(collection: Collection, job: Job) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for judgement in one_split(collection, job, Lost()):
        qrels.add(found, judgement)
    return found


def one_split(collection: Collection, job: Job, lost: Lost) -> Iterator[qrels.Judgement]:
    """The judgements of the split that the job names, or of the only one.

    Raises:
        UsageError: there are several and none is named, or the one named is not there.
    """
    splits: dict[str, None] = {}
    found = 0
    for judgement in needed(collection, "judgements")(lost):
        splits[judgement.split] = None
        if judgement.split == (job.split or judgement.split):
            found += 1
            yield judgement
        if job.split is None and len(splits) > 1:
            what = f"there are several splits of judgements: {', '.join(splits)}"
            raise UsageError(what, where=str(job.input), hint="name one with --split")
    if not found:
        there = f"there are {', '.join(splits)}" if splits else "there are no judgements at all"
        raise UsageError(f"there are no judgements of the split `{job.split}`", where=str(job.input), hint=there)


def needed(collection: Collection, part: str) -> Callable[[Lost], Iterator[Any]]:
    """The stream of documents, queries or judgements.

    Raises:
        UsageError: the source has no such part.
    """
    if (found := getattr(collection, part)) is not None:
        stream: Callable[[Lost], Iterator[Any]] = found
        return stream
    hint = "--corpus adds documents, and queries where it is a BEIR folder" if part != "judgements" else None
    raise UsageError(f"the input has no {part}, and the target is made of them", hint=hint)


def _documents(query_id: str, grades: dict[str, int], kept: shelf.Shelf, job: Job) -> list[tuple[Document, int]]:
    found = []
    for identifier, grade in grades.items():
        texts = kept.get(identifier)
        if len(texts) != 1:
            state = "used twice" if texts else f"judged for query `{query_id}`, and is not among the documents"
            hint = None if texts else "--corpus names the file that holds it"
            raise DataError(f"document `{identifier}` is {state}", where=str(job.corpus or job.input), hint=hint)
        title, text = texts[0]
        found.append((Document(identifier, text, title), grade))
    return found


def _example(judged: Judged, lost: Lost) -> Iterator[Example]:
    query, documents = judged
    graded = any(grade not in (0, 1) for _, grade in documents)
    positives: list[Passage] = []
    negatives: list[Passage] = []
    for document, grade in documents:
        score = float(grade) if graded else None
        (positives if grade > 0 else negatives).append(Passage(document.text, document.id, document.title, score))
    if not positives:
        lost["no_positive"] += 1
        return
    metadata = dict(query.metadata)
    instruction = metadata.pop("instruction", "") if isinstance(metadata.get("instruction"), str) else ""
    yield Example(query.text, tuple(positives), tuple(negatives), query.id, instruction, metadata)


def _pairs(judged: Judged, lost: Lost, highest: int) -> Iterator[Pair]:
    query, documents = judged
    lost["metadata"] += bool(query.metadata)
    for document, grade in documents:
        lost["title"] += bool(document.title)
        label = max(grade, 0) / max(highest, 1)
        lost["grade"] += label != grade
        yield Pair(query.text, document.contents, label, 1.0, query.id, document.id)
