"""`dr data mix`."""

from cli.tree import data, stage_command

stage_command(data, "mix", "Mix several corpora, or several files of training rows, by weight.")
