"""What was answered before, in memory and in a file."""

import contextlib
import logging
import threading

from core.remote.memory import Memory, Shelf


def test_what_was_not_asked_for_longest_is_dropped():
    memory = Memory[str, int](bound=2)
    memory.put("a", 1, 1)
    memory.put("b", 2, 1)
    assert memory.get("a") == 1
    memory.put("c", 3, 1)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (1, None, 3)
    memory.put("heavy", 4, 3)  # more than there is room for
    assert memory.get("heavy") is None


def test_several_programs_may_write_one_file(tmp_path):
    with contextlib.closing(Shelf(tmp_path / "a/shelf")) as one, contextlib.closing(Shelf(tmp_path / "a/shelf")) as two:

        def write(shelf, name):
            for number in range(50):
                shelf.put(f"{name}{number}", [number, "文"])

        threads = [threading.Thread(target=write, args=pair) for pair in ((one, "one"), (two, "two"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [two.get(f"one{number}") for number in range(50)] == [[number, "文"] for number in range(50)]
        assert one.get("two49") == [49, "文"]
        assert one.get("three") is None


def test_a_full_disk_costs_the_file_and_not_the_answers(small_disk, caplog):
    with contextlib.closing(Shelf(small_disk / "shelf")) as shelf, caplog.at_level(logging.ERROR):
        shelf.put("small", "kept")
        for number in range(4):
            shelf.put(f"large{number}", "x" * 600_000)
        assert shelf.get("small") == "kept"
    assert caplog.text.count("the cache of answers ends here") == 1
