"""What can be known of a training by rewards before it starts.

start       starts `worker` in a process of its own
worker      rows, device and batches, model, disk, what verl says of its configuration
asking      what the model is asked: chat template, tool, lengths, thoughts, special tokens
paying      what answers earn: the reward on answers in form, over the run's own search; the tool
"""

from core.rl.check.start import run

__all__ = ["run"]
