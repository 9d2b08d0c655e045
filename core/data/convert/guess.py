"""Which format a file or folder is in, by what it holds; never by its name alone."""

from pathlib import Path

from core.errors import UsageError
from core.formats import beir, flagembedding, tevatron
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
        return "tevatron"
    if (path / beir.CORPUS).exists():
        return "beir"
    raise UsageError("the format of this folder is not clear", where=str(path), hint=_HINT)


def _of_fields(path: Path) -> str:
    row = next(records(path))
    fields = row.fields.keys()
    for name, wanted in _FIELDS:
        if wanted <= fields:
            return name
    texts = [name for name in fields if name not in LABELS]
    if len(fields) == 3 and len(texts) == 2:
        return "sentence-transformers-pairs"
    there = ", ".join(f"`{name}`" for name in fields) or "no field"
    raise UsageError(f"the format is not clear: the first row has {there}", where=row.where, hint=_HINT)
