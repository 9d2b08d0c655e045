"""Every shape of a recipe, composed and validated by the installed verl, as it would start on GPUs and without one."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import process
from core.errors import RecipeError
from core.formats import verl as rows_of_verl
from core.formats.messages import Message
from core.reward import plain
from core.rl.recipe import Recipe
from core.rl.verl.settings import settings
from core.rl.verl.train import CONFIG, check, environment_of
from core.sft import verl as sft
from core.sft.recipe import Recipe as SftRecipe
from core.tuning.rows.composed import Composed
from core.tuning.spec import Verl
from core.tuning.verl.arguments import rendered
from core.tuning.verl.interpreter import Interpreter
from core.tuning.verl.session import Session

pytestmark = pytest.mark.slow

LORA = {"lora": {"rank": 8}}
PPO = {"algorithm": {"type": "ppo"}}
TOOL = {"tool": {}, "reward": {"parts": [{"type": "exact_match"}]}}

RL_SHAPES = {
    "grpo": ({}, {}),
    "grpo without a divergence": ({}, {"algorithm": {"type": "grpo", "kl": 0, "scale_by_deviation": False}}),
    "adapters": ({}, {"model": LORA}),
    "adapters of some layers": ({}, {"model": {"lora": {"target_modules": ["q_proj", "v_proj"]}}}),
    "ppo": ({}, PPO),
    "a tool": ({}, TOOL),
    "a cosine": ({}, {"schedule": {"warm_up": 0.1, "decay": "cosine"}}),
    "32 bits, whole": ({"dtype": "fp32", "gradient_checkpointing": False}, {}),
}
ON_GPUS = {
    "sglang": ({"rollout": {"engine": "sglang"}}, {}),
    "eight GPUs": ({"gpus": 8, "sequence_parallel": 2, "offload": True, "rollout": {"tensor_parallel_size": 2}}, PPO),
    "fsdp": ({"strategy": "fsdp", "offload": True, "remove_padding": False}, {}),
    "a cluster": ({"gpus": 8, "nodes": 2, "ray_address": "10.0.0.1:6379"}, {}),
    "a key of verl's": ({"overrides": {"actor_rollout_ref.actor.entropy_coeff": 0.001, "+data.own": [1]}}, {}),
}
SFT_SHAPES = {
    "fine-tuning": ({}, {}),
    "fine-tuning adapters": ({}, {"model": LORA, "liger": False}),
    "fine-tuning by fsdp": ({"strategy": "fsdp", "offload": True}, {}),
}
SFT_ON_GPUS = {"fine-tuning, two GPUs a sequence": ({"gpus": 2, "sequence_parallel": 2}, {"liger": True})}

FULL = {"verl": "0.9.1", "flash-attn": "2.8.1", "liger-kernel": "0.7.0", "vllm": "0.20.0", "sglang": "0.5.0"}

ALL = """
import json, sys
from core.tuning.verl.guest.validate import seen
told = {}
for name, (config, arguments) in json.load(open(sys.argv[1])).items():
    try:
        told[name] = seen(config, arguments)
    except Exception as error:
        told[name] = f"{type(error).__name__}: {error}"
json.dump(told, open(sys.argv[2], "w"))
"""


@pytest.fixture(scope="module")
def python(environment):
    return environment("verl")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Eight conversations and eight questions."""
    folder = tmp_path_factory.mktemp("rows")
    said = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hello you"}]
    talks = pa.Table.from_pylist([{"messages": said}] * 8, rows_of_verl.sft_schema("sft"))
    asked = [
        rows_of_verl.rl_row(
            (Message("user", "hello"),), data_source="w", ability="a", ground_truth='{"target": ["a"]}', split="train",
            index=place, question="hello",
        )
        for place in range(8)
    ]  # fmt: skip
    pq.write_table(talks, folder / "sft.parquet")
    pq.write_table(pa.Table.from_pylist(asked, rows_of_verl.rl_schema()), folder / "rl.parquet")
    return {
        kind: Composed(folder / f"{kind}.parquet", folder / f"{kind}.parquet", 8, 8, None) for kind in ("sft", "rl")
    }


