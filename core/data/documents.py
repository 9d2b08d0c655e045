"""The documents of the artifact, made one at a time; what was met on the way is known afterwards."""

from collections import Counter
from collections.abc import Iterator

from core import progress
from core.data import chunk, clean
from core.data.duplicates import Duplicates
from core.data.limit import Limit
from core.data.recipe import Recipe
from core.data.seen import Seen
from core.data.source import Source
from core.formats.bad_rows import BadRows
from core.formats.rows import BadRow, Found
from core.types import Document


class Documents:
    """One pass over a source: tidied, checked, chosen and cut documents come out of `stream`."""

    def __init__(self, recipe: Recipe, judged: set[str], limit: Limit | None) -> None:
        self._recipe, self._judged, self._limit = recipe, judged, limit
        self._least = recipe.clean.min_characters if recipe.clean else 1
        self._ids = Seen()
        self.duplicates = Duplicates()
        self.pieces: dict[str, list[str]] = {}
        """Ids of the pieces of each judged document that the source has; none when the limit left it out."""
        self.fields: Counter[tuple[str, str]] = Counter()
        """How often ids and texts stood in which fields."""
        self.num_read = 0
        """Good documents of the source."""
        self.num_cut = 0
        """Documents that were cut into pieces."""

    def stream(self, source: Source, bad: BadRows) -> Iterator[Document]:
        """The documents to be written, in the source's order."""
        for found in progress.track(source.documents(bad), "documents"):
            try:
                document = self._checked(found)
                pieces = self._cut(document, found.where) if self._takes(document) else []
            except BadRow as row:
                bad(row)
                continue
            self._note(found, pieces)
            yield from pieces

    def _checked(self, found: Found[Document]) -> Document:
        document = clean.document(found.item, self._recipe.clean) if self._recipe.clean else found.item
        if (length := len(document.contents.strip())) < self._least:
            what = f"document `{document.id}` has {length} characters, `clean.min_characters` is {self._least}"
            if not length:
                what = f"document `{document.id}` is empty"
            raise BadRow("empty document", what, where=found.where, row=found.item.contents)
        if not self._ids.add(document.id):
            what = f"the document id `{document.id}` is used before"
            raise BadRow("duplicate id", what, where=found.where, row=document.contents)
        return document

    def _takes(self, document: Document) -> bool:
        return self._limit is None or self._limit.takes(document.id)

    def _cut(self, document: Document, where: str) -> list[Document]:
        if self._recipe.chunk is None:
            return [document]
        pieces = chunk.pieces(document, self._recipe.chunk)
        for piece in pieces:
            if piece.id != document.id and not self._ids.add(piece.id):
                what = f"`{piece.id}`, a piece of `{document.id}`, has the id of another document"
                raise BadRow("duplicate id", what, where=where, row=piece.contents)
        return pieces

    def _note(self, found: Found[Document], pieces: list[Document]) -> None:
        self.num_read += 1
        self.num_cut += len(pieces) > 1
        self.fields[found.id_field, found.text_field] += 1
        if found.item.id in self._judged:
            self.pieces[found.item.id] = [piece.id for piece in pieces]
        for piece in pieces:
            self.duplicates.note(piece)
