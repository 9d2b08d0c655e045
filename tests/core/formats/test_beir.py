from pathlib import Path

import pytest

from core.errors import DataError, UsageError
from core.formats import beir
from core.formats.rows import BadRow
from core.types import Document, Query

TINY = Path(__file__).parents[2] / "data" / "tiny"


def qrels_file(tmp_path, content, split="test"):
    folder = tmp_path / "qrels"
    folder.mkdir(exist_ok=True)
    (folder / f"{split}.tsv").write_text(content, encoding="utf-8")
    return tmp_path


def test_what_is_written_is_what_is_read(tmp_path):
    documents = [Document("d1", "text\nin “lines”", "标题", {"a": [1, {"b": None}]}), Document("2", "t")]
    queries = [Query("q1", "问"), Query("q2", "?", {"answer": "!"})]
    assert beir.write_documents(tmp_path, documents) == 2
    assert beir.write_queries(tmp_path, queries) == 2
    assert beir.write_qrels(tmp_path, "dev", {"q1": {"d1": 2, "2": 0}, "q2": {"2": 1}}) == 3
    assert list(beir.read_documents(tmp_path)) == documents
    assert beir.read_queries(tmp_path) == queries
    assert beir.read_qrels(tmp_path, "dev") == {"q1": {"d1": 2, "2": 0}, "q2": {"2": 1}}


def test_the_files_are_those_of_beir(tmp_path):
    beir.write_documents(tmp_path, [Document("d1", "t")])
    beir.write_qrels(tmp_path, "test", {"q1": {"d1": 1}})
    assert (tmp_path / "corpus.jsonl").read_text() == '{"_id":"d1","title":"","text":"t"}\n'
    assert (tmp_path / "qrels" / "test.tsv").read_text() == "query-id\tcorpus-id\tscore\nq1\td1\t1\n"


def test_the_tiny_corpus_is_read_whole():
    assert len(list(beir.read_documents(TINY))) == 8
    assert [query.id for query in beir.read_queries(TINY)] == ["q1", "q2", "q3", "q4"]
    assert beir.read_qrels(TINY, "test")["q1"] == {"d1": 2, "d3": 0}


def test_documents_are_streamed(tmp_path):
    (tmp_path / "corpus.jsonl").write_text('{"_id": "1", "text": "t"}\nbroken\n')
    documents = beir.read_documents(tmp_path)
    assert next(documents).id == "1"
    with pytest.raises(BadRow, match="broken JSON") as raised:
        next(documents)
    assert raised.value.where == f"{tmp_path / 'corpus.jsonl'}:2"


def test_a_query_id_used_twice_is_an_error(tmp_path):
    beir.write_queries(tmp_path, [Query("q", "a"), Query("q", "b")])
    with pytest.raises(DataError, match="used twice"):
        beir.read_queries(tmp_path)


def test_splits_come_as_train_dev_test_and_others(tmp_path):
    for split in ("zoo", "test", "all", "train"):
        qrels_file(tmp_path, "q\td\t1\n", split)
    assert beir.splits(tmp_path) == ["train", "test", "all", "zoo"]
    assert beir.splits(tmp_path / "qrels") == []


def test_a_split_that_is_not_there_is_told_with_those_that_are(tmp_path):
    with pytest.raises(UsageError) as raised:
        beir.read_qrels(qrels_file(tmp_path, "q\td\t1\n"), "dev")
    assert raised.value.hint == "there are `test`"


def test_the_header_may_be_missing(tmp_path):
    assert beir.read_qrels(qrels_file(tmp_path, "q1\td1\t1\n"), "test") == {"q1": {"d1": 1}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q1\td2", "wrong columns"),
        ("q1 0 d2 1", "wrong columns"),
        ("q1\td2\t1.0", "bad grade"),
        ("q1\td2\thigh", "bad grade"),
        ("q1\td2\t１", "bad grade"),
        ("query-id\tcorpus-id\tscore", "bad grade"),
        ("\td2\t1", "missing id"),
        ("q1\td 2\t1", "bad id"),
        ("q1\td1\t0", "duplicate judgement"),
    ],
)
def test_a_bad_judgement_is_told_with_its_line(tmp_path, line, reason):
    folder = qrels_file(tmp_path, f"query-id\tcorpus-id\tscore\nq1\td1\t1\n{line}\n")
    with pytest.raises(BadRow) as raised:
        beir.read_qrels(folder, "test")
    assert raised.value.reason == reason
    assert raised.value.where.endswith("test.tsv:3")


def test_a_file_of_a_header_only_is_an_error(tmp_path):
    with pytest.raises(DataError, match="only a header"):
        beir.read_qrels(qrels_file(tmp_path, "query-id\tcorpus-id\tscore\n"), "test")


def test_a_file_where_the_folder_belongs_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="a file is here, a BEIR folder is needed"):
        beir.read_documents(tmp_path / "file")
    with pytest.raises(UsageError, match="no such folder"):
        beir.read_documents(tmp_path / "absent")
