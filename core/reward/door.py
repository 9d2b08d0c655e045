"""The door that verl knocks at: one response at a time, by `compute_score` or, beside others, `compute_score_async`.

The reward's JSON file is named by the argument `reward` (verl's `reward_kwargs`) or by `DR_REWARD`. Scorers, their
connections and what they remember live as long as the worker.

A failure raises. Since a trainer's own limiter may make 0.0 of any exception, the sentence is also written to the file
that `DR_REWARD_FAILED` names: whoever started the trainer watches it and stops the run.
"""

import asyncio
import atexit
import json
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from core.errors import ContractError, DrError, UsageError
from core.reward.sample import Sample
from core.reward.scorer import Scorer

REWARD = "DR_REWARD"
"""Environment variable with the path of the reward's JSON."""
FAILED = "DR_REWARD_FAILED"
"""Environment variable with the path of the file that says why the reward failed."""
AT_ONCE = 64
"""Responses of a worker that are scored beside each other at most; judges have their own bound below it."""

_scorers: dict[str, Scorer] = {}
_lock = threading.Lock()
_pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reward")


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    reward: str | None = None,
    **_: Any,
) -> dict[str, float]:
    """`score`, every part and every measure, always under the same keys.

    Raises:
        DrError: there is no score; never a number in its place.
    """
    extra = dict(extra_info or {})
    try:
        scorer = _scorer(reward or os.environ.get(REWARD))
        question = str(extra.get("question") or "")
        sample = Sample(
            question, solution_str, ground_truth, data_source, extra, where=f"row {extra.get('index', '?')}"
        )
        return scorer.score([sample])[0].as_numbers()
    except DrError as error:
        tell(error)
        raise


async def compute_score_async(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    reward: str | None = None,
    **_: Any,
) -> dict[str, float]:
    """As `compute_score`, up to `AT_ONCE` beside each other.

    Raises:
        DrError: there is no score.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, compute_score, data_source, solution_str, ground_truth, extra_info, reward)


def close() -> None:
    """Close all connections; a later call opens new ones."""
    with _lock:
        while _scorers:
            _scorers.popitem()[1].close()


atexit.register(close)


def _scorer(path: str | None) -> Scorer:
    if not path:
        raise UsageError(f"nobody says which reward: give the argument `reward`, or set {REWARD}")
    with _lock:
        if path not in _scorers:
            scorer = Scorer.load(path)
            if scorer.config["on_failure"] != "stop":
                scorer.close()
                what = "`on_failure: exclude` needs a trainer that can leave samples out, and this one cannot"
                raise ContractError(what, where=path, hint="on_failure: stop")
            _scorers[path] = scorer
        return _scorers[path]


def tell(error: DrError) -> None:
    """Write the first failure to the file that is watched, whole or not at all."""
    if not (path := os.environ.get(FAILED)):
        return
    partial = Path(f"{path}.{os.getpid()}.{threading.get_ident()}")
    partial.write_text(json.dumps(error.as_dict(), ensure_ascii=False), encoding="utf-8")
    try:
        os.link(partial, path)  # fails where another worker was first
    except FileExistsError:
        pass
    finally:
        partial.unlink()
