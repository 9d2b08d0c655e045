"""What a recipe of `dr rl train` says."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from core.recipe import ArtifactRecipe, Neutral, Part
from core.rl.spec import Rewarded
from core.tracking.spec import Tracking
from core.tuning.spec import Checkpoints, Model, Rows, Schedule, Trainer, Trl, Verl


class Grpo(Part):
    """Group relative policy optimisation (Shao et al. 2024): an answer is held against others to the same prompt.

    The loss is the mean over the tokens of a batch (Yu et al. 2025), where the paper has the mean over answers.
    """

    type: Literal["grpo"] = "grpo"
    group_size: Annotated[int, Field(ge=2)] = 5
    """Answers to each prompt; 5 as Search-R1."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far the probability ratio may leave 1."""
    kl: NonNegativeFloat = 0.001
    """Weight of the divergence from the model before training; 0 needs no second copy of it."""
    scale_by_deviation: bool = True
    """Whether advantages are divided by the standard deviation of their group."""


class Ppo(Part):
    """Proximal policy optimisation (Schulman et al. 2017) with a critic, as DeepRetrieval; verl only."""

    type: Literal["ppo"]
    group_size: PositiveInt = 1
    """Answers to each prompt."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far the probability ratio may leave 1."""
    kl: NonNegativeFloat = 0.001
    """Weight of the divergence from the model before training, taken off the reward."""
    critic_learning_rate: PositiveFloat = 1e-5
    """Of the critic, a copy of the model with a value head."""
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Gamma: what a reward is worth a token earlier."""
    gae_lambda: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Lambda of generalised advantage estimation (Schulman et al. 2016)."""


Algorithm = Annotated[Grpo | Ppo, Field(discriminator="type")]


class SearchTool(Part):
    """A search that the model may call before it answers (native tool calling); it asks the run's own search."""

    name: str = "search"
    """What the model calls it."""
    description: str = "Search the corpus for passages that help to answer."
    """What the model is told that it does."""
    top_k: PositiveInt = 3
    """Passages for each query."""
    max_calls: PositiveInt = 2
    """Rounds of calls before the model has to answer; 2 to 4 in the field."""
    max_queries: PositiveInt = 3
    """Queries of one call that are searched; further ones are left out, and the model is told."""
    max_result_tokens: PositiveInt = 512
    """Tokens of what a call gives back; the rest is cut."""


class Generation(Part):
    """How answers are sampled in training; measured answers are greedy."""

    temperature: Annotated[float, Field(gt=0, le=2)] = 0.7
    """Sampling temperature."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Only the likeliest tokens with this much probability in all are drawn."""
    max_prompt_length: PositiveInt = 1024
    """Tokens of a prompt; a longer one ends the run before its first step."""
    max_new_tokens: PositiveInt = 512
    """Tokens of an answer, thoughts and tool results included."""


class Wires(Part):
    """What a training trips over. Each warns or stops; a stop keeps the best checkpoint."""

    window: PositiveInt = 20
    """Steps that are looked at together; at least four values of the log."""
    nan: Literal["warn", "stop"] | None = "stop"
    """A loss or a gradient is no number."""
    collapse: Literal["warn", "stop"] | None = "stop"
    """The mean reward of the window has lost more than half of the way from the first window to the best one; where
    it never rose, more than half of the way from the lowest reward."""
    flat: Literal["warn", "stop"] | None = "warn"
    """After three windows the reward is no higher than in the first, beyond its noise."""
    format_lost: Literal["warn", "stop"] | None = "stop"
    """The share of answers in form falls below half of what it was at its best; needs a part `format`."""
    no_variance: Literal["warn", "stop"] | None = "warn"
    """Nine groups of ten earn the same throughout the window: a step teaches nothing."""


class Recipe(Rewarded, ArtifactRecipe):
    """Train a language model by rewards."""

    resumes = True  # from its newest checkpoint

    stage: Literal["rl"]
    """Always `rl`."""
    model: Model
    """The model to train; one that knows the form of the answer already, by `dr sft train` or by nature."""
    data: Rows
    """What it is asked: RL rows."""
    algorithm: Algorithm = Grpo()
    """How rewards change the weights."""
    tool: SearchTool | None = None
    """Search that the model may call. null: it answers in one turn."""
    generation: Generation = Generation()
    """How it answers."""
    epochs: PositiveInt = 3
    """Passes over the rows."""
    steps: PositiveInt | None = None
    """Steps at most. null: `epochs` says it."""
    batch_size: PositiveInt = 64
    """Prompts of a step, over all GPUs."""
    mini_batch_size: PositiveInt | None = None
    """Prompts of one change of the weights, which divides `batch_size`. null: the whole batch, one change a step."""
    learning_rate: PositiveFloat = 1e-6
    """Of AdamW at its highest."""
    schedule: Schedule = Schedule()
    """How the learning rate goes."""
    weight_decay: NonNegativeFloat = 0.01
    """Of AdamW."""
    max_grad_norm: PositiveFloat = 1.0
    """A longer gradient is cut to this length."""
    checkpoints: Checkpoints = Checkpoints()
    """When it is saved and measured; the best has the highest reward on what is held out."""
    wires: Wires = Wires()
    """What ends a training that goes wrong."""
    kept_rollouts: Annotated[NonNegativeInt, Neutral()] = 16
    """Answers of each logged step that are written to logs/rollouts.jsonl with what they earned."""
    trainer: Trainer = Trl()
    """Who computes."""
    log_every: Annotated[PositiveInt, Neutral()] = 10
    """Steps between two values in the log."""
    tracking: Annotated[Tracking, Neutral()] = Tracking()
    """Who follows the training."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.algorithm.type == "ppo" and self.trainer.type == "trl":
            raise ValueError("PPO with a critic is verl's: `trainer: {type: verl}`, or take `algorithm: {type: grpo}`")
        if self.mini_batch_size and self.batch_size % self.mini_batch_size:
            raise ValueError(f"`mini_batch_size` {self.mini_batch_size} does not divide `batch_size` {self.batch_size}")
        if self.index and self.engine:
            raise ValueError("`index` and `engine` are both given: which of them is searched?")
        if (self.index or self.engine) and not (self.reward.searches or self.tool):
            raise ValueError("there is something to search, and neither a part of the reward nor a tool searches")
        if isinstance(self.trainer, Verl):
            self._check_verl(self.trainer)
        return self

    def _check_verl(self, trainer: Verl) -> None:
        if self.model.type == "new":
            raise ValueError("a model from nothing cannot answer: train it by `dr sft train` first")
        if self.model.quantize:
            raise ValueError("verl trains no quantised weights: `model.quantize: null`, or `trainer: {type: trl}`")
        if self.reward.on_failure == "exclude":
            raise ValueError("verl cannot leave samples out: `reward.on_failure: stop`")
        if self.batch_size * self.algorithm.group_size % (trainer.gpus * trainer.nodes):
            raise ValueError("`batch_size` times `group_size` must divide among the GPUs")

    def source_files(self) -> dict[str, Path]:
        """The user's files; the judges' prompt templates count among them, shipped ones too."""
        files = super().source_files()
        return files | {f"reward.{name}": path for name, path in self.reward.prompt_folders().items()}
