"""The one place that starts other programs. What to start is plain data, so it can be printed and compared."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import Missing, ProcessFailed

GRACE_SECONDS = 30
"""How long a program may take to end after SIGTERM before it is killed."""

TAIL = 8
"""Lines of a log that an error quotes."""

# The services we start are on this machine: a proxy of the environment does not know them.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Command:
    """A program to run: argument list, added environment, working directory."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


def run(command: Command, log: Path) -> None:
    """Run to the end, output to `log`. However this ends, the whole process group ends with it.

    Raises:
        Missing: there is no such program.
        ProcessFailed: non-zero status; carries the last lines of the log.
    """
    with _started(command, log) as child:
        if status := child.wait():
            raise _failed(command, f"ended with status {status}", log)


def ask(argv: tuple[str, ...], *, timeout_seconds: float = 60) -> str:
    """What a short program prints on both of its outputs, stripped.

    Raises:
        Missing: there is no such program.
        ProcessFailed: non-zero status, or no answer in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        # A file, not a pipe: a worker that outlives its leader would hold a pipe open, and us with it.
        answer = Path(folder) / "answer"
        with _started(Command(argv), answer) as child:
            try:
                status = child.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                raise ProcessFailed(f"`{argv[0]}` did not answer in {timeout_seconds:g} s") from None
        text = answer.read_text(encoding="utf-8", errors="replace").strip()
    if status:
        raise ProcessFailed(f"`{' '.join(argv)}` ended with status {status}: {text[-300:]}")
    return text


@contextlib.contextmanager
def service(command: Command, log: Path, *, ready: str, timeout_seconds: float) -> Iterator[None]:
    """Run a server for the length of the block, from the moment the URL `ready` answers 200.

    Raises:
        Missing: there is no such program.
        ProcessFailed: it ended, or did not answer within `timeout_seconds`.
    """
    with _started(command, log) as child:
        deadline = time.monotonic() + timeout_seconds
        while not _answers(ready):
            if child.poll() is not None:
                raise _failed(command, f"ended with status {child.returncode} before it was ready", log)
            if time.monotonic() > deadline:
                raise _failed(command, f"was not ready after {timeout_seconds:g} s ({ready})", log)
            time.sleep(0.1)
        yield


@contextlib.contextmanager
def _started(command: Command, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as sink:
        try:
            child = subprocess.Popen(
                command.argv,
                env={**os.environ, **command.env},
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its own process group, so that workers it starts end with it
            )
        except OSError as error:  # no such file, not executable, not a program
            raise Missing(f"cannot start `{command.argv[0]}`: {error.strerror}") from None
    try:
        yield child
    finally:
        _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=GRACE_SECONDS)
            break
    # Workers may outlive their leader: the group is asked once more, without mercy.
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers so for a group of zombies
        os.killpg(child.pid, signal.SIGKILL)


def _failed(command: Command, what: str, log: Path) -> ProcessFailed:
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
    quoted = "".join(f"\n  | {line}" for line in tail)
    return ProcessFailed(f"`{command.argv[0]}` {what}{quoted}", where=str(log))


def _answers(url: str) -> bool:
    try:
        with _DIRECT.open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
