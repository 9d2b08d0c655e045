"""How a recipe names the parts of a reward. Ours alone: guest code reads the JSON that is made of it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from core import shipped
from core.llm.spec import OpenAI
from core.recipe import Neutral, Part, SourceFiles

Tier = tuple[FiniteFloat, FiniteFloat]


def _falling(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    if [bound for bound, _ in tiers] != sorted({bound for bound, _ in tiers}, reverse=True):
        raise ValueError("the bounds of the tiers must fall, each below the one before")
    return tiers


def _rising(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    if [bound for bound, _ in tiers] != sorted({bound for bound, _ in tiers}):
        raise ValueError("the ranks of the tiers must rise, each above the one before")
    return tiers


class Weighted(Part):
    """What every part has."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    """Key of the part in logs and metrics. null: its type."""
    weight: FiniteFloat = 1.0
    """What the part's value is multiplied by before the values are added up."""

    @property
    def key(self) -> str:
        """The part's name, or its type."""
        return self.name or str(self.type)  # type: ignore[attr-defined]


class Format(Weighted):
    """Whether the contract was kept: each tag exactly once and in order, and an answer of the asked kind in them."""

    type: Literal["format"]
    good: FiniteFloat = 1.0
    """Value of a response that keeps it."""
    bad: FiniteFloat = -4.0
    """Value of one that does not."""
    answer: Literal["query", "text"] = "query"
    """What the last answer must hold: JSON with a query that is not blank, or any text."""
    min_steps: NonNegativeInt = 0
    """Lines `Step N:` at least."""
    max_steps: PositiveInt | None = None
    """Lines `Step N:` at most. null: any number."""
    ends: bool = True
    """Whether a bad format decides alone: the other parts are not asked then and count 0."""
    only_with_answer: bool = False
    """Whether a good format counts only where the other parts together are above 0; else the total is 0."""

    @model_validator(mode="after")
    def _steps(self) -> Self:
        if self.max_steps is not None and self.max_steps < self.min_steps:
            raise ValueError(f"`max_steps` is {self.max_steps}, below `min_steps` {self.min_steps}")
        return self


class FormatPieces(Weighted):
    """Whether the contract was kept, piece by piece: the values of the pieces are added up."""

    type: Literal["format_pieces"]
    think: FiniteFloat = 0.2
    """Value of `<think>` and `</think>` once, with something between them."""
    steps: FiniteFloat = 0.2
    """Value of at least one line `Step N:`."""
    answer: FiniteFloat = 0.3
    """Value of `<answer>` and `</answer>` once, with something between them."""
    box: FiniteFloat = 0.3
    """Value of a box (the reward's `box`, or `\\boxed{}`) with something in it."""
    max_steps: PositiveInt | None = 5
    """With more lines `Step N:` the whole part is 0. null: any number."""


class Ranking(Weighted):
    """What parts have in common that search with the query which the model wrote."""

    k: PositiveInt
    """Documents that are asked for."""


class RecallTiers(Ranking):
    """A value for each range of recall@k; without a query it is the lowest."""

    type: Literal["recall_tiers"]
    k: PositiveInt = 3000
    """Documents that are asked for: 3,000 in training at the source."""
    tiers: Annotated[tuple[Tier, ...], AfterValidator(_falling), Field(min_length=1)] = (
        (0.7, 5.0),
        (0.5, 4.0),
        (0.4, 3.0),
        (0.3, 1.0),
        (0.1, 0.5),
        (0.05, 0.1),
    )
    """Pairs of a recall and the value from there on, highest first."""
    below: FiniteFloat = -3.5
    """Value below the last tier."""


class Recall(Ranking):
    """Share of the relevant documents among the first k."""

    type: Literal["recall"]
    k: PositiveInt = 10
    """Documents that are asked for."""
    unlabelled: Literal["refuse", "diversity"] = "refuse"
    """Rows with an empty ground truth: a fault of the data, or worth how little their documents repeat each other."""


class Ndcg(Ranking):
    """nDCG of the first k; the grades are those of the ground truth."""

    type: Literal["ndcg"]
    k: PositiveInt = 1000
    """Documents that are asked for in training."""
    k_held_out: PositiveInt | None = 10
    """The same for rows whose `extra_info.split` is not a training split. null: as in training."""
    training_splits: tuple[str, ...] = ("train", "")
    """Splits that are training; empty: no split is told."""


