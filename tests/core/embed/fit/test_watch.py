"""What is told of a training, and what ends it early."""

import contextlib
import re

import pytest

from core import progress
from core.embed.fit import run
from core.embed.fit.checkpoints import choose
from core.errors import DrError
from core.retrieval.checkpoints import found

STATIC = {"model": {"type": "static", "dimension": 64, "vocabulary": 2000}, "batch_size": 32}


def test_the_record_holds_losses_rates_and_scores(fitted, metrics, measured, tmp_path):
    folder = fitted(tmp_path, checkpoints={"eval_every": 2, "save_every": 4})
    trained = {"train/loss", "train/grad_norm", "train/learning_rate"}
    evaluated = {"eval/loss", "eval/ndcg@10"}
    names, values = {}, {}
    for step, of in metrics(folder):
        names.setdefault(step, set()).update(of)
        values.setdefault(step, {}).update(of)
    # 6 steps: logged at 1, at 5, and with each measurement; measured at 0 (the base), 2, 4 and 6
    assert names == {
        0: evaluated,
        1: trained,
        2: trained | evaluated,
        4: trained | evaluated,
        5: trained,
        6: trained | evaluated,
    }
    assert measured(folder, 4) == {
        "step": 4,
        "val_loss": values[4]["eval/loss"],
        "ndcg@10": values[4]["eval/ndcg@10"],
    }
    assert [checkpoint.step for checkpoint in found(folder / "checkpoints")] == [4, 6]
    assert (folder / "logs/plots/loss.png").exists()


class Notes:
    """Listens to bars, and keeps what they show."""

    def __init__(self):
        self.steps, self.total, self.notes = 0, None, []

    @contextlib.contextmanager
    def bar(self, what, total):
        if what == "embed: train":
            self.total = total
            yield self
        else:
            yield Notes()

    def advance(self, count=1):
        self.steps += count

    def note(self, text):
        self.notes.append(text)


def test_a_bar_shows_steps_and_samples_a_second(fitted, tmp_path):
    notes = Notes()
    progress.listen(notes)
    try:
        fitted(tmp_path)
    finally:
        progress.listen(Notes())
    assert (notes.steps, notes.total) == (6, 6)
    assert all(re.fullmatch(r"[\d,]+ samples/s", note) for note in notes.notes)


def test_a_collapse_stops_the_training_and_the_best_checkpoint_stays(fitted, tmp_path):
    folder = fitted(tmp_path, **STATIC, epochs=4, learning_rate=1.0, checkpoints={"save_every": 2, "eval_every": 1})
    over = run.finished(folder)
    assert over["steps"] < 24
    (warning,) = over["warnings"]
    assert re.match(
        r"training stopped at step \d of 24: nDCG@10 .* fell from 0\.\d+ before training to 0\.\d+", warning
    )
    assert "  learning_rate=0.1 " in warning
    assert "  canary=null " in warning
    assert len(found(folder / "checkpoints")) == 1


def test_without_a_canary_a_collapse_goes_on_to_the_end(fitted, tmp_path):
    folder = fitted(tmp_path, **STATIC, learning_rate=1.0, canary=None)
    assert run.finished(folder) == {"steps": 6, "warnings": []}


def test_training_ends_when_measurements_get_no_better(fitted, measured, tmp_path):
    # One step too long for the model: each measurement is worse than the first.
    checkpoints = {"eval_every": 1, "save_every": 2, "patience": 2, "keep": None}
    folder = fitted(
        tmp_path, **STATIC, epochs=4, learning_rate=0.3, warm_up_steps=1, canary=None, checkpoints=checkpoints
    )
    saved = found(folder / "checkpoints")
    assert run.finished(folder)["steps"] == saved[-1].step < 24


@pytest.mark.parametrize(("temperature", "step"), [(1e-39, 0), (1e-38, 5)])
def test_a_loss_that_is_no_number_stops_the_training_before_it_is_saved(temperature, step, fitted, tmp_path):
    # Cosines are divided by 1e-39, which leaves the range of float32: infinity minus infinity before any step.
    # Divided by 1e-38 they stay in it, and their gradients leave it: the loss of step 2 is told with that of step 5.
    loss = {"type": "infonce", "temperature": temperature}
    with pytest.raises(DrError, match=f"the loss is nan at step {step}:") as raised:
        fitted(tmp_path, **STATIC, learning_rate=0.002, max_grad_norm=None, loss=loss)
    for line in ("learning_rate=0.0002 ", "max_grad_norm=1 ", f"loss.temperature={temperature * 2:g} "):
        assert f"  {line}" in raised.value.hint
    assert not found(tmp_path / "checkpoints")


def test_weights_that_are_no_numbers_are_told_with_remedies_where_they_are_measured(fitted, tmp_path):
    # As above, but measured behind the step whose loss was still a number.
    loss, checkpoints = {"type": "infonce", "temperature": 1e-38}, {"eval_every": 1}
    with pytest.raises(DrError, match="the loss is nan at step 1:") as raised:
        fitted(tmp_path, **STATIC, learning_rate=0.002, max_grad_norm=None, loss=loss, checkpoints=checkpoints)
    assert "  learning_rate=0.0002 " in raised.value.hint


def test_a_loss_that_does_not_fall_is_told_with_remedies(fitted, tmp_path):
    folder = fitted(tmp_path, epochs=2, learning_rate=1e-9, log_every=1)
    (warning,) = run.finished(folder)["warnings"]
    assert warning.startswith("the loss did not fall: ")
    assert "  learning_rate=3e-09 " in warning
    assert "  epochs=4 " in warning
    assert "look at the data" in warning


def test_a_disagreement_about_the_best_is_told_with_the_line_that_takes_the_other(tmp_path, caplog):
    for step, loss, score in ((5, 0.5, 0.3), (10, 0.4, 0.4), (15, 0.6, 0.7)):
        place = tmp_path / f"checkpoint-{step}"
        place.mkdir()
        (place / "measured.json").write_text(f'{{"step": {step}, "val_loss": {loss}, "ndcg@10": {score}}}')
    assert choose(found(tmp_path), "val_loss").step == 10
    assert "checkpoint-10 is the best by val_loss (val_loss 0.4000, ndcg@10 0.4000)" in caplog.text
    assert "checkpoint-15 by ndcg@10 (val_loss 0.6000, ndcg@10 0.7000)" in caplog.text
    assert "checkpoints.select_by=ndcg@10" in caplog.text
    assert choose(found(tmp_path), "ndcg@10").step == 15
