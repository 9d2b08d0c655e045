import json

import pytest

from core import artifact
from core.artifact import write_json
from core.embed.proof.gate import REPORT, gate
from core.embed.proof.prove import facts, prove
from core.errors import GateFailed


@pytest.fixture
def made(knowing, exam, material, recipe_for, tmp_path):
    """`made(base, trained)`: the recipe of a finished artifact with the report on this training."""
    (tmp_path / "examples.jsonl").write_text("{}\n")

    def make(base, trained, **changes):
        train = {"type": "examples", "path": tmp_path / "examples.jsonl"}
        recipe = recipe_for(knowing(base or 10), out=tmp_path / "out", train=train, **changes)

        def build(recipe, work):
            report = prove(recipe, base and knowing(base), knowing(trained), material(exam))
            write_json(work.path / REPORT, report)
            work.stats |= facts(report)

        artifact.make(recipe, build)
        return recipe

    return make


def test_a_training_that_made_the_model_worse_fails_with_its_numbers_and_the_artifact_stays(made):
    recipe = made(30, 10, epochs=4, learning_rate=1e-4)
    with pytest.raises(GateFailed, match="significantly worse than its base") as raised:
        gate(recipe)
    compared = json.loads((recipe.out / REPORT).read_text())["against_base"]["dense"]
    error = raised.value
    assert error.exit_code == 4
    assert f"nDCG@10 {compared['mean_b']:.3f} after training, {compared['mean_a']:.3f} before" in error.what
    assert "p = 0.0001, 40 queries" in error.what
    assert error.where == str(recipe.out / REPORT)
    assert "learning_rate=1e-05" in error.hint
    assert "epochs=2" in error.hint
    manifest = artifact.read(recipe.out, ("embed",))
    assert manifest["stats"]["gate"] == "failed"


@pytest.mark.parametrize(("base", "trained"), [(10, 30), (30, 29), (None, 5)])
def test_a_training_that_did_no_sure_harm_passes(made, base, trained):
    gate(made(base, trained))


def test_a_recipe_without_a_gate_never_fails(made):
    recipe = made(30, 10, proof={"gate": None})
    gate(recipe)
    assert artifact.read(recipe.out)["stats"]["gate"] == "failed"  # it is still marked
