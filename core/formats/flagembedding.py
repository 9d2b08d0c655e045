"""FlagEmbedding's files for training and for evaluation.

train   {"query", "pos": […], "neg": […], "pos_scores": […], "neg_scores": […], "prompt", "type"}
eval    corpus.jsonl {"id", "title", "text"}, <split>_queries.jsonl {"id", "text"},
        <split>_qrels.jsonl {"qid", "docid", "relevance"}

`prompt` is the instruction; `type` is kept as metadata.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from core.formats import jsonl, records, table, values
from core.formats.lost import Lost, of_passages
from core.formats.qrels import Judgement, in_order
from core.formats.rows import BadRow, Found, OnBad, Row, fail, objects
from core.types import Document, Example, Passage, Query

CORPUS = "corpus.jsonl"
_QUERIES, _QRELS = "_queries.jsonl", "_qrels.jsonl"
_USED = frozenset({"query", "pos", "neg", "pos_scores", "neg_scores", "prompt"})


def example(row: Row) -> Example:
    """The example in a training row.

    Raises:
        BadRow: no query, no positive, a field of another type, or scores that are not one for each passage.
    """
    query = values.query(row)
    values.check_positives(row, "pos")
    instruction, metadata = values.optional_text(row, "prompt"), values.others(row, _USED)
    return Example(query, _passages(row, "pos"), _passages(row, "neg"), instruction=instruction, metadata=metadata)


def row(item: Example, lost: Lost) -> dict[str, Any]:
    """The training row of an example."""
    found: dict[str, Any] = {
        "query": item.query,
        "pos": [passage.contents for passage in item.positives],
        "neg": [passage.contents for passage in item.negatives],
    }
    for name, passages in (("pos_scores", item.positives), ("neg_scores", item.negatives)):
        scores = [passage.score for passage in passages if passage.score is not None]
        if scores and len(scores) == len(passages):
            found[name] = scores
        else:
            lost["score"] += len(scores)
        of_passages(passages, lost, scores=False)
    if item.instruction:
        found["prompt"] = item.instruction
    if item.metadata:
        _type(item, found, lost)
    lost["query_id"] += bool(item.query_id)
    return found


def documents(folder: Path, on_bad: OnBad = fail) -> Iterator[Found[Document]]:
    """The documents of an evaluation folder."""
    return jsonl.documents(folder / CORPUS, on_bad)


def queries(folder: Path, on_bad: OnBad = fail) -> Iterator[Found[Query]]:
    """The queries of an evaluation folder, split by split; one that is in several splits comes once."""
    met: dict[str, tuple[str, str]] = {}
    for name in splits(folder):
        for found in jsonl.queries(folder / f"{name}{_QUERIES}", on_bad):
            text, split = met.setdefault(found.item.id, (found.item.text, name))
            if split == name:
                yield found
            elif text != found.item.text:
                what = f"the query id `{found.item.id}` has another text in the split `{split}`"
                on_bad(BadRow("duplicate id", what, where=found.where, row=found.item.text))


def judgements(folder: Path, on_bad: OnBad = fail) -> Iterator[Judgement]:
    """The judgements of an evaluation folder, split by split."""
    for name in splits(folder):
        if (path := folder / f"{name}{_QRELS}").exists():
            for found in objects(path, on_bad):
                try:
                    judgement = table.judgement(found, name, "qid", "docid", "relevance")
                except BadRow as bad:
                    on_bad(bad)
                    continue
                yield judgement


def splits(folder: Path) -> list[str]:
    """Names of the splits that have queries: train, dev, test, then others by name."""
    names = (path.name.removesuffix(_QUERIES) for path in folder.glob(f"*{_QUERIES}"))
    return in_order(names)


def has_judgements(folder: Path) -> bool:
    """Whether there is a file of judgements."""
    return any(folder.glob(f"*{_QRELS}"))


def write_documents(folder: Path, items: Iterable[Document], lost: Lost) -> int:
    """Write corpus.jsonl; gives the number of documents."""

    def rows() -> Iterator[dict[str, Any]]:
        for item in items:
            lost["metadata"] += bool(item.metadata)
            yield {"id": item.id, "title": item.title, "text": item.text}

    return records.write(folder / CORPUS, rows(), "lines")


def write_queries(folder: Path, split: str, items: Iterable[Query], lost: Lost) -> int:
    """Write <split>_queries.jsonl; gives the number of queries."""

    def rows() -> Iterator[dict[str, Any]]:
        for item in items:
            lost["metadata"] += bool(item.metadata)
            yield {"id": item.id, "text": item.text}

    return records.write(folder / f"{split}{_QUERIES}", rows(), "lines")


def write_judgements(folder: Path, split: str, items: Iterable[Judgement]) -> int:
    """Write <split>_qrels.jsonl; gives the number of judgements."""
    rows = ({"qid": item.query_id, "docid": item.document_id, "relevance": item.grade} for item in items)
    return records.write(folder / f"{split}{_QRELS}", rows, "lines")


def _passages(row: Row, name: str) -> tuple[Passage, ...]:
    texts, scores = values.texts(row, name), values.items(row, f"{name}_scores")
    if not all(texts):
        place = texts.index("")
        raise BadRow("missing text", f"`{name}[{place}]` is empty", where=row.where, row=row.fields)
    if not scores:
        return tuple(map(Passage, texts))
    if len(scores) != len(texts):
        what = f"`{name}_scores` has {len(scores)} entries, `{name}` has {len(texts)}"
        raise BadRow("wrong columns", what, where=row.where, row=row.fields)
    numbers = (values.number(score, row, f"{name}_scores") for score in scores)
    return tuple(Passage(text, score=score) for text, score in zip(texts, numbers, strict=True))


def _type(item: Example, found: dict[str, Any], lost: Lost) -> None:
    """`type` is the one piece of metadata that this format has."""
    if isinstance(kind := item.metadata.get("type"), str):
        found["type"] = kind
    lost["metadata"] += len(item.metadata) > ("type" in found)
