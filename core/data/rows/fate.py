"""What becomes of each item: its split, or why it is not taken. Decided from hashes, before anything is written."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from core.data.recipe import Split
from core.data.rows.item import Item
from core.data.seen import hash_of
from core.data.split import deal
from core.errors import DataError
from core.text.normal import normalise


class Fates:
    """Takes in every item once, by its hashes; then knows the split of each, by its place."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Items by what became of them: `duplicates`, `conflicts`, `not_sampled`; and questions in several splits."""
        self._asked: list[int] = []
        self._kin: list[tuple[int, ...]] = []
        self._splits: list[str | None] = []
        self._answers: dict[int, set[int]] = {}
        self._duplicates: set[int] = set()
        self._seen: set[tuple[int, int, str | None]] = set()

    def note(self, item: Item) -> None:
        """Take in the next item."""
        place = len(self._asked)
        asked = hash_of("\0".join(f"{role}\1{content}" for role, content in item.prompt))
        answer = hash_of(item.truth or item.answer)
        self._asked.append(asked)
        # One form for full and half width, case and blanks: such questions are equal to a reader.
        self._kin.append(tuple(hash_of("".join(normalise(text).split())) for text in item.kin))
        self._splits.append(item.split)
        self._answers.setdefault(asked, set()).add(answer)
        if (asked, answer, item.split) in self._seen:
            self._duplicates.add(place)
        self._seen.add((asked, answer, item.split))

    def decide(
        self, shares: Mapping[str, float] | None, *, max_samples: int | None, drop_conflicts: bool, seed: int
    ) -> list[str | None]:
        """The split of every item by its place; None when it is not taken.

        Without `shares` the items keep their own splits.

        Raises:
            DataError: nothing is left, or a split gets no item.
        """
        conflicting = {asked for asked, answers in self._answers.items() if len(answers) > 1}
        places = [place for place in range(len(self._asked)) if place not in self._duplicates]
        self.counts["duplicates"] = len(self._duplicates)
        self.counts["conflicts"] = sum(self._asked[place] in conflicting for place in places)
        if drop_conflicts:
            places = [place for place in places if self._asked[place] not in conflicting]
        if max_samples is not None and max_samples < len(places):
            self.counts["not_sampled"] = len(places) - max_samples
            places = sorted(random.Random(seed).sample(places, max_samples))  # noqa: S311 - a draw, not a secret
        if not places:
            raise DataError("no row is left to write", hint="`on_conflict: keep` keeps rows that contradict each other")
        fates = dict(self._deal(places, shares, seed)) if shares else {place: self._splits[place] for place in places}
        self.counts["questions_in_several_splits"] = self._shared(fates)
        return [fates.get(place) for place in range(len(self._asked))]

    def _deal(self, places: list[int], shares: Mapping[str, float], seed: int) -> Iterable[tuple[int, str]]:
        # The rule for judged queries serves here: what hangs together by a shared text is dealt out as one.
        together = {str(place): {str(kin): 1 for kin in self._kin[place]} for place in places}
        how = Split.model_validate({"train": 0.0, "dev": 0.0, "test": 0.0, **shares})
        try:
            dealt = deal(together, how, seed)
        except DataError as error:
            lacking = error.where and error.where.removeprefix("split.")
            what = (
                f"the split `{lacking}` gets no row: there are {len(places)}, and those of one question stay together"
            )
            raise DataError(what, hint="give more rows, or change `train_ratio` and `dev_ratio`") from None
        for split, of_split in dealt.items():
            for place in of_split:
                yield int(place), split

    def _shared(self, fates: Mapping[int, Any]) -> int:
        """Questions (or contexts) that more than one split has."""
        splits: dict[int, set[str]] = {}
        for place, split in fates.items():
            for kin in self._kin[place]:
                splits.setdefault(kin, set()).add(split)
        return sum(len(found) > 1 for found in splits.values())