class EvidenceRank(Ranking):
    """A value for the rank of the first passage that holds an answer, as normalised text."""

    type: Literal["evidence_rank"]
    k: PositiveInt = 3000
    """Documents that are asked for; at least the last rank."""
    ranks: Annotated[tuple[Tier, ...], AfterValidator(_rising), Field(min_length=1)] = (
        (5, 5.0),
        (20, 4.0),
        (50, 2.0),
        (100, 1.0),
        (1000, 0.5),
        (3000, 0.1),
    )
    """Pairs of a rank and the value up to it, best first."""
    below: FiniteFloat = -3.5
    """Value of a later rank, or none."""

    @model_validator(mode="after")
    def _reached(self) -> Self:
        if self.k < self.ranks[-1][0]:
            raise ValueError(f"`k` is {self.k}: the rank {self.ranks[-1][0]:g} is never reached")
        return self


class Diversity(Ranking):
    """How little the first k documents repeat each other, without labels: 1 minus the mean overlap of their words."""

    type: Literal["diversity"]
    k: Annotated[int, Field(ge=2)] = 10
    """Documents that are asked for."""


class Credit(Part):
    """What a search agent's answer is worth by what is right about it."""

    right_and_valid: FiniteFloat = 1.0
    """The answer is right, and the turns are in form."""
    right: FiniteFloat = 0.8
    """The answer is right, the turns are not in form."""
    valid: FiniteFloat = 0.2
    """The turns are in form, the answer is wrong."""
    answered: FiniteFloat = 0.1
    """There is an answer; it is wrong, and the turns are not in form."""
    nothing: FiniteFloat = 0.0
    """There is no answer, and the turns are not in form."""


class ExactMatch(Weighted):
    """1 when the answer is one of the true ones: as normalised text, or as a number with its scale and unit."""

    type: Literal["exact_match"]
    tolerance: NonNegativeFloat = 1e-6
    """Difference of two numbers that still counts as equal, relative to the true one."""
    scale_needed: bool = True
    """Whether a number without its scale (percent, million, 亿) is wrong. A unit may be left out, and not be wrong."""
    credit: Credit | None = None
    """Values for turns in form and out of form. null: 1 and 0 for the answer alone."""


class Choice(Weighted):
    """1 when the letters are the true ones, in any order."""

    type: Literal["choice"]
    letters: Annotated[str, Field(pattern=r"^[A-Z]+$")] = "ABCDEFGHIJ"
    """Letters that name options."""
    some: FiniteFloat = 0.0
    """Value of some of several right letters and no wrong one."""


class F1(Weighted):
    """Overlap of the answer with the best of the true ones: F1 over words, and over single Chinese characters."""

    type: Literal["f1"]
    unit: Literal["auto", "character"] = "auto"
    """`auto`: words and numbers, Chinese by characters. `character`: every character."""


class Judge(Part):
    """A language model that grades, and how it is asked."""

    server: OpenAI
    """Who answers."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature; 0 takes the likeliest token."""
    max_tokens: PositiveInt = 16
    """Tokens of an answer at most."""
    thinking: bool | None = None
    """Sent as `enable_thinking` of the chat template. null: not sent, as most services want it."""
    lowest: FiniteFloat = 0.0
    """Lowest grade; becomes the value 0."""
    highest: FiniteFloat = 10.0
    """Highest grade; becomes the value 1."""
    concurrency: Annotated[PositiveInt, Neutral()] = 16
    """Requests of one process under way at most."""
    requests_per_minute: Annotated[PositiveInt | None, Neutral()] = None
    """The account's limit, of one process. null: none."""
    timeout_seconds: Annotated[PositiveFloat, Neutral()] = 30.0
    """How long one answer may take."""
    retries: Annotated[NonNegativeInt, Neutral()] = 6
    """Further tries after a failure that may pass, or an answer that is no grade."""
    give_up_seconds: Annotated[PositiveFloat, Neutral()] = 120.0
    """Bound over all tries and pauses of one question; after it the judge has failed."""
    cache: Annotated[Path | None, Neutral()] = None
    """File of grades by digest of the question, which runs and workers share. null: kept for the run only."""

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.highest <= self.lowest:
            raise ValueError(f"`highest` is {self.highest:g}, not above `lowest` {self.lowest:g}")
        return self


class Graded(Weighted):
    """What parts have in common that a judge grades."""

    judge: Judge
    """Who grades."""
    prompt: str
    """Folder of the question's template: a shipped one by name (recipes/reward/prompts), or a path of your own with
    user.txt and perhaps system.txt: $question, $truth, $answer, $thoughts, $response; a `$` is `$$`."""

    def prompt_folder(self) -> Path:
        """Where the template lies."""
        named = shipped.folder() / "reward" / "prompts" / self.prompt
        return named if named.is_dir() and "/" not in self.prompt else Path(self.prompt)


