"""Relevant documents that are near-duplicates: to a split they are one document."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from core import progress
from core.formats import beir
from core.text import near


def representatives(folder: Path, documents: AbstractSet[str], threshold: float) -> dict[str, str]:
    """Document -> the one that stands for it, for those of `documents` that have a near-duplicate among them.

    Pieces of cut documents are compared piece by piece: one alike pair binds the whole documents.
    """
    parent: dict[str, str] = {}

    def root(document: str) -> str:
        while parent.setdefault(document, document) != document:
            parent[document] = document = parent[parent[document]]  # path halving
        return document

    for one, other in near.pairs(_texts(folder, documents), threshold):
        parent[root(_source(other))] = root(_source(one))
    return {document: root(document) for document in parent if document in documents}


def _texts(folder: Path, documents: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Key and text of each piece; the key holds the place of the piece before the id of its document."""
    for place, document in enumerate(progress.track(beir.read_documents(folder), "data: find near-duplicates")):
        source = str(document.metadata.get("chunk_of", document.id))
        if source in documents:
            yield f"{place} {source}", document.contents


def _source(key: str) -> str:
    return key.partition(" ")[2]
