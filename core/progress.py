"""Progress of long work, told to whoever listens: the terminal, a log, or nobody (the default)."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Bar(Protocol):
    """One piece of work under way."""

    def advance(self, count: int = 1) -> None:
        """`count` more units are done."""
        ...

    def note(self, text: str) -> None:
        """A few words to stand beside the count, in the place of earlier ones."""
        ...


class Listener(Protocol):
    """Shows bars."""

    def bar(self, what: str, total: int | None) -> contextlib.AbstractContextManager[Bar]:
        """A bar for `what`, of `total` units; None when nobody knows how many."""
        ...


class _Silent:
    def advance(self, count: int = 1) -> None:
        """Nobody listens."""

    def note(self, text: str) -> None:
        """Nobody listens."""

    @contextlib.contextmanager
    def bar(self, what: str, total: int | None) -> Iterator[Bar]:  # noqa: ARG002 - the protocol's signature
        yield self


_listener: Listener = _Silent()


def listen(listener: Listener | None) -> None:
    """Show all further progress on `listener`; None: on nothing."""
    global _listener
    _listener = listener or _Silent()


def bar(what: str, total: int | None = None) -> contextlib.AbstractContextManager[Bar]:
    """A bar to advance by hand: `with bar("encode", 1000) as b: b.advance(32)`."""
    return _listener.bar(what, total)


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """`items`, counted on a bar as they pass."""
    with bar(what, total) as shown:
        for item in items:
            yield item
            shown.advance()
