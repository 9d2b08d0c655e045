"""Every shipped recipe is valid, and says so about itself."""

from pathlib import Path

import pytest

from cli.recipes import _model
from core.recipe import dump, load
from core.recipe.describe import annotated, field_docs

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))


def test_the_guard_sees_every_recipe():
    assert {path.parent.name for path in RECIPES} == {
        "recipes", "data", "distill", "embed", "index", "eval", "reward", "rewrite", "rl", "serve", "sft", "training",
    }  # fmt: skip


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_recipe_is_valid_and_opens_with_its_purpose(path):
    load(path, _model(path))
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.parametrize("write", [dump, annotated])
def test_a_resolved_recipe_loads_back_to_itself(path, write, tmp_path):
    recipe = load(path, _model(path))
    again = tmp_path / "again.yaml"
    again.write_text(write(recipe), encoding="utf-8")
    assert load(again, _model(path)) == recipe


def test_a_shown_recipe_says_what_a_field_means():
    path = ROOT / "recipes/index/tiny.yaml"
    recipe = load(path, _model(path))
    assert f"# {field_docs(type(recipe))['data']}" in annotated(recipe)
    assert "  # Saturation of the term frequency" in annotated(recipe)
