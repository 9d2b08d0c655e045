"""`dr embed`."""

from cli.tree import embed, stage_command

stage_command(embed, "embed", "Train an embedding model on a corpus and say what it learnt.")
