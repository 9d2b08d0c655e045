"""What a recipe of `dr embed train` may leave out."""

import pytest

from core.embed.fit import advice, knobs
from core.embed.losses.spec import InfoNce
from core.embed.models.spec import Static
from core.embed.recipe import Recipe
from core.errors import RecipeError
from core.recipe import load

SHORT = "stage: embed\nout: out\ntrain: {type: documents, data: corpus}\n"


@pytest.fixture
def short(tmp_path):
    """A recipe that leaves model and loss to their defaults."""
    path = tmp_path / "short.yaml"
    path.write_text(SHORT, encoding="utf-8")
    return path


def test_an_override_of_a_default_model_or_loss_needs_no_type(short):
    recipe = load(short, Recipe, ["loss.temperature=0.1", "model.dimension=64"])
    assert recipe.loss == InfoNce(temperature=0.1)
    assert recipe.model == Static(dimension=64)


def test_every_override_that_is_advised_can_be_given_after_a_short_recipe(short):
    recipe = load(short, Recipe, [])
    told = "\n".join(say(recipe) for say in (advice.no_number, advice.collapsed, advice.flat))
    advised = [line.split("#")[0].strip() for line in told.splitlines() if line.startswith("  ")]
    advised += [f"{knob.field}={knob.smaller}" for knob in knobs.of(recipe)]
    assert any(line.startswith("loss.") for line in advised)
    for line in advised:
        load(short, Recipe, [line])


@pytest.mark.parametrize("override", ["model.name=some/model", "loss.scale=2", "loss.typ=infonce"])
def test_what_is_no_field_of_the_default_needs_a_type(short, override):
    with pytest.raises(RecipeError, match=r"^`(model|loss)` needs a `type`"):
        load(short, Recipe, [override])
