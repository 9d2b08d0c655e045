"""The training itself, in this process."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.errors import DrError, UsageError
from core.sft.trl import worker
from core.sft.trl.launch import GOAL
from core.tracking.record import read, series
from core.tuning.models import start
from core.tuning.rows.compose import compose, texts
from core.tuning.trl.store import Store


def begun(recipe, folder):
    """What the worker is given, in a folder made for it."""
    folder.mkdir()
    rows = compose(recipe.data, "sft", folder / "rows", recipe.seed)
    model = start.begin(recipe.model, lambda: texts(rows), folder, recipe.seed)
    held_out = str(rows.held_out) if rows.held_out else None
    given = {"recipe": recipe.model_dump(mode="json"), "model": model, "train": str(rows.train), "held_out": held_out}
    return given, rows


def independent_loss(model, path):
    """Mean cross-entropy over all tokens that the template marks as the assistant's, one conversation at a time."""
    import pyarrow.parquet as pq

    tokenizer, model = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    total, count = 0.0, 0
    for row in pq.read_table(path)["messages"].to_pylist():
        made = tokenizer.apply_chat_template(row, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
        ids, mask = torch.tensor(made["input_ids"]), torch.tensor(made["assistant_masks"]).bool()
        with torch.no_grad():
            logits = model(ids[None]).logits[0]
        total += cross_entropy(logits[:-1][mask[1:]], ids[1:][mask[1:]], reduction="sum").item()
        count += int(mask[1:].sum())
    return total / count


def test_losses_are_those_of_the_assistants_tokens(recipe, tmp_path):
    # One step takes all rows, computed 20 at a time: the logged loss is that of the model before it.
    trainer = {"type": "trl", "device": "cpu", "threads": 1, "micro_batch_size": 20}
    said = recipe(epochs=1, batch_size=200, trainer=trainer)
    given, rows = begun(said, tmp_path / "run")
    worker.train(given, tmp_path / "run")
    logged = series(read(tmp_path / "run/logs/metrics.jsonl"))
    assert logged["train/loss"] == {1: pytest.approx(independent_loss(given["model"], rows.train), abs=1e-4)}
    after = tmp_path / "run/checkpoints/checkpoint-1"
    expected = {0: independent_loss(given["model"], rows.held_out), 1: independent_loss(after, rows.held_out)}
    assert logged["eval/loss"] == pytest.approx(expected, abs=1e-4)
    assert json.loads((after / "measured.json").read_text())["eval/loss"] == logged["eval/loss"][1]


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """A training of three epochs, and its folder."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    given, _ = begun(recipe(checkpoints={"keep": None}), folder)
    worker.train(given, folder)
    return given, folder


@pytest.fixture
def trained(whole, tmp_path):
    """A copy of it."""
    given, folder = whole
    shutil.copytree(folder, tmp_path / "run")
    return given, tmp_path / "run"


def test_a_training_that_goes_on_ends_with_the_same_weights_and_the_same_losses(trained, tmp_path):
    given, folder = trained
    shutil.copytree(folder / "checkpoints/checkpoint-3", tmp_path / "again/checkpoints/checkpoint-3")
    shutil.copy(folder / "checkpoints/plan.json", tmp_path / "again/checkpoints/plan.json")
    (tmp_path / "again/checkpoints/checkpoint-6").mkdir()  # torn: it does not say what was measured of it
    worker.train(given, tmp_path / "again")
    whole, resumed = (load_file(f / "checkpoints/checkpoint-9/model.safetensors") for f in (folder, tmp_path / "again"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    first, second = (series(read(f / "logs/metrics.jsonl")) for f in (folder, tmp_path / "again"))
    assert second["train/loss"] == {step: loss for step, loss in first["train/loss"].items() if step > 3}
    assert second["eval/loss"] == {step: loss for step, loss in first["eval/loss"].items() if step > 3}


def test_a_training_killed_after_its_last_step_takes_no_more(trained):
    given, folder = trained
    (folder / "checkpoints/finished.json").unlink()
    before = (folder / "logs/metrics.jsonl").read_bytes()
    worker.train(given, folder)
    assert (folder / "logs/metrics.jsonl").read_bytes() == before
    assert json.loads((folder / "checkpoints/finished.json").read_text())["steps"] == 9


def test_checkpoints_of_another_model_are_refused(trained):
    given, folder = trained
    (folder / "checkpoints/finished.json").unlink()
    given = given | {"model": str(folder / start.START)}
    model = AutoModelForCausalLM.from_pretrained(given["model"])
    with torch.no_grad():
        model.model.embed_tokens.weight.add_(1)
    model.save_pretrained(given["model"])
    with pytest.raises(UsageError, match="another training: another model"):
        worker.train(given, folder)


def test_the_loss_on_what_is_held_out_chooses_the_checkpoint(recipe, rows, tmp_path):
    # What is held out answers otherwise than what is learned: its loss falls with the form, then rises.
    said = recipe(
        data={"sets": [{"rows": rows("d")}]},
        epochs=12,
        learning_rate=2e-2,
        schedule={"decay": "constant"},
        checkpoints={"keep": 1, "save_every": 4},
    )
    given, _ = begun(said, tmp_path / "run")
    given["held_out"] = str(rows("z") / "sft/dev.parquet")
    worker.train(given, tmp_path / "run")
    measured = series(read(tmp_path / "run/logs/metrics.jsonl"))["eval/loss"]
    del measured[0]  # before the first step
    lowest = min(measured, key=measured.get)
    assert 4 <= lowest < 36
    store = Store(tmp_path / "run", GOAL, 1)
    assert store.best().step == lowest
    assert json.loads((store.folder / "best.json").read_text()) == {
        "step": lowest,
        "value": measured[lowest],
        "by": "eval/loss",
    }
    assert {path.name for path in store.folder.glob("checkpoint-*")} == {f"checkpoint-{lowest}", "checkpoint-36"}


def test_a_loss_that_is_no_number_ends_the_training_with_what_to_try(recipe, tmp_path):
    given, _ = begun(recipe(learning_rate=1e30, max_grad_norm=1e30), tmp_path / "run")
    with pytest.raises(DrError, match="is nan") as told:
        worker.train(given, tmp_path / "run")
    assert "learning_rate=" in told.value.hint
