"""How it is shown that a training helped."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PositiveInt

from core.recipe import CORPUS, Neutral, Part
from core.retrieval.spec import Bm25


class Proof(Part):
    """The measurement at the end: base and trained model, each through an index over the same documents."""

    data: Annotated[Path | None, CORPUS] = None
    """Corpus whose judged queries ask. null: the queries held out from training (`held_out`)."""
    split: str = "dev"
    """Which of its judgements: the name of a file in its `qrels/`. Those of `test` are better left to `dr eval`."""
    limit: PositiveInt | None = 500
    """Queries that are asked, the first ones in the order of a shuffle by the seed. null: all."""
    bm25: Bm25 = Bm25()
    """The BM25 that the report compares with, and that is fused with the model."""
    gate: Annotated[Literal["not_worse"] | None, Neutral()] = "not_worse"
    """`not_worse`: exit code 4 when the trained model is significantly worse than its base; the artifact is kept. null:
    never. A model trained from nothing has no base: it is compared with BM25 and not gated."""
