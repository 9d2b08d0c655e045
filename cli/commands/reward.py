"""`dr reward`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import Json, Overrides, Quiet, RecipeFile, reward

Tokenizer = Annotated[
    Path | None,
    typer.Option(help="A model's folder: decode as the trainer does, which leaves out its special tokens."),
]


@reward.command("test")
def reward_test(
    recipe: RecipeFile,
    overrides: Overrides = None,
    query: Annotated[str | None, typer.Option(help="What was asked.")] = None,
    response: Annotated[
        str | None, typer.Option(help="What the model wrote; with --samples: for rows without a response.")
    ] = None,
    truth: Annotated[str | None, typer.Option(help='The ground truth: text or JSON, such as {"d1": 1}.')] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="A file instead: JSONL with query, response, ground_truth; or RL rows (Parquet)."),
    ] = None,
    tokenizer: Tokenizer = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a pair, or a file, before a training does: every part, why, and how long it took."""
    console.set_up(quiet=quiet)
    from cli import rewards
    from cli.shelf import find

    trials = rewards.samples(query, response, truth, samples)
    rewards.test(find(recipe), overrides or [], trials, tokenizer=tokenizer, as_json=json)


@reward.command("replay")
def reward_replay(
    recipe: RecipeFile,
    rollouts: Annotated[Path, typer.Argument(metavar="ROLLOUTS", help="JSONL of rollouts, or verl's folder of them.")],
    overrides: Overrides = None,
    tokenizer: Tokenizer = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score saved rollouts under this reward: distribution, parts, groups without variance, the stored score."""
    console.set_up(quiet=quiet)
    from cli import rewards
    from cli.shelf import find

    rewards.replay(find(recipe), rollouts, overrides or [], tokenizer=tokenizer, as_json=json)
