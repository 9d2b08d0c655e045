"""Two questions to a language model for each query: who would ask what (stage 1), and in which words (stage 2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from core.distill import answers, prompts
from core.distill.answers import Unusable
from core.distill.draft import Draft
from core.distill.recipe import DIFFICULTIES, QUESTION_TYPES, TwoStage
from core.distill.tried import Tried
from core.llm.chat import Answer, Message, Request
from core.llm.client import Client
from core.llm.errors import Unanswered
from core.types import Document

T = TypeVar("T")
Step: TypeAlias = Literal["choose", "write"]

SHOWN_CHARACTERS = 400
"""Of an unusable answer, when the model is told what was wrong with it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A query that was asked for and not got."""

    document_id: str
    number: int
    step: Step
    reason: str
    detail: str
    attempts: int
    """Answers that were asked for at this step, those of earlier runs included."""


Outcome: TypeAlias = Draft | Failure


@dataclass(frozen=True, slots=True)
class Task:
    """The queries of one document."""

    document: Document
    characters: Sequence[str]
    """Who may ask. Empty: nobody in particular."""
    question_types: Sequence[str | None]
    """For each query the type it must have; None: the model chooses."""
    difficulties: Sequence[str | None]
    """For each query the difficulty it must have; None: the model chooses."""


@dataclass(frozen=True)
class TwoStageTeacher:
    """A language model as a teacher."""

    spec: TwoStage
    client: Client
    prompts: prompts.Prompts
    tried: Tried
    """What failed in earlier runs."""

    async def write(self, task: Task) -> list[Outcome]:
        """One outcome a query, in order. Each query is told of those asked before, so that it takes another angle."""
        outcomes: dict[int, Outcome] = {}
        for number in self.tried.order(task.document.id, len(task.question_types)):
            known = [outcome.query for outcome in outcomes.values() if isinstance(outcome, Draft)]
            outcomes[number] = await self._one(task, number, known)
        return [outcomes[number] for number in sorted(outcomes)]

    async def _one(self, task: Task, number: int, known: Sequence[str]) -> Outcome:
        step: Step = "choose"
        try:
            character, question_type, difficulty = await self._choose(task, number, known)
            step = "write"
            query = await self._write(task, number, (character, question_type, difficulty), known)
        except Unanswered as error:
            return Failure(task.document.id, number, step, error.reason, error.what, self._first(task, number, step))
        except _GivenUp as error:
            return Failure(task.document.id, number, step, "unusable answer", str(error), error.attempts)
        return Draft(task.document.id, number, query, character, question_type, difficulty)

    async def _choose(self, task: Task, number: int, known: Sequence[str]) -> tuple[str, str, str]:
        """Character, question type and difficulty; asks nobody when all of them are settled."""
        wanted, level = task.question_types[number - 1], task.difficulties[number - 1]
        types = [wanted] if wanted else list(QUESTION_TYPES)
        levels = [level] if level else list(DIFFICULTIES)
        if not task.characters and wanted and level:
            return "", wanted, level
        schema = _choice_schema(task.characters, types, levels)
        words = self.prompts.words
        prompt = self.prompts.render(
            "choose",
            characters=self.prompts.candidates(task.characters),
            choose_character=words["choose_character" if task.characters else "choose_nobody"],
            question_types=prompts.described(types, self.prompts.question_types),
            difficulties=prompts.described(levels, self.prompts.difficulties),
            previous=self.prompts.previous(known),
            passage=self._passage(task.document),
            keys=", ".join(schema["required"]),
        )

        def accept(text: str) -> tuple[str, str, str]:
            found = answers.fields(text)
            who = answers.character(found, task.characters) if task.characters else ""
            return who, answers.kind(found, "Question_Type", types), answers.kind(found, "Difficulty", levels)

        return await self._settle(prompt, schema, accept, self._first(task, number, "choose"))

    async def _write(self, task: Task, number: int, chosen: tuple[str, str, str], known: Sequence[str]) -> str:
        character, question_type, difficulty = chosen
        prompt = self.prompts.render(
            "write",
            character=self.prompts.asking(character),
            question_type=question_type,
            question_type_description=self.prompts.question_types[question_type],
            difficulty=difficulty,
            difficulty_description=self.prompts.difficulties[difficulty],
            previous=self.prompts.previous(known),
            passage=self._passage(task.document),
        )

        def accept(text: str) -> str:
            if (query := answers.query(text)) in known:
                raise Unusable(f"the query exists already: {query}")
            return query

        return await self._settle(prompt, _QUERY_SCHEMA, accept, self._first(task, number, "write"))

    async def _settle(self, prompt: str, schema: Mapping[str, Any], accept: Callable[[str], T], first: int) -> T:
        """Ask until an answer can be used; each time the prompt says what was wrong with the last one.

        Raises:
            Unanswered: the server will not answer this.
            _GivenUp: no answer could be used.
        """
        asked = (Message("system", self.prompts.render("system")), Message("user", prompt))
        wrong: tuple[Message, ...] = ()
        problem = ""
        for attempt in range(first, first + self.spec.attempts):
            answer = await self.client.ask(Request(asked + wrong, schema, attempt))
            try:
                return accept(_whole(answer))
            except Unusable as error:
                problem = str(error)
            said = Message("assistant", answer.text[:SHOWN_CHARACTERS] or "…")
            wrong = (said, Message("user", self.prompts.render("again", problem=problem)))
        raise _GivenUp(problem, first + self.spec.attempts)

    def _first(self, task: Task, number: int, step: Step) -> int:
        """The first attempt at a step; each query has its own, for after failures alone its prompts are the same."""
        return self.tried.attempts(task.document.id, number, step) or (number - 1) * self.spec.attempts

    def _passage(self, document: Document) -> str:
        return document.contents[: self.spec.max_document_characters]


def _whole(answer: Answer) -> str:
    """The text of an answer. Raises Unusable when `max_tokens` cut it off: half a query looks like a query."""
    if answer.finish_reason == "length":
        raise Unusable("it is too long and was cut off")
    return answer.text


class _GivenUp(Exception):
    def __init__(self, problem: str, attempts: int) -> None:
        super().__init__(problem)
        self.attempts = attempts


_QUERY_SCHEMA = {
    "type": "object",
    "properties": {"Generated_Query": {"type": "string"}},
    "required": ["Generated_Query"],
    "additionalProperties": False,
}


def _choice_schema(characters: Sequence[str], types: Sequence[str], levels: Sequence[str]) -> dict[str, Any]:
    names = {"Characters": characters, "Question_Type": types, "Difficulty": levels}
    properties = {name: {"type": "string", "enum": list(choices)} for name, choices in names.items() if choices}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
