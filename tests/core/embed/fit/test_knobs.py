"""What is said when memory ends in a training."""

import psutil
import pytest
import torch
import yaml

from core.embed.fit import knobs
from core.embed.recipe import Recipe
from core.memory import OutOfMemory
from core.recipe.loading import load

INFO_NCE = {"type": "infonce"}


def hint(recipe, error):
    with pytest.raises(OutOfMemory) as caught, knobs.explained(recipe):
        raise error
    return [line.split("#")[0].strip() for line in caught.value.hint.splitlines()[1:]]


def test_the_fields_that_need_less_are_named_with_lines_to_paste(recipe_for, tiny_qwen3, tmp_path):
    model = {"type": "pretrained", "name": str(tiny_qwen3), "pooling": "last", "max_tokens": 128}
    recipe = recipe_for(model=model, batch_size=64, loss=INFO_NCE)
    lines = hint(recipe, MemoryError())
    assert lines == [
        "loss.mini_batch_size=32",
        "batch_size=32",
        "model.max_tokens=64",
        "machine.gradient_checkpointing=true",
        "model.lora={}",
    ]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    changed = load(tmp_path / "recipe.yaml", Recipe, lines)
    assert (changed.batch_size, changed.model.max_tokens, changed.model.lora.rank) == (32, 64, 8)


def test_adapters_are_advised_only_to_a_model_that_has_the_layers_for_them(recipe_for):
    # BERT's layers are `query` and `value`, not `q_proj`.
    assert not any(line.startswith("model.lora") for line in hint(recipe_for(loss=INFO_NCE), MemoryError()))


def test_what_is_small_already_is_not_named(recipe_for):
    model = recipe_for().model.model_dump() | {"lora": {"target_modules": ["query"]}, "max_tokens": 32}
    recipe = recipe_for(
        model=model,
        machine={"device": "cpu", "gradient_checkpointing": True},
        batch_size=2,
        loss={"type": "infonce", "mini_batch_size": 1},
    )
    with pytest.raises(OutOfMemory, match="ran out of memory") as caught, knobs.explained(recipe):
        raise MemoryError
    assert "=" not in caught.value.hint


def test_cached_gradients_and_deepspeed_are_not_taken_together(recipe_for):
    machine = {"device": "cpu", "deepspeed": "zero2"}
    with pytest.raises(ValueError, match="takes each gradient once"):
        recipe_for(loss={"type": "infonce", "mini_batch_size": 8}, machine=machine)
    assert not any(line.startswith("loss.") for line in hint(recipe_for(loss=INFO_NCE, machine=machine), MemoryError()))


def test_a_static_model_has_fields_of_its_own(recipe_for):
    recipe = recipe_for(model={"type": "static", "dimension": 512, "vocabulary": 20_000}, batch_size=512)
    assert hint(recipe, MemoryError()) == ["batch_size=256", "model.dimension=256", "model.vocabulary=10000"]


def test_numbers_come_down_to_what_fits_the_measured_memory(recipe_for):
    # Ten times what is free: a sixteenth is the first half of halves that fits.
    asked = psutil.virtual_memory().available * 10
    error = RuntimeError(f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {asked} bytes.")
    assert "batch_size=64" in hint(recipe_for(batch_size=1024), error)


def test_torchs_own_failure_is_recognised(recipe_for):
    with pytest.raises(OutOfMemory), knobs.explained(recipe_for()):
        torch.empty(10**15)


def test_another_error_passes_unchanged(recipe_for):
    error = RuntimeError("shapes do not fit")
    with pytest.raises(RuntimeError) as caught, knobs.explained(recipe_for()):
        raise error
    assert caught.value is error
