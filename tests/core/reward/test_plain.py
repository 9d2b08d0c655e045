"""What a recipe may say, and what of it reaches the guest."""

import json
from pathlib import Path
from string import Template
from typing import get_args

import pytest
from pydantic import ValidationError

from core.errors import RecipeError
from core.recipe import load
from core.reward.parts.build import TYPES
from core.reward.parts.spec import AnyPart
from core.reward.plain import plain, write
from core.reward.recipe import Recipe
from core.reward.spec import Reward

ROOT = Path(__file__).parents[3]
JUDGE = {"server": {"type": "openai"}}


def reward(*parts, **fields):
    return Reward.model_validate({"parts": parts, **fields})


def test_every_part_of_a_recipe_is_known_to_the_guest():
    named = {get_args(model.model_fields["type"].annotation)[0] for model in get_args(get_args(AnyPart)[0])}
    assert named == set(TYPES)


def test_every_value_is_written_out():
    value = plain(reward({"type": "recall_tiers"}))
    assert value["parts"][0] == {
        "name": "recall_tiers", "weight": 1.0, "type": "recall_tiers", "k": 3000, "below": -3.5,
        "tiers": [[0.7, 5.0], [0.5, 4.0], [0.4, 3.0], [0.3, 1.0], [0.1, 0.5], [0.05, 0.1]],
    }  # fmt: skip
    assert (value["on_failure"], value["version"]) == ("stop", 1)
    assert json.loads(json.dumps(value)) == value


def test_a_prompt_travels_as_text_and_a_path_as_an_absolute_one(tmp_path):
    path = tmp_path / "reward.json"
    write(reward({"type": "process_judge", "judge": {**JUDGE, "cache": "grades.jsonl"}}), path)
    (part,) = json.loads(path.read_text())["parts"]
    shipped = ROOT / "recipes/reward/prompts/process_judge_zh"
    assert part["template"] == (shipped / "user.txt").read_text().strip()
    assert part["judge"]["system"] == (shipped / "system.txt").read_text().strip()
    assert part["judge"]["cache"] == str(Path("grades.jsonl").absolute())


@pytest.mark.parametrize(
    ("user", "what"),
    [("$answer $who", r"has \$who, which nothing fills"), ("5 $", "stands alone"), (None, "no prompt")],
)
def test_a_prompt_that_cannot_be_filled_is_refused(tmp_path, user, what):
    if user:
        (tmp_path / "user.txt").write_text(user)
    with pytest.raises(RecipeError, match=what):
        plain(reward({"type": "semantic_match", "judge": JUDGE, "prompt": str(tmp_path)}))


@pytest.mark.parametrize("folder", sorted((ROOT / "recipes/reward/prompts").iterdir()), ids=lambda path: path.name)
def test_a_shipped_prompt_can_be_filled(folder):
    kind = "process_judge" if folder.name.startswith("process") else "semantic_match"
    (part,) = plain(reward({"type": kind, "judge": JUDGE, "prompt": folder.name}))["parts"]
    graded = "thoughts" if kind == "process_judge" else "answer"
    assert set(Template(part["template"]).get_identifiers()) == {"question", "truth", graded}


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ([], "at least 1"),
        ([{"type": "recall"}, {"type": "recall"}], "different names"),
        ([{"type": "recall", "name": "score"}], "different names"),
        ([{"type": "format"}, {"type": "format", "name": "other"}], "is enough"),
        ([{"type": "recall_tiers", "tiers": [[0.1, 1], [0.5, 2]]}], "must fall"),
        ([{"type": "evidence_rank", "ranks": [[20, 4], [5, 5]]}], "must rise"),
        ([{"type": "evidence_rank", "k": 100}], "never reached"),
        ([{"type": "format", "min_steps": 3, "max_steps": 2}], "below `min_steps`"),
        ([{"type": "length", "most": 5, "buffer": 6}], "together"),
        ([{"type": "recall", "k": 0}], "greater than 0"),
        ([{"type": "recall", "weight": float("nan")}], "finite"),
        ([{"type": "semantic_match", "judge": {**JUDGE, "highest": 0}}], "not above"),
        ([{"type": "later"}], "does not match any"),
        ([{"type": "recall", "depth": 3}], "not permitted"),
    ],
)
def test_a_reward_that_cannot_be_meant_is_refused(parts, what):
    with pytest.raises(ValidationError, match=what):
        reward(*parts)


def test_a_recipe_names_its_prompts_as_files_of_the_user():
    recipe = load(ROOT / "recipes/reward/semantic-match.yaml", Recipe)
    assert recipe.source_files() == {"parts.1.prompt": ROOT / "recipes/reward/prompts/semantic_match_zh"}


@pytest.mark.parametrize("path", sorted((ROOT / "recipes/reward").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_reward_is_valid(path):
    load(path, Recipe)
