import contextlib

import pytest

from core import progress


class Notes:
    """A listener that writes down what it is told."""

    def __init__(self):
        self.told = []

    @contextlib.contextmanager
    def bar(self, what, total):
        self.told.append(f"start {what} of {total}")
        yield self
        self.told.append(f"end {what}")

    def advance(self, count=1):
        self.told.append(count)

    def note(self, text):
        self.told.append(text)


@pytest.fixture
def notes():
    listener = Notes()
    progress.listen(listener)
    yield listener
    progress.listen(None)


def test_each_item_passes_and_is_counted_after_its_work(notes):
    for item in progress.track("ab", "read", total=2):
        notes.told.append(f"work {item}")
    assert notes.told == ["start read of 2", "work a", 1, "work b", 1, "end read"]


def test_a_bar_advances_by_what_it_is_told(notes):
    with progress.bar("encode", 64) as bar:
        bar.advance(32)
        bar.note("8 texts/s")
        bar.advance(32)
    assert notes.told == ["start encode of 64", 32, "8 texts/s", 32, "end encode"]


def test_a_total_that_nobody_knows_is_none(notes):
    assert list(progress.track(iter([1]), "read")) == [1]
    assert notes.told[0] == "start read of None"


def test_without_a_listener_items_still_pass():
    assert list(progress.track([1, 2], "read")) == [1, 2]