def recipe(kind, model, trainer, fields):
    base = {"stage": kind, "out": "artifacts/my/x", "data": {"sets": [{"rows": "rows"}]}, "batch_size": 8}
    if kind == "rl":
        base |= {"reward": {"parts": [{"type": "format"}]}, "algorithm": {"type": "grpo", "group_size": 4}}
    made = {"type": "pretrained", "path": str(model), **fields.get("model", {})}
    whole = base | fields | {"model": made, "trainer": {"type": "verl", **trainer}}
    return (Recipe if kind == "rl" else SftRecipe).model_validate(whole)


def arguments(kind, made, model, files, session):
    rows, checkpoints = files[kind], session.root / "checkpoints"
    if kind == "sft":
        interpreter = Interpreter(Path(sys.executable), FULL)
        return sft.CONFIG, rendered(sft.arguments(made, rows, str(model), checkpoints, interpreter, session.folder))
    found = settings(made, rows, str(model), checkpoints, session, {"A": "b c"}, fresh=True)
    return CONFIG, rendered(found)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_verl_takes_every_shape_of_a_recipe(device, python, files, tiny_qwen3, tmp_path):
    session = Session.begin(tmp_path)
    shapes = {name: ("rl", *shape) for name, shape in RL_SHAPES.items()}
    shapes |= {name: ("sft", *shape) for name, shape in SFT_SHAPES.items()}
    if device == "cuda":
        shapes |= {name: ("rl", *shape) for name, shape in ON_GPUS.items()}
        shapes |= {name: ("sft", *shape) for name, shape in SFT_ON_GPUS.items()}
    asked = {}
    for name, (kind, trainer, fields) in shapes.items():
        made = recipe(kind, tiny_qwen3, {**trainer, "device": device}, fields)
        asked[name] = arguments(kind, made, tiny_qwen3, files, session)
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    tool = recipe("rl", tiny_qwen3, {"device": device}, TOOL)
    plain.write(tool.reward, tmp_path / "reward.json")
    env = environment_of(tool, session, tmp_path / "reward.json")

    argv = ("-c", ALL, str(tmp_path / "asked.json"), str(tmp_path / "told.json"))
    process.run(session.command(argv, Verl(type="verl", python=python, device=device), env), tmp_path / "log")

    told = json.loads((tmp_path / "told.json").read_text())
    assert {name: lines for name, lines in told.items() if isinstance(lines, str)} == {}
    assert len(told) == len(shapes)
    engine = "transformers" if device == "cpu" else "vllm"
    assert told["ppo"][0] == (
        f"gae by {engine}, 1 answers to a prompt, with a critic, with a reference model; rewards by NaiveRewardManager"
    )
    assert "reference" not in told["grpo without a divergence"][0]
    assert told["a tool"][1] == "tools: search"


def test_a_check_says_what_verl_makes_of_the_recipe(python, files, tiny_qwen3, tmp_path):
    made = recipe("rl", tiny_qwen3, {"device": "cpu", "python": python}, {})

    lines = check(made, files["rl"], tmp_path)

    assert lines[0] == "verl 0.9.1 takes the configuration"
    assert lines[-1].startswith("8 prompts with ")


def test_what_verl_refuses_is_told_with_its_own_words(python, files, tiny_qwen3, tmp_path):
    trainer = {"device": "cpu", "python": python, "overrides": {"data.max_lenght": 3}}
    made = recipe("sft", tiny_qwen3, trainer, {})

    with pytest.raises(RecipeError, match=r"Could not override 'data\.max_lenght'") as told:
        sft.check(made, files["sft"], str(tiny_qwen3), tmp_path)
    assert "misspelt" in told.value.hint
