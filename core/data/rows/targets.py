"""What an item becomes: a row to imitate (SFT), or a question with something to check an answer by (RL)."""

from typing import Any, Protocol

import pyarrow as pa

from core.data.rows.item import Item
from core.data.rows.recipe import Recipe
from core.formats import verl
from core.formats.messages import SYSTEM, Message, as_dicts

ABILITIES = {
    "conversations": "question_answering",
    "choice": "multiple_choice",
    "numeric": "numeric_qa",
    "answers": "question_answering",
    "evidence": "query_rewriting",
    "sql": "text_to_sql",
    "retrieval": "query_rewriting",
    "rewrites": "query_rewriting",
}
"""Type of source -> `ability` of RL rows."""


class Target(Protocol):
    """One kind of rows, in a folder of its name."""

    name: str
    answered: bool
    """Whether its conversations end in an answer."""
    schema: pa.Schema

    def lacks(self, item: Item) -> str | None:
        """Why an item gives no row; None when it gives one."""
        ...

    def conversation(self, item: Item) -> tuple[Message, ...]:
        """The messages that a trainer will make tokens of."""
        ...

    def row(self, item: Item, split: str, index: int) -> dict[str, Any]:
        """The row; `index` counts the rows of its file from 0."""
        ...


class Sft:
    """Rows to imitate."""

    name = "sft"
    answered = True

    def __init__(self, recipe: Recipe) -> None:
        self._pairs = recipe.columns == "question_answer"
        self.schema = verl.sft_schema("question_answer" if self._pairs else "sft")

    def lacks(self, item: Item) -> str | None:
        if not item.answer:
            return "without_answer"
        turns = [message for message in item.prompt if message.role != SYSTEM]
        return "several_turns" if self._pairs and len(turns) > 1 else None

    def conversation(self, item: Item) -> tuple[Message, ...]:
        return item.messages

    def row(self, item: Item, split: str, index: int) -> dict[str, Any]:  # noqa: ARG002 - the protocol's signature
        if self._pairs:
            return {"question": "\n\n".join(content for _, content in item.prompt), "answer": item.answer}
        return {"messages": as_dicts(item.messages)}


class Rl:
    """Questions with a ground truth, in verl's columns."""

    name = "rl"
    answered = False

    def __init__(self, recipe: Recipe) -> None:
        self._agent = recipe.agent
        self._data_source = recipe.data_source or recipe.source.type
        self._ability = ABILITIES[recipe.source.type]
        self._tools = recipe.agent.tools if recipe.agent else ()
        self.schema = verl.rl_schema(agent=recipe.agent is not None, tools=self._tools)

    def lacks(self, item: Item) -> str | None:
        return None if item.truth else "without_ground_truth"

    def conversation(self, item: Item) -> tuple[Message, ...]:
        return item.prompt

    def row(self, item: Item, split: str, index: int) -> dict[str, Any]:
        return verl.rl_row(
            item.prompt,
            data_source=self._data_source,
            ability=self._ability,
            ground_truth=item.truth,
            split=split,
            index=index,
            question=item.question,
            agent=self._agent.name if self._agent else None,
            tools=self._tools,
        )


def of(recipe: Recipe) -> list[Target]:
    """The targets that a recipe asks for."""
    kinds: dict[str, type[Sft] | type[Rl]] = {"sft": Sft, "rl": Rl}
    return [kinds[name](recipe) for name in recipe.targets]
