import contextlib
from pathlib import Path

from core import shipped


def test_a_shipped_file_is_found_from_anywhere_unless_one_is_there(tmp_path):
    name = Path("recipes/sample/exercises/shop.jsonl")
    with contextlib.chdir(tmp_path):
        assert shipped.found(name) == shipped.folder() / "sample/exercises/shop.jsonl"
        name.parent.mkdir(parents=True)
        name.touch()
        assert shipped.found(name) == name


def test_any_other_path_stays_as_it_is(tmp_path):
    with contextlib.chdir(tmp_path):
        for name in ("recipes/sample/nothing", "downloads/nq", str(tmp_path / "recipes/data")):
            assert shipped.found(Path(name)) == Path(name)
