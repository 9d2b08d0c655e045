"""A function of the user's own."""

import contextlib
import inspect
import math
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from core.errors import DrError
from core.reward import truth
from core.reward.faults import BadReward, BadTruth
from core.reward.sample import Judged, Reading, Sample, Value

INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Codes with which a program ends when it is interrupted; any other exit is the function's own, and a failure."""


class Custom:
    """Calls it for each sample, one after the other."""

    facts: tuple[str, ...] = ()

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config, self._file = config, Path(config["file"])
        self._function = self._found()

    def score(self, batch: Sequence[Reading]) -> list[Judged]:
        """A value for each.

        Raises:
            BadReward: the function failed, or gave no finite number.
        """
        return [Value(self._number(reading)) for reading in batch]

    def _number(self, reading: Reading) -> float:
        sample = reading.sample
        with _Theirs(self._file, self._config["function"]):
            if self._config["signature"] == "verl":
                result = self._function(sample.data_source, sample.response, sample.truth, dict(sample.extra))
            else:
                result = self._function(sample.query, reading.answer.query or "", _ids(sample))
        if isinstance(result, Mapping) and self._config["signature"] == "verl":
            result = result.get("score")
        if inspect.iscoroutine(result):
            result.close()
            raise self._bad("is `async`: a plain function is needed here", sample)
        # A number of another library (numpy's, torch's) is one that has a value of its own.
        value = result.item() if hasattr(result, "item") and getattr(result, "size", 1) == 1 else result
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._bad(f"gave {_shown(result)}, not a finite number", sample)
        return float(value)

    def _found(self) -> Callable[..., Any]:
        name, _, method = self._config["function"].partition(".")
        with _Theirs(self._file, self._config["function"]):
            # Run by its path: nothing is cached beside it. A file may import its neighbours.
            sys.path.insert(0, str(self._file.parent))
            try:
                names = runpy.run_path(str(self._file), run_name="dr_reward")
            finally:
                sys.path.remove(str(self._file.parent))
            found = names.get(name)
            if found is not None and method:
                found = getattr(found(dict(self._config["config"])), method, None)
        if not callable(found):
            there = ", ".join(f"`{n}`" for n, v in names.items() if callable(v) and not n.startswith("_")) or "none"
            what = f"there is no function `{self._config['function']}`; the file has {there}"
            raise BadReward(what, where=str(self._file), hint="name it in `function`")
        return cast(Callable[..., Any], found)

    def _bad(self, what: str, sample: Sample) -> BadReward:
        where = f"{self._file}, sample {sample.where}" if sample.where else str(self._file)
        return BadReward(f"`{self._config['function']}` {what}", where=where, hint="a failure is no score: raise it")


class _Theirs(contextlib.AbstractContextManager["_Theirs"]):
    """While the user's code runs: what it raises is told with its function and line. Ours and interrupts pass."""

    def __init__(self, file: Path, function: str) -> None:
        self._file, self._function = file, function

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = isinstance(error, SystemExit) and error.code in INTERRUPTED
        if isinstance(error, Exception | SystemExit) and not isinstance(error, DrError) and not interrupted:
            told = f"`{self._function}` failed: {type(error).__name__}: {error}"
            raise BadReward(told, where=_line(self._file, error)) from error


def _line(file: Path, error: BaseException) -> str:
    """The last line of `file` on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file}:{error.lineno}"
    inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{file}:{inside[-1]}" if inside else str(file)


def _ids(sample: Sample) -> list[str] | None:
    """The relevant documents' ids; None where nothing is judged, which source A's signature allows."""
    if truth.is_empty(sample):
        return None
    try:
        return list(truth.documents(sample))
    except BadTruth:
        return truth.answers(sample)


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}"
