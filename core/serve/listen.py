"""The server that ends well."""

import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

log = logging.getLogger(__name__)

GRACE_SECONDS = 20
"""How long requests under way may take after a stop; less than supervisors wait before they kill."""

KEEP_ALIVE_SECONDS = 300
"""Idle time of a connection. A trainer searches once a step: closed meanwhile, its next request would be lost."""


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
