"""The port, and the server behind it that ends well."""

import errno
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from core.errors import DrError, UsageError

log = logging.getLogger(__name__)

GRACE_SECONDS = 20
"""How long requests under way may take after a stop; less than supervisors wait before they kill."""

KEEP_ALIVE_SECONDS = 300
"""Idle time of a connection. A trainer searches once a step: closed meanwhile, its next request would be lost."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens: taken before anything heavy is loaded; clients that come early wait.

    Raises:
        UsageError: the port is taken, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(2048)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise _cannot_listen(error, host, port) from None
    return sock


def _cannot_listen(error: OSError, host: str, port: int) -> DrError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} is in use by another program",
            where=f"{host}:{port}",
            hint=f"stop that one, or choose another: port={port + 1 if port < 65535 else 0} (0: any free one)",
        )
    return UsageError(
        f"cannot listen: {error.strerror}", where=f"{host}:{port}", hint="`host: 127.0.0.1` serves this machine"
    )


def url(sock: socket.socket) -> str:
    """Where clients on this machine reach the server."""
    host, port = sock.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Answers until SIGTERM or Ctrl-C, then finishes what is under way; `serve` returns as after any work done."""

    def __init__(self, app: FastAPI, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for requests, then say so."""
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """First signal: finish; second: at once. Not kept as uvicorn does, which would raise it anew at the end."""
        log.info("stopping")
        self.force_exit = self.should_exit
        self.should_exit = True
