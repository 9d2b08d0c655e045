"""What a recipe of `dr distill run` says."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from core import shipped
from core.llm.spec import Llm
from core.recipe import CORPUS, ArtifactRecipe, From, Part
from core.retrieval.spec import Bm25
from core.text.spec import Analysis, Chinese

QuestionType = Literal["keywords", "acquire_knowledge", "summary", "yes_or_no", "background"]
Difficulty = Literal["high_school", "university", "phd"]

QUESTION_TYPES: tuple[QuestionType, ...] = ("keywords", "acquire_knowledge", "summary", "yes_or_no", "background")
DIFFICULTIES: tuple[Difficulty, ...] = ("high_school", "university", "phd")


def folder_of(prompts: str) -> Path:
    """Where the templates of this name lie: shipped ones, else a folder of the user's own."""
    home = shipped.folder() / "distill" / "prompts" / prompts
    return home if re.fullmatch(r"\w+", prompts) and home.is_dir() else Path(prompts)


class Personas(Part):
    """Who might ask: for each document the nearest of a library are found, and the model picks one."""

    index: Annotated[Path, From("personas")]
    """Artifact of `dr distill personas`."""
    top_k: PositiveInt = 5
    """Personas shown to the model for a document."""
    document_characters: PositiveInt = 256
    """Characters of the document that are searched with."""


class Balance(Part):
    """Shares that are steered to; without it the model chooses freely, and some kinds hardly occur."""

    question_types: dict[QuestionType, NonNegativeFloat] = Field(default_factory=dict)
    """Weight of each question type; one that is missing has 0. Empty: the model chooses."""
    difficulties: dict[Difficulty, NonNegativeFloat] = Field(default_factory=dict)
    """Weight of each difficulty; one that is missing has 0. Empty: the model chooses."""

    @model_validator(mode="after")
    def _some_weight(self) -> "Balance":
        for name in ("question_types", "difficulties"):
            if (weights := getattr(self, name)) and not any(weights.values()):
                raise ValueError(f"all weights of `{name}` are 0: leave it out to let the model choose")
        return self


class TwoStage(Part):
    """A language model chooses persona, question type and difficulty (stage 1), then writes the query (stage 2)."""

    type: Literal["two_stage"]
    llm: Llm
    """The model that is asked."""
    prompts: str = "finance_zh"
    """Prompt templates: a shipped set by name (finance_zh, medicine_en), or a folder of your own with such files."""
    personas: Personas | None = None
    """Who asks. null: the model invents no one, and the prompt says nothing of a persona."""
    balance: Balance = Balance()
    """How question types and difficulties are spread."""
    max_document_characters: PositiveInt = 4000
    """Characters of the document that the prompt shows."""
    attempts: PositiveInt = 3
    """Times a query is asked for when the answer cannot be used; each time the prompt says what was wrong."""


class Extractive(Part):
    """No language model: titles, key phrases and sentences of the document serve as queries.

    Sentences and crops follow the inverse cloze task (Lee et al. 2019, arXiv:1906.00300) and Contriever (Izacard et
    al. 2022, arXiv:2112.09118). Their `question_type` is title, phrase or sentence; persona and difficulty stay empty.
    """

    type: Literal["extractive"] = "extractive"
    titles: NonNegativeFloat = 1.0
    """Weight of the title as a query; documents without one leave their share to the others."""
    phrases: NonNegativeFloat = 1.0
    """Weight of key phrases: words of high tf-idf that stand together."""
    sentences: NonNegativeFloat = 1.0
    """Weight of a sentence of the text, or a span of one that is long."""
    analyzer: Analysis = Chinese()
    """How text becomes the words of key phrases; Chinese text with Latin words in it by default."""

    @model_validator(mode="after")
    def _every_document_gives_something(self) -> "Extractive":
        if self.phrases == 0 and self.sentences == 0:
            raise ValueError("`phrases` and `sentences` are both 0: a document without a title would have no query")
        return self


Teacher = Annotated[TwoStage | Extractive, Field(discriminator="type")]


class Gates(Part):
    """What a query must be to be kept; the others go to rejected.jsonl with their reason."""

    round_trip_k: PositiveInt | None = 20
    """The query must find its own document, or one of the same text, among this many hits. null: not asked."""
    index: Annotated[Path | None, From("index")] = None
    """Artifact of `dr index build` over the same documents that the round trip asks. null: a BM25 made for it."""
    bm25: Bm25 = Bm25()
    """The BM25 of the round trip where no `index` is named."""
    max_copied: Annotated[float, Field(gt=0, le=1)] | None = None
    """Longest span of the query that its document has too, as a share of the query's letters and digits. null: not
    asked."""
    min_characters: PositiveInt = 2
    """Characters of a query at least."""
    max_characters: PositiveInt = 300
    """Characters of a query at most."""
    language: Literal["zh", "en"] | None = None
    """Writing that queries must be in: Chinese or Latin. null: that of their document, where it can be told."""
    duplicates: bool = True
    """Whether a query that has been kept already, but for case and punctuation, is dropped; its first one stays."""
    refusals: bool = True
    """Whether excuses of a model ("as an AI …") are dropped."""


class Recipe(ArtifactRecipe):
    """Write queries for the documents of a corpus."""

    resumes = True
    stage: Literal["distill"]
    data: Annotated[Path, CORPUS]
    """Corpus: an artifact of `dr data`, `dr data mix` or `dr distill`."""
    teacher: Teacher
    """Who writes."""
    per_document: PositiveInt = 1
    """Queries asked of the teacher for each document."""
    limit: PositiveInt | None = None
    """Documents taken, drawn by `seed`. null: all."""
    dev: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the documents whose queries are judged in split `dev`; the others are in `train`."""
    gates: Gates = Gates()
    """What a query must be to be kept."""

    def source_files(self) -> dict[str, Path]:
        """The user's files; the prompts count as one, shipped ones too, for they change from version to version."""
        files = super().source_files()
        return (
            files | {"teacher.prompts": folder_of(self.teacher.prompts)}
            if isinstance(self.teacher, TwoStage)
            else files
        )
