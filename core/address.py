"""Addresses that a service of ours listens on: taken, told to clients, and whether other machines reach them."""

import errno
import socket
from ipaddress import ip_address

from core.errors import DrError, UsageError

EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False  # a name that may mean anything


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


def free(host: str, port: int) -> int:
    """`port`, or a free one for 0, for a program that takes it itself in a moment.

    Raises:
        UsageError: as `listen`.
    """
    with listen(host, port) as sock:
        return int(sock.getsockname()[1])


def url(host: str, port: int) -> str:
    """Where clients on this machine reach a server that listens on `host`."""
    if host in EVERYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
