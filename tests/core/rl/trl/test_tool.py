"""Trainings in which the model calls the search."""

import shutil

import pytest

from core.errors import ContractError, Missing
from core.rl.recipe import SearchTool
from core.rl.tool.search import cut_at, schema
from core.rl.trl import searcher
from core.tracking.record import read, series

# TRL asks transformers by a name that it gives up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

TOOL_USE = {"type": "tool_use", "tools": {"search": ["query_list"]}}


def run(begun, calling, services, **changed):
    reward = {"parts": [TOOL_USE], "retriever": services.retriever}
    generation = {"temperature": 1, "top_p": 1, "max_prompt_length": 400, "max_new_tokens": 96}
    said = {"tool": {}, "steps": 2, "log_every": 1, "checkpoints": {"save_every": 2}, "generation": generation}
    return begun(calling, reward, **(said | changed))


def test_the_model_calls_the_search_and_reads_what_it_finds(calling, begun, services):
    training = run(begun, calling, services)
    training.train()
    turns = [row["messages"] for row in training.rollouts() if "messages" in row]
    assert len(turns) > 8
    roles = [[turn["role"] for turn in row] for row in turns]
    assert roles.count(["assistant", "tool", "assistant"]) > 8
    first = next(row for row in turns if len(row) == 3)
    (query,) = first[0]["tool_calls"][0]["function"]["arguments"]["query_list"]
    assert first[1]["content"] == f"1. text of {query}"
    whole = next(row for row in training.rollouts() if row.get("messages") == first)["response"]
    assert f"<tool_response>\n1. text of {query}\n</tool_response>" in whole  # as verl decodes it, too
    values = series(read(training.folder / "logs/metrics.jsonl"))
    assert values["train/tool_calls"][1] > 0.5
    assert values["train/tool_use/calls"][1] >= values["train/tool_calls"][1]  # calls that cannot be read count there


def test_a_search_that_dies_under_the_tool_stops_the_run(calling, begun, own_services):
    training = run(begun, calling, own_services)
    own_services.kill()
    with pytest.raises(Missing, match="the retriever gave no usable answer"):
        training.train()
    assert training.rollouts() == []


def test_a_model_whose_template_shows_no_tools_is_refused(calling, begun, services, tmp_path):
    plain = shutil.copytree(calling, tmp_path / "plain")
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    (plain / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(ContractError, match="chat template does not render calls of tools"):
        run(begun, plain, services).train()


def test_trl_tells_the_model_what_we_tell_it():
    from transformers.utils import get_json_schema

    tool = SearchTool(name="find", description="Finds passages.").model_dump()
    assert get_json_schema(searcher.function(tool, search=None)) == schema(tool)


def test_what_a_call_gives_back_is_cut_at_so_many_tokens(calling):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(calling)
    cut = cut_at(tokenizer, 3)
    assert cut("d1 d2") == "d1 d2"
    assert cut("d1 d2 d3 d4") == tokenizer.decode(tokenizer("d1 d2 d3 d4").input_ids[:3]) + "…"
