"""From what a recipe names to the model's folder."""

import pytest

from core.errors import ArtifactError, Missing
from core.retrieval.models import resolve


def test_a_folder_is_named_by_its_absolute_path(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    assert resolve(str(tmp_path / "model/../model")) == str(tmp_path / "model")


def test_an_artifact_stands_for_its_model(tmp_path):
    (tmp_path / "made/model").mkdir(parents=True)
    (tmp_path / "made/manifest.json").write_text("{}")
    (tmp_path / "made/model/modules.json").write_text("[]")
    assert resolve(str(tmp_path / "made")) == str(tmp_path / "made/model")


def test_an_artifact_without_a_model_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError, match="this artifact holds no model") as raised:
        resolve(str(tmp_path))
    assert raised.value.where == str(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="holds no model"):
        resolve(str(tmp_path))


@pytest.mark.parametrize("name", ["BAAI/bge-m3", "bert-base-uncased"])
def test_a_name_on_the_hub_stays(name):
    assert resolve(name) == name


@pytest.mark.parametrize("name", ["./model", "../model", "/no/model", "artifacts/my/model"])
def test_a_path_where_nothing_lies_is_missing(name):
    with pytest.raises(Missing, match="there is no folder"):
        resolve(name)
