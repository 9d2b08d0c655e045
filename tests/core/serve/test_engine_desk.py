"""`POST /retrieve` over a search engine of others."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import ValidationError

from core.errors import ContractError
from core.remote.faults import ServiceFailed, ServiceRefused
from core.reward.services.retriever import Retriever
from core.reward.spec import Retriever as Spec
from core.serve.recipe import Recipe
from core.serve.service import Service

from .conftest import start

LLM = {"server": {"type": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}}


@pytest.fixture(scope="module")
def pubmed(shared_search_engines, serving):
    """A server over PubMed."""
    with serving(engine=shared_search_engines.specs["pubmed"], max_top_k=100) as service:
        yield service


def test_an_engine_answers_as_an_index_does(pubmed, search_engines):
    answer = pubmed.retrieve(queries=["heart", "", "(heart"], topk=2, return_scores=True).json()
    first, second = answer["result"][0]
    contents = '"Statins and the heart"\nStatins lower cholesterol and protect the heart.'
    assert first == {"document": {"id": "104", "contents": contents}, "score": 1.0}
    assert (second["document"]["id"], second["score"]) == ("105", 0.5)
    assert answer["result"][1:] == [[], []]
    assert [hit["id"] for hit in answer["data"][0]] == ["104", "105"]
    assert (answer["engine"], answer["topk"]) == ("pubmed", 2)


def test_health_says_which_engine_and_how_many_queries_it_refused(pubmed, search_engines):
    before = pubmed.health()["engine"]["counters"]["refused"]
    search_engines.asked()
    pubmed.retrieve(queries=["(glucose"])
    facts = pubmed.health()
    assert facts["status"] == "ok"
    assert facts["engine"]["type"] == "pubmed"
    assert facts["engine"]["parses_operators"] is True
    assert facts["engine"]["counters"]["refused"] == before + 1
    asked = [note["body"]["term"] for note in search_engines.asked()]
    assert set(asked) <= {"(glucose", "health"}  # health itself asks nobody


def test_all_callers_share_one_memory(pubmed, search_engines):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: pubmed.retrieve(queries=["stroke OR aspirin"]).json()["data"], range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert [note["path"] for note in search_engines.asked()] == ["/eutils/esearch.fcgi", "/eutils/efetch.fcgi"]


@pytest.mark.parametrize(
    ("body", "told"),
    [({"retrieval_type": "bm25"}, "neither `retrieval_type`"), ({"topk": 101}, "1 to 100"), ({"topk": 0}, "1 to 100")],
)
def test_what_the_engine_cannot_do_is_refused(pubmed, body, told):
    answer = pubmed.retrieve(queries=["heart"], **body)
    assert answer.status_code == 422
    assert told in answer.json()["message"]


def test_an_engine_that_is_gone_is_a_502_and_a_reward_s_failure_and_never_an_empty_list(own_search_engines, serving):
    with serving(engine={**own_search_engines.specs["elasticsearch"], "retries": 0}) as service:
        assert len(service.retrieve(queries=["heart"]).json()["data"][0]) == 2
        own_search_engines.kill()
        answer = service.retrieve(queries=["heart", "glucose"])
        assert answer.status_code == 502
        assert set(answer.json()) == {"code", "message"}
        assert "the search engine Elasticsearch/articles gave no usable answer" in answer.json()["message"]
        assert answer.headers["Retry-After"] == "1"
        spec = Spec(url=f"{service.url}/retrieve", retries=0, give_up_seconds=5).model_dump(mode="json")
        retriever = Retriever(spec)
        with pytest.raises(ServiceFailed, match="HTTP 502: the search engine"):
            retriever.search(["glucose"], 10)
        retriever.client.close()
        assert service.retrieve(queries=["heart"]).status_code == 200  # remembered


def test_a_server_does_not_start_over_an_engine_that_is_not_there(search_engines, tmp_path):
    log = tmp_path / "log.txt"
    gone = {**search_engines.specs["http"], "url": "http://127.0.0.1:9/search", "retries": 0}
    assert start({"engine": gone, "port": 0}, log).wait(60) == 3
    assert "gave no usable answer" in log.read_text()


def test_a_server_does_not_start_over_an_engine_of_another_shape(search_engines):
    with pytest.raises(ServiceRefused, match="no list at `nothing`"):
        Service(Recipe(stage="serve", engine={**search_engines.specs["http"], "results": "nothing"}))


def test_operators_are_for_engines_that_parse_them(search_engines):
    rewrite = {"llm": LLM, "prompts": "literature"}
    service = Service(Recipe(stage="serve", engine=search_engines.specs["pubmed"], rewrite=rewrite))
    assert "PubMed" in service.summary
    service.search.remote.close()
    for deaf in ({}, {"boolean": False}):
        with pytest.raises(ContractError, match=r"Boolean operators, and the engine `127.0.0.1:"):
            Service(Recipe(stage="serve", engine={**search_engines.specs["http"], **deaf}, rewrite=rewrite))
    made = Service(Recipe(stage="serve", engine={**search_engines.specs["http"], "boolean": True}, rewrite=rewrite))
    made.search.remote.close()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"index": "x"}, "both given"),
        ({"max_top_k": 20_000}, "PubMed gives 9999"),
        ({"retrieval_method": "bm25"}, "there is no `index`"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(fields, told):
    with pytest.raises(ValidationError, match=told):
        Recipe(stage="serve", engine={"type": "pubmed"}, **fields)


def test_a_token_guards_an_engine_s_key(shared_search_engines, serving):
    with serving(env={"DR_TOKEN": "t"}, engine=shared_search_engines.specs["http"], token_env="DR_TOKEN") as service:
        assert service.retrieve(queries=["heart"]).status_code == 401
        assert set(service.health()) == {"status"}
        answer = httpx.post(f"{service.url}/retrieve", json={"queries": "heart"}, headers={"Authorization": "Bearer t"})
        assert answer.status_code == 200
