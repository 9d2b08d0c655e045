"""SwanLab, API of 0.10."""

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import Missing
from core.lazy import require
from core.tracking import spec
from core.tracking.backend import Backend, Run, refused, without_secret

KEY = "SWANLAB_API_KEY"


class _SwanLab:
    def __init__(self, run: Any) -> None:
        self._run, self._step = run, 0

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._step = max(self._step, step)
        with _off_stdout():
            self._run.log(dict(values), step=step)

    def summary(self, values: Mapping[str, float]) -> None:
        """As `summary/<name>` at the last step: SwanLab has no place for values of a whole run."""
        self.log({f"summary/{name}": value for name, value in values.items()}, self._step)


@contextlib.contextmanager
def follow(backend: spec.SwanLab, run: Run) -> Iterator[Backend]:
    """Raises Missing: no package, no board for `mode: local`, or no service for `mode: cloud`."""
    swanlab = require("swanlab", extra="trackers")
    refusals = (RuntimeError, swanlab.exceptions.AuthenticationError, require("requests").RequestException)
    if backend.mode == "local":
        _need_board()
    with _off_stdout():
        try:
            session = swanlab.init(
                mode="online" if backend.mode == "cloud" else backend.mode,
                log_dir=str(run.folder / "swanlog"),
                project=run.project,
                workspace=backend.workspace,
                name=run.name,
                id=run.id,
                resume="allow",
                config=dict(run.recipe),
                settings=_settings(swanlab),
            )
        except refusals as error:
            raise refused("swanlab", error, KEY) from None
    state = "crashed"
    try:
        yield _SwanLab(session)
        state = "success"
    finally:
        with _off_stdout():
            session.finish(state=state)


def _settings(swanlab: Any) -> Any:
    """No questions, no copy of the terminal, no command line, host name or package list: the manifest has those."""
    return swanlab.Settings(
        interactive=False,
        terminal={"proxy_type": "none"},
        probe={"runtime": False, "requirements": False, "conda": False, "git": False},
    )


def _need_board() -> None:
    """Without swanboard SwanLab prints an error, goes on, and records nothing for `swanlab watch`."""
    try:
        require("swanboard")
    except Missing:
        hint = "pip install 'dr-retrieval[trackers]'; or take `mode: offline`, which needs no board"
        raise Missing("swanlab's `mode: local` needs the package `swanboard`", hint=hint) from None


@contextlib.contextmanager
def _off_stdout() -> Iterator[None]:
    """SwanLab talks on stdout, where only results belong, and repeats what a service answers."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            yield
    finally:
        sys.stderr.write(without_secret(said.getvalue(), KEY))
