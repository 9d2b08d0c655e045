"""The training itself, in this process."""

import json
import shutil
import threading
import time

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.errors import ContractError, Missing, RecipeError
from core.tracking.record import read, series

# TRL asks transformers by a name that it gives up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def rewarded(services, *more, **fields):
    parts = [{"type": "format", "good": 1, "bad": -4}, {"type": "recall", "k": 1}, *more]
    return {"parts": parts, "retriever": services.retriever, **fields}


def weights(checkpoint):
    return load_file(checkpoint / "model.safetensors")


def logged(folder):
    return series(read(folder / "logs/metrics.jsonl"))


def test_what_is_held_out_is_answered_greedily_and_each_answer_counts_the_same(answering, begun, services):
    # 10 held-out prompts, 8 at a time: the mean of the batches' means would be another number.
    run = begun(answering, rewarded(services), steps=1, batch_size=2)
    run.train()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(answering), AutoTokenizer.from_pretrained(answering)
    right = []
    for number in [*range(8), 0, 1]:
        asked = [{"role": "user", "content": f"rewrite u{number}"}]
        ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=False)
        said = model.generate(ids, max_new_tokens=24, do_sample=False)[0, ids.shape[1] :]
        right.append(float(f'"d{number}"' in tokenizer.decode(said)))
    assert logged(run.folder)["eval/recall/recall"][0] == pytest.approx(sum(right) / 10)
    assert logged(run.folder)["eval/reward"][0] == pytest.approx(1 + sum(right) / 10)


@pytest.fixture(scope="module")
def whole(answering, begun, services):
    """A training of six steps of two changes each."""
    run = begun(answering, rewarded(services), mini_batch_size=2)
    run.train()
    return run


def test_a_training_that_goes_on_ends_with_the_same_weights_values_and_rollouts(whole, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(whole.checkpoint(2), again / "checkpoints/checkpoint-2")
    shutil.copy(whole.folder / "checkpoints/plan.json", again / "checkpoints/plan.json")
    (again / "logs").mkdir()
    shutil.copy(whole.folder / "logs/rollouts.jsonl", again / "logs/rollouts.jsonl")  # of steps done again, too
    resumed = type(whole)(whole.given, again)
    resumed.train()
    first, second = weights(whole.checkpoint(6)), weights(resumed.checkpoint(6))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert resumed.rollouts() == whole.rollouts()
    untimed = {name: values for name, values in logged(whole.folder).items() if "second" not in name}
    late = {name: {step: value for step, value in values.items() if step > 2} for name, values in untimed.items()}
    assert {name: values for name, values in logged(again).items() if "second" not in name} == late


def test_steps_are_batches_whatever_the_number_of_changes_in_each(whole):
    assert sorted(path.name for path in (whole.folder / "checkpoints").glob("checkpoint-*")) == [
        "checkpoint-2",
        "checkpoint-4",
        "checkpoint-6",
    ]
    assert json.loads((whole.checkpoint(6) / "trainer_state.json").read_text())["global_step"] == 12
    assert [row["step"] for row in whole.rollouts()] == [1] * 16 + [2] * 16 + [4] * 16 + [6] * 16
    assert set(logged(whole.folder)["train/reward"]) == {1, 2, 4, 6}


def test_the_log_has_the_parts_their_facts_and_what_the_groups_do(whole):
    values = logged(whole.folder)
    ours = {"reward", "reward_deviation", "reward/format", "reward/recall", "recall/recall", "zero_variance", "in_form"}
    more = {"response_length", "truncated", "entropy", "clipped", "loss", "learning_rate", "grad_norm"}
    assert {f"train/{name}" for name in ours | more} <= set(values)
    assert {"eval/reward", "eval/reward/recall", "eval/recall/recall"} <= set(values)
    rows = [row for row in whole.rollouts() if row["step"] == 1]
    assert values["train/reward"][1] == pytest.approx(sum(row["score"] for row in rows) / 16)
    groups = [{row["score"] for row in rows if row["group"] == group} for group in {row["group"] for row in rows}]
    assert values["train/zero_variance"][1] == pytest.approx(sum(len(scores) == 1 for scores in groups) / 4)


def test_a_retriever_that_dies_stops_the_run_and_nothing_is_trained_without_it(answering, begun, own_services):
    run = begun(answering, rewarded(own_services), steps=500, log_every=1, checkpoints={"save_every": 1, "keep": 2})

    def kill():
        while not run.rollouts():
            time.sleep(0.02)
        own_services.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(Missing, match="the retriever gave no usable answer") as failed:
        run.train()
    killer.join()
    assert failed.value.exit_code == 3
    # every step in the log was paid for: no score is that of an answer that found nothing because nobody searched
    steps = logged(run.folder)["train/reward"]
    assert 1 <= len(steps) < 500
    assert {row["step"] for row in run.rollouts()} >= set(steps)
    right = [row for row in run.rollouts() if row["ground_truth"] == json.dumps({row["rewritten"]: 1})]
    assert {row["parts"]["recall"] for row in right} == {1.0}


def test_answers_that_the_reward_leaves_out_change_nothing(answering, begun, services, tmp_path):
    (tmp_path / "user.txt").write_text("$answer SAY nothing", encoding="utf-8")
    judge = {"type": "semantic_match", "judge": services.judge, "prompt": str(tmp_path)}
    reward = {"parts": [judge], "on_failure": "exclude", "most_excluded": 1}
    run = begun(answering, reward, steps=1, batch_size=1, weight_decay=0)
    run.given["held_out"] = None
    run.train()
    before, after = weights(answering), weights(run.checkpoint(1))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert logged(run.folder)["train/excluded"] == {1: 1.0}
    assert "train/reward" not in logged(run.folder)


def test_a_prompt_that_is_too_long_ends_the_run_before_its_first_step(answering, begun, services):
    generation = {"max_prompt_length": 5, "max_new_tokens": 24}
    run = begun(answering, rewarded(services), generation=generation)
    with pytest.raises(ContractError, match=r"34 of 34 prompts are longer than `generation.max_prompt_length` \(5\)"):
        run.train()
    assert not run.rollouts()


def test_an_answer_for_which_the_model_has_no_room_ends_the_run_before_its_first_step(answering, begun, services):
    run = begun(answering, rewarded(services), generation={"max_new_tokens": 510})
    with pytest.raises(ContractError, match="the model reads 512 tokens, a prompt has"):
        run.train()


def test_fields_of_trl_that_the_recipe_says_cannot_be_said_twice(answering, begun, services):
    trainer = {"type": "trl", "device": "cpu", "overrides": {"beta": 0.1}}
    with pytest.raises(RecipeError, match="`beta` follows from the recipe") as refused:
        begun(answering, rewarded(services), trainer=trainer).train()
    assert refused.value.hint == "set `algorithm.kl`"
    trainer["overrides"] = {"use_vllm": True}
    with pytest.raises(RecipeError, match="`use_vllm` follows from the recipe"):
        begun(answering, rewarded(services), trainer=trainer).train()


def test_a_divergence_is_measured_against_the_model_before_training(answering, begun, services):
    run = begun(answering, rewarded(services), steps=2, log_every=1, algorithm={"group_size": 4, "kl": 0.05})
    run.train()
    divergence = logged(run.folder)["train/kl"]
    assert divergence[1] == pytest.approx(0, abs=1e-6)
    assert divergence[2] > 1e-5
