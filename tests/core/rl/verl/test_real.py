"""verl 0.9.1 itself, on a processor, by the shipped recipes: every run here is a real training."""

import contextlib
import json
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.core.rl.verl.runs import ROOT, asleep, kill, logged, status, trainer, until, wrote

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.usefixtures("alone")]

GRPO = ("steps=3", "batch_size=4", "algorithm.group_size=4", "checkpoints={save_every: 3, eval_every: 3}")
FEW = ("data.max_held_out=8", *GRPO)
LORA = "model.lora={rank: 8, alpha: 16}"
LEARN = ("batch_size=16", "mini_batch_size=8", "checkpoints={save_every: 60, eval_every: 60}")
PPO = "algorithm={type: ppo, group_size: 2, kl: 0.001, critic_learning_rate: 1.0e-4}"


def weights(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert AutoTokenizer.from_pretrained(folder).chat_template
    return model.state_dict()


def manifest(artifact):
    return json.loads((artifact / "manifest.json").read_text(encoding="utf-8"))


def sessions(artifact):
    lines = (artifact / "logs/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["session"] for line in lines}


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
    # its checkpoint as a person takes it elsewhere: loaded, and asked once
    place = taught.path("exported")
    taught.make("rl", "export", "rl/export", f"checkpoint={out}/checkpoints/global_step_3", f"out={place}",
                f"python={taught.python}")  # fmt: skip
    exported = weights(place / "model")
    assert all(torch.allclose(after[name], exported[name]) for name in after)
    assert manifest(place)["stats"]["asked"]["answer"]


def test_ppo_with_a_critic_goes_on_where_a_kill_left_it(taught):
    out = taught.path("rl-ppo")
    # Checkpoints so far apart that verl, which notices late that nobody is there, does not come to the next one.
    changes = (*FEW, PPO, "mini_batch_size=4", "steps=6", "checkpoints={save_every: 3, eval_every: 6}")
    begun = taught.begin("rl", "train", "rl/tiny", *taught.by_verl(out, *changes))
    until(begun, lambda: 1 in logged(out).get("train/reward", {}))
    with asleep(begun):  # what verl writes from now on nobody sees
        until(begun, lambda: 3 in wrote(out))
        kill(begun)
    # the answers of a step are of the weights that the step before left
    apart = [data["training/rollout_probs_diff_max"] for data in wrote(out).values()]
    assert len(apart) >= 3 and max(apart) < 1e-3
    taught.make("rl", "train", "rl/tiny", *taught.by_verl(out, *changes))
    seen = logged(out)
    assert [list(seen[name]) for name in ("train/reward", "train/reward/recall_tiers", "train/truncated")] == [
        [1, 2, 3, 4, 5, 6]
    ] * 3
    # no answer needs all that it may have; verl itself would count the longest of each step
    assert min(seen["train/truncated"].values()) == 0 < max(seen["train/response_length"].values()) < 32
    assert {row["step"] for row in rollouts(out)} == {1, 2, 3, 4, 5, 6}
    assert sessions(out) == {1, 2}
    assert list(seen["eval/reward"]) == [0, 6]
    assert (out / "checkpoints/global_step_6/critic").is_dir()
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
        few = ("steps=500", "data.max_held_out=4", "batch_size=4", "checkpoints={save_every: 500, eval_every: 500}")
        changes = (*few, "~index", f"reward={reward}")
        begun = taught.begin("rl", "train", "rl/tiny", *taught.by_verl(out, *changes))
        until(begun, lambda: 2 in logged(out).get("train/reward", {}))
        verl = trainer(begun)
        with asleep(begun):  # verl ends by itself, watched by nobody
            double.kill()
            before = max(wrote(out))
            until(begun, lambda: status(verl) is not None, 120)
            assert status(verl) != 0
            trained = max(wrote(out))
        said = begun.communicate(timeout=120)[0]
    assert trained <= before + 1  # the answers of one step may have been there
    assert begun.returncode == 3, said
    assert "the retriever gave no usable answer" in said
    log = (out.with_name("rl-dying.partial") / "logs/trainer.log").read_text(encoding="utf-8")
    assert "an answer could not be written or scored" in log
    # nothing is found while it lives, which is worth -3.5: a zero would be invented
    earned = logged(out)["train/reward"]
    assert set(earned.values()) == {-3.5}
    assert not list((out.with_name("rl-dying.partial") / "checkpoints").glob("global_step_*"))


def test_sixty_steps_teach_the_documents_words(taught):
    out = taught.path("rl-verl")
    taught.make("rl", "train", "rl/tiny", *taught.by_verl(out, "steps=60", *LEARN, batch=64))
    recall = logged(out)["eval/recall_tiers/recall"]
    assert recall[0] <= 0.1
    assert recall[60] >= 0.8
