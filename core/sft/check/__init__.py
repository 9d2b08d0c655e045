"""What can be known of a fine-tuning before it starts; the work is done in `worker`, in a process of its own."""

from core.sft.check.start import run

__all__ = ["run"]
