"""Which documents a smaller corpus takes, so that its first queries still find theirs."""

from collections.abc import Iterable, Sequence

from core.formats.qrels import Judgement
from core.types import Query


class Limit:
    """Chooses at most `most` documents in one pass: half of it for judged ones, the others in order of the file."""

    def __init__(self, most: int, queries: Iterable[Query], judgements: Iterable[Judgement]) -> None:
        self._wanted = _first_judged(most // 2, queries, judgements)
        self._room = most - len(self._wanted)

    def takes(self, document_id: str) -> bool:
        """Whether this document, the next of the file, is taken."""
        if document_id in self._wanted:
            return True
        self._room -= 1
        return self._room >= 0


def _first_judged(most: int, queries: Iterable[Query], judgements: Iterable[Judgement]) -> set[str]:
    """Documents judged for the first queries, relevant ones of each first."""
    of_query: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        of_query.setdefault(judgement.query_id, []).append(judgement)
    wanted: set[str] = set()
    for query in queries:
        for judgement in _best_first(of_query.get(query.id, ())):
            if len(wanted) == most:
                return wanted
            wanted.add(judgement.document_id)
    return wanted


def _best_first(judgements: Sequence[Judgement]) -> list[Judgement]:
    return sorted(judgements, key=lambda judgement: -judgement.grade)
