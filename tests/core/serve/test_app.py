import asyncio
import json
import signal
import socket
import time

import httpx
import pytest

from core.retrieval.index import open_index

from .conftest import DOCUMENTS, start

QUERIES = ["基金净值", "债券收益", "管理费", "fund dividend", "久期", "净值 公告"]
CONTENTS = {document.id: document.contents for document in DOCUMENTS}


@pytest.fixture(scope="module")
def opened(indexes):
    return open_index(indexes["hybrid"])


def hits(rows):
    return [[(hit["id"], hit["score"]) for hit in row] for row in rows]


def expected(opened, queries, k, **how):
    return [[(hit.document_id, hit.score) for hit in row] for row in opened.search(queries, k, **how)]


# What is answered


def test_source_b_gets_its_answer(hybrid, opened):
    reply = hybrid.retrieve(queries=QUERIES, topk=3, return_scores=True, retrieval_type="hybrid", hybrid_alpha=0.6)
    answer = reply.json()
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert (answer["code"], answer["message"]) == (200, "success")
    assert hits(answer["data"]) == expected(opened, QUERIES, 3, method="hybrid", alpha=0.6)
    assert all(set(hit) == {"id", "contents", "score"} for row in answer["data"] for hit in row)
    assert all(hit["contents"] == CONTENTS[hit["id"]] for row in answer["data"] for hit in row)


def test_search_r1_gets_its_answer_with_scores_and_without(hybrid):
    with_scores = hybrid.retrieve(queries=QUERIES, topk=3, return_scores=True).json()
    without = hybrid.retrieve(queries=QUERIES, topk=3, return_scores=False).json()
    assert [[(hit["document"]["id"], hit["score"]) for hit in row] for row in with_scores["result"]] == hits(
        with_scores["data"]
    )
    assert without["result"] == [[hit["document"] for hit in row] for row in with_scores["result"]]
    assert all(set(document) == {"id", "contents"} for row in without["result"] for document in row)


def test_what_a_request_leaves_open_is_the_indexs_own(hybrid, opened):
    answer = hybrid.retrieve(queries=QUERIES, topk=None).json()
    assert hits(answer["data"]) == expected(opened, QUERIES, 5)
    assert (answer["method"], answer["topk"], answer["weights"]) == ("hybrid", 5, {"bm25": 0.6, "dense": 0.4})


def test_a_single_string_is_one_query(hybrid):
    assert hybrid.retrieve(queries="基金净值").json() == hybrid.retrieve(queries=["基金净值"]).json()


def test_a_blank_query_has_an_empty_row_in_its_place(hybrid):
    rows = hybrid.retrieve(queries=["基金", "", "债券"], retrieval_type="bm25").json()["data"]
    assert [bool(row) for row in rows] == [True, False, True]


def test_fields_of_other_servers_are_left_aside(hybrid):
    assert hybrid.retrieve(queries=["基金"], rerank_topk=3, user="u").status_code == 200


def test_any_content_type_will_do(hybrid):
    assert httpx.post(f"{hybrid.url}/retrieve", content=b'{"queries":["q"]}').status_code == 200


# Methods and weights


@pytest.mark.parametrize("method", ["bm25", "dense", "hybrid"])
def test_each_request_chooses_its_method(hybrid, opened, method):
    answer = hybrid.retrieve(queries=QUERIES, topk=4, retrieval_type=method, hybrid_alpha=0.3).json()
    assert hits(answer["data"]) == expected(opened, QUERIES, 4, method=method, alpha=0.3)
    weights = {"bm25": {"bm25": 1, "dense": 0}, "dense": {"bm25": 0, "dense": 1}, "hybrid": {"bm25": 0.3, "dense": 0.7}}
    assert (answer["method"], answer["weights"]) == (method, weights[method])


