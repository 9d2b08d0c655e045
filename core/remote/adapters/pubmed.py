"""PubMed by NCBI's E-utilities. Fields go in a form, not in the address: so no key is seen in one."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any
from xml.parsers import expat

from core.remote.adapters import reading
from core.remote.adapters.reading import Found
from core.remote.client import Client, key
from core.remote.faults import QuestionRefused, Unreadable
from core.remote.spec import PubMed
from core.types import Document

FETCHED = 200
"""Documents of one answer at most."""
EARLIEST = "1500/01/01"

_PASSING = re.compile(r"backend|time[d ]*out|temporar|try again|connect|unavailable|database|rate limit", re.IGNORECASE)
"""Faults that are told with status 200, and are not the query's."""


class PubMedAdapter:
    """esearch finds ids, efetch brings titles and abstracts."""

    def __init__(self, spec: PubMed, client: Client) -> None:
        self._spec, self._client = spec, client
        own = {"db": "pubmed", "tool": spec.tool, "email": spec.email, "api_key": key(spec.key_env)}
        self._own = {name: value for name, value in own.items() if value}

    def find(self, query: str, k: int) -> list[Found]:
        """The documents for `query`, best first, without their texts."""
        asked: dict[str, Any] = {**self._own, "term": query, "retmax": k, "retmode": "json", "sort": self._spec.sort}
        if self._spec.until:
            asked |= {"datetype": "pdat", "mindate": EARLIEST, "maxdate": self._spec.until}
        ids = self._client.form(asked, self._ids, "/esearch.fcgi")
        return reading.ranked([Document(id_, "") for id_ in ids[:k]])

    def fetch(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents with these ids, `FETCHED` at most; one that PubMed does not give any more is not among them."""
        asked = {**self._own, "id": ",".join(ids), "retmode": "xml"}
        return self._client.form(asked, articles, "/efetch.fcgi")

    def _ids(self, answer: bytes) -> list[str]:
        value = reading.parsed(answer)
        told = reading.at(value, "esearchresult.ERROR") or reading.at(value, "error")
        if told and _PASSING.search(str(told)):
            raise Unreadable(f"it says: {told}")
        if told:
            raise QuestionRefused(f"{self._spec.service} refuses the question: {told}", where=self._client.url)
        return [str(id_) for id_ in reading.items(value, "esearchresult.idlist", self._spec.service)]


def articles(answer: bytes) -> dict[str, Document]:
    """The documents of efetch's XML, by PMID; books too.

    Raises:
        Unreadable: it is no XML, or not efetch's.
    """
    root = _tree(answer)
    if root.tag != "PubmedArticleSet":
        raise Unreadable(f"it says: {_said(root)[:200]!r}" if _said(root) else f"XML of another kind: {root.tag}")
    documents = {}
    for article in root:
        if id_ := _said(article.find(".//PMID")):
            title = _said(article.find(".//ArticleTitle")) or _said(article.find(".//VernacularTitle"))
            parts = [_part(each) for each in article.iterfind(".//Abstract/AbstractText")]
            documents[id_] = Document(id_, "\n".join(filter(None, parts)), title)
    return documents


def _part(part: ET.Element) -> str:
    """A paragraph of an abstract with what stands over it, such as METHODS."""
    label, text = part.get("Label"), _said(part)
    return f"{label}: {text}" if label and text else text


def _said(element: ET.Element | None) -> str:
    """All words within an element; formulas and italics are elements too."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _tree(answer: bytes) -> ET.Element:
    """XML without entities of its own: those can grow beyond all memory, or name files."""
    builder, parser = ET.TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler, parser.EntityDeclHandler = builder.data, _no_entities
    try:
        parser.Parse(answer, True)
        return builder.close()
    except (expat.ExpatError, AssertionError) as error:
        raise Unreadable(f"no XML: {error}") from None


def _no_entities(*_: object) -> None:
    raise Unreadable("XML that declares entities")
