"""Reinforcement learning by verl.

settings    the recipe as verl's keys
ours        keys that overrides leave alone
measured    what verl writes while it runs, as our metrics
rollouts    its answers with what they earned, part by part
train       a run from its start or its newest checkpoint to its end; `check` without a run
"""

from core.rl.verl.train import check, train

__all__ = ["check", "train"]
