"""Files as verl 0.9.1 leaves them, read while they grow."""

import json

import pytest

from core.reward import plain
from core.reward.spec import Reward
from core.rl.rollouts import Rollouts
from core.rl.verl.measured import Measured
from core.rl.verl.rollouts import Keeper

REWARD = {"parts": [{"type": "format", "name": "form"}, {"type": "f1"}]}
ROW = {
    "actor/loss": 0.5,
    "actor/lr": 1e-6,
    "actor/grad_norm": 2.0,
    "critic/score/mean": 1.0,
    "response_length/mean": 12.0,
    "response_length/clip_ratio": 0.25,  # against the longest of the batch
    "dr/truncated": 0.0,
    "timing_s/step": 4.0,
    "perf/throughput": 9.0,
}


@pytest.fixture
def verl(tmp_path):
    """A session's folder with verl as its writer."""

    class Verl:
        folder = tmp_path / "session"

        def row(self, step, **data):
            with (self.folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps({"step": step, "data": data}) + "\n")

        def dump(self, place, step, *answers, whole=True):
            """Each answer: prompt, number, response, score, and what else a held-out one has."""
            lines = [
                {"input": "p", "output": response, "gts": "truth", "score": score, "step": step,
                 "uid": f"{prompt}_{number}_0", **dict(*more)}
                for prompt, number, response, score, *more in answers
            ]  # fmt: skip
            text = "\n".join(map(json.dumps, lines))
            (self.folder / place / f"{step}.jsonl").write_text(text + "\n" if whole else text)

        def note(self, response, **numbers):
            row = {
                "query": "which?",
                "response": response,
                "ground_truth": "truth",
                "data_source": "w",
                "extra_info": {"index": 3},
                "numbers": numbers,
            }
            with (self.folder / "scored/77.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")

    for place in ("rollouts", "held_out", "scored"):
        (Verl.folder / place).mkdir(parents=True)
    return Verl()


@pytest.fixture
def measured(verl, tmp_path):
    reward = plain.plain(Reward.model_validate(REWARD))
    keeper = Keeper(Rollouts(tmp_path / "rollouts.jsonl", 0), number=2, every=10, reward=reward)
    return Measured(verl.folder, 4, reward["parts"], keeper)


FOUR = (("a", 0, "A0", 1.0), ("a", 1, "A1", 1.0), ("b", 0, "B0", 2.0), ("b", 1, "B1", 0.0))


def notes(verl):
    for _, _, response, score in FOUR:
        verl.note(response, score=score, form=1.0 if score else -4.0, f1=score / 2, **{"form/steps": 2.0})


def test_a_step_has_its_parts_its_groups_and_its_pace(verl, measured):
    notes(verl)
    verl.row(1, **ROW)
    verl.dump("rollouts", 1, *FOUR)

    [(step, values)] = measured(False)

    assert step == 1
    assert values == pytest.approx(
        {
            "train/loss": 0.5,
            "train/learning_rate": 1e-6,
            "train/grad_norm": 2.0,
            "train/response_length": 12.0,
            "train/truncated": 0.0,
            "time/step_seconds": 4.0,
            "train/samples_per_second": 1.0,  # four answers in four seconds
            "train/reward": 1.0,
            "train/reward_deviation": 0.5**0.5,  # 1 1 2 0
            "train/zero_variance": 0.5,  # the first of two groups
            "train/reward/form": -0.25,  # 1 1 1 -4
            "train/reward/f1": 0.5,
            "train/in_form": 0.75,
            "train/form/steps": 2.0,
        }
    )


def test_a_step_waits_until_its_answers_are_written_whole(verl, measured):
    verl.row(1, **ROW)
    assert list(measured(False)) == []
    verl.dump("rollouts", 1, *FOUR[:3])
    assert list(measured(False)) == []
    verl.dump("rollouts", 1, *FOUR, whole=False)
    assert list(measured(False)) == []
    verl.dump("rollouts", 1, *FOUR)
    assert [step for step, _ in measured(False)] == [1]


def test_nothing_is_waited_for_when_verl_has_ended(verl, measured):
    verl.row(1, **ROW)

    assert [(step, values["train/reward"]) for step, values in measured(True)] == [(1, 1.0)]


def test_what_is_held_out_is_measured_over_all_answers_whatever_their_source(verl, measured):
    verl.row(0, **{"val-core/w/reward/mean@1": 0.1, "val-aux/v/reward/mean@1": 0.9})
    verl.dump(
        "held_out", 0, ("a", 0, "A", 1.0, {"form": 1.0, "f1": 0.0}), ("b", 0, "B", 0.0, {"form": -4.0, "f1": 0.0})
    )

    [(step, values)] = measured(False)

    assert step == 0
    assert values == {"eval/reward": 0.5, "eval/reward/form": -1.5, "eval/reward/f1": 0.0, "eval/in_form": 0.5}


def test_the_first_answers_of_a_logged_step_are_kept_as_replay_reads_them(verl, measured, tmp_path):
    for step in (1, 2):
        notes(verl)
        verl.row(step, **ROW)
        verl.dump("rollouts", step, *FOUR)
    assert len(list(measured(False))) == 2

    lines = [json.loads(line) for line in (tmp_path / "rollouts.jsonl").read_text().splitlines()]

    assert [(line["step"], line["group"], line["sample"]) for line in lines] == [(1, "a", 0), (1, "a", 1)]
    assert lines[0] == {
        "step": 1,
        "group": "a",
        "sample": 0,
        "query": "which?",
        "response": "A0",
        "ground_truth": "truth",
        "data_source": "w",
        "extra_info": {"index": 3},
        "rewritten": None,
        "score": 1.0,
        "parts": {"form": 1.0, "f1": 0.5},
    }


def test_answers_that_are_read_do_not_pile_up(verl, measured):
    verl.row(1, **ROW)
    verl.dump("rollouts", 1, *FOUR)
    list(measured(False))

    assert list((verl.folder / "rollouts").iterdir()) == []


def test_steps_that_come_together_have_their_parts_too(verl, measured):
    for step in (1, 2, 3):
        notes(verl)
        verl.row(step, **ROW)
        verl.dump("rollouts", step, *FOUR)

    assert [values["train/reward/f1"] for _, values in measured(False)] == [0.5, 0.5, 0.5]
