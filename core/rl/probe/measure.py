"""What the rollouts show, in numbers."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import DrError
from core.reward.replay import SAME, Ledger
from core.rl.probe.estimator import best_of, ladder
from core.rl.probe.extent import Extent
from core.rl.probe.rollouts import Rollout
from core.significance import compare, together


def measured(
    rollouts: Sequence[Rollout], originals: Sequence[Rollout], samples: int, extent: Extent | None, *, seed: int
) -> dict[str, Any]:
    """The report's numbers. `originals` may be empty, and `extent` None: then what needs them is None.

    Raises:
        DrError: no query has all its answers scored.
    """
    ledger, groups = _groups(rollouts)
    whole = {id_: rewards for id_, rewards in groups.items() if len(rewards) == samples}
    if not whole:
        what = f"no query has all of its {samples} answers scored: the server refused some of each, or the judge failed"
        raise DrError(what, hint="rollouts and answers tell which; take other queries, or mend the judge")
    before = {rollout.question.id: rollout.scored.total for rollout in originals}
    base = {id_: reward for id_ in whole if (reward := before.get(id_)) is not None}
    start = statistics.fmean(base.values()) if base else None
    numbers = ledger.as_dict()
    return {
        "answers": len(rollouts),
        "excluded": ledger.excluded,
        "whole_groups": len(whole),
        "original": start,
        "mean": numbers["mean"],
        "standard_deviation": numbers["standard_deviation"],
        "quantiles": numbers["quantiles"],
        "best_of": _bests(whole, base, samples, seed),
        "groups": {
            **(numbers["groups"] or {}),  # type: ignore[dict-item]
            "without_variance_in_form": _flat_in_form(rollouts),
            **_flat(groups, extent),
        },
        "parts": _parts(numbers["parts"], originals),  # type: ignore[arg-type]
        **_headroom(start if start is not None else numbers["mean"], extent),  # type: ignore[arg-type]
        **_unusable(rollouts),
    }


def _groups(rollouts: Sequence[Rollout]) -> tuple[Ledger, dict[str, list[float]]]:
    ledger = Ledger()
    for rollout in rollouts:
        numbers = None if rollout.scored.total is None else rollout.scored.as_numbers()
        ledger.add(numbers, group=rollout.question.id, stored=None, step=None)
    return ledger, ledger.groups


def _bests(
    whole: Mapping[str, Sequence[float]], base: Mapping[str, float], samples: int, seed: int
) -> list[dict[str, Any]]:
    """The best of 1, 2, 4, … answers, each against the original queries, adjusted for their number."""
    by_number = {
        number: {id_: best_of(rewards, number) for id_, rewards in whole.items()} for number in ladder(samples)
    }
    found: list[dict[str, Any]] = [
        {"n": number, "mean": statistics.fmean(bests.values())} for number, bests in by_number.items()
    ]
    if base:
        compared = together({
            str(number): compare([base[id_] for id_ in base], [bests[id_] for id_ in base], seed=seed)
            for number, bests in by_number.items()
        })  # fmt: skip
        for row, comparison in zip(found, compared.values(), strict=True):
            row["against_original"] = comparison.as_dict()
    return found


def _flat(groups: Mapping[str, Sequence[float]], extent: Extent | None) -> dict[str, float | None]:
    """Of the groups without variance: the share of all groups that has the highest reward already."""
    several = [rewards for rewards in groups.values() if len(rewards) > 1]
    if extent is None or not several:
        return {"all_at_the_highest": None}
    top = sum(min(rewards) >= extent[1] - SAME for rewards in several)
    return {"all_at_the_highest": top / len(several)}


def _flat_in_form(rollouts: Sequence[Rollout]) -> float:
    """Share of the groups whose answers in form all earn the same, or are fewer than two."""
    rewards: dict[str, list[float]] = {rollout.question.id: [] for rollout in rollouts}
    for rollout in rollouts:
        if rollout.scored.total is not None and not (rollout.unusable or rollout.format_lost):
            rewards[rollout.question.id].append(rollout.scored.total)
    return sum(not group or max(group) - min(group) <= SAME for group in rewards.values()) / len(rewards)


def _parts(means: Mapping[str, float], originals: Sequence[Rollout]) -> dict[str, dict[str, float | None]]:
    """The mean of every part and measure, of the answers and of the original queries."""
    scored = [rollout.scored.as_numbers() for rollout in originals if rollout.scored.total is not None]
    return {
        name: {"answers": mean, "original": statistics.fmean(row[name] for row in scored) if scored else None}
        for name, mean in means.items()
    }


def _headroom(start: float, extent: Extent | None) -> dict[str, float | None]:
    """What is left between the original queries (without them: the answers) and the highest reward."""
    if extent is None:
        return {"lowest_reward": None, "highest_reward": None, "headroom": None, "headroom_share": None}
    low, high = extent
    share = (high - start) / (high - low) if high > low else 0.0
    return {"lowest_reward": low, "highest_reward": high, "headroom": high - start, "headroom_share": share}


def _unusable(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    bad = [rollout for rollout in rollouts if rollout.unusable or rollout.format_lost]
    reasons = Counter(rollout.unusable or "format lost" for rollout in bad)
    return {
        "unusable_share": len(bad) / len(rollouts),
        "unreadable_share": sum(bool(rollout.unusable) for rollout in rollouts) / len(rollouts),
        "unusable": dict(sorted(reasons.items())),
    }
