"""No step is trained on less than was asked for.

verl logs an answer whose writing, tool or reward failed and goes on: it fills its batch up without it. This sampler,
verl's own otherwise, ends the run instead.
"""

import os
from pathlib import Path

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from core.errors import DrError
from core.reward.door import FAILED


class Strict(ReplayBuffer):  # type: ignore[misc]
    """Raises as soon as a group of answers, trained on or held out, has failed."""

    def _sync_metadata_from_transfer_queue(self) -> None:
        super()._sync_metadata_from_transfer_queue()
        if any(self.failure_keys.values()):
            told = Path(os.environ.get(FAILED) or os.devnull)
            why = told.read_text(encoding="utf-8") if told.exists() else ""
            raise DrError(f"an answer could not be written or scored: {why or 'its error stands above'}")
