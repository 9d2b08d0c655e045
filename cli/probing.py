"""What `dr rl probe` prints."""

from pathlib import Path
from typing import Any

from cli import console, dispatch
from cli.stages import STAGES

HOUR = 3600


def probe(path: Path, overrides: list[str], *, dry_run: bool, force: bool, as_json: bool) -> None:
    """Run a probe, unless it was run, and print its report."""
    from core.recipe import load

    stage = STAGES["probe"]
    recipe = load(path, stage.recipe_model(), overrides)
    if dry_run:
        return dispatch.show(stage, recipe, force=force, as_json=as_json)
    outcome = dispatch.make(stage, recipe, force=force)
    if as_json:
        return console.emit_json(**outcome.as_dict())
    return console.emit(report(outcome.manifest["stats"], str(outcome.out / "report.json")))


def report(found: dict[str, Any], where: str) -> str:
    """The report as tables, the verdict last."""
    tables = [console.table(("fact", "value"), _facts(found)), console.table(*_bests(found))]
    parts = [(name, means["original"], means["answers"]) for name, means in found["parts"].items()]
    tables.append(console.table(("part", "original", "answers"), parts))
    tables.append(console.table(("cost", "of the probe", "of the training"), _costs(found)))
    tries = "".join(f"\n  try: {line}" for line in found["try"])
    return "\n\n".join([*tables, f"verdict: {found['verdict']}: {found['why']}{tries}\n  all of it: {where}"])


def _facts(found: dict[str, Any]) -> list[tuple[str, object]]:
    groups, ids = found["groups"], found["ids"]
    rows: list[tuple[str, object]] = [
        ("queries", found["queries"]),
        ("answers", found["answers"]),
        *((f"refused by the server: {reason}", count) for reason, count in found["refused"].items()),
        ("left out, the judge failed", found["excluded"]),
        ("answers of no use, share", found["unusable_share"]),
        *((f"  {reason}", count) for reason, count in found["unusable"].items()),
        ("groups without variance, share", groups["without_variance"]),
        ("  but for the format", groups["without_variance_in_form"]),
        ("  all at the highest reward", groups["all_at_the_highest"]),
        ("deviation within a group", groups["mean_deviation"]),
        ("mean reward of the original queries", found["original"]),
        ("mean reward of the answers", found["mean"]),
        ("highest reward", found["highest_reward"]),
        ("head-room", found["headroom"]),
        ("head-room, share of the range", found["headroom_share"]),
    ]
    told = "not checked: nobody tells the index" if ids is None else f"{ids['missing']:,} of {ids['named']:,} missing"
    return [*rows, ("documents of the ground truth in the index", told)]


def _bests(found: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    headers = ("best of", "reward", "- original", "95 % low", "high", "Holm p", "wins", "loses", "verdict")
    names = ("difference", "low", "high", "adjusted_p", "wins", "losses", "verdict")
    against = [row.get("against_original", {}) for row in found["best_of"]]
    rows = zip(found["best_of"], against, strict=True)
    return headers, [(row["n"], row["mean"], *(compared.get(name) for name in names)) for row, compared in rows]


def _costs(found: dict[str, Any]) -> list[tuple[object, ...]]:
    spent, told = found["cost"], found["training"]
    return [
        ("steps", None, f"{told['steps']:,}"),
        ("answers", f"{found['answers']:,}", f"{told['rollouts']:,}"),
        ("prompt tokens", f"{spent['prompt_tokens']:,}", f"{told['prompt_tokens']:,}"),
        ("answer tokens", f"{spent['answer_tokens']:,}", f"{told['answer_tokens']:,}"),
        ("hours of answering, at this pace", _hours(spent["answer_seconds"] / HOUR), _hours(told["answer_hours"])),
        ("hours of scoring", _hours(spent["reward_seconds"] / HOUR), _hours(told["reward_hours"])),
        ("price, if the training paid per token", _price(spent["cost"]), _price(told["cost"])),
    ]


def _hours(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.3g}"


def _price(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.2f}"