class SemanticMatch(Graded):
    """Whether the answer means the same as the true one; 0 without asking where there is no answer."""

    type: Literal["semantic_match"]
    prompt: str = "semantic_match_zh"
    """Folder of the question's template: a shipped one by name (recipes/reward/prompts), or a path of your own with
    user.txt and perhaps system.txt: $question, $truth, $answer, $thoughts, $response; a `$` is `$$`."""


class ProcessJudge(Graded):
    """How sound the reasoning is; 0 without asking where there is none."""

    type: Literal["process_judge"]
    prompt: str = "process_judge_zh"
    """Folder of the question's template: a shipped one by name (recipes/reward/prompts), or a path of your own with
    user.txt and perhaps system.txt: $question, $truth, $answer, $thoughts, $response; a `$` is `$$`."""


class ToolUse(Weighted):
    """Whether tools were called when needed, rightly, without repeats, and to some use; the shares are added up."""

    type: Literal["tool_use"]
    tools: dict[str, tuple[str, ...]] = Field(default={"search": ("query",)}, min_length=1)
    """Tools that there are, each with the arguments that it needs."""
    needed: Literal["always", "marked"] = "always"
    """Whether every question needs a tool, or those whose `extra_info.needs_tool` is true."""
    called: NonNegativeFloat = 0.4
    """Share for calling a tool exactly where one is needed."""
    valid: NonNegativeFloat = 0.3
    """Share, times the part of the calls that name a tool there is and give what it needs."""
    new: NonNegativeFloat = 0.3
    """Share, times the part of the calls that say something not said in a call before."""
    gain: NonNegativeFloat = 0.0
    """Share, times how much better the answer is than `extra_info.without_tool`, an answer made without tools."""
    gain_by: Literal["exact_match", "choice", "f1"] = "exact_match"
    """What `gain` compares the answers by."""


class SqlExecution(Weighted):
    """Whether the query gives the rows of the true one, on a SQLite database that nothing can change."""

    type: Literal["sql_execution"]
    databases: Annotated[Path, AfterValidator(shipped.found)]
    """Folder of the databases: `<db_id>/<db_id>.sqlite` or `<db_id>.sqlite`; or the one file for all rows."""
    match: FiniteFloat = 1.0
    """Value of the same rows; their order counts where the true query sorts them."""
    other_rows: FiniteFloat = 0.0
    """Value of a query that runs and gives other rows."""
    error: FiniteFloat = 0.0
    """Value of a query that does not run, takes too long, or would change something."""
    timeout_seconds: PositiveFloat = 5.0
    """How long a query may take."""
    max_rows: PositiveInt = 10_000
    """Rows that are compared; a query with more has other rows."""


class Length(Weighted):
    """0 inside the bounds, `penalty` beyond them, in a straight line through `buffer`."""

    type: Literal["length"]
    of: Literal["response", "thoughts", "query"] = "response"
    """What is counted."""
    unit: Literal["words", "characters"] = "words"
    """`words`: words and numbers, Chinese by characters."""
    least: NonNegativeInt = 0
    """Shorter ones have the whole penalty."""
    most: PositiveInt = 512
    """Longer ones have the penalty."""
    buffer: NonNegativeInt = 0
    """Units before `most` through which the penalty grows from 0. 0: it comes at once."""
    penalty: FiniteFloat = -1.0
    """Value beyond the bounds."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.least + self.buffer > self.most:
            raise ValueError("`most` must be at least `least` and `buffer` together")
        return self


class Python(Weighted):
    """A number from a function of your own, called for each sample."""

    type: Literal["python"]
    file: Annotated[Path, SourceFiles()]
    """Your file. It may import what the trainer's interpreter has."""
    function: str = "compute_reward"
    """Function of it, or method of a class: `MyReward.compute_reward`, the class made once with `config`."""
    signature: Literal["rewriting", "verl"] = "rewriting"
    """`rewriting`: (original_query, rewritten_query, ground_truth_docs: list of ids, or None where nothing is judged).
    `verl`: (data_source, solution_str, ground_truth, extra_info), a number or a dict with `score`."""
    config: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    """Handed to the class as its one argument."""


AnyPart = Annotated[
    Format
    | FormatPieces
    | RecallTiers
    | Recall
    | Ndcg
    | EvidenceRank
    | Diversity
    | ExactMatch
    | Choice
    | F1
    | SemanticMatch
    | ProcessJudge
    | ToolUse
    | SqlExecution
    | Length
    | Python,
    Field(discriminator="type"),
]
