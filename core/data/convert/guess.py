"""Which format a file or folder is in, by what it holds; never by its name alone."""

from collections.abc import Collection
from pathlib import Path

from core.errors import UsageError
from core.formats import beir, delimited, flagembedding, table, tevatron
from core.formats.records import form_inside, records
from core.formats.rows import lines, text_of
from core.formats.sentence_transformers import LABELS

_HINT = "name it with --from; tables, one JSON file and other documents become a corpus by `dr data build`"

_FIELDS = (
    ("ms-swift-pairs", {"messages", "positive_messages", "label"}),
    ("ms-swift", {"messages", "positive_messages"}),
    ("examples", {"query", "positives"}),
    ("flagembedding", {"query", "pos"}),
    ("tevatron", {"query_id", "query_text", "positive_document_ids"}),
    ("tevatron-corpus", {"docid", "document_text"}),
    ("triples", {"query", "document", "rel"}),
    ("flashrag", {"question", "golden_answers"}),
    ("pyserini", {"id", "contents"}),
    ("sentence-transformers", {"anchor", "positive"}),
)
"""Fields of a first row that leave no doubt, the fuller sets first."""


def format_of(path: Path) -> str:
    """The format's name.

    Raises:
        UsageError: nothing is there, or it could be more than one thing.
        DataError: it cannot be read.
    """
    if path.is_dir():
        return _of_folder(path)
    if form_inside(path) == "lines":
        where, line = next(iter(lines(path)))
        if _is_table(path):
            return "csv"
        if not line.lstrip().startswith(b"{"):
            if len(text_of(line, where).split()) == 4:
                return "trec"
            raise UsageError("the format is not clear: these are no rows of JSON", where=where, hint=_HINT)
    return _of_fields(path)


def _of_folder(path: Path) -> str:
    if (path / beir.QUERIES).exists() or beir.splits(path):
        return "beir"
    if flagembedding.splits(path):
        return "flagembedding-eval"
    if tevatron.splits(path) and (path / tevatron.CORPUS).exists():
        return "processed" if _is_processed(path) else "tevatron"
    if (path / beir.CORPUS).exists():
        return "beir"
    raise UsageError("the format of this folder is not clear", where=str(path), hint=_HINT)


def _of_fields(path: Path) -> str:
    row = next(records(path, needs=()))
    fields = row.fields.keys()
    for name, wanted in _FIELDS:
        if wanted <= fields:
            return name
    if form_inside(path) == "parquet" and _is_corpus(fields):
        return "parquet"
    texts = [name for name in fields if name not in LABELS]
    if len(fields) == 3 and len(texts) == 2:
        return "sentence-transformers-pairs"
    there = ", ".join(f"`{name}`" for name in fields) or "no field"
    raise UsageError(f"the format is not clear: the first row has {there}", where=row.where, hint=_HINT)


def _is_table(path: Path) -> bool:
    """Whether it is named as a table of text and its head names an id and a text."""
    if not {".csv", ".tsv"} & {*path.suffixes}:
        return False
    row = next(delimited.rows(path, lambda _bad: None), None)
    return row is not None and _is_corpus(row.fields)


def _is_corpus(fields: Collection[str]) -> bool:
    """Whether these are columns of documents, and of nothing else that we know."""
    found = [{*names} & {*fields} for names in (table.DOCUMENT_IDS, table.DOCUMENT_TEXTS, table.JUDGED_QUERIES)]
    return bool(found[0] and found[1] and not found[2])


def _is_processed(folder: Path) -> bool:
    """Whether the first row beside the corpus is a query under other names than Tevatron's."""
    fields = next(records(folder / f"{tevatron.splits(folder)[0]}.jsonl")).fields
    return "query_text" not in fields and any(name in fields for name in table.QUERY_TEXTS)