@pytest.mark.parametrize(("alpha", "leg"), [(0, "dense"), (0.0, "dense"), (1, "bm25")])
def test_alpha_is_the_weight_of_bm25_and_zero_is_no_default(hybrid, alpha, leg):
    fused = hybrid.retrieve(queries=QUERIES, topk=1, retrieval_type="hybrid", hybrid_alpha=alpha).json()
    alone = hybrid.retrieve(queries=QUERIES, topk=1, retrieval_type=leg).json()
    assert fused["weights"] == alone["weights"]
    assert [[id_ for id_, _ in row] for row in hits(fused["data"])] == [
        [id_ for id_, _ in row] for row in hits(alone["data"])
    ]


def test_the_legs_of_this_test_disagree(hybrid):
    # else the test above would prove nothing
    first = [hybrid.retrieve(queries=QUERIES, topk=1, retrieval_type=leg).json()["data"] for leg in ("bm25", "dense")]
    assert hits(first[0]) != hits(first[1])


# Crowds


def crowd(service, bodies):
    """The replies to all bodies, sent at once."""

    async def send():
        limits = httpx.Limits(max_connections=len(bodies))
        async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=60) as client:
            return await asyncio.gather(*(client.post("/retrieve", json=body) for body in bodies))

    return asyncio.run(send())


def test_an_answer_is_the_same_alone_and_in_a_crowd(hybrid):
    ways = [{"retrieval_type": "bm25"}, {"retrieval_type": "dense"}, *({"hybrid_alpha": a} for a in (0, 0.5, 1))]
    bodies = [{"queries": [q], "topk": k, **way} for q in QUERIES for k in (1, 3) for way in ways]
    alone = [hybrid.retrieve(**body).json() for body in bodies]
    assert [reply.json() for reply in crowd(hybrid, bodies)] == alone


def test_requests_of_many_clients_are_searched_together(hybrid):
    before = hybrid.health()["counters"]
    # every query is new, so that none is saved by being asked twice
    replies = crowd(hybrid, [{"queries": [f"基金 {i}"], "retrieval_type": "bm25"} for i in range(64)])
    after = hybrid.health()["counters"]
    assert [reply.status_code for reply in replies] == [200] * 64
    assert after["requests"] - before["requests"] == 64
    assert after["batches"] - before["batches"] < 48


# Health


def test_health_tells_what_is_served(hybrid, indexes):
    health = hybrid.health()
    assert health["status"] == "ok"
    assert health["index"]["path"] == str(indexes["hybrid"])
    assert health["index"]["documents"] == len(DOCUMENTS)
    assert health["index"]["methods"] == ["hybrid", "bm25", "dense"]
    assert {name: len(sha) for name, sha in health["index"]["contracts"].items()} == {"bm25": 64, "dense": 64}
    assert health["queue"] == {"queries": 0, "max": 8192}
    assert health["statuses"]["200"] >= 1


def test_the_log_says_how_to_ask(hybrid):
    log = hybrid.log.read_text(encoding="utf-8")
    assert "(6 documents, by hybrid) and the model static (16 dimensions)" in log
    assert f"(16 dimensions) at {hybrid.url}, for example: curl -s {hybrid.url}/retrieve -d" in log


