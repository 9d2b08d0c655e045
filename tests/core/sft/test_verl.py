from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import Missing, RecipeError
from core.sft import verl
from core.sft.recipe import Recipe
from core.tuning.rows.composed import Composed
from core.tuning.verl.interpreter import Interpreter

FULL = Interpreter(Path("python"), {"verl": "0.9.1", "flash-attn": "2.8.1", "liger-kernel": "0.7.0"})
BARE = Interpreter(Path("python"), {"verl": "0.9.1"})


@pytest.fixture
def rows(tmp_path):
    for name, count in (("train", 1000), ("dev", 10)):
        pq.write_table(pa.table({"messages": range(count)}), tmp_path / f"{name}.parquet")
    return Composed(tmp_path / "train.parquet", tmp_path / "dev.parquet", 1000, 10, None)


def recipe(trainer=(), **fields):
    model = {"type": "pretrained", "path": "some/model"}
    base = {"stage": "sft", "out": "artifacts/my/sft", "model": model, "data": {"sets": [{"rows": "rows"}]}}
    return Recipe.model_validate(base | fields | {"trainer": {"type": "verl"} | dict(trainer)})


def arguments(made, rows, tmp_path, interpreter=FULL):
    return verl.arguments(made, rows, "some/model", Path("/out/checkpoints"), interpreter, tmp_path)


def test_source_b_as_keys_of_verl(rows, tmp_path):
    """LoRA of rank 32, 2048 tokens cut at the right, liger, offload, two GPUs to a sequence, bf16."""
    trainer = {"gpus": 4, "sequence_parallel": 2, "offload": True}
    model = {"type": "pretrained", "path": "some/model", "lora": {}}
    made = recipe(trainer, model=model, checkpoints={"eval_every": 100})

    assert arguments(made, rows, tmp_path) == {
        "data.train_files": str(rows.train),
        "data.train_batch_size": 64,
        "data.micro_batch_size_per_gpu": 4,
        "data.use_dynamic_bsz": False,
        "data.max_length": 2048,
        "data.truncation": "right",
        "data.val_files": str(tmp_path / "held_out.parquet"),
        "model.path": "some/model",
        "model.use_remove_padding": True,
        "model.enable_gradient_checkpointing": True,
        "model.lora_rank": 32,
        "model.lora_alpha": 64,
        "model.target_modules": "all-linear",
        "model.use_liger": True,
        "engine.strategy": "fsdp2",
        "+engine.mixed_precision": {"param_dtype": "bf16", "reduce_dtype": "fp32", "buffer_dtype": "fp32"},
        "engine.param_offload": True,
        "engine.optimizer_offload": True,
        "engine.ulysses_sequence_parallel_size": 2,
        "optim.lr": 1e-4,
        "optim.weight_decay": 0.01,
        "optim.clip_grad": 1.0,
        "optim.lr_scheduler_type": "cosine",
        "optim.lr_warmup_steps_ratio": 0.03,
        "trainer.device": "cuda",
        "trainer.nnodes": 1,
        "trainer.n_gpus_per_node": 4,
        "trainer.logger": ["console", "file"],
        "trainer.project_name": "dr",
        "trainer.experiment_name": "sft",
        "trainer.default_local_dir": "/out/checkpoints",
        "trainer.resume_mode": "auto",
        "trainer.total_epochs": 2,
        "trainer.total_training_steps": 30,  # 1000 rows by 64 are 15 steps an epoch
        "trainer.save_freq": 15,
        "trainer.test_freq": 100,
        "hydra.run.dir": str(tmp_path / "hydra"),
        "hydra.output_subdir": None,
    }


def test_held_out_rows_fill_whole_batches(rows, tmp_path):
    arguments(recipe(), rows, tmp_path)

    assert pq.read_table(tmp_path / "held_out.parquet").num_rows == 64


def test_without_held_out_rows_nothing_is_measured(rows, tmp_path):
    found = arguments(recipe(), Composed(rows.train, None, 1000, 0, None), tmp_path)

    assert found["trainer.test_freq"] == -1
    assert "data.val_files" not in found


def test_liger_is_taken_where_it_is_installed_and_can_run(rows, tmp_path):
    assert "model.use_liger" in arguments(recipe(), rows, tmp_path)
    assert "model.use_liger" not in arguments(recipe(liger=False), rows, tmp_path)
    assert "model.use_liger" not in arguments(recipe(), rows, tmp_path, BARE)
    with pytest.raises(Missing, match="liger-kernel"):
        arguments(recipe(liger=True), rows, tmp_path, BARE)
    with pytest.raises(RecipeError, match="need a GPU"):
        arguments(recipe({"device": "cpu"}, liger=True), rows, tmp_path)


def test_the_user_has_the_last_word(rows, tmp_path):
    overrides = {"optim.betas": [0.9, 0.95], "data.max_length": 100}
    found = arguments(recipe({"overrides": overrides}), rows, tmp_path)

    assert found["optim.betas"] == [0.9, 0.95]
    assert found["data.max_length"] == 100


def test_torchrun_starts_a_process_for_each_gpu_and_ray_where_there_is_a_cluster():
    assert "--nproc-per-node=4" in verl.program(verl.verl_of(recipe({"gpus": 4})))
    cluster = verl.verl_of(recipe({"gpus": 4, "nodes": 2, "ray_address": "10.0.0.1:6379"}))
    assert verl.program(cluster) == ("-m", "verl.trainer.sft_trainer_ray")
