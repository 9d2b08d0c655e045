"""What `dr rl probe` can be told."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from core.llm.rewriting.spec import RewriterLlm, prompts_at
from core.recipe import CORPUS, ArtifactRecipe, From, Part
from core.reward.parts.spec import Python
from core.rl.spec import Rewarded, Share


class OfRows(Part):
    """The rows that the training will read, with their prompts and ground truths."""

    type: Literal["rows"]
    rows: Annotated[Path, From("rows")]
    """Artifact of `dr data rows` with RL rows."""
    split: str = "train"
    """Which of them: the name of a file in its `rl/`."""


class OfCorpus(Part):
    """The judged queries of a corpus; the relevant documents are the ground truth."""

    type: Literal["corpus"]
    data: Annotated[Path, CORPUS]
    """Artifact of `dr data`, `dr data mix` or `dr distill`."""
    split: str = "train"
    """Which judgements: the name of a file in its `qrels/`."""
    prompts: str = "general"
    """Prompt template of `dr rewrite`: finance, medicine, literature, general, or the path of your own."""


class Training(Part):
    """The training that would come after; told is what it would cost. The values are those of the sources."""

    batch_size: PositiveInt = 64
    """Prompts of a step; 64 as DeepRetrieval, 512 as Search-R1."""
    group_size: PositiveInt = 5
    """Answers to each prompt; 5 as Search-R1."""
    epochs: PositiveFloat = 3.0
    """How often each row is used, where `steps` does not say."""
    steps: PositiveInt | None = None
    """Steps. null: as many as `epochs` over the rows of the split make."""


class Bounds(Part):
    """What decides the verdict."""

    most_unusable: Share = 0.2
    """Share of answers that nothing can be read out of, or whose format is lost; above it fine-tuning comes first."""
    least_headroom: Share = 0.1
    """Reward between the original queries and the highest there is, as a share of the reward's whole range; below it
    little is to be won."""
    most_without_variance: Share = 0.5
    """Share of groups whose rewards are all the same; above it most of a step teaches nothing."""


class Recipe(Rewarded, ArtifactRecipe):
    """Look before a training: what a model earns now, how much there is to win, and at what price."""

    resumes = True
    stage: Literal["probe"]
    queries: Annotated[OfRows | OfCorpus, Field(discriminator="type")]
    """What is asked, and what is right."""
    max_queries: PositiveInt | None = 128
    """Queries that are asked about, drawn by seed. null: all."""
    samples: Annotated[int, Field(ge=2)] = 8
    """Answers to each query."""
    llm: RewriterLlm
    """The model as it is before the training, or one like it; sampled as the training will."""
    highest_reward: float | None = None
    """Highest reward that there is. null: worked out from the parts, where none is a function of your own."""
    training: Training = Training()
    """What the estimate is for."""
    verdict: Bounds = Bounds()
    """From where on the probe advises against a training."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.llm.temperature == 0:
            raise ValueError(
                "`llm.temperature` is 0: all answers to a query would be the same, and no group has variance"
            )
        if (self.index or self.engine) and not self.reward.searches:
            raise ValueError("there is something to search, and no part of the reward searches")
        return self

    @property
    def rewrites(self) -> bool:
        """Whether answers are queries, which the original one can be held against."""
        own = (part for part in self.reward.parts if isinstance(part, Python))
        return self.reward.searches or any(part.signature == "rewriting" for part in own)

    def source_files(self) -> dict[str, Path]:
        """The user's files; prompt templates count among them, shipped ones too."""
        files = super().source_files()
        files |= {f"reward.{name}": path for name, path in self.reward.prompt_folders().items()}
        if isinstance(self.queries, OfCorpus):
            files["queries.prompts"] = prompts_at(self.queries.prompts)
        return files
