"""TRL's trainer for GRPO, with answers to what is held out made greedily and counted one by one."""

import contextlib
import statistics
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, cast

import torch
from transformers import GenerationConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from core.rl.trl.reward import Reward


class Trainer(GRPOTrainer):
    """Trains by one reward of ours."""

    @property
    def reward(self) -> Reward:
        """The reward function."""
        return cast(Reward, self.reward_funcs[0])

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """TRL's, greedy. TRL would take the mean of the batches' means; the last batch is smaller."""
        self.reward.held_out.clear()
        with self._greedy():
            output = super().evaluation_loop(*args, **kwargs)
        means = {name: [statistics.fmean(values)] for name, values in self.reward.held_out.items() if values}
        self._metrics["eval"] = defaultdict(list, means)
        return output

    def prediction_step(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002 - transformers'
        """Answers are made and scored; there is no loss to compute of them."""
        self._prepare_inputs(inputs)
        return torch.zeros(()), None, None

    @contextlib.contextmanager
    def _greedy(self) -> Iterator[None]:
        sampled = self.generation_config, self.generation_kwargs
        drawn = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "min_p": None}
        self.generation_kwargs = {**self.generation_kwargs, **drawn}
        self.generation_config = GenerationConfig(**self.generation_kwargs, disable_compile=True)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            self.generation_config, self.generation_kwargs = sampled
