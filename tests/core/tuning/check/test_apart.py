import os
import subprocess
import sys

import pytest

from core.errors import ContractError, DrError, ProcessFailed
from core.recipe import BaseRecipe
from core.tuning.check import apart

BODY = """
import logging, os, sys
from core.errors import ContractError
from core.tuning.check import apart

def look(given, folder):
    yield "first: " + given["stage"]
    logging.getLogger("core.some").warning("a doubt of %d", 7)
    {then}
    yield "last"

sys.exit(apart.main(look))
"""


@pytest.fixture
def checked(root, tmp_path):
    """`checked(then)`: what a check that does so says, told by a process that finds it beside our code."""

    def run(then="pass"):
        (tmp_path / "a_check.py").write_text(BODY.format(then=then))
        code = (
            "from core.recipe import BaseRecipe\nfrom core.tuning.check import apart\nfrom core.errors import DrError\n"
            "try:\n    print(apart.run('a_check', BaseRecipe(stage='x')))\n"
            "except DrError as error:\n    print(error.exit_code, error.render())"
        )
        env = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
        return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout

    return run


def test_what_a_check_sees_comes_back_in_order_with_what_was_logged_as_a_warning(checked):
    assert checked() == "['first: x', 'warning: a doubt of 7', 'last']\n"


def test_a_failure_comes_back_with_its_exit_code(checked):
    told = checked("raise ContractError('no', where='here', hint='do')")
    assert told == f"{ContractError.exit_code} error: no\n  at here\n\nhint: do\n"


def test_no_failure_names_the_scratch_folder_that_is_gone(checked):
    told = checked("raise ContractError('no', where=f'{folder}/rows/train.parquet: row 3')")
    assert "\n  at rows/train.parquet: row 3\n" in told


def test_a_check_that_dies_is_told_with_its_last_words(checked):
    told = checked("print('the end is near', flush=True); os._exit(9)")
    assert told.startswith("1 error: the check ended without a word of its own") and "| the end is near" in told


def test_a_check_that_is_not_there_is_told():
    with pytest.raises(ProcessFailed, match="No module named"):
        apart.run("core.tuning.check.nothing", BaseRecipe(stage="x"))
    assert issubclass(ProcessFailed, DrError)
