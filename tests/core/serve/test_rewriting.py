"""`POST /rewrite` on real servers, by a language model's double that may be down."""

import asyncio
import json
import time

import httpx
import pytest
from pydantic import ValidationError

from core.serve.recipe import Recipe

SCRIPT = {
    "净值": '<think>t</think><answer>{"query": "单位净值 公告"}</answer>',
    "prose": "I would leave it.",
    "void": {"message": {"role": "assistant", "content": None}},
}


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "script.json"
    path.write_text(json.dumps(SCRIPT))
    return path


@pytest.fixture(scope="module")
def model(llm_server, script):
    with llm_server(script=script) as running:
        yield running


@pytest.fixture(scope="module")
def served(serving, indexes, model):
    with serving(index=indexes["bm25"], rewrite=rewriter(model), max_queue=8, max_queries=4) as service:
        yield service


def rewriter(model, **more):
    llm = {"server": {"type": "openai", "model": "m", "base_url": model.url}, **more.pop("llm", {})}
    return {"llm": llm, "prompts": "finance", **more}


def test_queries_come_back_in_better_words_in_their_order(served):
    reply = served.post("/rewrite", queries=["prose", "基金净值", " "])
    assert reply.status_code == 200
    assert reply.json()["data"] == [
        {"query": "prose", "rewritten": "prose", "fallback": "no answer"},
        {"query": "基金净值", "rewritten": "单位净值 公告", "fallback": None},
        {"query": " ", "rewritten": " ", "fallback": "blank query"},
    ]


def test_what_was_asked_before_is_not_asked_again(served, model):
    served.post("/rewrite", queries="基金净值多少")
    before = len(model.tries())
    assert served.post("/rewrite", queries=["基金净值多少"]).json()["data"][0]["rewritten"] == "单位净值 公告"
    assert len(model.tries()) == before


def test_a_response_without_content_is_503_and_never_the_original_query(served):
    reply = served.post("/rewrite", queries=["基金净值", "void"])
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert "data" not in reply.json()
    assert served.post("/rewrite", queries=["基金净值"]).status_code == 200


def test_a_model_that_is_down_is_503_until_it_is_back(serving, llm_server, script):
    with llm_server(script=script) as first:
        port = first.port
    with serving(rewrite=rewriter(first, llm={"retries": 0})) as service:
        reply = service.post("/rewrite", queries=["净值一"])
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
        message = reply.json()["message"]
        assert message == "the language model that rewrites does not answer: try again later (the log says why)"
        assert "Cannot connect" in service.log.read_text(encoding="utf-8")
        with llm_server(script=script, port=port):
            assert service.post("/rewrite", queries=["净值一"]).json()["data"][0]["fallback"] is None
        started = time.monotonic()
        assert service.post("/rewrite", queries=["净值二"]).status_code == 503
        assert time.monotonic() - started < 30  # it is told, not waited for: `restart_seconds` is a minute
        assert service.post("/rewrite", queries=["净值一"]).status_code == 200  # remembered
        assert service.post("/retrieve", queries=["净值"]).status_code == 404
        assert "POST /rewrite asks rewriting by m" in service.post("/retrieve", queries=["净值"]).json()["message"]
        counters = service.health()["rewrite"]["counters"]
        assert (counters["requests"], counters["failed"]) == (4, 2)


def test_no_more_than_the_recipe_allows_are_asked_at_once(serving, llm_server, script):
    with (
        llm_server(script=script, latency=0.05) as slow,
        serving(rewrite=rewriter(slow, llm={"concurrency": 2})) as service,
    ):

        async def all_at_once():
            async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
                bodies = [{"queries": [f"净值{i}a", f"净值{i}b"]} for i in range(6)]
                return await asyncio.gather(*(client.post("/rewrite", json=body) for body in bodies))

        assert {reply.status_code for reply in asyncio.run(all_at_once())} == {200}
        assert max(row["under_way"] for row in slow.tries()) == 2


def test_more_than_the_queue_holds_are_503_at_once(serving, llm_server, script):
    with (
        llm_server(script=script, latency=0.3) as slow,
        serving(rewrite=rewriter(slow), max_queue=2, max_queries=2) as service,
    ):

        async def three():
            async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
                bodies = [{"queries": [f"净值{i}a", f"净值{i}b"]} for i in range(3)]
                return await asyncio.gather(*(client.post("/rewrite", json=body) for body in bodies))

        replies = asyncio.run(three())
        assert sorted(reply.status_code for reply in replies) == [200, 503, 503]
        refused = next(reply for reply in replies if reply.status_code == 503)
        assert "wait to be rewritten" in refused.json()["message"]
        assert refused.headers["retry-after"] == "1"


def test_a_server_without_a_rewriter_says_what_to_add(serving, indexes):
    with serving(index=indexes["bm25"]) as service:
        reply = service.post("/rewrite", queries=["净值"])
    assert reply.status_code == 404
    assert "`rewrite` in the recipe (`llm` and `prompts`) adds it" in reply.json()["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"{}", 422),
        (b'{"queries": []}', 422),
        (b'{"queries": [1]}', 422),
        (b'{"queries": ["a","b","c","d","e"]}', 413),
    ],
)
def test_a_wrong_body_is_refused_in_words(served, body, status):
    reply = httpx.post(f"{served.url}/rewrite", content=body)
    assert reply.status_code == status
    assert reply.json()["message"]


def test_health_says_who_rewrites_and_by_which_words(served):
    told = served.health()["rewrite"]
    assert told["model"] == "m"
    assert (told["prompts"]["name"], told["prompts"]["boolean"]) == ("finance", False)
    assert len(told["prompts"]["digest"]) == 64


def test_operators_are_refused_beside_an_index_that_takes_them_for_words(indexes, model):
    from core.errors import ContractError
    from core.serve.app import create

    recipe = {"stage": "serve", "index": indexes["bm25"], "rewrite": rewriter(model, prompts="literature")}
    with pytest.raises(ContractError, match="writes Boolean operators"):
        create(Recipe.model_validate(recipe))
    create(Recipe.model_validate({**recipe, "index": None}))


def test_a_model_of_our_own_is_started_apart():
    server = {"type": "vllm", "model": "m"}
    with pytest.raises(ValidationError, match="start the model by `dr serve llm`"):
        Recipe.model_validate({"stage": "serve", "rewrite": {"llm": {"server": server}}})
