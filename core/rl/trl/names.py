"""TRL's names of what it measures, in ours."""

from collections.abc import Iterable, Mapping

TRAIN = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "reward": "reward",
    "reward_std": "reward_deviation",
    "frac_reward_zero_std": "zero_variance",
    "completions/mean_length": "response_length",
    "completions/clipped_ratio": "truncated",
    "kl": "kl",
    "entropy": "entropy",
    "clip_ratio/region_mean": "clipped",
    "tools/call_frequency": "tool_calls",
    "tools/failure_frequency": "tool_failures",
}
"""Of TRL. Of held-out answers only what they earned is told."""

EVAL = "eval_"


class Renamed:
    """Makes the values of our log of those that TRL logs; `ours` are the names that the reward logs by itself."""

    def __init__(self, ours: Iterable[str]) -> None:
        same = {name: name for name in ours}
        self._train, self._eval = {**TRAIN, **same}, {"reward": "reward", **same}

    def __call__(self, logs: Mapping[str, float | None]) -> dict[str, float]:
        """The values that have a name of ours; TRL says None where there was nothing to count."""
        found = {}
        for name, value in logs.items():
            held_out = name.startswith(EVAL)
            ours = (self._eval if held_out else self._train).get(name.removeprefix(EVAL))
            if ours is not None and value is not None:
                found[f"{'eval' if held_out else 'train'}/{ours}"] = float(value)
        return found