# Bad requests


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b'{"queries": ["q"', 400, "not JSON"),
        ('{"queries": ["查询"]}'.encode("gbk"), 400, "not JSON"),
        (b'{"queries": ["q"], "hybrid_alpha": NaN}', 400, "not JSON"),
        (b'{"queries": []}', 422, "at least 1"),
        (b'{"queries": ["q"], "topk": 0}', 422, "`topk` is 0, this server gives 1 to 100"),
        (b'{"queries": ["q"], "topk": 101}', 422, "`topk` is 101, this server gives 1 to 100"),
        (b'{"queries": ["q"], "topk": 1000000000000}', 422, "this server gives 1 to 100"),
        (b'{"queries": ["q"], "retrieval_type": "colbert"}', 422, "'bm25', 'dense' or 'hybrid'"),
        (b'{"queries": ["q"], "hybrid_alpha": 1.01}', 422, "less than or equal to 1"),
        (json.dumps({"queries": ["q", "x" * 51]}).encode(), 422, "query 1 has 51 characters, at most 50"),
        (json.dumps({"queries": ["q"] * 4097}).encode(), 413, "4097 queries in one request, at most 4096"),
    ],
)
def test_a_bad_request_is_refused_in_a_sentence(hybrid, body, status, sentence):
    reply = httpx.post(f"{hybrid.url}/retrieve", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == status
    assert reply.json()["code"] == status
    assert sentence in reply.json()["message"]
    assert "result" not in reply.json()


def test_an_unknown_route_is_told_the_known_ones(hybrid):
    for reply in (httpx.get(f"{hybrid.url}/retrieve"), httpx.post(f"{hybrid.url}/search", json={})):
        assert reply.status_code in {404, 405}
        assert "POST /retrieve" in reply.json()["message"]


def test_a_client_that_goes_away_stops_nobody(hybrid):
    host, port = hybrid.url.removeprefix("http://").split(":")
    for sent in (b"POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", b"nonsense\r\n\r\n"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
    assert hybrid.retrieve(queries=["基金"]).status_code == 200
    assert "Traceback" not in hybrid.log.read_text(encoding="utf-8")


# Small and slow: a server whose queue fills, because it waits long for company


@pytest.fixture(scope="module")
def slow(indexes, serving):
    with serving(
        index=indexes["bm25"],
        max_wait_milliseconds=1500,
        max_queue=4,
        max_queries=4,
        retry_after_seconds=7,
        max_body_bytes=1000,
    ) as service:
        yield service


def test_overload_is_503_with_retry_after_and_the_others_are_answered(slow):
    replies = crowd(slow, [{"queries": ["基金"]}] * 10)
    assert sorted(reply.status_code for reply in replies) == [200] * 4 + [503] * 6
    refused = [reply for reply in replies if reply.status_code == 503]
    assert {reply.headers["retry-after"] for reply in refused} == {"7"}
    assert "4 queries are waiting" in refused[0].json()["message"]
    assert all(len(reply.json()["data"]) == 1 for reply in replies if reply.status_code == 200)
    # the queue is free again
    assert slow.retrieve(queries=["基金"]).status_code == 200
    assert slow.health()["counters"]["overloaded"] == 6


def test_queries_of_a_client_that_left_the_queue_are_not_searched(slow):
    before = slow.health()["counters"]
    body = b'{"queries":["q"]}'
    host, port = slow.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        time.sleep(0.3)
    assert slow.retrieve(queries=["基金"]).status_code == 200
    after = slow.health()["counters"]
    assert (after["requests"] - before["requests"], after["abandoned"] - before["abandoned"]) == (2, 1)


def test_a_body_that_is_too_long_is_refused(slow):
    reply = slow.retrieve(queries=["x" * 1000])
    assert (reply.status_code, reply.json()["message"][:35]) == (413, "the body has more than 1,000 bytes ")


def test_an_index_without_the_leg_says_what_it_can(slow):
    for method in ("dense", "hybrid"):
        reply = slow.retrieve(queries=["q"], retrieval_type=method)
        assert reply.status_code == 422
        assert f"`retrieval_type` is {method}, this index answers by bm25" in reply.json()["message"]
    answer = slow.retrieve(queries=["基金"], hybrid_alpha=0.2).json()
    assert (answer["method"], answer["weights"]) == ("bm25", {"bm25": 1, "dense": 0})


# Tokens and the log of requests


@pytest.fixture(scope="module")
def guarded(indexes, serving, tmp_path_factory):
    log = tmp_path_factory.mktemp("guarded") / "requests.jsonl"
    with serving(
        env={"SEARCH_TOKEN": "s3cret\n"}, index=indexes["bm25"], host="0.0.0.0", token_env="SEARCH_TOKEN", log_path=log
    ) as service:
        yield service, log


def test_a_guarded_server_answers_only_with_its_token(guarded):
    service, _ = guarded
    ask = lambda **headers: httpx.post(f"{service.url}/retrieve", json={"queries": ["基金"]}, headers=headers)  # noqa: E731
    for header in ("", "Bearer", "Bearer wrong", "Basic s3cret", "s3cret", b"Bearer s\xe93cret", "Bearer s3cret2"):
        reply = ask(authorization=header)
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert ask().status_code == 401
    assert ask(authorization="Bearer s3cret").status_code == 200
    assert ask(authorization="bearer s3cret").status_code == 200
    assert service.health()["status"] == "ok"
    assert '-H "Authorization: Bearer $SEARCH_TOKEN"' in service.log.read_text(encoding="utf-8")


def test_a_guarded_server_tells_a_stranger_only_that_it_lives(guarded):
    service, _ = guarded
    assert service.health() == {"status": "ok"}
    assert httpx.get(f"{service.url}/openapi.json").status_code == 404
    known = httpx.get(f"{service.url}/health", headers={"authorization": "Bearer s3cret"}).json()
    assert {"index", "defaults", "counters"} <= known.keys()


def test_the_log_has_a_line_for_each_request_and_no_secret(guarded):
    service, log = guarded
    before = len(log.read_text(encoding="utf-8").splitlines())
    bearer = {"authorization": "Bearer s3cret"}
    httpx.post(f"{service.url}/retrieve", json={"queries": ["机密一", "机密二"], "topk": 2}, headers=bearer)
    httpx.post(f"{service.url}/retrieve", content=b"{", headers=bearer)
    httpx.post(f"{service.url}/retrieve", json={"queries": ["机密"]}, headers={"authorization": "Bearer wrong1"})
    service.health()
    text = log.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()[before:]]
    keys = ("route", "status", "num_queries", "k", "method")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("/retrieve", 200, 2, 2, "bm25"),
        ("/retrieve", 400, None, None, None),
        ("/retrieve", 401, None, None, None),
        ("/health", 200, None, None, None),
    ]
    assert 0 <= rows[0]["queued_milliseconds"] <= rows[0]["total_milliseconds"]
    assert not any(secret in text for secret in ("机密", "s3cret", "wrong1"))


