"""One training with each of the fields that change how it is computed."""

import json
import shutil

import pytest
from sentence_transformers import SentenceTransformer

from core.embed.fit import run
from core.embed.rows.read import read
from core.errors import Missing, RecipeError, UsageError
from core.retrieval.checkpoints import found

CPU = {"device": "cpu"}


def losses(rows, name="train/loss"):
    return {step: values[name] for step, values in rows if name in values}


@pytest.fixture(scope="module")
def plain(fitted, tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("plain") / "a", log_every=1)


def test_activations_that_are_computed_twice_give_the_same_losses(plain, fitted, metrics, tmp_path):
    folder = fitted(tmp_path, log_every=1, machine=CPU | {"gradient_checkpointing": True})
    assert losses(metrics(folder)) == pytest.approx(losses(metrics(plain)), rel=1e-5)


@pytest.mark.slow
def test_a_process_that_tokenises_ahead_gives_the_same_losses(plain, fitted, metrics, tmp_path):
    folder = fitted(tmp_path, log_every=1, machine=CPU | {"workers": 1})
    assert losses(metrics(folder)) == losses(metrics(plain))


def test_bfloat16_gives_nearly_the_same_losses(plain, fitted, metrics, tmp_path):
    folder = fitted(tmp_path, log_every=1, machine=CPU | {"precision": "bf16"})
    assert losses(metrics(folder)) != losses(metrics(plain))
    assert losses(metrics(folder)) == pytest.approx(losses(metrics(plain)), rel=0.02)


def test_accumulated_batches_of_a_loss_without_in_batch_negatives_are_one_large_batch(fitted, metrics, tmp_path):
    rows = [
        {"query": f"what is {word}", "document": f"{word} is a thing {rel}", "rel": rel, "weight": 1.0}
        for number in range(32)
        for word in [f"word{number}"]
        for rel in (0.0, 1.0)
    ]
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(rows))
    changes = {"train": {"type": "graded", "train": str(path)}, "loss": {"type": "weighted_mse"}, "log_every": 1}
    whole = fitted(tmp_path / "whole", **changes, batch_size=16)
    parts = fitted(tmp_path / "parts", **changes, batch_size=8, gradient_accumulation=2)
    assert len(losses(metrics(whole))) == len(losses(metrics(parts)))
    # Dropout differs, so the losses are near, not equal; twice as large or half would be an error of the division.
    assert losses(metrics(parts)) == pytest.approx(losses(metrics(whole)), rel=0.3)
    assert losses(metrics(whole), "eval/ndcg@10")  # of the pairs that are held out


def test_adapters_go_on_as_if_nothing_had_been(recipe_for, fitted, metrics, tmp_path):
    model = recipe_for().model.model_dump() | {"lora": {"target_modules": ["query", "value"], "dropout": 0.1}}
    changes = {"model": model, "log_every": 1, "checkpoints": {"save_every": 4}}
    whole = fitted(tmp_path / "whole", **changes)
    shutil.copytree(whole / "checkpoints/checkpoint-4", tmp_path / "cut/checkpoints/checkpoint-4")
    cut = fitted(tmp_path / "cut", **changes)
    assert metrics(cut) == [row for row in metrics(whole) if row[0] > 4]
    last = "checkpoints/checkpoint-6/adapter_model.safetensors"
    assert (cut / last).read_bytes() == (whole / last).read_bytes()
    assert losses(metrics(whole), "train/learning_rate")[1] > 0


def test_a_training_cannot_go_on_with_other_batches(plain, recipe_for, tmp_path):
    shutil.copytree(plain / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "checkpoints/finished.json").unlink()
    recipe = recipe_for(log_every=1, batch_size=16)
    with pytest.raises(UsageError, match="begun with batch_size 32, now 16; batches_an_epoch 6, now 13") as raised:
        run.run(recipe, read(recipe), tmp_path)
    assert "machine.processes" in raised.value.hint


def test_a_training_without_a_checkpoint_may_begin_again_with_other_batches(plain, fitted, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(plain / "checkpoints/plan.json", tmp_path / "checkpoints")
    assert found(fitted(tmp_path, batch_size=64) / "checkpoints")[-1].step == 3


def test_no_epoch_leaves_the_model_as_it_was(fitted, tiny_bert, tmp_path):
    (only,) = found(fitted(tmp_path, epochs=0) / "checkpoints")
    assert only.step == 0
    assert set(only.measured) == {"val_loss", "ndcg@10"}
    before, after = (SentenceTransformer(str(path), device="cpu") for path in (tiny_bert, only.path))
    # The saved one says that its vectors have length 1.
    assert after.encode(["shop"]) == pytest.approx(before.encode(["shop"], normalize_embeddings=True), abs=1e-6)


def test_what_cannot_be_is_told_before_the_first_step(recipe_for, tmp_path):
    static = recipe_for(model={"type": "static"}, machine=CPU | {"gradient_checkpointing": True})
    with pytest.raises(RecipeError, match="keeps no activations"):
        run.run(static, read(static), tmp_path)
    if not run.torch.backends.mps.is_available():
        recipe = recipe_for(machine={"device": "mps"})
        with pytest.raises(Missing, match="no device `mps`"):
            run.run(recipe, read(recipe), tmp_path)


def test_a_full_disk_leaves_no_half_checkpoint(recipe_for, small_disk):
    recipe = recipe_for(model={"type": "static", "dimension": 512, "vocabulary": 2_000})  # 3 MB on a disk of 1 MB
    with pytest.raises((OSError, RuntimeError)):
        run.run(recipe, read(recipe), small_disk)
    assert not found(small_disk / "checkpoints")
