"""No step is trained on less than was asked for.

verl logs an answer whose writing, tool or reward failed and goes on: it fills its batch up without it. This sampler,
verl's own otherwise, ends the run instead.
"""

import os
from pathlib import Path
from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from core.errors import DrError
from core.reward.door import FAILED
from core.tuning.verl.guest.names import LENGTH, POLL, TRUNCATED


class Strict(ReplayBuffer):  # type: ignore[misc]
    """Raises as soon as a group of answers, trained on or held out, has failed; counts those that were cut off."""

    def __init__(self, *, sampler_kwargs: Any, **given: Any) -> None:
        super().__init__(sampler_kwargs=sampler_kwargs, **given)
        self._length: int = sampler_kwargs[LENGTH]
        self.poll_interval: float = sampler_kwargs.get(POLL, self.poll_interval)

    def sample(self, *args: Any, **named: Any) -> tuple[Any, dict[str, Any]]:
        """As verl's; among the metrics is the share of answers that are as long as they may be."""
        batch, metrics = super().sample(*args, **named)
        cut = [tag["response_len"] >= self._length for tag in batch.tags]
        return batch, {**metrics, TRUNCATED: sum(cut) / len(cut)} if cut else metrics

    def _sync_metadata_from_transfer_queue(self) -> None:
        super()._sync_metadata_from_transfer_queue()
        if any(self.failure_keys.values()):
            told = Path(os.environ.get(FAILED) or os.devnull)
            why = told.read_text(encoding="utf-8") if told.exists() else ""
            raise DrError(f"an answer could not be written or scored: {why or 'its error stands above'}")
