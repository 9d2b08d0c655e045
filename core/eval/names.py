"""Names of measures: ours, the sources' aliases, and what they are called in ir_measures."""

import re
from dataclasses import dataclass

THEIRS = {"ndcg": "nDCG", "recall": "R", "precision": "P", "mrr": "RR", "hit": "Success", "map": "AP"}
"""Our name -> ir_measures' name."""

_OURS = re.compile(r"(ndcg|recall|precision|mrr|hit|map)(?:@([1-9][0-9]*))?")
_TOP = re.compile(r"top([1-9][0-9]*)@accuracy")

MRR_CUTOFF = 10
"""Where `MRR` and `mrr` without a cutoff stop."""


@dataclass(frozen=True)
class Measure:
    """One measure with its cutoff."""

    name: str
    cutoff: int | None
    """How many hits are looked at; None for all."""

    def __str__(self) -> str:
        return self.name if self.cutoff is None else f"{self.name}@{self.cutoff}"

    @property
    def theirs(self) -> str:
        """As ir_measures writes it."""
        name = THEIRS[self.name]
        return name if self.cutoff is None else f"{name}@{self.cutoff}"


def parse(name: str) -> Measure:
    """A measure from its name: `ndcg@10`, `map`, or the aliases `Top3@accuracy` (hit@3) and `MRR` (mrr@10).

    Raises:
        ValueError: no such measure, or a cutoff is missing.
    """
    text = name.strip().lower()
    if top := _TOP.fullmatch(text):
        return Measure("hit", int(top[1]))
    if (found := _OURS.fullmatch(text)) is None:
        raise ValueError(
            f"no measure `{name}`: there are ndcg@k recall@k precision@k mrr@k hit@k map, Top3@accuracy, MRR"
        )
    cutoff = int(found[2]) if found[2] else MRR_CUTOFF if found[1] == "mrr" else None
    if cutoff is None and found[1] != "map":
        raise ValueError(f"`{name}` needs a cutoff, e.g. `{name}@10`")
    return Measure(found[1], cutoff)
