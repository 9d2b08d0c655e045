"""TensorBoard's event files, through torch's writer."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from core.lazy import require
from core.tracking.backend import Backend, Run


class _TensorBoard:
    def __init__(self, run: Run, writer: Any) -> None:
        self._run, self._open, self._step = run, writer, 0
        self._writer: Any = None

    def log(self, values: Mapping[str, float], step: int) -> None:
        if self._writer is None:
            # Only now is it known where a resumed run goes on: the board hides what is repeated.
            purge = step if self._run.resumed else None
            self._writer = self._open(str(self._run.folder / "tensorboard"), purge_step=purge)
        self._step = max(self._step, step)
        for name, value in values.items():
            self._writer.add_scalar(name, float(value), step)

    def summary(self, values: Mapping[str, float]) -> None:
        """As `summary/<name>` at the last step."""
        self.log({f"summary/{name}": value for name, value in values.items()}, self._step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@contextlib.contextmanager
def follow(run: Run) -> Iterator[Backend]:
    """Raises Missing: no package."""
    require("tensorboard", extra="trackers")
    backend = _TensorBoard(run, require("torch.utils.tensorboard").SummaryWriter)
    try:
        yield backend
    finally:
        backend.close()
