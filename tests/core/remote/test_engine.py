"""Search engines of others: their answers in our form, what they refuse, and what is no answer at all."""

import base64
import contextlib
import logging
import os
import time

import pytest
from pydantic import TypeAdapter, ValidationError

from core.errors import DataError, UsageError
from core.remote.adapters import pubmed, reading
from core.remote.client import Client, Patience
from core.remote.engine import RemoteEngine
from core.remote.faults import ServiceFailed, ServiceRefused, Unreadable
from core.remote.spec import AnyEngine

KINDS = ["http", "pubmed", "clinical_trials", "elasticsearch"]
MALFORMED = "(heart AND diabetes"
PREFIX = {"clinical_trials": "NCT00000", "elasticsearch": "es"}
TEXTS = {
    "101": "Metformin lowers glucose. It is old & cheap < others.",
    "104": "Statins lower cholesterol and protect the heart.",
    "105": "Exercise improves health of the heart, and glucose.",
}


def spec(engines, kind, **fields):
    return TypeAdapter(AnyEngine).validate_python({**engines.specs[kind], **fields})


@pytest.fixture
def opened(search_engines):
    """Make an open engine: `opened(kind, field=…)`."""
    made = []

    def make(kind, **fields):
        if kind == "elasticsearch":
            fields = {"query": "query_string", **fields}
        made.append(RemoteEngine(spec(search_engines, kind, **fields)))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def key():
    """Set the key: `key("secret")`."""

    def put(value):
        os.environ["DR_TEST_ENGINE_KEY"] = value

    yield put
    os.environ.pop("DR_TEST_ENGINE_KEY", None)


def ids(rows):
    return [[document.id for document, _ in row] for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_texts_and_scores_come_back_in_order(opened, kind):
    engine, prefix = opened(kind), PREFIX.get(kind, "")
    engine.check()
    rows = engine.search(["heart AND glucose", "  ", "heart", "nothingness", "heart AND glucose"], 10)
    assert ids(rows) == [[f"{prefix}105"], [], [f"{prefix}104", f"{prefix}105"], [], [f"{prefix}105"]]
    assert [document.text for document, _ in rows[2]] == [TEXTS["104"], TEXTS["105"]]
    title = "" if kind == "http" else "Statins and the heart"
    assert rows[2][0][0].title == title
    scores = [score for _, score in rows[2]]
    assert scores == ([1, 1 / 2] if kind in {"pubmed", "clinical_trials"} else [9, 8])


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_that_the_engine_refuses_finds_nothing_and_is_counted_and_told(opened, kind, caplog):
    engine = opened(kind)
    with caplog.at_level(logging.WARNING):
        assert [len(row) for row in engine.search([MALFORMED, "heart", "AND"], 10)] == [0, 2, 0]
    assert engine.facts()["counters"] == {"asked": 3, "remembered": 0, "refused": 2}
    assert "a query finds nothing, for it was refused (1 so far)" in caplog.text
    assert "parenthes" in caplog.text or "brackets" in caplog.text or "Failed to parse" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_that_refuses_an_ordinary_query_is_a_wrong_recipe_and_no_empty_result(opened, search_engines, kind):
    search_engines.fail("always 400")
    with pytest.raises(ServiceRefused, match=r"refuses even an ordinary query.*as it was told"):
        opened(kind).check()
    with pytest.raises(ServiceRefused, match="refuses even an ordinary query") as caught:
        opened(kind).search(["heart"], 10)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["drop", "html"])
def test_a_failure_that_passes_is_passed_over(opened, search_engines, kind, fault):
    search_engines.fail(fault)
    assert len(opened(kind).search(["heart"], 10)[0]) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["always 500", "always html", "always 401"])
