"""TREC collections: documents and topics as marked records. Judgements are in `core.formats.trec`.

    <DOC> <DOCNO> FT911-1 </DOCNO> <HEADLINE> … </HEADLINE> <TEXT> … </TEXT> </DOC>
    <top> <num> Number: 301  <title> …  <desc> Description: …  <narr> Narrative: … </top>

The marks of documents are closed, those of topics need not be. Case does not matter.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from core.errors import DataError
from core.formats import jsonl
from core.formats.fields import clean_id
from core.formats.rows import BadRow, Found, OnBad, Row, every_line, fail, lines, text_of
from core.types import Document, Query

QueryField = Literal["title", "description", "narrative"]

_TITLES = ("title", "headline", "hl", "ttl", "head")
_PARTS: dict[str, QueryField] = {"title": "title", "desc": "description", "narr": "narrative"}
_TAG = re.compile(r"</?[A-Za-z!?][^<>]*>")
_LABEL = re.compile(r"^\s*(Number|Topic|Description|Narrative)\s*:", re.IGNORECASE)
_TOPIC_TAG = re.compile(r"<(num|title|desc|narr)>", re.IGNORECASE)


def documents(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Document]]:
    """The <DOC> records of a file; of a file of JSON lines, its documents as `core.formats.jsonl` reads them.

    The title is the first of <TITLE>, <HEADLINE>, <HL>, <TTL>, <HEAD>; the text is what the <TEXT>s hold, and
    without any, all that stands in no mark of its own.

    Raises:
        UsageError: there is no such file.
        DataError: it holds no record.
    """
    if first_character(path) == b"{":
        yield from jsonl.documents(path, on_bad)
    else:
        yield from jsonl.convert(_records(path, "doc", on_bad), _document, on_bad)


def queries(path: Path, field: QueryField, on_bad: OnBad = fail) -> Iterator[Found[Query]]:
    """The topics of a file: <top> records, `id <tab> text` lines, or JSON lines.

    Raises:
        UsageError: there is no such file.
        DataError: it holds no topic.
    """
    match first_character(path):
        case b"{":
            yield from jsonl.queries(path, on_bad)
        case b"<":
            yield from jsonl.convert(_records(path, "top", on_bad), lambda row: _topic(row, field), on_bad)
        case _:
            yield from jsonl.convert(_lines(path, on_bad), _tabbed, on_bad)


def first_character(path: Path) -> bytes:
    """The first byte of a file that is not white space; nothing where there is none."""
    return next((line.lstrip()[:1] for _, line in lines(path)), b"")


def _lines(path: Path, on_bad: OnBad) -> Iterator[Row]:
    for where, line in lines(path):
        try:
            yield Row(where, {"line": text_of(line, where)})
        except BadRow as bad:
            on_bad(bad)


def _records(path: Path, mark: str, on_bad: OnBad) -> Iterator[Row]:
    """What stands between each <mark> and </mark>, with the place of the first; one that is never closed is a bad row.

    Raises:
        DataError: the last record is not closed, or there is none.
    """
    marks = re.compile(rf"<(/?){mark}>".encode(), re.IGNORECASE)
    begun, held, any_record = "", bytearray(), False
    for where, line in every_line(path):
        place = 0
        for found in marks.finditer(line) if b"<" in line else ():
            if begun:
                held += line[place : found.start()]
                try:
                    yield _record(begun, held, mark, closed=bool(found[1]), at=where)
                except BadRow as bad:
                    on_bad(bad)
            begun, place = "" if found[1] else where, found.end()
            any_record, held = any_record or bool(begun), bytearray()
        if begun:
            held += line[place:]
    if begun:
        raise DataError(f"<{mark.upper()}> is not closed", where=begun, hint=f"</{mark.upper()}> ends a record")
    if not any_record:
        raise DataError(f"there is no <{mark.upper()}> in the file", where=str(path), hint="is it the right file?")


def _record(begun: str, held: bytearray, mark: str, *, closed: bool, at: str) -> Row:
    if closed:
        return Row(begun, {"record": text_of(bytes(held), begun)})
    what = f"<{mark.upper()}> is not closed before the next one begins at {at}"
    raise BadRow("bad record", what, where=begun, row=bytes(held), hint=f"</{mark.upper()}> ends a record")


def _document(row: Row) -> Found[Document]:
    record = row.fields["record"]
    number = _marked(record, "docno")
    if not number:
        raise BadRow("missing id", "the record has no <DOCNO>", where=row.where, row=record.strip())
    title = next((found[0] for name in _TITLES if (found := _marked(record, name))), "")
    texts = _marked(record, "text") or [_outside(record)]
    identifier = clean_id(_plain(number[0]), row, "DOCNO")
    return Found(Document(identifier, "\n".join(map(_plain, texts)), _plain(title)), row.where, "DOCNO", "TEXT")


def _marked(record: str, name: str) -> list[str]:
    """What stands inside each mark of this name."""
    return re.findall(rf"<{name}(?:\s[^<>]*)?>(.*?)</{name}>", record, re.IGNORECASE | re.DOTALL)


def _outside(record: str) -> str:
    """`record` without id and titles."""
    names = "|".join(("docno", "docid", *_TITLES))
    return re.sub(rf"<({names})(?:\s[^<>]*)?>.*?</\1>", " ", record, flags=re.IGNORECASE | re.DOTALL)


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub(" ", text)).strip()


def _topic(row: Row, field: QueryField) -> Found[Query]:
    _, *pieces = _TOPIC_TAG.split(row.fields["record"])
    parts = {name.lower(): _plain(_LABEL.sub("", text)) for name, text in zip(pieces[::2], pieces[1::2], strict=True)}
    if "num" not in parts:
        raise BadRow("missing id", "the topic has no <num>", where=row.where, row=row.fields["record"].strip())
    told: dict[str, str] = {_PARTS[name]: " ".join(text.split()) for name, text in parts.items() if name != "num"}
    text = told.pop(field, "")
    if not text:
        what = f"topic `{parts['num']}` has no {field}"
        raise BadRow("empty query", what, where=row.where, row=row.fields["record"].strip())
    return Found(Query(clean_id(parts["num"], row, "num"), text, told), row.where, "num", field)


def _tabbed(row: Row) -> Found[Query]:
    number, tab, text = row.fields["line"].rstrip("\r\n").partition("\t")
    if not tab:
        what = "no tab: a line is the query's id, a tab, and its text"
        raise BadRow("wrong columns", what, where=row.where, row=row.fields["line"])
    if not text.strip():
        raise BadRow("empty query", f"query `{number}` is empty", where=row.where, row=row.fields["line"])
    return Found(Query(clean_id(number, row, "id"), text), row.where, "first column", "second column")
