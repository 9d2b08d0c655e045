"""The commands, one file a family. Each parses and hands over; importing one puts its commands on the tree."""

from cli.commands import (  # noqa: F401 - each puts its commands on the tree
    audit,
    convert,
    data,
    distill,
    download,
    embed,
    env,
    evaluation,
    index,
    mix,
    recipe,
    reward,
    rewrite,
    rl,
    rows,
    serve,
    sft,
    whole,
)
