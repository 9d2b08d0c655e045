"""Rows of training examples, mined or the user's own."""

import logging

import pytest

from core.embed.rows.read import read
from core.errors import DataError, UsageError
from core.formats import beir, examples
from core.types import Document, Example, Passage, Query

KL = {"type": "kl"}


def example(n, *, scores=(), negatives=4, **fields):
    """Negatives of a query are its own; the positive has the id `d<n>`."""
    scores = iter(scores)
    return Example(
        f"query {n}",
        (Passage(f"answer {n}", f"d{n}", "title", next(scores, None)),),
        tuple(Passage(f"wrong {n} {m}", score=next(scores, None)) for m in range(negatives)),
        **fields,
    )


@pytest.fixture
def write(tmp_path):
    """Write examples as a file of the user's own; gives the recipe's `train`."""

    def write(rows, **fields):
        examples.write(tmp_path / "train.jsonl", rows)
        return {"type": "examples", "path": tmp_path / "train.jsonl", **fields}

    return write


def test_a_row_is_a_positive_and_the_first_negatives(recipe, write):
    rows = [example(n) for n in range(50)]
    rows[7] = Example("query 7", (Passage("one", "a"), Passage("two", "b")), (Passage("wrong 7"),), "q7")
    material = read(recipe(write(rows, negatives=2)))
    found = {row.documents[0]: row for row in [*material.training, *material.validation]}
    assert found["title\nanswer 3"].documents == ("title\nanswer 3", "wrong 3 0", "wrong 3 1")
    assert found["title\nanswer 3"].document_ids[0] == "d3"
    assert len({id_ for row in found.values() for id_ in row.document_ids}) == 49 * 3 + 3  # each text has an id
    assert [(found[text].documents, found[text].query_id) for text in ("one", "two")] == [
        (("one", "wrong 7"), "q7"),
        (("two", "wrong 7"), "q7"),
    ]
    assert all(row.labels is None for row in found.values())
    assert material.facts == {
        "documents": 49 * 5 + 3,
        "training_documents": len({id_ for row in material.training for id_ in row.document_ids}),
        "held_out_documents": len({id_ for row in material.validation for id_ in row.document_ids}),
        "rows": len(material.training),
        "queries": 30,
        "held_out_queries": 20,
    }


def test_the_exam_is_over_all_passages_of_the_file(recipe, write):
    material = read(recipe(write([example(n) for n in range(50)], negatives=0)))
    assert len(material.exam.documents) == 50 * 5
    assert {query.text for query in material.exam.queries} == {row.query for row in material.validation}
    assert all(material.exam.qrels[q.id] == {f"d{q.text.split()[1]}": 1} for q in material.exam.queries)
    assert {len(row.documents) for row in material.training} == {1}


def test_the_texts_to_learn_a_tokenizer_from_are_those_of_the_training_each_once(recipe, write):
    rows = [example(n, negatives=1) for n in range(50)]
    rows.append(Example("query 50", (Passage("title\nanswer 49"),), (Passage("wrong 49 0"),)))
    material = read(recipe(write(rows)))
    texts = list(material.texts)
    assert len(texts) == len(set(texts))
    assert set(texts) == {document for row in material.training for document in row.documents}


def test_an_artifact_of_mining_is_read_likewise(recipe, write, tmp_path):
    own = read(recipe(write([example(n) for n in range(50)])))
    mined = read(recipe({"type": "mined", "data": tmp_path}))
    assert (own.training, own.validation, own.exam) == (mined.training, mined.validation, mined.exam)


def test_scores_are_labels_where_the_loss_follows_a_teacher(recipe, write):
    train = write([example(n, scores=[9.5, 3, -2, 0, 1]) for n in range(50)], negatives=2)
    assert {row.labels for row in read(recipe(train, loss=KL)).training} == {(9.5, 3.0, -2.0)}
    assert {row.labels for row in read(recipe(train)).training} == {None}
    teacher = {**KL, "teacher": {"model": "some/teacher"}}
    assert {row.labels for row in read(recipe(train, loss=teacher)).training} == {None}


def test_a_missing_score_is_told_with_its_line(recipe, write):
    rows = [example(n, scores=[9, 3, -2]) for n in range(50)]  # the last two negatives have none
    assert {row.labels for row in read(recipe(write(rows, negatives=2), loss=KL)).training} == {(9.0, 3.0, -2.0)}
    with pytest.raises(DataError, match=r"`negatives\[2\]` has no `score`") as caught:
        read(recipe(write(rows, negatives=3), loss=KL))
    assert caught.value.where.endswith("train.jsonl:1")
    assert "train.negatives=2" in caught.value.hint
    rows[4] = example(4)
    with pytest.raises(DataError, match=r"`positives\[0\]` has no `score`") as caught:
        read(recipe(write(rows, negatives=2), loss=KL))
    assert caught.value.where.endswith("train.jsonl:5")


