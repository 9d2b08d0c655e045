import json

import pytest

from core.recipe import load
from core.rl.recipe import Recipe
from core.rl.watch import Wires, advice, knobs

VERL = {"type": "verl", "gpus": 4}
SAYS = {
    "nan": advice.no_number,
    "collapse": advice.collapsed,
    "flat": advice.flat,
    "format_lost": lambda recipe: advice.format_lost(recipe, 0.6),
    "no_variance": advice.no_variance,
}


@pytest.mark.parametrize("trainer", [{"type": "trl", "precision": "bf16"}, {"type": "trl", "device": "cuda"}, VERL])
@pytest.mark.parametrize("lora", [None, {}])
def test_every_override_that_is_advised_can_be_given_behind_the_recipe(recipe, tmp_path, trainer, lora):
    model = {"type": "pretrained", "path": "some/model", "lora": lora}
    made = recipe(trainer=trainer, model=model, mini_batch_size=16)
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(made.model_dump(mode="json", exclude_unset=True)))
    lines = [override for say in SAYS.values() for override, _ in say(made)]
    lines += [f"{knob.field}={'null' if knob.smaller is None else knob.smaller}" for knob in knobs(made)]
    assert len(lines) > 15
    for line in lines:
        load(path, Recipe, [line])


def test_a_flat_reward_is_told_with_the_remedies_of_the_sources(recipe):
    wires = Wires(recipe(out="artifacts/my/rl"))
    (tripped,) = [hit for step in range(1, 61) for hit in wires.see(step, {"train/reward": 0.3})]
    first, *lines, last = tripped.hint.splitlines()
    assert first.startswith("run it again with --force")
    assert lines[0].startswith("  learning_rate=5e-07 ") and "# now 1e-06: " in lines[0]
    assert "dr reward replay REWARD.yaml artifacts/my/rl.partial/logs/rollouts.jsonl" in last
    assert "dr sft train" in last
    assert str(tripped).startswith("step 60: the reward has not risen: 0.3 at first, 0.3 at last; run it again")
    assert tripped.error().hint == tripped.hint


def test_a_form_that_is_lost_because_answers_are_cut_off_is_told_to_make_room(recipe):
    wires = Wires(recipe())
    found = []
    for step in range(1, 60):
        form, cut = (0.9, 0.0) if step < 30 else (0.0, 0.8)
        found += wires.see(step, {"train/in_form": form, "train/truncated": cut})
    assert found[0].remedies[0] == ("generation.max_new_tokens=1024", "now 512: 80% of the answers are cut off")


@pytest.mark.parametrize(("given", "smaller"), [(None, 30), (15, 6), (1, 1)])
def test_fewer_rows_at_a_time_are_advised_so_that_they_divide_a_change_of_the_weights(recipe, given, smaller):
    trainer = {"type": "trl", "micro_batch_size": given}
    made = recipe(trainer=trainer, batch_size=24, mini_batch_size=12, algorithm={"group_size": 5})
    assert knobs(made)[0].smaller == smaller


def test_for_memory_the_batch_comes_first_then_checkpointing_sharing_and_fewer_weights(recipe):
    fields = [knob.field for knob in knobs(recipe(trainer=VERL)) if knob.smaller != knob.value]
    assert fields == [
        "trainer.micro_batch_size",
        "trainer.offload",  # gradient_checkpointing is on already
        "trainer.rollout.gpu_memory_utilization",
        "trainer.gpus",
        "model.lora",
        "generation.max_new_tokens",
        "algorithm.group_size",
        "algorithm.kl",
    ]
    on_one_gpu = recipe(model={"type": "pretrained", "path": "m", "lora": {}}, trainer={"type": "trl"})
    assert [knob.field for knob in knobs(on_one_gpu)][:3] == [
        "trainer.micro_batch_size",
        "trainer.gradient_checkpointing",
        "model.quantize",
    ]
