"""Documents with exactly the same title and text: reported, never dropped."""

from collections.abc import Iterable, Iterator

from core.data.seen import Seen, hash_of
from core.types import Document


class Duplicates:
    """Finds them in two passes: the first notes which texts come again, the second tells whose they are.

    The second pass keeps one id for each repeated text; memory is needed for these only.
    """

    def __init__(self) -> None:
        self.count = 0
        """Documents whose text an earlier one has."""
        self._seen = Seen()
        self._repeated: set[int] = set()

    def note(self, document: Document) -> None:
        """First pass: take in one document."""
        value = hash_of(document.contents)
        if not self._seen.add_hash(value):
            self._repeated.add(value)
            self.count += 1

    def pairs(self, documents: Iterable[Document]) -> Iterator[tuple[str, str]]:
        """Second pass, over the same documents: id of each duplicate, and id of the first document with its text."""
        first: dict[int, str] = {}
        for document in documents:
            value = hash_of(document.contents)
            if value in self._repeated and first.setdefault(value, document.id) != document.id:
                yield document.id, first[value]