def test_a_failure_that_stays_is_no_empty_result(opened, search_engines, kind, fault):
    search_engines.fail(fault)
    with pytest.raises(ServiceFailed, match=r"search engine .* gave no usable answer"):
        opened(kind, retries=0).search(["heart", "glucose", "stroke"], 10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_that_fails_alone_is_no_empty_result_either(opened, search_engines, kind):
    search_engines.fail("500")  # the next one would be answered
    with pytest.raises(ServiceFailed):
        opened(kind, retries=0).search(["heart"], 10)


def test_an_engine_that_dies_fails_and_one_that_returns_is_asked_again(own_search_engines, search_engines):
    with RemoteEngine(spec(own_search_engines, "pubmed", retries=0)) as engine:
        assert len(engine.search(["heart"], 10)[0]) == 2
        own_search_engines.kill()
        with pytest.raises(ServiceFailed) as first:
            engine.search(["glucose"], 10)
        with pytest.raises(ServiceFailed) as second:
            engine.search(["glucose"], 10)
        assert first.value.exit_code == 3
        assert second.value is first.value  # for a while it is not asked at all
        assert len(engine.search(["heart"], 10)[0]) == 2  # remembered
    client = Client("x", f"{search_engines.url}/search", Patience(1, 0, 2), gone_seconds=0.3)
    search_engines.fail("503")
    with contextlib.closing(client):
        with pytest.raises(ServiceFailed):
            client.post({"query": "heart", "top_k": 1}, reading.parsed)
        time.sleep(0.35)
        assert client.post({"query": "heart", "top_k": 1}, reading.parsed)["results"]


@pytest.mark.parametrize(
    ("kind", "fault"), [("pubmed", "backend"), ("pubmed", "entities"), ("elasticsearch", "shards")]
)
def test_a_failure_that_is_told_with_status_200_is_asked_again_and_is_no_result(opened, search_engines, kind, fault):
    search_engines.fail(*([None] if fault == "entities" else []), fault)
    assert [document.text for document, _ in opened(kind).search(["heart"], 1)[0]] == [TEXTS["104"]]
    search_engines.fail(*([None] if fault == "entities" else []), f"always {fault}")
    with pytest.raises(ServiceFailed, match=r"not available|declares entities|1 shards"):
        opened(kind).search(["heart"], 1)


def test_what_was_asked_is_not_asked_again(opened, search_engines):
    engine = opened("pubmed")
    engine.search(["heart", "glucose"], 2)
    assert sorted(note["path"][8:] for note in search_engines.asked()) == [
        "efetch.fcgi",
        "esearch.fcgi",
        "esearch.fcgi",
    ]
    engine.search(["heart", "glucose", "stroke"], 2)
    new = search_engines.asked()
    assert [note["body"].get("term", note["body"].get("id")) for note in new] == ["stroke", "103"]
    assert engine.facts()["counters"] == {"asked": 3, "remembered": 2, "refused": 0}


def test_a_cache_keeps_answers_for_the_next_run_and_only_for_the_same_question(opened, search_engines, tmp_path):
    cache = tmp_path / "answers.sqlite"
    before = opened("pubmed", cache=cache).search(["heart", MALFORMED], 10)
    search_engines.asked()
    assert opened("pubmed", cache=cache).search(["heart"], 10) == before[:1]
    assert search_engines.asked() == []
    opened("pubmed", cache=cache, sort="pub_date").search(["heart"], 10)
    opened("pubmed", cache=cache).search(["heart"], 1)
    opened("pubmed", cache=cache).search([MALFORMED], 10)  # what is refused is not kept
    assert [note["path"][8:] for note in search_engines.asked()].count("esearch.fcgi") >= 3


def test_a_cache_that_is_none_is_a_sentence(opened, tmp_path):
    (tmp_path / "notes.txt").write_text("not a cache, " * 100)
    with pytest.raises(DataError, match="`cache` cannot be used"):
        opened("http", cache=tmp_path / "notes.txt")


def test_pubmed_is_asked_by_forms_so_that_no_key_is_in_an_address(opened, search_engines, key):
    key("secret")
    opened("pubmed", key_env=["DR_TEST_ENGINE_KEY"], email="a@b.org", until="2020/12/31").search(["heart OR x"], 7)
    first, second = search_engines.asked()
    shared = {"db": "pubmed", "tool": "dr", "email": "a@b.org", "api_key": "secret"}
    dates = {"datetype": "pdat", "mindate": "1500/01/01", "maxdate": "2020/12/31"}
    asked = {"term": "heart OR x", "retmax": "7", "retmode": "json", "sort": "relevance"}
    assert first["body"] == {**shared, **dates, **asked}
    assert second["body"] == {**shared, "id": "104,105", "retmode": "xml"}
    assert all("secret" not in note["path"] and note["key"] is None for note in (first, second))


def test_ids_alone_cost_one_request(opened, search_engines):
    rows = opened("pubmed", texts=False).search(["heart"], 10)
    assert ids(rows) == [["104", "105"]]
    assert len(search_engines.asked()) == 1


def test_texts_are_fetched_for_many_queries_in_one_request(opened, search_engines):
    opened("pubmed").search(["heart", "glucose", "stroke", "diabetes"], 10)
    assert [note["path"][8:] for note in search_engines.asked()].count("efetch.fcgi") == 1


def test_pubmed_s_xml_is_read_with_labels_markup_and_books(opened):
    (row,) = opened("pubmed").search(["diabetes"], 10)
    texts = {document.id: (document.title, document.text) for document, _ in row}
    assert texts["101"] == (
        "Metformin in type 2 diabetes",
        "RESULTS: Metformin lowers glucose.\nIt is old & cheap < others.",
    )
    assert texts["106"] == ("Diabetes: a book", "A chapter on early signs of diabetes.")


@pytest.mark.parametrize(
    "text", ["", "<html><body>busy</body></html>", "<eFetchResult><ERROR>busy</ERROR></eFetchResult>"]
)
def test_xml_of_another_kind_is_no_answer(text):
    with pytest.raises(Unreadable, match=r"busy|no XML"):
        pubmed.articles(text.encode())


def test_trials_come_over_several_pages(opened, search_engines):
    (row,) = opened("clinical_trials").search(["glucose OR heart OR stroke"], 4)
    assert [document.id for document, _ in row] == ["NCT00000105", "NCT00000101", "NCT00000102", "NCT00000103"]
    first, second = (note["body"] for note in search_engines.asked())
    assert first == {
        "query.term": "glucose OR heart OR stroke",
        "fields": "NCTId,BriefTitle,BriefSummary",
        "format": "json",
        "pageSize": "4",
    }
    assert second == {**first, "pageSize": "2", "pageToken": "2"}


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ({"query": "match", "fields": ["text"]}, {"match": {"text": {"query": "heart"}}}),
        ({"query": "multi_match"}, {"multi_match": {"query": "heart", "fields": ["title", "text"]}}),
        ({"query": "query_string"}, {"query_string": {"query": "heart", "fields": ["title", "text"]}}),
    ],
)
def test_elasticsearch_is_asked_in_its_own_words(opened, search_engines, fields, query):
    (row,) = opened("elasticsearch", id="_source.pmid", **fields).search(["heart"], 3)
    assert [document.id for document, _ in row] == ["104", "105"]
    (note,) = search_engines.asked()
    assert note["body"] == {
        "query": query,
        "size": 3,
        "_source": ["pmid", "title", "text"],
        "track_total_hits": False,
    }


