"""`dr sft`."""

from cli.tree import sft, stage_command

stage_command(sft, "sft", "Fine-tune a language model on conversations.")
stage_command(sft, "export", "Make a Hugging Face directory of a checkpoint, load it, and ask it once.")
