"""What `dr reward` prints."""

import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cli import console
from core import progress
from core.errors import UsageError

log = logging.getLogger(__name__)

BATCH = 2048
"""Rollouts that are scored together."""
SHOWN = 50
"""Samples of a file that the table shows; `--json` has all."""
BAR = 40


def samples(query: str | None, response: str | None, truth: str | None, path: Path | None) -> list[Any]:
    """The samples that the options name.

    Raises:
        UsageError: they name neither a pair nor a file, or both.
    """
    from core.reward import trials
    from core.reward.sample import Sample

    if path is not None:
        if query is not None or truth is not None:
            raise UsageError("`--samples` brings its own queries and ground truths", hint="leave out --query, --truth")
        return [trial.sample for trial in trials.read(path, response)]
    if response is None or truth is None:
        hint = "--query TEXT --response TEXT --truth JSON, or --samples FILE"
        raise UsageError("there is nothing to score: a response and its ground truth are needed", hint=hint)
    return [Sample(query or "", response, truth, where="--truth")]


def test(
    recipe_path: Path, overrides: list[str], given: Sequence[Any], *, tokenizer: Path | None, as_json: bool
) -> None:
    """Score samples and print every part."""
    recipe, decoder = _prepared(recipe_path, overrides, tokenizer)
    from core.reward.plain import plain
    from core.reward.scorer import Scorer

    given = [_decoded(sample, decoder) for sample in given]
    with Scorer(plain(recipe)) as scorer:
        _check(scorer, given)
        started = time.monotonic()
        scored = scorer.score(given)
        seconds = time.monotonic() - started
        weights = {part.key: part.weight for part in recipe.parts}
        if as_json:
            rows = [
                {"where": sample.where, "response": sample.response, **dataclasses.asdict(item)}
                for sample, item in zip(given, scored, strict=True)
            ]
            return console.emit_json(samples=rows, weights=weights, seconds=seconds, part_seconds=scorer.seconds)
        if len(scored) == 1:
            console.emit(_one(scored[0], weights, scorer.seconds))
        else:
            console.emit(_many(given, scored))
        return log.info("%s scored in %.3f s", f"{len(scored):,} samples" if len(scored) > 1 else "1 sample", seconds)


def replay(recipe_path: Path, rollouts: Path, overrides: list[str], *, tokenizer: Path | None, as_json: bool) -> None:
    """Score rollouts again and print what comes out."""
    recipe, decoder = _prepared(recipe_path, overrides, tokenizer)
    from core.reward import trials
    from core.reward.plain import plain
    from core.reward.replay import Ledger
    from core.reward.scorer import Scorer

    ledger = Ledger()
    with Scorer(plain(recipe)) as scorer, progress.bar("rollouts", None) as bar:
        for batch in _batches(trials.read(rollouts), BATCH):
            given = [_decoded(trial.sample, decoder) for trial in batch]
            _check(scorer, given)
            for trial, item in zip(batch, scorer.score(given), strict=True):
                numbers = None if item.total is None else item.as_numbers()
                ledger.add(numbers, group=trial.group, stored=trial.score, step=trial.step)
            bar.advance(len(batch))
        report = ledger.as_dict()
        if as_json:
            return console.emit_json(**report, part_seconds=scorer.seconds)
    return console.emit(_report(report))


def _prepared(path: Path, overrides: list[str], tokenizer: Path | None) -> tuple[Any, Any]:
    """The recipe, and the decoder if one was named; warns of marks that the decoder strips."""
    from core.recipe import load
    from core.reward.recipe import Recipe

    recipe = load(path, Recipe, overrides)
    if tokenizer is None:
        return recipe, None
    from core.reward.decoding import Decoder, stripped

    decoder = Decoder(tokenizer)
    for sentence in stripped(recipe, decoder):
        log.warning("%s", sentence)
    return recipe, decoder


def _decoded(sample: Any, decoder: Any) -> Any:
    return dataclasses.replace(sample, response=decoder.seen(sample.response)) if decoder else sample


def _check(scorer: Any, given: Sequence[Any]) -> None:
    """Raise the first bad ground truth, and tell how many there are, before any service is asked."""
    if faults := scorer.check(given):
        if len(given) > 1:
            first = faults[0]
            first.what = f"{len(faults):,} of {len(given):,} ground truths cannot be used; the first: {first.what}"
        raise faults[0]


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _one(scored: Any, weights: dict[str, float], seconds: dict[str, float]) -> str:
    rows: list[tuple[object, ...]] = [
        (name, weights[name], value, weights[name] * value, seconds[name], scored.why.get(name, ""))
        for name, value in scored.parts.items()
    ]
    rows.append(("total", None, None, scored.total, sum(seconds.values()), scored.excluded))
    table = console.table(("part", "weight", "value", "counts", "seconds", "why"), rows)
    measures = "".join(f"\n{name}: {number:.4g}" for name, number in scored.facts.items())
    return f"{table}\n\nquery: {scored.query or '(none was found)'}{measures}"


def _many(given: Sequence[Any], scored: Sequence[Any]) -> str:
    names = list(scored[0].parts)
    rows = [
        (sample.where, item.total, *item.parts.values(), _reasons(item))
        for sample, item in list(zip(given, scored, strict=True))[:SHOWN]
    ]
    totals = [item.total for item in scored if item.total is not None]
    more = f"\n… and {len(scored) - SHOWN:,} more (`--json` has all)" if len(scored) > SHOWN else ""
    out = len(scored) - len(totals)
    mean = f"mean {sum(totals) / len(totals):.4f}" if totals else "no total"
    table = console.table(("sample", "total", *names, "why"), rows)
    return f"{table}{more}\n\n{len(scored):,} samples, {mean}" + (f", {out:,} left out" if out else "")


def _reasons(item: Any) -> str:
    return item.excluded or "; ".join(f"{name}: {why}" for name, why in item.why.items())


def _report(report: dict[str, Any]) -> str:
    if not report["rollouts"]:
        return f"no rollout was scored, {report['excluded']:,} were left out"
    top = [("rollouts", report["rollouts"]), ("left out", report["excluded"]), ("mean", report["mean"])]
    top.append(("standard deviation", report["standard_deviation"]))
    top += [(f"quantile {share}", number) for share, number in report["quantiles"].items()]
    for title, facts in (("groups", report["groups"]), ("stored score", report["stored"])):
        top += [(f"{title}: {name.replace('_', ' ')}", number) for name, number in (facts or {}).items()]
    most = max(count for *_, count in report["histogram"])
    bars = [(f"{low:.3g} to {high:.3g}", n, "#" * round(BAR * n / most)) for low, high, n in report["histogram"]]
    tables = [
        console.table(("fact", "value"), top),
        console.table(("part", "mean"), list(report["parts"].items())),
        console.table(("total", "rollouts", ""), bars),
    ]
    return "\n\n".join(tables)