@pytest.mark.parametrize(
    ("kind", "fields", "shown"),
    [
        ("http", {}, "Bearer user:word"),
        ("elasticsearch", {}, "ApiKey user:word"),
        ("elasticsearch", {"authorization": "Bearer"}, "Bearer user:word"),
        ("elasticsearch", {"authorization": "Basic"}, f"Basic {base64.b64encode(b'user:word').decode()}"),
    ],
)
def test_a_key_is_named_and_sent_as_the_engine_wants_it(opened, search_engines, key, kind, fields, shown):
    key("user:word")
    opened(kind, key_env=["NO_SUCH", "DR_TEST_ENGINE_KEY"], **fields).search(["heart"], 1)
    assert [note["key"] for note in search_engines.asked()] == [shown]


def test_another_form_of_the_answer_is_named_by_paths(opened, search_engines):
    with pytest.raises(ServiceRefused, match=r"no list at `hits.none`"):
        by_get(opened, search_engines, results="hits.none")
    with pytest.raises(ServiceRefused, match=r"without id at `no.id`"):
        by_get(opened, search_engines, id="no.id")
    with pytest.raises(ServiceRefused, match=r"without number at `text` \(`score: null`"):
        by_get(opened, search_engines, score="text")
    search_engines.asked()
    assert by_get(opened, search_engines, score=None)[0][1] == 1


def by_get(opened, engines, **fields):
    rows = opened("http", method="GET", url=f"{engines.url}/search?lang=en", **fields).search(["heart"], 2)
    assert [note["path"].split("?")[1] for note in engines.asked()] == ["lang=en&query=heart&top_k=2"]
    return rows[0]


def test_paths_reach_into_lists_and_many_texts_are_lines():
    value = {"a": [{"b": ["one", "", "two"]}, {"c": 3}]}
    assert reading.at(value, "a.0.b.2") == "two"
    assert reading.at(value, "a.7.b") is None
    assert reading.at(value, "") is value
    document = reading.document(value, "x", id_at="a.1.c", title_at="a.1.none", text_at="a.0.b")
    assert (document.id, document.title, document.text) == ("3", "", "one\ntwo")


def test_a_score_that_rises_is_a_distance_and_a_document_counts_once():
    documents = [reading.document(id_, "x", id_at="", title_at=None, text_at=None) for id_ in ("a", "b", "a")]
    assert [(d.id, score) for d, score in reading.ranked(documents, [0.1, 0.2, 0.3])] == [("a", 1), ("b", 0.5)]
    assert [(d.id, score) for d, score in reading.ranked(documents, [3, 2, 2])] == [("a", 3), ("b", 2)]


def test_the_limit_is_held_by_all_callers_together(opened, search_engines):
    engine = opened("http", requests_per_minute=600)  # one in 0.1 s
    engine.search([f"heart OR x{number}" for number in range(6)], 1)
    times = sorted(note["at"] for note in search_engines.asked())
    assert times[-1] - times[0] >= 0.45


def test_pubmed_without_a_key_is_asked_three_times_a_second(opened, search_engines):
    opened("pubmed", requests_per_minute=None, texts=False).search(["heart", "glucose", "stroke"], 1)
    times = sorted(note["at"] for note in search_engines.asked())
    assert times[-1] - times[0] >= 0.6


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"type": "http", "url": "127.0.0.1:9000"}, "is no address"),
        ({"type": "http", "url": "https://me:secret@x.org"}, "an address holds no key"),
        ({"type": "elasticsearch", "url": "http://x", "index": "a", "query": "match"}, "looks in one field"),
        ({"type": "pubmed", "until": "31.12.2020"}, "should match pattern"),
        ({"type": "solr"}, "does not match any of the expected tags"),
    ],
)
def test_a_recipe_that_names_no_engine_is_refused(fields, told):
    with pytest.raises(ValidationError, match=told):
        TypeAdapter(AnyEngine).validate_python(fields)


def test_an_address_that_is_none_is_refused_by_the_client_too():
    with pytest.raises(UsageError, match="address is none"):
        Client("x", "ftp://x", Patience(1, 0, 1))
