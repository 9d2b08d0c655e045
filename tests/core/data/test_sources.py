"""One small collection in every layout: each source gives the same corpus, and names what is wrong with its files."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import artifact
from core.data import build
from core.data.recipe import Recipe
from core.errors import DataError, UsageError
from core.formats import beir
from core.types import Document, Query

DOCUMENTS = [
    ("d1", "基金", "净值是资产减去负债。"),
    ("d2", "Bonds", 'Bonds pay "interest",\nmostly.'),
    ("d3", "Shares", "Shares pay dividends."),
    ("d4", "Gold", "Gold pays nothing."),
]
QUERIES = [("q1", "什么是净值？"), ("q2", "what pays interest"), ("q3", "what pays dividends")]
JUDGED = {
    "train": [("q1", "d1", 2), ("q1", "d2", 0)],
    "dev": [("q2", "d2", 1)],
    "test": [("q3", "d3", 1), ("q3", "d4", 0)],
}


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def table(path, head, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([head, *rows])
    return path


def parquet(path, head, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(zip(head, row, strict=True)) for row in rows]), path)
    return path


def named(head, rows):
    return [dict(zip(head, row, strict=True)) for row in rows]


def jsonl_source(home):
    for split, rows in JUDGED.items():
        table(home / "qrels" / f"{split}.tsv", ("query-id", "corpus-id", "score"), rows, "\t")
    lines(home / "parts" / "1.jsonl", named(("id", "title", "contents"), DOCUMENTS[:2]))
    lines(home / "parts" / "2.jsonl.gz", named(("docid", "title", "text"), DOCUMENTS[2:]))
    queries = [lines(home / f"{row[0]}.jsonl", named(("id", "text"), [row])) for row in QUERIES]
    return {"type": "jsonl", "documents": home / "parts" / "*.jsonl*", "queries": queries, "qrels": home / "qrels"}


def beir_source(home):
    jsonl_source(home)
    lines(home / "corpus.jsonl", named(("_id", "title", "text"), DOCUMENTS))
    lines(home / "queries.jsonl", named(("_id", "text"), QUERIES))
    return {"type": "beir", "path": home}


def trec_source(home):
    (home / "qrels").mkdir()
    for split, rows in JUDGED.items():
        (home / "qrels" / f"{split}.txt").write_text("".join(f"{q} 0 {d} {grade}\n" for q, d, grade in rows))
    (home / "docs.xml").write_text(
        "".join(
            f"<DOC>\n<DOCNO> {i} </DOCNO>\n<HEADLINE>{title}</HEADLINE>\n<TEXT>\n{text}\n</TEXT>\n</DOC>\n"
            for i, title, text in DOCUMENTS
        )
    )
    (home / "topics.tsv").write_text("".join(f"{i}\t{text}\n" for i, text in QUERIES))
    return {"type": "trec", "documents": home / "docs.xml", "queries": home / "topics.tsv", "qrels": home / "qrels"}


def processed_source(home):
    texts = dict(QUERIES)
    for split, rows in JUDGED.items():
        query_id = rows[0][0]
        judged = {document: grade for _, document, grade in rows}
        lines(home / f"{split}.jsonl", [{"query_id": query_id, "query": texts[query_id], "qrels": judged}])
    lines(home / "corpus.jsonl", named(("id", "title", "text"), DOCUMENTS))
    return {"type": "processed", "path": home}


def flagembedding_source(home):
    texts = dict(QUERIES)
    lines(home / "corpus.jsonl", named(("id", "title", "text"), DOCUMENTS))
    for split, rows in JUDGED.items():
        query_id = rows[0][0]
        lines(home / f"{split}_queries.jsonl", [{"id": query_id, "text": texts[query_id]}])
        lines(home / f"{split}_qrels.jsonl", named(("qid", "docid", "relevance"), rows))
    return {"type": "flagembedding", "path": home}


def csv_source(home):
    for split, rows in JUDGED.items():
        table(home / "qrels" / f"{split}.csv", ("qid", "pid", "label"), rows)
    return {
        "type": "csv",
        "documents": table(home / "d.csv", ("编号", "标题", "正文"), DOCUMENTS),
        "queries": table(home / "q.tsv", ("qid", "question"), QUERIES, "\t"),
        "qrels": home / "qrels",
        "columns": {"documents": {"id": "编号", "title": "标题", "text": "正文"}},
    }


def parquet_source(home):
    rows = [(*row, split) for split, judged in JUDGED.items() for row in judged]
    return {
        "type": "parquet",
        "documents": parquet(home / "d.parquet", ("docid", "title", "content"), DOCUMENTS),
        "queries": parquet(home / "q.parquet", ("query_id", "query"), QUERIES),
        "qrels": parquet(home / "j.parquet", ("query_id", "document_id", "grade", "split"), rows),
    }


def datasets_hub_source(home):
    parquet(home / "corpus" / "corpus-00000-of-00002.parquet", ("_id", "title", "text"), DOCUMENTS[:2])
    parquet(home / "corpus" / "corpus-00001-of-00002.parquet", ("_id", "title", "text"), DOCUMENTS[2:])
    lines(home / "queries.jsonl.gz", named(("_id", "text"), QUERIES))
    for split, rows in JUDGED.items():
        parquet(home / "data" / f"{split}-00000-of-00001.parquet", ("query-id", "corpus-id", "score"), rows)
    entries = "".join(f"  - split: {split}\n    path: data/{split}-*\n" for split in JUDGED)
    (home / "README.md").write_text(
        f"---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files:\n{entries}---\n# A set\n"
    )
    return {"type": "datasets", "path": home}


def datasets_saved_source(home):
    from datasets import Dataset, DatasetDict

    Dataset.from_list(named(("_id", "title", "text"), DOCUMENTS)).save_to_disk(home / "corpus", num_shards=2)
    DatasetDict({"queries": Dataset.from_list(named(("_id", "text"), QUERIES))}).save_to_disk(home / "queries")
    DatasetDict(
        {
            split: Dataset.from_list(named(("query-id", "corpus-id", "score"), [(q, d, float(g)) for q, d, g in rows]))
            for split, rows in JUDGED.items()
        }
    ).save_to_disk(home / "default")
    return {"type": "datasets", "path": home}


READER = f"""
from core.formats.qrels import Judgement
from core.types import Document, Query

