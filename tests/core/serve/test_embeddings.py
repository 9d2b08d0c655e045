"""`POST /v1/embeddings` and `POST /similarity`, over HTTP."""

import asyncio
import base64
import json
import shutil

import httpx
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from core import artifact
from core.retrieval.index import open_index

from .conftest import EmbedRecipe

TEXTS = ["基金净值", "债券收益 abc", "管理费", ""]


@pytest.fixture(scope="module")
def trained(prompted_model, tmp_path_factory):
    """A finished artifact of `dr embed train`."""
    out = tmp_path_factory.mktemp("trained") / "embed"
    artifact.make(EmbedRecipe(out=out), lambda _, work: shutil.copytree(prompted_model, work.path / "model"))
    return out


@pytest.fixture(scope="module")
def alone(trained, serving):
    """A model without an index."""
    with serving(model=trained, query_max_characters=100, max_queries=600, max_body_bytes=20_000) as service:
        yield service


@pytest.fixture(scope="module")
def library(prompted_model):
    """Plain sentence-transformers."""
    return SentenceTransformer(str(prompted_model), device="cpu")


def vectors(reply):
    assert reply.status_code == 200, reply.text
    return np.array([row["embedding"] for row in reply.json()["data"]], np.float32)


def embed(service, texts, **more):
    return vectors(service.post("/v1/embeddings", input=texts, **more))


def similarities(reply):
    assert reply.status_code == 200, reply.text
    return reply.json()["similarities"]


# What is answered


def test_an_openai_client_gets_its_answer(alone, trained, library):
    reply = alone.post("/v1/embeddings", model=str(trained), input=TEXTS, encoding_format="float", user="u")
    answer = reply.json()
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert answer.keys() == {"object", "data", "model", "usage"}
    assert (answer["object"], answer["model"]) == ("list", str(trained))
    assert [(row["object"], row["index"]) for row in answer["data"]] == [("embedding", i) for i in range(4)]
    # the document prompt 文档： is three tokens, with [CLS] and [SEP] five; 4 + 8 + 3 characters, and a blank
    assert answer["usage"] == {"prompt_tokens": 4 * 5 + 4 + 8 + 3 + 1, "total_tokens": 36}


@pytest.mark.parametrize("kind", ["query", "document"])
def test_a_vector_is_the_librarys_with_the_prompt_of_its_kind(alone, library, kind):
    texts = TEXTS[:3]
    encode = {"query": library.encode_query, "document": library.encode_document}[kind]
    expected = encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(embed(alone, texts, input_type=kind), expected, atol=1e-6)
    assert np.abs(embed(alone, texts) - expected).max() < 1e-6 or kind == "query"  # the default is a document


def test_a_query_and_a_document_differ(alone):
    # else the test above would prove nothing
    assert np.abs(embed(alone, "基金", input_type="query") - embed(alone, "基金", input_type="document")).max() > 0.01


@pytest.mark.parametrize("kind", ["query", "document"])
def test_beside_an_index_vectors_are_those_of_its_encoder(hybrid, indexes, kind):
    encoder = open_index(indexes["hybrid"]).encoder
    expected = {"query": encoder.queries, "document": encoder.documents}[kind](TEXTS)
    np.testing.assert_array_equal(embed(hybrid, TEXTS, input_type=kind), expected)
    assert hybrid.retrieve(queries=["基金"]).status_code == 200


def test_tokens_of_a_static_model_are_counted(hybrid):
    answer = hybrid.post("/v1/embeddings", input=["基金净值", "管理费", "基金净值"]).json()
    assert answer["usage"]["prompt_tokens"] == 4 + 3 + 4  # a character each


def test_tokens_are_counted_after_the_cut(alone):
    assert alone.post("/v1/embeddings", input=["基" * 100]).json()["usage"]["total_tokens"] == 32


def test_a_single_text_is_a_list_of_one(alone):
    assert embed(alone, "基金").shape == (1, 32)
    np.testing.assert_allclose(embed(alone, "基金"), embed(alone, ["基金"]), atol=1e-6)


def test_base64_holds_the_same_numbers(hybrid):
    rows = hybrid.post("/v1/embeddings", input=TEXTS, encoding_format="base64").json()["data"]
    decoded = np.stack([np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in rows])
    np.testing.assert_array_equal(decoded, embed(hybrid, TEXTS))


def test_dimensions_cut_and_bring_to_length_one(alone):
    whole, short = embed(alone, TEXTS[:3]), embed(alone, TEXTS[:3], dimensions=8)
    expected = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    np.testing.assert_allclose(short, expected, atol=1e-6)
    np.testing.assert_allclose(embed(alone, TEXTS[:3], dimensions=32), whole, atol=1e-6)


def test_models_are_listed_as_openai_lists_them(alone, trained):
    answer = httpx.get(f"{alone.url}/v1/models").json()
    assert [(model["id"], model["object"]) for model in answer["data"]] == [(str(trained), "model")]


# Similarity


