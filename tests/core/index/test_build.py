import json
import shutil

import pytest

from core import artifact
from core.errors import ArtifactError, DrError
from core.index import build
from core.index.recipe import Recipe
from core.recipe import ArtifactRecipe
from core.retrieval.index import open_index
from core.retrieval.spec import Bm25
from core.text.spec import English


@pytest.fixture
def data(root, tmp_path):
    """The tiny collection as a finished artifact of `data`."""

    def copy(recipe, work):
        shutil.copytree(root / "tests/data/tiny", work.path, dirs_exist_ok=True)

    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "data"), copy)
    return tmp_path / "data"


def recipe(data, **more):
    return Recipe(
        stage="index", out=data.parent / "index", data=data, backend=Bm25(analyzer=English(type="english")), **more
    )


def test_an_index_holds_every_document_and_tells_its_counts(data):
    artifact.make(recipe(data), build.run)
    stats = artifact.read(data.parent / "index", ("index",))["stats"]
    assert stats["documents"] == len((data / "corpus.jsonl").read_text().splitlines())
    assert stats["legs"]["bm25"]["terms"] > 0
    assert len(open_index(data.parent / "index")) == stats["documents"]


def test_the_same_corpus_gives_the_same_index_to_the_byte(data):
    artifact.make(recipe(data), build.run)
    first = artifact.read(data.parent / "index")["digest"]
    artifact.make(recipe(data), build.run, force=True)
    assert artifact.read(data.parent / "index")["digest"] == first


def test_an_artifact_of_another_stage_is_refused(data):
    artifact.make(recipe(data), build.run)
    again = recipe(data).model_copy(update={"data": data.parent / "index", "out": data.parent / "second"})
    with pytest.raises(
        ArtifactError, match="an artifact of `data` or `distill` or `mix` is needed, this is one of `index`"
    ):
        artifact.make(again, build.run)


def test_building_on_a_full_disk_is_a_sentence(root, tmp_path, small_disk):
    def many(recipe, work):
        rows = (json.dumps({"_id": f"d{n}", "text": f"fund number {n}"}) + "\n" for n in range(9000))
        (work.path / "corpus.jsonl").write_text("".join(rows))

    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "data"), many)
    full = recipe(tmp_path / "data").model_copy(update={"out": small_disk / "index"})
    with pytest.raises(DrError, match="the disk is full"):
        artifact.make(full, build.run)
    assert not list(small_disk.iterdir())