# Start and stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_answers_what_it_had_begun_and_ends_in_peace(indexes, serving, number):
    with serving(index=indexes["bm25"], max_wait_milliseconds=1500) as service:

        async def ask_and_stop():
            async with httpx.AsyncClient(timeout=30) as client:
                begun = asyncio.create_task(client.post(f"{service.url}/retrieve", json={"queries": ["基金"]}))
                await asyncio.sleep(0.5)
                service.process.send_signal(number)
                await asyncio.sleep(0.5)
                with pytest.raises(httpx.ConnectError):
                    await client.get(f"{service.url}/health")
                return await begun

        reply = asyncio.run(ask_and_stop())
        assert (reply.status_code, len(reply.json()["data"])) == (200, 1)
        assert service.process.wait(timeout=20) == 0
        assert "Traceback" not in service.log.read_text(encoding="utf-8")


def ended(indexes, tmp_path, env=None, **recipe):
    """Exit code and output of a server that cannot start."""
    log = tmp_path / "log.txt"
    process = start({"index": indexes["bm25"], "port": 0, **recipe}, log, **(env or {}))
    return process.wait(timeout=60), log.read_text(encoding="utf-8")


def test_a_port_in_use_is_said_before_the_index_is_looked_at(indexes, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = ended(indexes, tmp_path, port=port, index=tmp_path / "nowhere")
    assert code == 2
    assert f"error: port {port} is in use by another program\n  at 127.0.0.1:{port}" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("recipe", "code", "sentence"),
    [
        ({"host": "203.0.113.7", "token_env": "HOME"}, 2, "cannot listen"),
        ({"host": "no-such-host.invalid", "token_env": "HOME"}, 2, "cannot listen"),
        ({"token_env": "UNSET_TOKEN"}, 3, "the environment variable UNSET_TOKEN is not set"),
        ({"retrieval_method": "dense"}, 2, "`retrieval_method` is dense, this index answers by bm25"),
        ({"index": "nowhere"}, 2, "the input does not exist"),
        ({"log_path": "/proc/none/log.jsonl"}, 2, "`log_path` cannot be written"),
    ],
)
def test_a_server_that_cannot_work_does_not_start(indexes, tmp_path, recipe, code, sentence):
    ended_with, output = ended(indexes, tmp_path, **recipe)
    assert (ended_with, "Traceback" in output) == (code, False), output
    assert sentence in output
