import json

import pytest

from core.serve import protocol
from core.serve.protocol import titled
from core.serve.refused import SHOWN, Refused
from core.types import Document

TITLED = Document("a", "正文第一行\n第二行", title="公告")
UNTITLED = Document("b", "一行的中文文档")
FOUND = [[(TITLED, 2.5), (UNTITLED, 1.0)], []]


def as_search_r1_reads(contents):
    """Title and text as the clients of Search-R1 and verl take them from `contents`."""
    title, _, text = contents.partition("\n")
    return title.strip('"'), text


@pytest.mark.parametrize(
    ("document", "title", "text"),
    [
        (TITLED, "公告", "正文第一行\n第二行"),
        (UNTITLED, "", "一行的中文文档"),
        (Document("c", "第一句\n第二句"), "", "第一句\n第二句"),
        (Document("d", "text", title="two\nlines"), "two lines", "text"),
        (Document("e", '"Aaron"\nA prophet', title=""), "Aaron", "A prophet"),
        (Document("f", '"quoted" he said\nand went'), "", '"quoted" he said\nand went'),
        (Document("g", '"'), "", '"'),
        (Document("h", ""), "", ""),
    ],
)
def test_the_first_line_of_a_result_is_the_title_and_never_the_text(document, title, text):
    assert as_search_r1_reads(titled(document)) == (title, text)


def test_an_answer_has_both_keys_and_a_row_for_each_query():
    assert json.loads(protocol.answer(FOUND, scores=True, method="bm25")) == {
        "code": 200,
        "message": "success",
        "data": [
            [
                {"id": "a", "contents": "公告\n正文第一行\n第二行", "score": 2.5},
                {"id": "b", "contents": "一行的中文文档", "score": 1.0},
            ],
            [],
        ],
        "result": [
            [
                {"document": {"id": "a", "contents": '"公告"\n正文第一行\n第二行'}, "score": 2.5},
                {"document": {"id": "b", "contents": '""\n一行的中文文档'}, "score": 1.0},
            ],
            [],
        ],
        "method": "bm25",
    }


@pytest.mark.parametrize("count", [1, 2, 3])
def test_without_scores_a_result_is_the_document_itself(count):
    # Search-R1's own server mistakes two queries for (documents, scores)
    answer = json.loads(protocol.answer(FOUND[:1] * count, scores=False))
    assert (
        answer["result"]
        == [[{"id": "a", "contents": '"公告"\n正文第一行\n第二行'}, {"id": "b", "contents": '""\n一行的中文文档'}]]
        * count
    )
    assert [hit["score"] for hit in answer["data"][0]] == [2.5, 1.0]


def test_the_requests_of_both_sources_are_read():
    b = protocol.read(b'{"queries":["q"],"topk":5,"return_scores":true,"retrieval_type":"hybrid","hybrid_alpha":0.6}')
    assert (b.queries, b.topk, b.return_scores, b.retrieval_type, b.hybrid_alpha) == (["q"], 5, True, "hybrid", 0.6)
    r1 = protocol.read(b'{"queries":["q","r"],"topk":null,"return_scores":false}')
    assert (r1.queries, r1.topk, r1.return_scores, r1.retrieval_type) == (["q", "r"], None, False, None)


def test_names_of_the_recipe_are_read_too():
    question = protocol.read(b'{"queries":"one","top_k":7,"retrieval_method":"dense","alpha":0}')
    assert (question.queries, question.topk, question.retrieval_type, question.hybrid_alpha) == (["one"], 7, "dense", 0)
    assert protocol.read(b'{"queries":["q"],"bm25_weight":1}').hybrid_alpha == 1


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "not JSON"),
        (b"queries=q", 400, "not JSON"),
        ("查询".encode("gbk"), 400, "not JSON"),
        (b'{"queries":["\\ud800"]}', 400, "not JSON"),
        (b'{"queries":["q"],"hybrid_alpha":NaN}', 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'["q"]', 422, "must be an object"),
        (b"{}", 422, "`queries`: field required"),
        (b'{"queries":[]}', 422, "`queries`: .*at least 1"),
        (b'{"queries":null}', 422, "`queries`: .*list"),
        (b'{"queries":["q",3]}', 422, "`queries.1`: .*string"),
        (b'{"queries":["q"],"topk":"5"}', 422, "`topk`: .*integer"),
        (b'{"queries":["q"],"topk":true}', 422, "`topk`: .*integer"),
        (b'{"queries":["q"],"topk":99999999999999999999999}', 422, "`topk`: .*integer"),
        (b'{"queries":["q"],"retrieval_type":"splade"}', 422, "`retrieval_type`: .*'bm25', 'dense' or 'hybrid'"),
        (b'{"queries":["q"],"hybrid_alpha":1.1}', 422, "`hybrid_alpha`: .*less than or equal to 1"),
        (b'{"queries":["q"],"alpha":-0.1}', 422, "`alpha`: .*greater than or equal to 0"),
    ],
)
def test_a_body_that_asks_nothing_valid_is_refused_in_a_sentence(body, status, sentence):
    with pytest.raises(Refused, match=sentence) as caught:
        protocol.read(body)
    assert caught.value.status == status
    assert json.loads(caught.value.body()) == {"code": status, "message": caught.value.message}


def test_a_refusal_never_quotes_a_query():
    with pytest.raises(Refused) as caught:
        protocol.read('{"queries":[["机密"]],"topk":0.5}'.encode())
    assert "机密" not in caught.value.message


def test_a_refusal_of_many_faults_stays_short():
    with pytest.raises(Refused) as caught:
        protocol.read(json.dumps({"queries": [0] * 1000}).encode())
    assert caught.value.message.count("queries.") == SHOWN