def test_a_negative_without_score_takes_no_place_that_is_free(recipe, write):
    # The one negative with a score answers the next query: it is no negative where that one is held out.
    rows = [
        Example(
            f"query {n}",
            (Passage(f"answer {n}", score=9),),
            (Passage(f"answer {(n + 1) % 50}", score=3), Passage(f"wrong {n}")),
        )
        for n in range(50)
    ]
    material = read(recipe(write(rows, negatives=1), loss=KL))
    assert len(material.training) < 30  # of 30 queries some have none left
    assert {(len(row.documents), row.labels) for row in material.training} == {(2, (9.0, 3.0))}


def test_rows_without_the_negatives_that_a_loss_needs_are_counted(recipe, write, caplog):
    train = write([example(n, scores=[1, 0], negatives=n % 2) for n in range(100)])
    with caplog.at_level(logging.WARNING):
        material = read(recipe(train, loss=KL))
    assert len(material.training) + len(material.validation) == 50
    assert "rows are without negatives, which the loss needs" in caplog.text
    assert len(read(recipe(train)).training) == 80
    with pytest.raises(UsageError, match=r"`train.negatives` is 0"):
        read(recipe(write([example(1)], negatives=0), loss=KL))


def test_a_negative_with_the_text_of_a_positive_is_left_out(recipe, write, caplog):
    rows = [example(n) for n in range(50)]
    rows[3] = Example("query 3", (Passage("Right."),), (Passage("right"), Passage("wrong")))
    with caplog.at_level(logging.WARNING):
        material = read(recipe(write(rows)))
    row = next(row for row in [*material.training, *material.validation] if row.query == "query 3")
    assert row.documents == ("Right.", "wrong")
    assert "1 negatives have the text of a positive" in caplog.text


def test_instructions_that_the_model_does_not_say_are_told_once(recipe, write, caplog):
    train = write([example(n, instruction="Find the law.") for n in range(50)])
    model = {"type": "pretrained", "name": "x", "query_prompt": "Instruct: Find the law.\nQuery:"}
    with caplog.at_level(logging.WARNING):
        read(recipe(train, model=model))
    assert caplog.text == ""
    train = write([example(n, instruction=("Find the law.", "Find the fund.")[n < 9]) for n in range(50)])
    with caplog.at_level(logging.WARNING):
        read(recipe(train))
    assert caplog.text.count("is not put before queries") == 1
    assert "(2 different, such as 'Find the fund.')" in caplog.text


def test_an_id_of_two_texts_is_refused(recipe, write):
    rows = [example(n) for n in range(50)]
    rows[9] = Example("query 9", (Passage("another text", "d8"),))
    with pytest.raises(DataError, match="the document id `d8` has two texts") as caught:
        read(recipe(write(rows)))
    assert caught.value.where.endswith("train.jsonl:10")


def test_a_bad_row_is_told_with_its_line(recipe, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"query": "a", "positives": [{"text": "x"}]}\n{"query": "b", "positives": []}\n')
    with pytest.raises(DataError, match="`positives` is empty") as caught:
        read(recipe({"type": "examples", "path": path}))
    assert caught.value.where == f"{path}:2"


def test_a_corpus_is_asked_where_the_proof_names_one(recipe, write, tmp_path, caplog):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    beir.write_documents(corpus, [Document("x", "answer 3", "title"), Document("y", "something else")])
    beir.write_queries(corpus, [Query("q", "Query 3!"), Query("r", "another one")])
    beir.write_qrels(corpus, "dev", {"q": {"x": 1}, "r": {"y": 2}})
    train = write([example(n) for n in range(50)])
    held_out = {row.query for row in read(recipe(train)).validation}
    with caplog.at_level(logging.WARNING):
        material = read(recipe(train, proof={"data": corpus}))
    assert {query.id for query in material.exam.queries} == {"q", "r"}
    assert material.exam.origin == f"the split dev of {corpus}"
    told = [] if "query 3" in held_out else ["1 of the 2 queries of", "1 of the 2 documents that answer"]
    assert [line for line in told if line not in caplog.text] == []
    assert bool(told) == ("are trained on too" in caplog.text)
