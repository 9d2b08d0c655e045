"""The search tool as TRL takes tools: a function whose name, types and docstring are what the model is told."""

from collections.abc import Callable, Mapping
from typing import Any

from core.rl.tool.search import ABOUT_ARGUMENT, ARGUMENT, Search


def function(tool: Mapping[str, Any], search: Search) -> Callable[..., str]:
    """A function that asks `search`, under the name and description of the recipe's `tool`."""

    def ask(query_list: list[str]) -> str:
        return search.ask(query_list)

    del ask.__annotations__["return"]  # the model is told of it otherwise, where verl tells nothing
    ask.__name__ = ask.__qualname__ = tool["name"]
    ask.__doc__ = f"{tool['description']}\n\nArgs:\n    {ARGUMENT}: {ABOUT_ARGUMENT}\n"
    return ask
