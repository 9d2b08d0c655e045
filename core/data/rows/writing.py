"""Rows of one target on their way to its files, measured as they pass."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from core.data.rows.item import Item
from core.data.rows.lengths import Ruler, report
from core.data.rows.recipe import Recipe
from core.data.rows.targets import Target
from core.errors import DataError
from core.formats.qrels import SPLITS
from core.formats.verl import Writer

TRAIN = "train"
EXAMPLE = "train_example.json"


class Rows:
    """Writes <target>/<split>.parquet, and the first training row to read by eye."""

    def __init__(self, folder: Path, recipe: Recipe, target: Target, ruler: Ruler) -> None:
        self._folder = folder / target.name
        self._target, self._ruler, self._recipe = target, ruler, recipe
        self._files: dict[str, Writer] = {}
        self._lengths: dict[str, Counter[int]] = {}
        self._counts = Counter[str]()

    def write(self, batch: Sequence[tuple[Item, str]]) -> None:
        """Take items with their splits.

        Raises:
            DataError: a row is too long under `truncation: error`.
        """
        some = []
        for item, split in batch:
            if why := self._target.lacks(item):
                self._counts[why] += 1
            else:
                some.append((item, split))
        conversations = [self._target.conversation(item) for item, _ in some]
        lengths = self._ruler.measure(conversations, answered=self._target.answered) if some else []
        for (item, split), length in zip(some, lengths, strict=True):
            self._write(item, split, length)

    def close(self) -> None:
        """End the files."""
        for file in self._files.values():
            file.close()

    def stats(self) -> dict[str, Any]:
        """Rows and lengths of every split, and what gave no row."""
        return {
            "rows": {split: self._files[split].count for split in sorted(self._files, key=_place)},
            "lengths": {
                split: report(self._lengths[split], self._recipe.max_length)
                for split in sorted(self._lengths, key=_place)
            },
            **self._counts,
        }

    def _write(self, item: Item, split: str, length: int) -> None:
        # Told of all rows, those that are dropped too: that is how one sees what a larger max_length would keep.
        self._lengths.setdefault(split, Counter())[length] += 1
        if length > self._recipe.max_length and self._too_long(item, length):
            return
        if split not in self._files:
            self._files[split] = Writer(self._folder / f"{split}.parquet", self._target.schema)
        row = self._target.row(item, split, self._files[split].count)
        self._files[split].write(row)
        if self._target.answered and any(token in item.answer for token in self._ruler.special):
            self._counts["answers_with_special_tokens"] += 1
        if split == TRAIN and self._files[split].count == 1:
            self._folder.mkdir(exist_ok=True)
            (self._folder / EXAMPLE).write_bytes(orjson.dumps(row, option=orjson.OPT_INDENT_2))

    def _too_long(self, item: Item, length: int) -> bool:
        """Whether the row is left out for its length."""
        match self._recipe.truncation:
            case "right":
                self._counts["to_be_truncated"] += 1
                return False
            case "drop":
                self._counts["dropped_as_too_long"] += 1
                return True
            case "error":
                what = f"the {self._target.name} row has {length} {self._ruler.unit}, `max_length` is"
                hint = "`truncation: right` keeps and counts such rows, `drop` leaves them out"
                raise DataError(f"{what} {self._recipe.max_length}", where=item.where, hint=hint)


def _place(split: str) -> tuple[int, str]:
    """The usual splits first, others by name."""
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)
