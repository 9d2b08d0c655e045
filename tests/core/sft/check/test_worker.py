import pytest
from transformers import AutoTokenizer

from core.errors import ArtifactError, DataError, DrError, Missing, RecipeError
from core.sft.check.worker import look


def seen(recipe, tmp_path):
    return list(look(recipe.model_dump(mode="json"), tmp_path))


def test_a_fine_tuning_that_can_start_is_told_line_by_line(recipe, tmp_path):
    lines = seen(recipe(), tmp_path)
    assert [line.partition(":")[0] for line in lines] == ["rows", "model", "tokens", "estimate", "disk"]
    assert lines[0] == "rows: 10 an epoch, 0 held out"
    assert lines[3].startswith("estimate: 4 steps x 5 conversations, about ")  # 2 epochs x 10 rows / 5


def test_a_batch_is_cut_as_the_training_cuts_it_and_its_last_one_may_be_small(recipe, tmp_path):
    lines = seen(recipe(batch_size=8, trainer={"type": "trl", "micro_batch_size": 4}), tmp_path)
    assert lines[3].startswith("estimate: 4 steps x 8 conversations, about ")
    assert "for 2 checkpoints" in lines[4]  # one an epoch
    seen(recipe(batch_size=64, trainer={"type": "trl", "micro_batch_size": 4}), tmp_path)


def test_conversations_that_are_cut_are_told_with_their_share(recipe, tmp_path):
    (warning,) = [line for line in seen(recipe(max_length=100), tmp_path) if line.startswith("warning: ")]
    assert warning.startswith("warning: 30.0% of the conversations are cut at `max_length` (100), 0 of 10 before")


def test_a_conversation_that_is_too_long_ends_it_where_the_recipe_says_so(recipe, tmp_path):
    with pytest.raises(DataError, match="`max_length` is 100"):
        seen(recipe(max_length=100, truncation="error"), tmp_path)


def test_a_model_without_chat_template_is_refused(recipe, tmp_path, tiny_qwen3):
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen3)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "bare")
    (tmp_path / "bare/config.json").write_bytes((tiny_qwen3 / "config.json").read_bytes())
    with pytest.raises(DrError, match="the model has no chat template"):
        seen(recipe(model={"type": "pretrained", "path": str(tmp_path / "bare")}), tmp_path)


def test_a_folder_without_a_model_is_refused(recipe, tmp_path):
    with pytest.raises(ArtifactError, match="here is no model"):
        seen(recipe(model={"type": "pretrained", "path": str(tmp_path)}), tmp_path)


def test_what_the_trainer_does_not_know_is_refused(recipe, tmp_path):
    with pytest.raises(RecipeError, match="`packin` is no argument of SFTConfig"):
        seen(recipe(trainer={"type": "trl", "overrides": {"packin": True}}), tmp_path)
    with pytest.raises(Missing, match="there is no interpreter with verl"):
        seen(recipe(trainer={"type": "verl", "device": "cpu", "python": str(tmp_path / "python")}), tmp_path)
