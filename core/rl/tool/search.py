"""A search as a tool: queries in, passages out as text. The same for TRL and for verl, in whose processes it runs.

A call that cannot be read is the model's fault, and it is told so. A search service that fails is nobody's: it raises,
stays in `failure`, and is told by `core.reward.door.tell`, since trainers make an answer of any exception of a tool.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import DrError
from core.reward import door
from core.reward.services.retriever import Hit, Retriever

ARGUMENT = "query_list"
"""What the tool is given."""
ABOUT_ARGUMENT = "Fully formed queries; passages are found for each of them."

NOTHING = "No passage was found."


class BadCall(ValueError):
    """The model called the tool wrongly; the message is what it is told."""


class Search:
    """The tool of one run; threads may share it."""

    def __init__(
        self, tool: Mapping[str, Any], retriever: Mapping[str, Any], cut: Callable[[str], str] = lambda text: text
    ) -> None:
        """`tool` is the recipe's `tool`, `retriever` that of the reward's JSON; `cut` shortens an answer."""
        self._tool, self._cut = tool, cut
        self._retriever = Retriever(retriever)
        self.failure: DrError | None = None
        """Why the search service gave no answer; whoever runs the trainer has to look."""

    @classmethod
    def load(
        cls, reward: Path | str, tool: Mapping[str, Any], cut: Callable[[str], str] = lambda text: text
    ) -> "Search":
        """A tool that asks the retriever of a reward's JSON file."""
        return cls(tool, json.loads(Path(reward).read_text(encoding="utf-8"))["retriever"], cut)

    def ask(self, query_list: Any) -> str:
        """The passages for each query.

        Raises:
            BadCall: there is no query, or it is no text.
            DrError: the search service failed.
        """
        queries = _queries(query_list)
        asked = queries[: self._tool["max_queries"]]
        try:
            found = self._retriever.search(asked, self._tool["top_k"], texts=True)
        except DrError as error:
            self.failure = self.failure or error
            door.tell(error)
            raise
        text = answer(asked, found)
        if left_out := len(queries) - len(asked):
            text += f"\n\n{left_out} more queries were left out: a call takes {len(asked)}."
        return self._cut(text)

    def close(self) -> None:
        """Close connections."""
        self._retriever.client.close()


def cut_at(tokenizer: Any, most: int) -> Callable[[str], str]:
    """What shortens a text to `most` tokens, and says so."""

    def shortened(text: str) -> str:
        ids = tokenizer.encode(text, add_special_tokens=False)
        return text if len(ids) <= most else f"{tokenizer.decode(ids[:most])}…"

    return shortened


def schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool as chat templates are told of it."""
    queries = {"type": "array", "items": {"type": "string"}, "description": ABOUT_ARGUMENT}
    parameters = {"type": "object", "properties": {ARGUMENT: queries}, "required": [ARGUMENT]}
    function = {"name": tool["name"], "description": tool["description"], "parameters": parameters}
    return {"type": "function", "function": function}


def answer(queries: Sequence[str], found: Sequence[Sequence[Hit]]) -> str:
    """Passages as text: numbered, the title first; under its query where there are several."""
    blocks = [_passages(hits) for hits in found]
    if len(queries) == 1:
        return blocks[0]
    return "\n\n".join(f"Query: {query}\n{block}" for query, block in zip(queries, blocks, strict=True))


def _passages(hits: Sequence[Hit]) -> str:
    return "\n".join(_passage(number, hit.text) for number, hit in enumerate(hits, start=1)) or NOTHING


def _passage(number: int, contents: str) -> str:
    """The first line of a document's contents is its title, where there is more than one line."""
    title, _, text = contents.strip().partition("\n")
    return f"{number}. {title}\n{text}" if text else f"{number}. {title}"


def _queries(given: Any) -> list[str]:
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, list) or not all(isinstance(query, str) for query in given):
        raise BadCall(f"`{ARGUMENT}` has to be a list of texts")
    if not (queries := [query for query in given if query.strip()]):
        raise BadCall(f"`{ARGUMENT}` holds no query")
    return queries
