import contextlib
import os
import pty
import re
import subprocess
import sys
import time

from cli import console


def test_a_line_tells_the_count_what_stands_beside_it_and_the_time_left():
    with console._Lines().bar("embed: train", 400) as line:
        time.sleep(0.01)
        line.advance(100)
        line.note("1,234 samples/s")
        # a quarter took 0.01 s, so the rest takes 0.03 s: rounded to whole seconds
        assert re.fullmatch(r"100 of 400, 1,234 samples/s, 0:00:0\d left", line.told())


def test_a_line_without_a_total_tells_no_time_left():
    with console._Lines().bar("read", None) as line:
        line.advance(3)
        assert line.told() == "3"


BAR = """
from cli import console
with console._Bars().bar("embed: train", 4) as bar:
    bar.advance(2)
    bar.note("1,234 samples/s")
"""


def test_a_bar_on_a_terminal_shows_what_stands_beside_it():
    terminal, its_end = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", BAR], stderr=its_end, env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    )
    os.close(its_end)
    shown = b""
    with contextlib.suppress(OSError):  # Linux's way to say that nobody has the other end any more
        while piece := os.read(terminal, 1000):
            shown += piece
    assert child.wait() == 0
    os.close(terminal)
    assert re.search(r"embed: train [^\r]*2/4\S* 1,234 samples/s", shown.decode())
