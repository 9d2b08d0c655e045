"""What verl is told before it trains on a processor."""

import subprocess
import sys

import pytest

from core.errors import ContractError
from core.tuning.verl.guest.release import check


def test_the_release_that_was_tried_is_taken():
    check("0.9.1")


def test_another_release_of_verl_is_refused_before_it_is_reached_into(tmp_path, root):
    # a verl of which nothing but the version is known
    (tmp_path / "verl").mkdir()
    (tmp_path / "verl" / "__init__.py").write_text('__version__ = "0.10.0"\n', encoding="utf-8")
    command = [sys.executable, "-c", "import core.tuning.verl.guest.plugin"]
    env = {"PYTHONPATH": f"{tmp_path}:{root}"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "verl 0.10.0 is installed, and training on a CPU is made for verl 0.9.1" in done.stderr.splitlines()[-1]


def test_the_refusal_says_what_makes_the_right_one():
    with pytest.raises(ContractError) as caught:
        check("0.9.2")
    assert caught.value.hint and "dr env create verl" in caught.value.hint