def test_pairs_are_compared_query_with_document(alone, library):
    pairs = [["基金净值", "基金净值"], ["债券", "管理费"], ["abc", "基金净值"]]
    queries, documents = (library.encode_query([a for a, _ in pairs]), library.encode_document([b for _, b in pairs]))
    expected = (queries * documents).sum(1) / np.linalg.norm(queries, axis=1) / np.linalg.norm(documents, axis=1)
    np.testing.assert_allclose(similarities(alone.post("/similarity", pairs=pairs)), expected, atol=1e-6)


def test_a_query_is_compared_with_each_document(alone):
    documents = ["净值", "债券收益", "净值"]
    one_by_one = [similarities(alone.post("/similarity", pairs=[["基金", text]]))[0] for text in documents]
    together = similarities(alone.post("/similarity", query="基金", documents=documents))
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
    assert together[0] == together[2]


def test_a_text_without_a_vector_is_similar_to_nothing(hybrid):
    assert similarities(hybrid.post("/similarity", pairs=[["基金", "基金"], ["基金", "\U0001f600" * 3]]))[0] == (
        pytest.approx(1)
    )


# Crowds


def crowd(service, path, bodies):
    """The replies to all bodies, sent at once."""

    async def send():
        limits = httpx.Limits(max_connections=len(bodies))
        async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=60) as client:
            return await asyncio.gather(*(client.post(path, json=body) for body in bodies))

    return asyncio.run(send())


def test_an_answer_is_the_same_alone_and_in_a_crowd(hybrid):
    kinds = ("query", "document")
    bodies = [{"input": [f"{text}{i}", text], "input_type": kind} for text in TEXTS for kind in kinds for i in range(8)]
    one_by_one = [hybrid.post("/v1/embeddings", **body).json() for body in bodies]
    before = hybrid.health()["model"]["counters"]
    assert [reply.json() for reply in crowd(hybrid, "/v1/embeddings", bodies)] == one_by_one
    after = hybrid.health()["model"]["counters"]
    assert (after["requests"] - before["requests"], after["texts"] - before["texts"]) == (64, 128)
    assert after["batches"] - before["batches"] < 48


def test_searches_and_embeddings_of_one_model_do_not_disturb_each_other(hybrid):
    question = {"queries": ["基金净值"], "retrieval_type": "dense", "return_scores": True}
    wish = {"input": [f"净值 {i}" for i in range(500)], "input_type": "query"}
    expected = hybrid.retrieve(**question).json(), hybrid.post("/v1/embeddings", **wish).json()

    async def both():
        async with httpx.AsyncClient(base_url=hybrid.url, timeout=60) as client:
            paths = [("/retrieve", question), ("/v1/embeddings", wish)] * 10
            return await asyncio.gather(*(client.post(path, json=body) for path, body in paths))

    replies = [reply.json() for reply in asyncio.run(both())]
    assert replies == list(expected) * 10


# Bad requests


@pytest.mark.parametrize(
    ("body", "status", "param", "sentence"),
    [
        (b'{"input": ["q"', 400, None, "not JSON"),
        (b"[]", 400, None, 'the body must be an object such as {"input"'),
        (b"{}", 400, "input", "field required"),
        (b'{"input": null}', 400, "input", "valid list"),
        (b'{"input": []}', 400, "input", "at least 1"),
        (b'{"input": [1, 2, 3]}', 400, "input", "arrays of tokens are not taken: send texts"),
        (b'{"input": [[1, 2], [3]]}', 400, "input", "arrays of tokens are not taken: send texts"),
        (b'{"input": ["q", 3]}', 400, "input", "`input.1`: input should be a valid string"),
        (b'{"input": "q", "model": "text-embedding-3-small"}', 404, "model", "there is no model `text-embedding-3-sma"),
        (b'{"input": "q", "encoding_format": "int8"}', 400, "encoding_format", "'float' or 'base64'"),
        (b'{"input": "q", "input_type": "passage"}', 400, "input_type", "'query' or 'document'"),
        (b'{"input": "q", "dimensions": 0}', 400, "dimensions", "greater than or equal to 1"),
        (b'{"input": "q", "dimensions": 33}', 400, "dimensions", "vectors of this model have 32"),
        (b'{"input": "q", "dimensions": true}', 400, "dimensions", "valid integer"),
        (json.dumps({"input": ["q", "x" * 101]}).encode(), 400, None, "text 1 has 101 characters, at most 100"),
        (json.dumps({"input": ["q"] * 601}).encode(), 413, None, "601 texts in one request, at most 600"),
        (json.dumps({"input": ["q" * 90] * 400}).encode(), 413, None, "more than 20,000 bytes"),
    ],
)
def test_a_bad_request_is_refused_as_openai_does(alone, body, status, param, sentence):
    reply = httpx.post(f"{alone.url}/v1/embeddings", content=body)
    error = reply.json()["error"]
    assert reply.status_code == status
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["code"] == ("model_not_found" if status == 404 else None)
    assert sentence in error["message"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "give either `pairs`, or `query` and `documents`"),
        ({"query": "q"}, "give either"),
        ({"pairs": [["a", "b"]], "query": "q", "documents": ["d"]}, "give either"),
        ({"pairs": []}, "at least 1"),
        ({"pairs": [["a"]]}, "`pairs.0`: list should have at least 2"),
        ({"pairs": [["a", "b", "c"]]}, "`pairs.0`: list should have at most 2"),
        ({"pairs": ["ab"]}, "`pairs.0`: input should be a valid list"),
        ({"query": "q", "documents": [1]}, "`documents.0`: input should be a valid string"),
        ({"query": "q" * 101, "documents": ["d"]}, "text 0 has 101 characters"),
    ],
)
def test_a_bad_comparison_is_refused_in_a_sentence(alone, body, sentence):
    reply = alone.post("/similarity", **body)
    assert (reply.status_code, reply.json()["code"]) == (422, 422)
    assert sentence in reply.json()["message"]


