"""`dr data rows`."""

from cli.tree import data, stage_command

stage_command(data, "rows", "Make rows for fine-tuning and RL from conversations, questions or judged queries.")
