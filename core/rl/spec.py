"""What a probe and a training share: the reward, and the search behind it."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from core.recipe import From, Part
from core.remote.spec import AnyEngine
from core.reward.spec import Reward

Share = Annotated[float, Field(ge=0, le=1)]


class Rewarded(Part):
    """A reward, and the search that it asks."""

    reward: Reward
    """What answers earn."""
    index: Annotated[Path | None, From("index")] = None
    """Artifact of `dr index build`, served for the length of the run. null: `engine`, or `reward.retriever.url`."""
    engine: AnyEngine | None = None
    """Search engine of others, served for the length of the run under one limit and one cache. null: `index`, or
    `reward.retriever.url`."""
    most_missing_ids: Share = 0.0
    """Share of the ground truth's documents that the index may lack; with more nothing is begun."""
