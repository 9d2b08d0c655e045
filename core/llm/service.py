"""A model served by its own engine, in its own interpreter, for the length of a block."""

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core import address, process
from core.errors import Missing, ProcessFailed, UsageError
from core.llm import engine
from core.llm.engine import Engine
from core.llm.launch import command
from core.llm.spec import Served

log = logging.getLogger(__name__)

KEY = "VLLM_API_KEY"
"""Where vLLM, and our own engine, look for the key that callers must send; an argument could be read by everybody on
the machine."""

_PREFIX = r"^(?:\([^)\n]*\) \S+ [\d-]+ [\d:]+ \[[^]\n]*\] )?"
_ERROR = re.compile(
    _PREFIX + r"((?:\w+\.)*\w*(?:Error|Exception): (?:\d+ validation errors? for .*\n.*|.*))", re.MULTILINE
)
"""The end of a traceback, under vLLM's prefix or without; pydantic says what is wrong on the line after it."""


@dataclass(frozen=True)
class Server:
    """A model that answers."""

    base_url: str
    """Address up to and with `/v1`."""
    models: tuple[str, ...]
    """Names under which it answers: the model's own first, then the adapters'."""
    engine: Engine
    running: process.Service


@contextlib.contextmanager
def serving(spec: Served, log_file: Path) -> Iterator[str]:
    """The base URL (with `/v1`) of a server that is healthy when the block begins and gone after it; see `started`."""
    with started(spec, log_file) as server:
        yield server.base_url


@contextlib.contextmanager
def started(spec: Served, log_file: Path, beat: Callable[[], None] = process.nothing) -> Iterator[Server]:
    """A server that is healthy when the block begins and gone after it; `beat` is called while it starts.

    What the engine prints is added to `log_file`.

    Raises:
        Missing: no interpreter, no engine in it, or no key in `api_key_env`.
        UsageError: the port is in use, the address is not this machine's, or a folder holds no model or adapter.
        ProcessFailed: it ended or did not become healthy in time; also when it has ended as the block fails.
    """
    found = engine.installed(spec)
    key = _key(spec)
    port = address.free(spec.host, spec.port)
    wanted = command(spec, found, port, fast_bfloat16=engine.fast_bfloat16())
    url = address.url(spec.host, port)
    log.info("starting %s with %s; its log is %s", found, spec.model, log_file)
    log_from, began = _prepare(log_file), time.monotonic()
    with (
        _explained(log_file, log_from),
        process.service(
            replace(wanted, env={**wanted.env, **key}),
            log_file,
            ready=f"{url}/health",
            timeout_seconds=spec.startup_seconds,
            beat=beat,
        ) as running,
    ):
        log.info("%s is ready after %.0f s", found, time.monotonic() - began)
        yield Server(f"{url}/v1", (spec.model, *spec.adapters), found, running)


def _key(spec: Served) -> dict[str, str]:
    if spec.api_key_env is None:
        return {}
    if value := os.environ.get(spec.api_key_env, "").strip():
        return {KEY: value}
    hint = f"export {spec.api_key_env}=...; callers send it as `Authorization: Bearer`"
    raise Missing(f"the environment variable {spec.api_key_env} is not set: it holds the key", hint=hint)


def _prepare(log_file: Path) -> int:
    """Make room for the log; its size so far."""
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as file:
            return file.tell()
    except OSError as error:
        raise UsageError(f"cannot write the log: {error.strerror}", where=str(log_file)) from None


@contextlib.contextmanager
def _explained(log_file: Path, start: int) -> Iterator[None]:
    """The server's end with its first error: what a log ends with is mostly an echo of it."""
    try:
        yield
    except ProcessFailed as failed:
        if failed.where != str(log_file) or failed.hint:
            raise
        raise ProcessFailed(failed.what, where=failed.where, hint=_first_error(log_file, start)) from None


def _first_error(log_file: Path, start: int) -> str | None:
    with log_file.open("rb") as file:
        file.seek(start)
        found = _ERROR.search(file.read().decode("utf-8", "replace"))
    return f"its first error: {' '.join(found[1].split())}" if found else None
