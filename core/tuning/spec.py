"""How a recipe names what is trained, on which rows, by which trainer. Imports nothing heavy."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from core.recipe import From, Neutral, Part


class Lora(Part):
    """Low-rank adapters (Hu et al. 2021) in place of all weights; the values are source B's."""

    rank: PositiveInt = 32
    """Rank of the update."""
    alpha: PositiveInt = 64
    """The update is scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the adapters' input that is dropped in training."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """Layers that get adapters: their names, or `all-linear`."""


class Pretrained(Part):
    """A causal language model that exists."""

    type: Literal["pretrained"]
    path: Annotated[str, From("sft", "rl", "export", or_name=True), Field(min_length=1)]
    """Artifact of `dr sft train`, `dr rl train` or `dr rl export`, folder of a model, or its name on the hub."""
    lora: Lora | None = None
    """Adapters to train, merged at the end. null: all weights are trained."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Keep the frozen weights in so many bits (bitsandbytes, which must be installed); needs `lora`. null: as saved."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.quantize and self.lora is None:
            raise ValueError("`quantize` freezes the weights: something must be trained, give `lora`")
        return self


class New(Part):
    """A small Qwen3 with random weights, and a tokenizer learned from the training rows: to try a recipe without a
    GPU or a hub. It knows nothing before its fine-tuning."""

    type: Literal["new"]
    hidden_size: PositiveInt = 128
    """Width."""
    layers: PositiveInt = 3
    """Depth."""
    heads: PositiveInt = 4
    """Attention heads; they divide `hidden_size`."""
    vocabulary: Annotated[int, Field(ge=300)] = 2048
    """Pieces of the tokenizer at most; bytes are always among them."""
    max_tokens: PositiveInt = 1024
    """Tokens of prompt and answer together that it can read."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden_size % self.heads or self.hidden_size // self.heads % 2:
            raise ValueError("`heads` must divide `hidden_size` into an even number")
        return self


Model = Annotated[Pretrained | New, Field(discriminator="type")]


class RowSet(Part):
    """Rows of one artifact."""

    rows: Annotated[Path, From("rows")]
    """Artifact of `dr data rows`."""
    weight: PositiveFloat = 1.0
    """How often each of its training rows comes in an epoch: 0.5 takes half of them, drawn by seed, 2 each twice."""


class Rows(Part):
    """What is trained on, and what is held out."""

    sets: Annotated[tuple[RowSet, ...], Field(min_length=1)]
    """Artifacts whose rows are mixed."""
    split: str = "train"
    """Rows that are trained on: the name of a file in `sft/` or `rl/`."""
    held_out: str | None = "dev"
    """Rows that checkpoints are measured on: likewise. null: nothing is measured."""
    max_held_out: PositiveInt | None = 500
    """Held-out rows, drawn by seed. null: all."""


class Trl(Part):
    """TRL on transformers, in a process of its own: without a GPU, on one GPU, for small models."""

    type: Literal["trl"] = "trl"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where it is computed; auto takes a GPU where there is one."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Numbers that activations are computed in (autocast); weights stay in 32 bits."""
    gradient_checkpointing: bool = False
    """Compute activations a second time instead of keeping them: less memory, about a third more time."""
    micro_batch_size: PositiveInt | None = None
    """Rows computed at a time; the gradients of a step are added up over them. null: the whole batch."""
    threads: Annotated[PositiveInt | None, Neutral()] = None
    """Processor threads. null: all that torch finds."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Further fields of TRL's SFTConfig or GRPOConfig, which checks them."""


class Rollout(Part):
    """Who writes the answers that verl trains on."""

    engine: Literal["vllm", "sglang"] = "vllm"
    """Inference engine, installed in verl's interpreter. On a CPU (`device: cpu`) transformers takes its place."""
    tensor_parallel_size: PositiveInt = 1
    """GPUs that share one copy of the model."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of each GPU's memory that the engine takes."""


class Verl(Part):
    """verl on Ray, in an interpreter of its own (`dr env create verl`): GPUs, clusters, PPO with a critic."""

    type: Literal["verl"]
    python: Annotated[Path, Neutral()] = Path(".venv-verl/bin/python")
    """Interpreter in which verl is installed."""
    device: Literal["cuda", "cpu"] = "cuda"
    """cpu: the same recipe on this machine's processor, for a few steps, to see that it runs."""
    gpus: PositiveInt = 1
    """GPUs of each node."""
    nodes: PositiveInt = 1
    """Machines."""
    ray_address: Annotated[str | None, Neutral()] = None
    """Ray cluster to join, such as `10.0.0.1:6379` or `auto`. null: Ray is started on this machine for the run."""
    strategy: Literal["fsdp", "fsdp2"] = "fsdp2"
    """How parameters, gradients and optimiser state are shared among GPUs."""
    offload: bool = False
    """Keep parameters and optimiser state in main memory while they are not needed; source B: spares half and more."""
    sequence_parallel: PositiveInt = 1
    """GPUs that share each sequence (Ulysses)."""
    micro_batch_size: PositiveInt = 4
    """Rows that a GPU computes at a time."""
    dtype: Literal["fp32", "bf16"] = "bf16"
    """Numbers that the model is computed in."""
    remove_padding: bool = True
    """Compute without padding (needs flash attention); of no effect on a CPU."""
    gradient_checkpointing: bool = True
    """Compute activations a second time instead of keeping them."""
    rollout: Rollout = Rollout()
    """Who writes answers; SFT has none."""
    reward_workers: PositiveInt = 4
    """Processes that compute rewards; SFT has none."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Further keys of verl by dotted name (`actor_rollout_ref.actor.entropy_coeff: 0.001`); verl checks them. They
    replace values of ours, but for those that the run stands on; a leading `+` adds a key that verl's files do not
    have."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.gpus * self.nodes % self.sequence_parallel:
            raise ValueError("`sequence_parallel` must divide the number of GPUs")
        if self.gpus % self.rollout.tensor_parallel_size:
            raise ValueError("`rollout.tensor_parallel_size` must divide `gpus`")
        return self


Trainer = Annotated[Trl | Verl, Field(discriminator="type")]


class Checkpoints(Part):
    """When the training is saved and measured, and what is kept."""

    save_every: PositiveInt | None = None
    """Steps between two checkpoints; one more at the end. null: one at the end of each epoch."""
    eval_every: PositiveInt | None = None
    """Steps between two measurements on what is held out. null: with each checkpoint."""
    keep: PositiveInt | None = 5
    """Newest checkpoints that are kept, and the best one besides. null: all."""


class Schedule(Part):
    """Learning rate over the steps."""

    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the steps over which the learning rate rises."""
    warm_up_steps: NonNegativeInt | None = None
    """The same in steps. null: `warm_up` says it."""
    decay: Literal["constant", "linear", "cosine"] = "constant"
    """What becomes of it after the warm-up."""
