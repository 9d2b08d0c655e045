"""What a recipe of `dr data rows` says."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, field_validator, model_validator

from core import shipped
from core.llm.rewriting.spec import Template, prompts_at
from core.recipe import CORPUS, ArtifactRecipe, From, Part, SourceFiles

Target = Literal["sft", "rl"]


_RENAMED = {"rewrite_finance_zh": "finance", "rewrite_medicine_en": "medicine", "rewrite_en": "general"}


def _by_its_new_name(name: str) -> str:
    if name in _RENAMED:
        raise ValueError(f"this prompt template is called `{_RENAMED[name]}` (recipes/rewrite/prompts)")
    return name


Rewriting = Annotated[Template, BeforeValidator(_by_its_new_name)]


class _Dealt(Part):
    """Rows without splits of their own; they are dealt out to train, test and dev by the recipe's seed."""

    train_ratio: float = Field(0.95, gt=0, lt=1)
    """Share of the rows for training. Rows of the same question or context are on one side, so it is approximate."""
    dev_ratio: float = Field(0.0, ge=0, lt=1)
    """Share for choosing settings; 0 makes no such split. What is left is the test split."""
    max_samples: PositiveInt | None = None
    """Rows taken, drawn by seed after duplicates are gone. null: all."""

    @model_validator(mode="after")
    def _whole(self) -> "_Dealt":
        if self.train_ratio + self.dev_ratio >= 1 - 1e-9:
            raise ValueError("`train_ratio` and `dev_ratio` leave nothing for the test split")
        return self

    def shares(self) -> dict[str, float]:
        """Share of each split."""
        shares = {"train": self.train_ratio, "dev": self.dev_ratio, "test": 1 - self.train_ratio - self.dev_ratio}
        return {name: share for name, share in shares.items() if share}


class _Located(Part):
    path: Annotated[Path, SourceFiles(), AfterValidator(shipped.found)]
    """A file of JSON lines, of one JSON array, Parquet or CSV; or a folder of which every *.jsonl is read, by name
    (or else every *.parquet, *.json, *.csv)."""


class _Files(_Dealt, _Located):
    """Rows in files of the user's."""


class Conversations(_Files):
    """Conversations: `messages` of role and content, `conversations` of from and value, Alpaca's columns, or
    `question` and `answer`; see `core.formats.messages`."""

    type: Literal["conversations"]
    truth: str | None = None
    """Regular expression with one group that finds the ground truth in the last answer, its last match counts; such as
    `<answer>\\s*([A-Z]+)\\s*</answer>`. Conversations without a match give no RL row. null: none does."""

    @field_validator("truth")
    @classmethod
    def _one_group(cls, truth: str | None) -> str | None:
        try:
            groups = re.compile(truth).groups if truth is not None else 1
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if groups != 1:
            raise ValueError(f"it has {groups} groups, one is needed: the ground truth")
        return truth


class Questions(_Files):
    """Questions whose answer a program can check."""

    on_conflict: Literal["drop", "keep"] = "drop"
    """Questions that come twice with different answers: none of them is taken, or all are. Counted either way."""


class Choice(Questions):
    """Multiple choice: `question`; `choices` or `options` as a list or an object, or columns A, B, C, …; `answer` as
    letter, several letters, index or the option's text; perhaps `explanation` (or `analysis`) and `context`."""

    type: Literal["choice"]
    prompts: str = "choice_zh"
    """Folder of prompt templates: a shipped one by name (recipes/data/prompts), or a path of your own with user.txt and
    perhaps system.txt."""
    first_index: Literal[0, 1] = 0
    """What an answer that is an index counts from."""
    boxed: bool = False
    """Whether SFT answers hold the letter in \\boxed{}, which the reward's `format_pieces` looks for."""


class Numeric(Questions):
    """Questions whose answer is a number: `question`, `answer`; perhaps `scale`, `unit`, `context`, `paragraphs`,
    `table` (rows of cells) and `explanation` (or `solution`). Rows whose answer is no single number are left out."""

    type: Literal["numeric"]
    prompts: str = "numeric_en"
    """Folder of prompt templates: a shipped one by name (recipes/data/prompts), or a path of your own with user.txt and
    perhaps system.txt."""


class Answers(Questions):
    """Questions with answers in words: `question`; `golden_answers`, `answers` or `answer`, a text or a list of which
    each is right; perhaps `context` and `explanation`."""

    type: Literal["answers"]
    prompts: str = "search_en"
    """Folder of prompt templates: a shipped one by name (recipes/data/prompts), or a path of your own with user.txt and
    perhaps system.txt."""


class Evidence(Questions):
    """The same questions for a model that rewrites them: the rank of the first passage with an answer tells how good
    that was."""

    type: Literal["evidence"]
    prompts: Rewriting = "general"
    """Prompt template of `dr rewrite`: finance, medicine, literature, general (recipes/rewrite/prompts), or the path of
    your own with user.txt and perhaps system.txt."""


class Sql(Questions):
    """Questions on databases: `question`, `sql` (or `query`), `db_id`; perhaps `schema`, `evidence`, `explanation`."""

    type: Literal["sql"]
    databases: Annotated[Path, AfterValidator(shipped.found)] | None = None
    """SQLite databases that tables are read from: a folder with `<db_id>/<db_id>.sqlite` or `<db_id>.sqlite`, or one
    file for all rows. null: each row has its `schema`."""
    prompts: str = "sql_en"
    """Folder of prompt templates: a shipped one by name (recipes/data/prompts), or a path of your own with user.txt and
    perhaps system.txt."""


