"""Connections to one server, kept alive; threads share them."""

import http.client
import ssl
import time
import urllib.request
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_CHUNK = 1 << 16
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class Question:
    """What is sent."""

    method: str = "POST"
    path: str = ""
    """What comes after the line's own address: a further path, parameters."""
    payload: bytes | None = None
    """The body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those of the line."""


class Line:
    """Sends a question and takes the whole answer."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url, self._parts, self._headers = url, urlsplit(url), headers
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._context: ssl.SSLContext | None = None

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def send(self, question: Question, seconds: float) -> tuple[int, str | None, bytes]:
        """Status, `Retry-After` and body; a connection that the server closed meanwhile is replaced, not counted.

        Raises:
            OSError: no connection, a lost one, or (TimeoutError) no answer in time.
            http.client.HTTPException: an answer that is none, or ends too early.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._exchange(self._connection(), question, seconds)
        try:
            return self._exchange(connection, question, seconds)
        except _STALE:
            return self._exchange(self._connection(), question, seconds)

    def _exchange(
        self, connection: http.client.HTTPConnection, question: Question, seconds: float
    ) -> tuple[int, str | None, bytes]:
        due = time.monotonic() + seconds
        connection.timeout = seconds
        kept = False
        try:
            if connection.sock:
                connection.sock.settimeout(seconds)
            headers = {**self._headers, **question.headers}
            connection.request(question.method, self._target(question.path), question.payload, headers)
            response = connection.getresponse()
            pieces = []
            while piece := response.read1(_CHUNK):
                pieces.append(piece)
                if time.monotonic() > due:
                    raise TimeoutError
            if response.length:  # the connection ended before its announced end: `read1` is silent about it
                raise http.client.IncompleteRead(b"", response.length)
            kept = not response.will_close
            response.close()  # `read1` leaves it open, and a connection with an open answer takes no other question
            return response.status, response.headers.get("Retry-After"), b"".join(pieces)
        finally:
            if kept:
                self._idle.append(connection)
            else:
                connection.close()

    def _target(self, path: str) -> str:
        own = self._parts._replace(scheme="", netloc="", fragment="").geturl()
        plain_proxy = self._parts.scheme == "http" and self._proxy()
        return (self._url if plain_proxy else own) + path or "/"

    def _connection(self) -> http.client.HTTPConnection:
        host, port, proxy = self._parts.hostname or "", self._parts.port, self._proxy()
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(*(proxy or (host, port)))
        self._context = self._context or ssl.create_default_context()
        if not proxy:
            return http.client.HTTPSConnection(host, port, context=self._context)
        tunnel = http.client.HTTPSConnection(*proxy, context=self._context)
        tunnel.set_tunnel(host, port)
        return tunnel

    def _proxy(self) -> tuple[str, int | None] | None:
        """The proxy of the environment; none for this machine, which no proxy finds."""
        host = self._parts.hostname or ""
        if host in {"localhost", "::1"} or host.startswith("127.") or urllib.request.proxy_bypass(host):
            return None
        proxy = urlsplit(urllib.request.getproxies().get(self._parts.scheme, ""))
        return (proxy.hostname, proxy.port) if proxy.hostname else None
