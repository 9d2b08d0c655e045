"""One query, by a real server: what is used, what falls back, what is an error."""

import asyncio
import json

import pytest

from core.errors import Missing
from core.llm.client import open_client
from core.llm.journal import Journal
from core.llm.rewriting import template
from core.llm.rewriting.rewrite import rewrite

GOOD = {
    "whole": '<think>fish</think><answer>{"query": "better"}</answer>',
    "prefilled": 'fish</think>\n<answer>\n{"query": "better"}\n</answer>',
    "fenced": '<think>fish</think><answer>```json\n{"query": "better"}\n```</answer>',
    "bare": '{"query": "better"}',
    "last": '<answer>{"query": "first"}</answer><answer>{"query": "better"}</answer>',
    "special": '<answer>{"query": "better"}</answer><|im_end|>',
    "untidy": '<think>fish <answer>{"query": "better"}</answer>',
    "apart": {"message": {"content": '<answer>{"query": "better"}</answer>', "reasoning_content": "fish"}},
    "thought": {"message": {"content": None, "reasoning_content": 'so <answer>{"query": "better"}</answer>'}},
}
UNUSABLE = {
    "nothing": ("", "no answer"),
    "prose": ("I would not change it.", "no answer"),
    "letters": ("<answer>better</answer>", "no JSON"),
    "other": ('<answer>{"text": "better"}</answer>', "no query"),
    "blank": ('<answer>{"query": "  "}</answer>', "query is blank"),
    "null": ('<answer>{"query": null}</answer>', "query is no text"),
    "cut": ({"message": {"content": "<think>long, lo"}, "finish_reason": "length"}, "cut off"),
    "echo": ('<answer>{"query": "the rewritten query"}</answer>', "the prompt's own example"),
}
NO_ANSWER = {
    "content": {"message": {"role": "assistant", "content": None}},
    "number": {"message": {"role": "assistant", "content": 7}},
    "message": {"message": None},
}


@pytest.fixture
def rewritten(llm_server, tmp_path):
    """`rewritten(query, script)`: what becomes of it, by a server with these options."""

    def ask(query, script=None, *options, prompts="general"):
        (tmp_path / "script.json").write_text(json.dumps(script or {}))
        server = llm_server("--script", tmp_path / "script.json", *options)

        async def one():
            with Journal(tmp_path / f"answers-{query}") as journal:
                async with open_client(server.llm(retries=0), journal) as client:
                    return await rewrite(template.load(prompts), client, query)

        return asyncio.run(one()), server.tries()

    return ask


@pytest.mark.parametrize("name", GOOD)
def test_an_answer_is_used_in_all_the_forms_that_models_give_it(rewritten, name):
    done, _ = rewritten(f"word {name}", {f"word {name}": GOOD[name]})
    assert (done.query, done.rewritten, done.fallback) == (f"word {name}", "better", None)


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_answer_that_cannot_be_used_leaves_the_query_and_says_why(rewritten, name):
    said, why = UNUSABLE[name]
    done, _ = rewritten(f"word {name}", {f"word {name}": said})
    assert (done.rewritten, done.fallback) == (f"word {name}", why)


@pytest.mark.parametrize("name", NO_ANSWER)
def test_a_response_without_content_is_an_error_and_no_fallback(rewritten, name):
    with pytest.raises(Missing, match=r"choices\[0\]\.message\.content"):
        rewritten(f"word {name}", {f"word {name}": NO_ANSWER[name]})


@pytest.mark.parametrize(
    "options", [("--body", '{"choices": []}'), ("--body", "<html>"), ("--status", "500"), ("--status", "429")]
)
def test_a_service_that_does_not_answer_is_an_error_and_no_fallback(rewritten, options):
    with pytest.raises(Missing):
        rewritten("word", None, *options)


def test_a_query_that_the_servers_filter_refuses_falls_back(rewritten):
    done, _ = rewritten("a bomb", None, "--filter", "bomb")
    assert (done.rewritten, done.fallback) == ("a bomb", "content filter")


def test_a_blank_query_is_not_asked_about(rewritten):
    done, tries = rewritten(" ")
    assert (done.rewritten, done.fallback, tries) == (" ", "blank query", [])


def test_a_begun_answer_is_written_on_where_the_server_can(rewritten, tmp_path):
    (tmp_path / "mine.txt").write_text("---\nprefill: true\n---\n$query")
    _, [tried] = rewritten("word", {"word": GOOD["prefilled"]}, prompts=str(tmp_path / "mine.txt"))
    assert {"add_generation_prompt", "continue_final_message"} <= set(tried["fields"])
    done, tries = rewritten("term", {"term": GOOD["prefilled"]}, "--strict", prompts=str(tmp_path / "mine.txt"))
    assert done.rewritten == "better"
    assert "continue_final_message" not in tries[-1]["fields"]
