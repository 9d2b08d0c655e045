import sys

import pytest

from core.errors import Missing
from core.lazy import require


def test_a_package_that_is_there_is_imported():
    assert require("json.decoder").JSONDecodeError


def test_a_missing_package_names_the_extra_that_brings_it():
    with pytest.raises(Missing, match="the package `no_such_engine` is not installed") as caught:
        require("no_such_engine", extra="lucene")
    assert caught.value.hint == "pip install 'dr-retrieval[lucene]'"
    assert caught.value.exit_code == 3


def test_a_missing_submodule_of_a_package_that_is_there_is_missing_too():
    with pytest.raises(Missing, match=r"`json.no_such_part`"):
        require("json.no_such_part")


def test_a_package_whose_own_import_fails_keeps_its_error(tmp_path):
    (tmp_path / "broken_engine.py").write_text("import a_part_it_needs\n")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ModuleNotFoundError, match="a_part_it_needs"):
            require("broken_engine", extra="lucene")
    finally:
        sys.path.remove(str(tmp_path))
