import math

import pytest

from core.rl.watch import Wires, seen
from core.tracking.record import Record, read


def watched(recipe, rewards, every=1, **more):
    """What trips over the rewards of steps 1, 2, …; `more` are further metrics, each a function of the step."""
    wires, found = Wires(recipe), []
    for step, reward in enumerate(rewards, start=1):
        if step % every == 0:
            values = {"train/reward": reward, "train/loss": 0.1}
            found += wires.see(step, values | {f"train/{name}": of(step) for name, of in more.items()})
    return [(tripped.kind, tripped.action, tripped.step) for tripped in found]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1, 0.3])
def test_a_reward_that_rises_trips_over_nothing(recipe, series, rise, noise, seed):
    assert watched(recipe(), series(rise, noise, seed=seed)) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_slow_rise_trips_over_nothing(recipe, series, seed):
    # In three windows (60 steps) it rises by 0.24, noise 0.05: a window's mean errs by 0.05 / sqrt(20) = 0.011.
    assert watched(recipe(), series(lambda step: 0.1 + 0.004 * step, 0.05, seed=seed)) == []


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_collapse(recipe, series, seed):
    found = watched(recipe(), series(lambda _: 0.5, 0.2, steps=500, seed=seed))
    assert {kind for kind, _, _ in found} <= {"flat"}


def test_a_wave_on_the_way_up_is_no_collapse(recipe, series, rise):
    assert watched(recipe(), series(lambda step: rise(step) + 0.1 * math.sin(step / 10))) == []


def test_a_reward_that_is_lost_again_stops_the_training(recipe, series, rise):
    rewards = series(lambda step: rise(step) if step < 120 else 0.15)
    (kind, action, step), *more = watched(recipe(), rewards)
    # The window of 20 has lost half of its way once half of it lies behind the fall at 120.
    assert (kind, action) == ("collapse", "stop") and 129 <= step <= 133
    assert more == []


def test_a_reward_that_falls_from_the_start_has_collapsed(recipe, series):
    # Rewards lie between -0.1 and 1.1: from 0.5, half of the way to the lowest is at 0.2.
    kinds = [kind for kind, _, _ in watched(recipe(), series(lambda step: max(0.0, 0.5 - 0.006 * step)))]
    assert "collapse" in kinds


def test_a_reward_that_does_not_move_is_flat_after_three_windows(recipe):
    assert watched(recipe(), [0.3] * 100) == [("flat", "warn", 60)]
    assert watched(recipe(wires={"window": 10, "flat": "stop"}), [0.3] * 100) == [("flat", "stop", 30)]


@pytest.mark.parametrize("seed", range(10))
def test_a_noisy_reward_that_does_not_rise_is_flat(recipe, series, seed):
    assert [kind for kind, _, _ in watched(recipe(), series(lambda _: 0.3, 0.1, steps=300, seed=seed))] == ["flat"]


def test_a_reward_that_is_as_high_as_can_be_is_not_flat(recipe):
    assert watched(recipe(), [1.08] * 100) == []  # of 1.1 at most


def test_a_risen_reward_may_stay_where_it_is(recipe, series, rise):
    assert watched(recipe(), series(rise, steps=600)) == []


@pytest.mark.parametrize("name", ["train/loss", "train/grad_norm", "train/reward", "train/kl", "eval/reward"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_stops_the_training_at_once(recipe, name, value):
    (tripped,) = Wires(recipe()).see(1, {"train/loss": 0.1, "train/reward": 0.2} | {name: value})
    assert (tripped.kind, tripped.action) == ("nan", "stop")
    assert tripped.sentence == f"`{name}` is {value}"


def test_a_form_that_is_forgotten_stops_the_training(recipe, series, rise):
    found = watched(recipe(), series(rise), in_form=lambda step: 0.9 if step < 100 else 0.2)
    # 0.45 = half of 0.9: 13 of 20 values at 0.2 give (7 * 0.9 + 13 * 0.2) / 20 = 0.445
    assert found == [("format_lost", "stop", 112)]


def test_a_form_that_is_learned_trips_over_nothing(recipe, series, rise):
    assert watched(recipe(), series(rise), in_form=lambda step: min(1.0, 0.05 + step / 50)) == []


def test_without_a_part_for_the_format_no_form_is_lost(recipe, series, rise):
    plain = recipe(reward={"parts": [{"type": "recall", "k": 10}]})
    assert watched(plain, series(rise), in_form=lambda step: 0.9 if step < 100 else 0.0) == []


def test_groups_without_variance_warn_when_they_last_a_window(recipe, series, rise):
    found = watched(recipe(), series(rise), zero_variance=lambda step: 0.95 if step >= 50 else 0.3)
    assert found == [("no_variance", "warn", 69)]
    assert watched(recipe(), series(rise), zero_variance=lambda step: 0.2 if step % 15 == 0 else 1.0) == []


def test_groups_of_one_have_no_variance_to_lose(recipe, series, rise):
    verl = {"algorithm": {"type": "ppo"}, "trainer": {"type": "verl"}}
    assert watched(recipe(**verl), series(rise), zero_variance=lambda _: 1.0) == []


def test_a_wire_that_is_null_is_not_there(recipe, series, rise):
    wires = dict.fromkeys(("collapse", "flat", "format_lost", "no_variance", "nan"))
    lost = series(lambda step: rise(step) if step < 120 else 0.0)
    assert watched(recipe(wires=wires), lost, in_form=lambda s: float(s < 99), zero_variance=lambda _: 1.0) == []


def test_values_of_every_tenth_step_are_enough(recipe, series, rise):
    every = {"every": 10}
    assert watched(recipe(), series(rise, steps=600), **every) == []
    lost = watched(recipe(), series(lambda step: rise(step) if step <= 300 else 0.12, steps=600), **every)
    assert [kind for kind, _, _ in lost] == ["collapse"] and 310 <= lost[0][2] <= 350
    # Four values are a window at least: three windows are twelve of them.
    assert watched(recipe(), [0.3] * 300, **every) == [("flat", "warn", 120)]


def test_a_resumed_training_trips_where_it_would_have(recipe, series, rise, tmp_path):
    rewards = series(lambda step: rise(step) if step < 120 else 0.15)
    whole = watched(recipe(), rewards)
    record = Record(tmp_path / "metrics.jsonl")
    for step, reward in enumerate(rewards[:115], start=1):
        record.append({"train/reward": reward, "train/loss": 0.1}, step)
    record.close()
    wires = Wires(recipe())
    seen(wires, read(tmp_path / "metrics.jsonl"))
    assert wires.tripped == {}
    found = [hit for step in range(116, 201) for hit in wires.see(step, {"train/reward": rewards[step - 1]})]
    assert [(hit.kind, hit.action, hit.step) for hit in found] == whole
    assert wires.stopped == found[0]


def test_what_has_tripped_is_known_after_a_resume_and_not_told_again(recipe, tmp_path):
    record = Record(tmp_path / "metrics.jsonl")
    for step in range(1, 71):
        record.append({"train/reward": 0.3}, step)
    record.close()
    wires = Wires(recipe())
    seen(wires, read(tmp_path / "metrics.jsonl"))
    assert [*wires.tripped] == ["flat"] and wires.stopped is None
    assert [hit for step in range(71, 200) for hit in wires.see(step, {"train/reward": 0.3})] == []
