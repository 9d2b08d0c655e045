"""What a recipe of `dr distill reasoning` says."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from core.distill.recipe import folder_of
from core.llm.spec import Llm
from core.recipe import ArtifactRecipe, SourceFiles


class Recipe(ArtifactRecipe):
    """Let a language model answer questions step by step; keep what can be trusted."""

    resumes = True
    stage: Literal["reasoning"]
    questions: Annotated[Path, SourceFiles()]
    """JSON lines: `question`; if you have them `id`, `context` (what the answer rests on) and `answer` (the true
    one, a number or a text, that the model's is held against)."""
    llm: Llm
    """The model that is asked; with `thinking: true` its own thoughts are kept, otherwise it writes them out."""
    prompts: str = "finance_zh"
    """Prompt templates: a shipped set by name (finance_zh, medicine_en), or a folder of your own with such files."""
    per_question: PositiveInt = 1
    """Worked answers wanted for a question; equal ones are kept once."""
    attempts: PositiveInt = 3
    """Times an answer is asked for while it cannot be used or misses the true one. Raised, with --force, it asks anew
    for what failed, and for nothing else."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.005
    """How far a number may be from the true one, as a share of it."""
    on_bad_row: Literal["fail", "reject"] = "fail"
    """`fail`: the first five bad questions are shown and nothing is asked. `reject`: they go to rejected.jsonl and are
    counted."""

    def source_files(self) -> dict[str, Path]:
        """The user's files; the prompts count as one."""
        return super().source_files() | {"prompts": folder_of(self.prompts)}
