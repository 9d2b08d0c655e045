"""The search as verl's tool: `actor_rollout_ref.rollout.multi_turn.function_tool_path` names this file.

It runs in verl's interpreter. `DR_SEARCH_TOOL` is the path of a JSON: `tool` as in the recipe, `reward`, the path of
the reward's JSON whose retriever is asked, and `tokenizer`, the folder of the model's.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from verl.tools.function_tool import function_tool
from verl.tools.schemas import OpenAIFunctionToolSchema

from core.errors import DrError
from core.rl.tool.search import BadCall, Search, cut_at, schema

TOOL = "DR_SEARCH_TOOL"
"""Environment variable with the path of the JSON."""


class SearchFailed(BaseException):
    """The search service gave no answer. No `Exception`: of those verl makes an answer that the model is told."""


class Schema(OpenAIFunctionToolSchema):  # type: ignore[misc]
    """The tool as the chat template is told of it, whole: verl's own leaves out what its arrays hold."""

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The schema that TRL renders too."""
        return schema(_given()["tool"])


@cache
def _given() -> dict[str, Any]:
    given: dict[str, Any] = json.loads(Path(os.environ[TOOL]).read_text(encoding="utf-8"))
    return given


@cache
def _search() -> Search:
    given = _given()
    cut = cut_at(AutoTokenizer.from_pretrained(given["tokenizer"]), given["tool"]["max_result_tokens"])
    return Search.load(given["reward"], given["tool"], cut)


@function_tool(_given()["tool"]["name"], schema=Schema.model_validate(schema(_given()["tool"])))  # type: ignore[untyped-decorator]
def search(query_list: Any = None, **_: Any) -> str:
    """The passages for each query, or what is wrong with the call.

    Raises:
        SearchFailed: the search service failed; it is told to whoever started the trainer.
    """
    try:
        return _search().ask(query_list)
    except BadCall as fault:
        return str(fault)
    except DrError as error:
        raise SearchFailed(error.what) from error
