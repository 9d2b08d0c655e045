"""The one place that starts other programs. What to start is plain data, so it can be printed and compared."""

import contextlib
import http.client
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import DrError, Missing, ProcessFailed

GRACE_SECONDS = 30
"""How long a program may take to end after SIGTERM before it is killed."""

TAIL = 8
"""Lines of a log that an error quotes."""

# Holds the reading end of a pipe whose writing end is ours: it ends with us, however we end, and the group after it.
_GUARD = """
read -r _
kill -s TERM -- "-$0"
waited=0
while [ "$waited" -lt "$1" ] && kill -s 0 -- "-$0"; do sleep 1; waited=$((waited + 1)); done
kill -s KILL -- "-$0"
"""

# The services we start are on this machine: a proxy of the environment does not know them.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Command:
    """A program to run: argument list, added environment, working directory."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


BEAT_SECONDS = 0.1
"""How often whoever waits is called."""


def nothing() -> None:
    """What is done while waiting, unless one is told."""


def run(command: Command, log: Path, beat: Callable[[], None] = nothing) -> None:
    """Run to the end, output to `log`. However this ends, the whole process group ends with it.

    `beat` is called about ten times a second; what it raises ends the program.

    Raises:
        Missing: there is no such program.
        ProcessFailed: non-zero status; carries the last lines of the log.
    """
    with _started(command, log) as child:
        while (status := child.poll()) is None:
            beat()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(BEAT_SECONDS)
        if status:
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


@dataclass(frozen=True)
class Service:
    """A server under way."""

    command: Command
    log: Path
    child: subprocess.Popen[bytes]

    def check(self) -> None:
        """Raises ProcessFailed with the last lines of the log when it has ended."""
        if self.child.poll() is not None:
            raise _failed(self.command, f"ended with status {self.child.returncode}", self.log)


@contextlib.contextmanager
def service(
    command: Command, log: Path, *, ready: str, timeout_seconds: float, beat: Callable[[], None] = nothing
) -> Iterator[Service]:
    """Run a server for the length of the block, from the moment the URL `ready` answers 200.

    `beat` is called about ten times a second until then. A failure in the block of a server that has ended is told as
    the server's end: what failed in the block is its consequence.

    Raises:
        Missing: there is no such program.
        ProcessFailed: it ended, or did not answer within `timeout_seconds`.
    """
    with _started(command, log) as child:
        deadline = time.monotonic() + timeout_seconds
        while not _answers(ready):
            beat()
            if child.poll() is not None:
                raise _failed(command, f"ended with status {child.returncode} before it was ready", log)
            if time.monotonic() > deadline:
                raise _failed(command, f"was not ready after {timeout_seconds:g} s ({ready})", log)
            time.sleep(BEAT_SECONDS)
        running = Service(command, log, child)
        try:
            yield running
        except DrError:
            running.check()
            raise


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
        with _guarded(child):
            try:
                yield child
            finally:
                _stop(child)
    finally:
        _kill(child)


@contextlib.contextmanager
def _guarded(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let the group of `child` end even when we are killed in the block, and can do nothing about it."""
    guard = subprocess.Popen(
        ("/bin/sh", "-c", _GUARD, str(child.pid), str(GRACE_SECONDS)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # out of reach of what ends our own group
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, and wait for its leader. An interrupt while waiting ends the wait: `_kill` is next."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=GRACE_SECONDS)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the group without mercy: workers may outlive their leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers so for a group of zombies
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _failed(command: Command, what: str, log: Path) -> ProcessFailed:
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
    quoted = "".join(f"\n  | {line}" for line in tail)
    return ProcessFailed(f"`{command.argv[0]}` {what}{quoted}", where=str(log))


def _answers(url: str) -> bool:
    try:
        with _DIRECT.open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError):
        return False
