"""Who might ask about a text: the nearest personas of a library."""

from collections.abc import Sequence
from pathlib import Path

from core import artifact
from core.retrieval import index

INDEX = "index"
"""Folder of the search index inside the artifact."""


class Finder:
    """An opened library of personas."""

    def __init__(self, searched: index.OpenIndex) -> None:
        self._index = searched

    def nearest(self, texts: Sequence[str], k: int = 5) -> list[list[str]]:
        """The `k` nearest personas of each text, best first; fewer, or none, where fewer match."""
        return [
            [persona.text for persona in self._index.documents(hit.document_id for hit in hits)]
            for hits in self._index.search(texts, k)
        ]


def open_personas(folder: Path) -> Finder:
    """Open an artifact of `dr distill personas`.

    Raises:
        ArtifactError: it is none.
    """
    artifact.read(folder, ("personas",))
    return Finder(index.open_index(folder / INDEX))