class Retrieval(Part):
    """Judged queries of a corpus: the model rewrites the query, and search with it tells how good that was."""

    type: Literal["retrieval"]
    data: Annotated[Path, CORPUS]
    """Artifact with queries and judgements; its splits stay."""
    splits: tuple[str, ...] | None = None
    """Splits taken. null: all."""
    prompts: Rewriting = "general"
    """Prompt template of `dr rewrite`: finance, medicine, literature, general (recipes/rewrite/prompts), or the path of
    your own with user.txt and perhaps system.txt."""
    max_samples: PositiveInt | None = None
    """Queries taken, drawn by seed. null: all."""


class Written(Part):
    """Rewrites that somebody wrote down."""

    type: Literal["file"]
    path: Annotated[Path, SourceFiles(), AfterValidator(shipped.found)]
    """`query`, and either `response` (a whole answer, out of which the query is read) or `rewritten` and perhaps
    `thoughts`; JSON lines, a JSON array, Parquet or CSV, or a folder of such files."""


class Taught(Part):
    """What a larger model rewrote."""

    type: Literal["rewrite"]
    rewrites: Annotated[Path, From("rewrite")]
    """Artifact of `dr rewrite`, of training queries only; answers of which nothing could be used are left out."""


class Earned(Part):
    """The answers of a model itself that earned most."""

    type: Literal["probe"]
    probe: Annotated[Path, From("probe")]
    """Artifact of `dr rl probe`."""
    min_score: float | None = None
    """Reward from which on an answer is taken. null: any."""
    best: PositiveInt | None = 1
    """Answers of each query, those that earned most; of equal ones the first. null: all."""


class Rewrites(_Dealt):
    """Queries with good rewrites, to imitate: fine-tuning before reinforcement learning. The answers are written in the
    form that the reward asks for, whatever form they had."""

    type: Literal["rewrites"]
    of: Annotated[Written | Taught | Earned, Field(discriminator="type")]
    """Where they come from."""
    prompts: Rewriting = "general"
    """Prompt template of `dr rewrite`: finance, medicine, literature, general (recipes/rewrite/prompts), or the path of
    your own with user.txt and perhaps system.txt. Rows for RL must have the same."""


class Agent(Part):
    """RL rows for an agent loop that calls tools."""

    name: str = "tool_agent"
    """Name of verl's agent loop, for the column `agent_name`."""
    tools: tuple[str, ...] = ("search",)
    """Tools that the loop makes anew for each row, told its question and ground truth. Empty: none needs that."""


Source = Annotated[
    Conversations | Choice | Numeric | Answers | Evidence | Sql | Retrieval | Rewrites, Field(discriminator="type")
]


class Recipe(ArtifactRecipe):
    """Rows for supervised fine-tuning (SFT) and reinforcement learning (RL), as verl reads them."""

    stage: Literal["rows"]
    source: Source
    """Where questions and answers come from."""
    targets: tuple[Target, ...] = Field(min_length=1)
    """What is made: `sft`, `rl` or both, from the same split."""
    columns: Literal["messages", "question_answer"] = "messages"
    """Columns of SFT rows. `question_answer` is for older versions of verl: one turn, a system message before it."""
    data_source: str | None = None
    """What RL rows have in the column of that name: rewards and figures tell sets apart by it. null: the `type`."""
    agent: Agent | None = None
    """Tool calls in RL rows. null: one turn without tools."""
    tokenizer: str | None = None
    """Folder of a tokenizer, or its name on the hub, by which lengths are told. null: they are in characters."""
    max_length: PositiveInt = 2048
    """Tokens (without a tokenizer: characters) of a whole SFT row, and of the prompt of an RL row."""
    truncation: Literal["right", "drop", "error"] = "right"
    """Rows that are longer. `right`: they stay, are counted, and the trainer cuts their end. `drop`: they are left out
    and counted. `error`: the first one ends the run."""
    on_bad_row: Literal["fail", "reject"] = "fail"
    """`fail`: the first five are shown and nothing is made. `reject`: they go to rejected.jsonl and are counted."""

    @model_validator(mode="after")
    def _targets_the_source_can_give(self) -> "Recipe":
        if isinstance(self.source, Retrieval | Evidence) and "sft" in self.targets:
            raise ValueError("queries to be rewritten hold no rewrite to imitate: `targets` can only be [rl]")
        if isinstance(self.source, Rewrites) and "rl" in self.targets:
            raise ValueError("rewrites hold no ground truth: `targets` can only be [sft]; judged queries give RL rows")
        if isinstance(self.source, Conversations) and "rl" in self.targets and self.source.truth is None:
            raise ValueError(
                "RL rows of conversations need `source.truth`: where the ground truth stands in the answer"
            )
        if len(set(self.targets)) < len(self.targets):
            raise ValueError("a target is named twice")
        return self

    def prompts_folder(self) -> Path | None:
        """Where the prompt templates lie; None for conversations, which bring their own words."""
        if isinstance(self.source, Conversations):
            return None
        if isinstance(self.source, Evidence | Retrieval | Rewrites):
            return prompts_at(self.source.prompts)
        named = shipped.folder() / "data" / "prompts" / self.source.prompts
        return named if named.is_dir() and "/" not in self.source.prompts else shipped.found(Path(self.source.prompts))

    def source_files(self) -> dict[str, Path]:
        """The user's files; prompt templates and a tokenizer's folder count as such, for both may be edited."""
        files = super().source_files()
        if folder := self.prompts_folder():
            files["source.prompts"] = folder
        if self.tokenizer and Path(self.tokenizer).is_dir():
            files["tokenizer"] = Path(self.tokenizer)
        return files
