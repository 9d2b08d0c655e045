"""What a finished training is held against: its base."""

import json
from typing import Any

from core.embed.recipe import Recipe
from core.errors import GateFailed

REPORT = "report.json"


def gate(recipe: Recipe) -> None:
    """Hold the report in the finished artifact against `proof.gate`; the artifact stays whatever it says.

    Raises:
        GateFailed: the trained model is significantly worse than its base.
    """
    path = recipe.out / REPORT
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if recipe.proof.gate is None or report["gate"] != "failed":
        return
    c = report["against_base"]["dense"]
    raise GateFailed(
        f"the trained model is significantly worse than its base: nDCG@10 {c['mean_b']:.3f} after training, "
        f"{c['mean_a']:.3f} before ({c['difference']:+.3f}, 95 % interval {c['low']:+.3f} to {c['high']:+.3f}, "
        f"p = {c['adjusted_p']:.3g}, {c['num_queries']:,} queries)",
        where=str(path),
        hint=_remedy(recipe),
    )


def _remedy(recipe: Recipe) -> str:
    fewer = f" epochs={recipe.epochs // 2}" if recipe.epochs > 1 else ""
    return (
        "the artifact is kept, with `gate: failed` in its report; train again with --force and "
        f"learning_rate={recipe.highest_rate / 10:g}{fewer}, or look at the training data; "
        "proof.gate=null takes the model as it is"
    )
