"""`engine: local` over real HTTP: OpenAI's protocol, its refusals, its bounds, its end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import aiohttp
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from core import address
from core.llm import service
from core.llm.engine import installed
from core.llm.launch import command
from core.llm.spec import Local

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def server(tiny_qwen3, tmp_path_factory):
    """A server with a key, small batches and a short queue; `ask(...)` gives status, body and headers."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    os.environ["DR_TEST_LOCAL_KEY"] = "s3cret"
    spec = Local(
        type="local",
        model=str(tiny_qwen3),
        dtype="float32",
        max_model_len=512,
        api_key_env="DR_TEST_LOCAL_KEY",
        arguments=("--max-batch", "8", "--max-queue", "24"),
    )
    with service.started(spec, log) as running:

        def ask(body, path="/chat/completions", key="s3cret"):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                with OPENER.open(urllib.request.Request(running.base_url + path, data, headers), timeout=60) as reply:
                    return SimpleNamespace(status=reply.status, body=json.load(reply), headers=reply.headers)
            except urllib.error.HTTPError as error:
                return SimpleNamespace(status=error.code, body=json.load(error), headers=error.headers)

        yield SimpleNamespace(ask=ask, url=running.base_url, model=str(tiny_qwen3))


@pytest.fixture(scope="module")
def theirs(tiny_qwen3):
    """Transformers itself: `theirs(rendered text, tokens)`."""
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen3)

    def written(text, most):
        asked = tokenizer(text, return_tensors="pt")
        made = model.generate(**asked, max_new_tokens=most, do_sample=False)[0, asked["input_ids"].shape[1] :]
        return tokenizer.decode(made, skip_special_tokens=True), len(made), asked["input_ids"].shape[1]

    return written


def test_an_answer_is_that_of_transformers_in_openais_shape(server, theirs):
    reply = server.ask({"model": server.model, "messages": HELLO, "temperature": 0, "max_tokens": 12})
    text, written, read = theirs("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n", 12)
    assert reply.status == 200
    choice = reply.body["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": text}
    assert choice["finish_reason"] == "length"
    assert reply.body["usage"] == {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }


def test_a_begun_turn_of_the_assistant_is_written_on(server, theirs):
    messages = [*HELLO, {"role": "assistant", "content": "<think>"}]
    onward = {"continue_final_message": True, "add_generation_prompt": False}
    reply = server.ask({"messages": messages, "temperature": 0, "max_tokens": 8, **onward})
    text, *_ = theirs("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n<think>", 8)
    assert reply.body["choices"][0]["message"]["content"] == text


def test_n_answers_differ_and_a_seed_brings_them_back(server):
    wish = {"messages": HELLO, "n": 3, "temperature": 1.0, "max_tokens": 16, "seed": 4}
    first, again = ([c["message"]["content"] for c in server.ask(wish).body["choices"]] for _ in range(2))
    assert first == again
    assert len(set(first)) == 3


def test_many_at_once_are_answered_as_each_alone(server):
    wishes = [
        {"messages": [{"role": "user", "content": "w" * n}], "temperature": 0, "max_tokens": 6} for n in range(20)
    ]

    async def together():
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer s3cret"}) as http:

            async def one(wish):
                async with http.post(f"{server.url}/chat/completions", json=wish) as reply:
                    return (await reply.json())["choices"][0]["message"]["content"]

            return await asyncio.gather(*map(one, wishes))

    alone = [server.ask(wish).body["choices"][0]["message"]["content"] for wish in wishes[::5]]
    assert asyncio.run(together())[::5] == alone


def test_a_prompt_that_leaves_no_room_is_400_in_openais_words(server):
    reply = server.ask({"messages": [{"role": "user", "content": "x" * 500}], "max_tokens": 100})
    assert reply.status == 400
    error = reply.body["error"]
    assert error["code"] == "context_length_exceeded"
    assert error["message"].startswith("this model's maximum context length is 512 tokens")


def test_without_max_tokens_an_answer_takes_the_room_that_is_left(server):
    reply = server.ask({"messages": [{"role": "user", "content": "x" * 450}], "temperature": 0})
    assert reply.body["usage"]["total_tokens"] <= 512


@pytest.mark.parametrize(
    ("wish", "status", "told"),
    [
        (b"no json", 400, "not JSON"),
        ({"messages": []}, 400, "`messages`"),
        ({"messages": [{"role": "user", "content": None}]}, 400, "messages.0.content"),
        ({"messages": HELLO, "temperature": 3}, 400, "`temperature`"),
        ({"messages": HELLO, "max_tokens": 0}, 400, "`max_tokens`"),
        ({"messages": HELLO, "stream": True}, 400, "knows no `stream`"),
        ({"messages": HELLO, "tools": [{"type": "function"}]}, 400, "knows no `tools`"),
        ({"messages": HELLO, "response_format": {"type": "json_object"}}, 400, "knows no `response_format`"),
        ({"messages": HELLO, "continue_final_message": True}, 400, "add_generation_prompt"),
        ({"messages": HELLO, "chat_template_kwargs": {"tokenize": True}}, 400, "may not hold `tokenize`"),
        ({"messages": HELLO, "model": "other"}, 404, "the model `other` does not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_done_is_refused_in_openais_shape(server, wish, status, told):
    reply = server.ask(wish)
    assert reply.status == status
    assert told in reply.body["error"]["message"]
    assert reply.body["error"]["type"] == "invalid_request_error"


def test_content_in_parts_and_empty_fields_of_clients_are_taken(server):
    plain = {"messages": HELLO, "temperature": 0, "max_tokens": 5}
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}], "tools": None, "user": "u"}
    one, other = (server.ask({**plain, **more}).body["choices"][0]["message"] for more in ({}, parts))
    assert one == other


def test_only_who_has_the_key_is_answered_and_health_needs_none(server):
    assert server.ask({"messages": HELLO}, key="wrong").status == 401
    assert server.ask(None, "/models", key=None).body["error"]["code"] == "invalid_api_key"
    with OPENER.open(server.url.removesuffix("/v1") + "/health", timeout=60) as reply:
        assert json.load(reply) == {"status": "ok"}
    models = server.ask(None, "/models").body["data"]
    assert [(model["id"], model["max_model_len"]) for model in models] == [(server.model, 512)]
    assert server.ask(None, "/completions").status == 404


def test_more_than_may_wait_are_told_to_come_later(server):
    wish = {"messages": HELLO, "n": 25, "max_tokens": 4}
    reply = server.ask(wish)
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
    assert server.ask({**wish, "n": 24}).status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="sends a signal")
def test_sigterm_ends_it_in_order_with_the_answer_under_way(tiny_qwen3, tmp_path):
    spec = Local(type="local", model=str(tiny_qwen3), dtype="float32")
    port = address.free("127.0.0.1", 0)
    argv = command(spec, installed(spec), port, fast_bfloat16=False).argv
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as child:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                OPENER.open(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.05)

        async def asked():
            wish = {"messages": HELLO, "temperature": 0, "max_tokens": 100}
            async with aiohttp.ClientSession() as http:
                answer = asyncio.create_task(http.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=wish))
                await asyncio.sleep(0.2)
                child.send_signal(signal.SIGTERM)
                return (await answer).status

        assert asyncio.run(asked()) == 200
        assert child.wait(60) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
