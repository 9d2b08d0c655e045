"""Where a server is, and the key that opens it. Keys are never shown."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from core.address import is_loopback
from core.errors import Missing, UsageError
from core.llm.spec import OpenAI, Served


@dataclass(frozen=True)
class Endpoint:
    """An address up to and with `/v1`, and its key."""

    base_url: str
    key: str | None = field(default=None, repr=False)
    key_names: tuple[str, ...] = ()
    """Environment variables that may hold the key."""

    @property
    def shown(self) -> str:
        """The address without name and password."""
        parts = urlsplit(self.base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, where a proxy of the environment does not find it."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    def without_secrets(self, text: str) -> str:
        """`text` with the key blotted out: some servers quote it in their errors."""
        return text.replace(self.key, "***") if self.key else text


def resolve(
    server: OpenAI | Served, base_url: str | None = None, environment: Mapping[str, str] = os.environ
) -> Endpoint:
    """Address and key of a server. `base_url`: where a server that we started is.

    Raises:
        UsageError: the address is none.
        Missing: no address, or a key that no header can carry.
    """
    names = (server.api_key_env,) if isinstance(server.api_key_env, str) else server.api_key_env or ()
    return Endpoint(_address(server, base_url, environment), _key(names, environment), names)


def _address(server: OpenAI | Served, base_url: str | None, environment: Mapping[str, str]) -> str:
    where = "base_url"
    if base_url is None and isinstance(server, OpenAI):
        base_url = server.base_url
        for name in server.base_url_env:
            if base_url is None and environment.get(name):
                base_url, where = environment[name], name
        if base_url is None:
            raise Missing(
                "nobody says where the language model is",
                hint=f"set {' or '.join(server.base_url_env)} (such as http://localhost:8000/v1), or `base_url`",
            )
    if base_url is None:
        raise Missing(f"the model `{server.model}` is not being served", hint="dr serve llm RECIPE")
    address = base_url.strip().rstrip("/").removesuffix("/chat/completions")
    if not _is_usable(address):
        shown = "(with a password)" if "@" in address else repr(address)
        raise UsageError(f"`{where}` is no address: {shown}", hint="such as http://localhost:8000/v1")
    return address


def _is_usable(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, _ = (parts.hostname or "").encode("idna"), parts.port  # both refuse what no connection could be made to
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host)


def _key(names: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    for name in names:
        if key := environment.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise Missing(f"{name} holds characters that no header can carry", hint="copy the key once more")
            return key
    return None