def test_a_model_without_an_index_says_what_it_serves(alone, trained):
    reply = alone.retrieve(queries=["基金"])
    assert (reply.status_code, reply.json()["code"]) == (404, 404)
    assert f"POST /similarity ask the model {trained} (32 dimensions)" in reply.json()["message"]
    unknown = alone.post("/v1/chat/completions", messages=[])
    assert unknown.status_code == 404
    assert "there are POST /retrieve, POST /v1/embeddings" in unknown.json()["error"]["message"]


def test_an_index_without_a_model_says_what_it_serves(indexes, serving):
    with serving(index=indexes["bm25"]) as service:
        for reply in (service.post("/v1/embeddings", input="基金"), httpx.get(f"{service.url}/v1/models")):
            assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
            assert f"POST /retrieve asks {indexes['bm25']} (6 documents" in reply.json()["error"]["message"]
        reply = service.post("/similarity", query="a", documents=["b"])
        assert (reply.status_code, reply.json()["code"]) == (404, 404)
        assert "model" not in service.health()


# Health, greeting, log, token, overload


def test_health_tells_the_models_contract(alone, trained, hybrid):
    health = alone.health()
    assert "index" not in health
    assert len(health["model"].pop("contract")) == 64
    counters = health["model"].pop("counters")
    assert counters.keys() == {"requests", "texts", "batches", "overloaded", "abandoned", "failed"}
    assert health["model"] == {
        "name": str(trained),
        "source": str(trained),
        "dimension": 32,
        "max_tokens": 32,
        "prompts": {"query": True, "document": True},
        "queue": {"texts": 0, "max": 8192},
    }
    beside = hybrid.health()
    assert beside["index"]["documents"] == 6
    assert (beside["model"]["name"], beside["model"]["prompts"]) == ("static", {"query": False, "document": False})


def test_the_greeting_shows_how_to_embed(alone, trained):
    log = alone.log.read_text(encoding="utf-8")
    assert f"serving the model {trained} (32 dimensions) at {alone.url}, for example: curl -s {alone.url}/v1/emb" in log
    assert """-d '{"input": ["单位净值"], "input_type": "query"}'""" in log


def test_the_log_has_a_line_for_each_request_and_overload_is_503(prompted_model, serving, tmp_path):
    log = tmp_path / "requests.jsonl"
    limits = {"max_wait_milliseconds": 1500, "max_queue": 4, "max_queries": 4, "retry_after_seconds": 7}
    secret = {"env": {"SEARCH_TOKEN": "s3cret"}, "token_env": "SEARCH_TOKEN", "log_path": log}
    with serving(model=prompted_model, **limits, **secret) as service:
        assert service.post("/v1/embeddings", input="机密").json()["error"]["code"] == "invalid_api_key"
        assert service.post("/similarity", query="机密", documents=["b"]).status_code == 401
        bearer = {"Authorization": "Bearer s3cret"}
        assert service.post("/similarity", bearer, query="机密", documents=["b", "b"]).status_code == 200

        async def send():
            async with httpx.AsyncClient(base_url=service.url, headers=bearer, timeout=60) as client:
                wishes = [client.post("/v1/embeddings", json={"input": ["机密"]}) for _ in range(10)]
                return await asyncio.gather(*wishes)

        replies = asyncio.run(send())
        assert sorted(reply.status_code for reply in replies) == [200] * 4 + [503] * 6
        refused = next(reply for reply in replies if reply.status_code == 503)
        assert refused.headers["retry-after"] == "7"
        assert refused.json()["error"]["type"] == "server_error"
        assert "4 texts are waiting" in refused.json()["error"]["message"]
    text = log.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["route"], row["status"], row["num_queries"]) for row in rows[:3]] == [
        ("/v1/embeddings", 401, None),
        ("/similarity", 401, None),
        ("/similarity", 200, 2),  # each distinct text once
    ]
    assert len(rows) == 13
    assert not any(word in text for word in ("机密", "s3cret"))
