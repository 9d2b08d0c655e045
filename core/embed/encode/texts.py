"""The texts that a recipe names, with their ids, one at a time in the order of the input."""

from collections.abc import Iterator
from typing import NamedTuple

from core.embed.encode.recipe import Corpus, Jsonl, Lines, Recipe
from core.errors import DataError
from core.formats import beir, jsonl, rows
from core.types import Document, Query


class Text(NamedTuple):
    """A text and what it is called; an id has no white space in it."""

    id: str
    text: str


def read(recipe: Recipe) -> Iterator[Text]:
    """The texts of the recipe.

    Raises:
        UsageError: there is no such file.
        DataError: a bad row: the first one, with file and line.
    """
    documents = recipe.kind == "documents"
    match recipe.texts:
        case Corpus(data=folder):
            found = beir.documents(folder) if documents else beir.queries(folder)
            return (_text(each.item) for each in found)
        case Jsonl(path=path):
            found = jsonl.documents(path) if documents else jsonl.queries(path)
            return (_text(each.item) for each in found)
        case Lines(path=path):
            return (Text(where.rpartition(":")[2], _decoded(line, where)) for where, line in rows.lines(path))


def _text(item: Document | Query) -> Text:
    return Text(item.id, item.contents if isinstance(item, Document) else item.text)


def _decoded(line: bytes, where: str) -> str:
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"the line is not UTF-8: {error.reason}", where=where) from None