def read(path):
    print("a word that is no result")
    for identifier, title, text in {DOCUMENTS!r}:
        yield Document(identifier, text, title)
    for line in path.read_text().splitlines():
        identifier, text = line.split("|")
        yield {{"kind": "query", "id": identifier, "text": text}}
    for split, rows in {JUDGED!r}.items():
        for query, document, grade in rows[:1]:
            yield Judgement(split, query, document, grade, "")
        for query, document, grade in rows[1:]:
            yield {{"kind": "judgement", "query_id": query, "document_id": document, "grade": grade, "split": split}}
"""


def python_source(home):
    (home / "reader.py").write_text(READER)
    (home / "queries.txt").write_text("".join(f"{i}|{text}\n" for i, text in QUERIES))
    return {"type": "python", "file": home / "reader.py", "path": home / "queries.txt"}


SOURCES = [
    jsonl_source, beir_source, trec_source, processed_source, flagembedding_source, csv_source, parquet_source,
    datasets_hub_source, datasets_saved_source, python_source,
]  # fmt: skip


def made(tmp_path, source, **more):
    artifact.make(
        Recipe.model_validate({"stage": "data", "out": tmp_path / "out", "source": source, **more}), build.run
    )
    return tmp_path / "out", artifact.read(tmp_path / "out", ("data",))["stats"]


@pytest.mark.parametrize("layout", SOURCES, ids=lambda layout: layout.__name__.removesuffix("_source"))
def test_every_source_gives_the_same_corpus(tmp_path, layout):
    (tmp_path / "in").mkdir()
    out, stats = made(tmp_path, layout(tmp_path / "in"))
    assert list(beir.read_documents(out)) == [Document(i, text, title) for i, title, text in DOCUMENTS]
    assert beir.read_queries(out) == [Query(i, text) for i, text in QUERIES]
    for split, rows in JUDGED.items():
        expected = "".join(f"{q}\t{d}\t{grade}\n" for q, d, grade in [("query-id", "corpus-id", "score"), *rows])
        assert (out / "qrels" / f"{split}.tsv").read_text() == expected
    assert stats["bad_rows"] == {}
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert found == ["corpus.jsonl", "manifest.json", *(f"qrels/{s}.tsv" for s in sorted(JUDGED)), "queries.jsonl"]


@pytest.mark.parametrize("layout", SOURCES, ids=lambda layout: layout.__name__.removesuffix("_source"))
def test_every_source_counts_as_unchanged_or_changed_by_its_files(tmp_path, layout):
    (tmp_path / "in").mkdir()
    recipe = Recipe.model_validate({"stage": "data", "out": tmp_path / "out", "source": layout(tmp_path / "in")})
    assert artifact.make(recipe, build.run)
    assert not artifact.make(recipe, build.run)
    files = {path.resolve() for given in recipe.source_files().values() for path in (given, *given.rglob("*"))}
    assert {path.resolve() for path in (tmp_path / "in").rglob("*") if path.is_file()} - files == set()


def test_tevatron_rows_are_train_judgements_and_their_negatives_are_none(tmp_path):
    rows = [
        {"query_id": "1", "query_text": "what", "positive_document_ids": ["d1"], "negative_document_ids": ["d2"]},
        {"query_id": 2, "query": "who", "positive_passages": [{"docid": "d2"}], "negative_passages": []},
    ]
    documents = lines(tmp_path / "d.jsonl", [{"docid": "d1", "document_text": "a"}, {"docid": "d2", "text": "b"}])
    source = {"type": "tevatron", "queries": lines(tmp_path / "q.jsonl", rows), "documents": documents}
    out, _ = made(tmp_path, source)
    assert beir.splits(out) == ["train"]
    assert beir.read_qrels(out, "train") == {"1": {"d1": 1}, "2": {"d2": 1}}
    assert [document.text for document in beir.read_documents(out)] == ["a", "b"]


def test_tevatron_rows_may_hold_the_documents(tmp_path):
    one, two = ({"docid": i, "title": "T", "text": f"text {i}"} for i in ("d1", "d2"))
    rows = [
        {"query_id": "1", "query": "what", "positive_passages": [one], "negative_passages": [two]},
        {"query_id": "2", "query": "who", "positive_passages": [two], "negative_passages": [one]},
    ]
    source = {"type": "tevatron", "queries": lines(tmp_path / "q.jsonl", rows)}
    out, stats = made(tmp_path, source)
    assert [document.id for document in beir.read_documents(out)] == ["d1", "d2"]
    assert stats["bad_rows"] == {}
    rows[1]["positive_passages"] = [two | {"text": "another"}]
    lines(tmp_path / "q.jsonl", rows)
    with pytest.raises(DataError, match="the document id `d2` is used before, with another text"):
        made(tmp_path / "again", source)


def test_a_folder_of_files_is_a_source(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.md").write_text("# Title\n\nwords")
    (tmp_path / "in" / "b.txt").write_bytes(b"\xff")
    out, stats = made(tmp_path, {"type": "files", "path": tmp_path / "in"}, on_bad_row="reject")
    assert list(beir.read_documents(out)) == [Document("a.md", "words", "Title")]
    assert stats["bad_rows"] == {"not UTF-8": 1}


def test_judgements_may_lie_in_a_folder_of_their_own(tmp_path):
    lines(tmp_path / "in" / "corpus.jsonl.gz", named(("_id", "title", "text"), DOCUMENTS))
    lines(tmp_path / "in" / "queries.jsonl.gz", named(("_id", "text"), QUERIES))
    table(tmp_path / "in-qrels" / "test.tsv", ("query-id", "corpus-id", "score"), JUDGED["test"], "\t")
    out, _ = made(tmp_path, {"type": "datasets", "path": tmp_path / "in", "qrels_path": tmp_path / "in-qrels"})
    assert beir.read_qrels(out, "test") == {"q3": {"d3": 1, "d4": 0}}


def test_a_configuration_that_is_missing_is_told(tmp_path):
    lines(tmp_path / "in" / "passages.jsonl", named(("_id", "title", "text"), DOCUMENTS))
    table(tmp_path / "in" / "qrels" / "test.tsv", ("query-id", "corpus-id", "score"), JUDGED["test"], "\t")
    source = {"type": "datasets", "path": tmp_path / "in"}
    with pytest.raises(UsageError, match=r"no configuration `queries`; the folder has passages\.jsonl, qrels"):
        made(tmp_path, source)
    with pytest.raises(UsageError, match="no configuration `corpus`"):
        made(tmp_path, source | {"queries": None})
    _, stats = made(tmp_path, source | {"queries": None, "documents": "passages"})
    assert (stats["documents"], stats["judgements"]) == (4, {})


@pytest.mark.parametrize("layout", [csv_source, parquet_source, trec_source, processed_source, flagembedding_source])
def test_a_bad_row_in_a_file_of_any_source_is_told_with_its_place(tmp_path, layout):
    (tmp_path / "in").mkdir()
    source = layout(tmp_path / "in")
    if layout is csv_source:
        table(tmp_path / "in" / "d.csv", ("编号", "标题", "正文"), [*DOCUMENTS, ("d1", "", "again")])
        place = "d.csv:7"  # one head, four documents, one of them on two lines
    elif layout is parquet_source:
        parquet(tmp_path / "in" / "d.parquet", ("docid", "title", "content"), [*DOCUMENTS, ("d1", "", "again")])
        place = "d.parquet: row 5"
    elif layout is trec_source:
        path = tmp_path / "in" / "docs.xml"
        place = f"docs.xml:{path.read_text().count(chr(10)) + 1}"
        path.write_text(path.read_text() + "<DOC><DOCNO>d1</DOCNO><TEXT>again</TEXT></DOC>")
    else:
        lines(tmp_path / "in" / "corpus.jsonl", [*named(("id", "title", "text"), DOCUMENTS), {"id": "d1", "text": "x"}])
        place = "corpus.jsonl:5"
    with pytest.raises(DataError, match="the document id `d1` is used before") as raised:
        made(tmp_path, source)
    assert raised.value.where == f"{tmp_path}/in/{place}"


def test_missing_files_patterns_that_fit_nothing_and_files_named_twice_are_told(tmp_path):
    path = lines(tmp_path / "d.jsonl", [{"id": "d", "text": "t"}])
    with pytest.raises(UsageError, match=r"`source\.documents` cannot be read: No such file"):
        made(tmp_path, {"type": "csv", "documents": tmp_path / "*.csv"})
    with pytest.raises(UsageError, match=r"`source\.documents\.1` cannot be read"):
        made(tmp_path, {"type": "jsonl", "documents": [path, tmp_path / "absent"]})
    with pytest.raises(UsageError, match="the file is named twice"):
        made(tmp_path, {"type": "jsonl", "documents": [path, tmp_path / "*.jsonl"]})
    with pytest.raises(UsageError, match="the list of files is empty"):
        made(tmp_path, {"type": "jsonl", "documents": []})
    (tmp_path / "qrels").mkdir()
    with pytest.raises(UsageError, match="no judgements are here"):
        made(tmp_path, {"type": "parquet", "documents": path, "queries": path, "qrels": tmp_path / "qrels"})
    with pytest.raises(UsageError, match="the split `test` has judgements and no queries"):
        lines(tmp_path / "f" / "test_qrels.jsonl", [{"qid": "q", "docid": "d", "relevance": 1}])
        made(tmp_path, {"type": "flagembedding", "path": tmp_path / "f"})


def test_a_pattern_and_the_list_of_its_files_are_the_same_source(tmp_path):
    for number in (1, 2):
        lines(tmp_path / f"{number}.jsonl", [{"id": f"d{number}", "text": f"text {number}"}])
    whole = {"type": "jsonl", "documents": tmp_path / "*.jsonl"}
    out, _ = made(tmp_path, whole)
    assert sorted(artifact.read(out)["sources"]) == ["source.documents.0", "source.documents.1"]
    assert [document.id for document in beir.read_documents(out)] == ["d1", "d2"]
    recipe = {
        "stage": "data",
        "out": out,
        "source": whole | {"documents": [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]},
    }
    assert not artifact.make(Recipe.model_validate(recipe), build.run)
    lines(tmp_path / "3.jsonl", [{"id": "d3", "text": "text 3"}])
    with pytest.raises(UsageError, match=r"source\.documents\.2: has other content"):
        made(tmp_path, whole)


def test_a_bad_row_of_a_judged_query_is_told_once(tmp_path):
    rows = [
        {"query_id": "q1", "query": "what", "relevant": ["d1"]},
        {"query": "no id", "relevant": ["d1"]},
        {"query_id": "q3", "query": " ", "relevant": ["d1"]},
        {"query_id": "q4", "query": "bad", "relevant": ["d 1"]},
    ]
    lines(tmp_path / "in" / "train.jsonl", rows)
    lines(tmp_path / "in" / "corpus.jsonl", [{"id": "d1", "text": "t"}])
    out, stats = made(tmp_path, {"type": "processed", "path": tmp_path / "in"}, on_bad_row="reject")
    assert stats["bad_rows"] == {"missing id": 1, "empty query": 1, "bad id": 1}
    assert beir.read_qrels(out, "train") == {"q1": {"d1": 1}}


def test_a_query_of_two_splits_comes_once_from_flagembedding_and_another_text_is_told(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    lines(home / "corpus.jsonl", [{"id": "d", "text": "t"}])
    for split, text in (("train", "what"), ("test", "what"), ("other", "else")):
        lines(home / f"{split}_queries.jsonl", [{"id": "q", "text": text}])
        lines(home / f"{split}_qrels.jsonl", [{"qid": "q", "docid": "d", "relevance": 1}])
    with pytest.raises(DataError, match="the query id `q` has another text in the split `train`"):
        made(tmp_path, {"type": "flagembedding", "path": home})
    for path in home.glob("other_*"):
        path.unlink()
    out, _ = made(tmp_path, {"type": "flagembedding", "path": home})
    assert ([query.id for query in beir.read_queries(out)], beir.splits(out)) == (["q"], ["train", "test"])


def test_a_column_cannot_name_a_split_outside_the_artifact(tmp_path):
    table(tmp_path / "d.csv", ("id", "text"), [("d", "t")])
    table(tmp_path / "r.csv", ("query-id", "corpus-id", "score", "split"), [("d", "d", "1", "../away")])
    source = {
        "type": "csv",
        "documents": tmp_path / "d.csv",
        "queries": tmp_path / "d.csv",
        "qrels": tmp_path / "r.csv",
    }
    with pytest.raises(DataError, match="is no name"):
        made(tmp_path, source)


def test_images_and_vectors_beside_a_text_and_ids_as_floats_do_no_harm(tmp_path):
    columns = {
        "id": [1.0, 2.0], "text": ["a", "b"], "image": [b"\xff", b"\xfe"], "vector": [[0.1, 0.2]] * 2, "year": [1, 2],
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    pq.write_table(pa.table({"qid": [7.0], "query": ["q"], "picture": [b"\xff"]}), tmp_path / "q.parquet")
    judged = {"qid": [7.0], "docid": [2.0], "score": [1.0], "picture": [b"\xff"]}
    pq.write_table(pa.table(judged), tmp_path / "j.parquet")
    files = {"documents": tmp_path / "d.parquet", "queries": tmp_path / "q.parquet", "qrels": tmp_path / "j.parquet"}
    out, _ = made(tmp_path, {"type": "parquet", **files})
    assert [(d.id, d.metadata) for d in beir.read_documents(out)] == [("1", {"year": 1}), ("2", {"year": 2})]
    assert beir.read_qrels(out, "test") == {"7": {"2": 1}}


def test_an_id_that_is_no_whole_number_is_told(tmp_path):
    pq.write_table(pa.table({"id": [1.5], "text": ["a"]}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"the id in `id` is 1\.5"):
        made(tmp_path, {"type": "parquet", "documents": tmp_path / "d.parquet"})
