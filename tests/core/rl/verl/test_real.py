"""verl 0.9.1 itself, on a processor, by the shipped recipes: every run here is a real training."""

import contextlib
import json
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.core.rl.verl.runs import ROOT, kill, logged, until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("alone")]

GRPO = ("steps=3", "batch_size=4", "algorithm.group_size=4", "checkpoints={save_every: 3, eval_every: 3}")
FEW = ("data.max_held_out=8", *GRPO)
LORA = "model.lora={rank: 8, alpha: 16}"
PPO = "algorithm={type: ppo, group_size: 2, kl: 0.001, critic_learning_rate: 1.0e-4}"


def weights(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert AutoTokenizer.from_pretrained(folder).chat_template
    return model.state_dict()


def manifest(artifact):
    return json.loads((artifact / "manifest.json").read_text(encoding="utf-8"))


def rollouts(artifact):
    return [json.loads(line) for line in (artifact / "logs/rollouts.jsonl").read_text(encoding="utf-8").splitlines()]


def test_fine_tuning_goes_five_steps_and_leaves_a_model(world):
    out = world.path("sft-verl")
    world.make("sft", "train", "sft/tiny", *world.by_verl(out, "steps=5", "checkpoints={save_every: 5}"))
    losses = logged(out)["train/loss"]
    assert list(losses) == [1, 2, 3, 4, 5]
    assert losses[5] < losses[1] - 0.5
    assert logged(out)["eval/loss"][5] == pytest.approx(losses[5], abs=1)
    assert weights(out / "model")
    assert manifest(out)["stats"]["best"]["step"] == 5


def test_grpo_with_adapters_goes_three_steps_and_merges_them(taught):
    out = taught.path("rl-lora")
    taught.make("rl", "train", "rl/tiny", *taught.by_verl(out, *FEW, LORA, "algorithm.kl=0.001"))
    seen = logged(out)
    assert list(seen["train/reward"]) == [1, 2, 3]
    assert seen["train/kl"][3] > 0  # the first step's model is the one before training
    assert {row["step"] for row in rollouts(out)} >= {1, 2, 3}
    # what the adapters say stands in the model: other weights than before, in the layers that had adapters alone
    before, after = weights(taught.path("sft/model")), weights(out / "model")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all("_proj" in name for name in changed)
    config = json.loads((out / "adapter/adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"]) == (8, 16)


def test_ppo_with_a_critic_goes_on_where_a_kill_left_it(taught):
    out = taught.path("rl-ppo")
    changes = (*FEW, PPO, "mini_batch_size=4", "checkpoints={save_every: 1, eval_every: 3}")
    begun = taught.begin("rl", "train", "rl/tiny", *taught.by_verl(out, *changes))
    newest = out.with_name("rl-ppo.partial") / "checkpoints/latest_checkpointed_iteration.txt"
    until(begun, lambda: newest.exists() and 1 in logged(out).get("train/reward", {}))
    kill(begun)
    taught.make("rl", "train", "rl/tiny", *taught.by_verl(out, *changes))
    steps = list(logged(out)["train/reward"])
    # verl may have gone a step further than anybody saw before it ended, too
    assert steps in ([1, 2, 3], [1, 3])
    sessions = [json.loads(line) for line in (out / "logs/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["session"] for row in sessions} == {1, 2}
    assert (out / "checkpoints/global_step_3/critic").is_dir()
    assert weights(out / "model")


def test_an_agent_searches_for_two_steps(world):
    world.make("sft", "train", "sft/search-agent-tiny", "epochs=3")
    out = world.path("agent-verl")
    changes = ("steps=2", "data.max_held_out=4", "checkpoints={save_every: 2, eval_every: 2}")
    world.make("rl", "train", "rl/search-agent-tiny", *world.by_verl(out, *changes, batch=16))
    rows = rollouts(out)
    called = [row for row in rows if "<tool_response>" in row["response"]]
    assert called, rows[:3]
    assert "1. " in called[0]["response"]  # passages, numbered
    assert list(logged(out)["train/reward"]) == [1, 2]


def judged(judge, folder):
    """The evidence recipe, its answers graded by a judge."""
    prompt = folder / "prompt"
    prompt.mkdir()
    (prompt / "user.txt").write_text("How good is $answer for $question?", encoding="utf-8")
    server = f"{{server: {{type: openai, model: double, base_url: {judge.url}}}, retries: 1, give_up_seconds: 4}}"
    part = f"{{type: semantic_match, prompt: {prompt}, judge: {server}}}"
    return (f"reward={{parts: [{part}]}}", "~index")


def test_a_judge_beside_the_training_grades_two_steps_and_its_death_ends_the_third(taught, llm_server, tmp_path):
    out = taught.path("rl-judged")
    script = tmp_path / "script.json"
    script.write_text('{"": "7"}', encoding="utf-8")  # to every question
    with contextlib.ExitStack() as living:
        judge = living.enter_context(llm_server(script=str(script)))
        few = ("steps=50", "data.max_held_out=4", "batch_size=4", "checkpoints={save_every: 50, eval_every: 50}")
        changes = (*few, *judged(judge, tmp_path))
        begun = taught.begin("rl", "train", "rl/evidence-qa-tiny", *taught.by_verl(out, *changes))
        until(begun, lambda: 2 in logged(out).get("train/reward", {}))
        living.close()
        said = begun.communicate(timeout=120)[0]
        assert begun.returncode == 3, said
        assert "the judge gave no usable answer" in said
    # the judge says 7 of 10, and no answer is left out: an invented zero would show
    earned = [round(row["score"], 6) for row in rollouts(out.with_name("rl-judged.partial")) if row["rewritten"]]
    assert earned and set(earned) == {0.7}


def test_a_search_service_that_dies_ends_the_training_and_no_step_is_trained_on_zeros(taught):
    out = taught.path("rl-dying")
    command = [sys.executable, str(ROOT / "tests/doubles/reward_server.py")]
    with contextlib.ExitStack() as stack:
        double = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(double.kill)
        url = f"http://127.0.0.1:{double.stdout.readline().strip()}/retrieve"
        reward = "{parts: [{type: recall_tiers, k: 10, tiers: [[0.5, 5]], below: -3.5}], "
        reward += f"retriever: {{url: '{url}', retries: 1, give_up_seconds: 3}}}}"
        few = ("steps=50", "data.max_held_out=4", "batch_size=4", "checkpoints={save_every: 50, eval_every: 50}")
        changes = (*few, "~index", f"reward={reward}")
        begun = taught.begin("rl", "train", "rl/tiny", *taught.by_verl(out, *changes))
        until(begun, lambda: 2 in logged(out).get("train/reward", {}))
        double.kill()
        said = begun.communicate(timeout=120)[0]
    assert begun.returncode == 3, said
    assert "the retriever gave no usable answer" in said
    # nothing is found while it lives, which is worth -3.5: a zero would be invented
    earned = logged(out)["train/reward"]
    assert set(earned.values()) == {-3.5}
    assert not list((out.with_name("rl-dying.partial") / "checkpoints").glob("global_step_*"))


def test_sixty_steps_teach_the_documents_words(taught):
    out = taught.path("rl-verl")
    # four changes of the weights in each step, of 64 answers each
    several = ("steps=60", "batch_size=32", "mini_batch_size=8", "learning_rate=5.0e-4")
    changes = (*several, "checkpoints={save_every: 30, eval_every: 30}")
    taught.make("rl", "train", "rl/tiny", *taught.by_verl(out, *changes, batch=64))
    recall = logged(out)["eval/recall_tiers/recall"]
    assert recall[0] <= 0.2
    assert recall[60] >= 0.8
