"""The reward as verl calls it (`custom_reward_function`), and a note of every response that it scored.

verl writes out the sum alone while it trains; parts and measures are read from these notes, see `core.rl.verl`.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.reward import door

SCORED = "DR_SCORED"
"""Environment variable with the folder of the notes: one file for each process that scores, one line a response."""

OWN = ("num_turns", "global_steps", "min_global_steps", "max_global_steps")
"""What verl adds to a row's `extra_info`."""


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> dict[str, float]:
    """As `core.reward.door.compute_score_async`.

    Raises:
        DrError: there is no score.
    """
    numbers = await door.compute_score_async(data_source, solution_str, ground_truth, extra_info)
    if folder := os.environ.get(SCORED):
        _note(Path(folder), data_source, solution_str, ground_truth, extra_info or {}, numbers)
    return numbers


def _note(
    folder: Path, source: str, response: str, truth: Any, extra: Mapping[str, Any], numbers: Mapping[str, float]
) -> None:
    plain = {key: value for key, value in extra.items() if key not in OWN and isinstance(value, str | int | float)}
    row = {
        "query": str(extra.get("question") or ""),
        "response": response,
        "ground_truth": truth,
        "data_source": source,
        "extra_info": plain,
        "numbers": numbers,
    }
    # One event loop for each process: lines do not mix.
    with (folder / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
