import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import artifact
from core.data import build
from core.data.recipe import Recipe
from core.errors import ArtifactError, DataError, DrError, UsageError
from core.formats import beir

TINY = Path(__file__).parents[2] / "data" / "tiny"


def recipe(tmp_path, source, **more):
    return Recipe.model_validate({"stage": "data", "out": tmp_path / "out", "source": source, **more})


def jsonl(tmp_path, documents, queries=None, qrels=None):
    """A `jsonl` source of these rows; a row that is bytes is written as it stands."""
    source = {"type": "jsonl", "documents": rows(tmp_path / "documents.jsonl", documents)}
    if queries:
        source["queries"] = rows(tmp_path / "queries.jsonl", queries)
    if qrels:
        (tmp_path / "qrels.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in qrels))
        source["qrels"] = tmp_path / "qrels.tsv"
    return source


def rows(path, values):
    path.write_bytes(b"".join((v if isinstance(v, bytes) else json.dumps(v).encode()) + b"\n" for v in values))
    return path


def made(tmp_path, source, **more):
    artifact.make(recipe(tmp_path, source, **more), build.run)
    return tmp_path / "out", artifact.read(tmp_path / "out", ("data",))["stats"]


def read_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


DOCUMENTS = [{"id": f"d{number}", "contents": f"text {number}"} for number in range(1, 7)]
QUERIES = [{"id": f"q{number}", "text": f"question {number}"} for number in range(1, 4)]
QRELS = [("q1", "d1", 1), ("q2", "d5", 1), ("q2", "d6", 0), ("q3", "d6", 2)]


def test_a_beir_folder_comes_out_as_it_went_in(tmp_path):
    out, stats = made(tmp_path, {"type": "beir", "path": TINY})
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        assert (out / name).read_text() == (TINY / name).read_text()
    assert sorted(path.name for path in out.iterdir()) == ["corpus.jsonl", "manifest.json", "qrels", "queries.jsonl"]
    assert (stats["documents"], stats["queries"], stats["judgements"]) == (8, 4, {"test": 6})


def test_the_three_kinds_of_source_give_the_same_corpus(tmp_path):
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    first, _ = made(folders[0], jsonl(folders[0], DOCUMENTS, QUERIES, QRELS))
    whole = {
        "queries": QUERIES,
        "corpus": [{"id": row["id"], "text": row["contents"]} for row in DOCUMENTS],
        "qrels": {"q1": {"d1": 1}, "q2": {"d5": 1, "d6": 0}, "q3": {"d6": 2}},
    }
    (folders[1] / "one.json").write_text(json.dumps(whole))
    second, _ = made(folders[1], {"type": "onefile", "path": folders[1] / "one.json"})
    third, _ = made(folders[2], {"type": "beir", "path": first})
    digests = {artifact.read(out)["digest"] for out in (first, second, third)}
    assert len(digests) == 1


def test_the_shipped_sample_is_a_source(tmp_path):
    out, stats = made(tmp_path, {"type": "sample", "name": "finance_zh"}, limit=40)
    assert stats["documents"] == 40
    assert stats["queries"] > 0
    assert "source.name" in artifact.read(out)["sources"]


def test_documents_alone_make_a_corpus(tmp_path):
    out, stats = made(tmp_path, jsonl(tmp_path, DOCUMENTS))
    assert (stats["queries"], stats["judgements"]) == (0, {})
    assert not (out / "queries.jsonl").exists()


def test_the_fields_that_were_used_are_counted(tmp_path):
    _, stats = made(tmp_path, jsonl(tmp_path, [{"id": 1, "text": "a"}, {"docid": 2, "text": "b"}]))
    assert stats["fields"]["documents"] == {"id": {"id": 1, "docid": 1}, "text": {"text": 2}}


def test_exact_duplicates_are_reported_and_kept(tmp_path):
    texts = ["one", "two", "one", "one"]
    out, stats = made(tmp_path, jsonl(tmp_path, [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)]))
    assert (stats["documents"], stats["duplicates"]) == (4, 2)
    assert read_rows(out / "duplicates.jsonl") == [{"id": "d2", "first": "d0"}, {"id": "d3", "first": "d0"}]


def test_the_judgement_of_a_cut_document_goes_to_each_of_its_pieces(tmp_path):
    source = jsonl(tmp_path, [{"id": "d1", "text": "一一一。二二二。"}, {"id": "d2", "text": "短。"}], QUERIES[:1],
                   [("q1", "d1", 2), ("q1", "d2", 1)])  # fmt: skip
    out, stats = made(tmp_path, source, chunk={"max_characters": 4, "overlap_sentences": 0})
    assert [document.id for document in beir.read_documents(out)] == ["d1#1", "d1#2", "d2"]
    assert beir.read_qrels(out, "test") == {"q1": {"d1#1": 2, "d1#2": 2, "d2": 1}}
    assert (stats["documents_cut"], stats["judgements_added_by_cutting"]) == (1, 1)


def test_a_piece_never_takes_the_id_of_another_document(tmp_path):
    source = jsonl(tmp_path, [{"id": "d#1", "text": "短。"}, {"id": "d", "text": "一一一。二二二。"}])
    with pytest.raises(DataError, match="`d#1`, a piece of `d`, has the id of another document"):
        made(tmp_path, source, chunk={"max_characters": 4})


def test_a_limit_keeps_queries_that_still_find_something_and_counts_the_others(tmp_path):
    # two of four documents for judgements: d1 of q1, d5 of q2 (its relevant one); d6 of q3 is left out, then d2, d3
    out, stats = made(tmp_path, jsonl(tmp_path, DOCUMENTS, QUERIES, QRELS), limit=4)
    assert [document.id for document in beir.read_documents(out)] == ["d1", "d2", "d3", "d5"]
    assert [query.id for query in beir.read_queries(out)] == ["q1", "q2"]
    assert beir.read_qrels(out, "test") == {"q1": {"d1": 1}, "q2": {"d5": 1}}
    assert (stats["dropped_queries"], stats["source_documents"]) == (1, 6)


def test_a_split_is_dealt_anew_and_the_sources_own_is_gone(tmp_path):
    out, stats = made(
        tmp_path, {"type": "beir", "path": TINY}, split={"by": "query", "train": 0.5, "dev": 0.25, "test": 0.25}
    )
    assert beir.splits(out) == ["train", "dev", "test"]
    assert stats["judged_queries"] == {"train": 2, "dev": 1, "test": 1}


BAD = [
    ({"id": "d1", "contents": "again"}, "duplicate id"),
    (b'{"id": "d8", "contents": ', "broken JSON"),
    ('{"id": "d8", "contents": "基金"}'.encode("gb18030"), "not UTF-8"),
    (["d8"], "not an object"),
    ({"contents": "text"}, "missing id"),
    ({"id": "d8", "body": "text"}, "missing text"),
    ({"id": "d8", "contents": "\u200b \n"}, "empty document"),
]


@pytest.mark.parametrize(("row", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_a_bad_document_ends_the_run_or_is_set_aside(tmp_path, row, reason):
    source = jsonl(tmp_path, [*DOCUMENTS, row])
    with pytest.raises(DataError) as raised:
        made(tmp_path, source)
    assert raised.value.exit_code == 1
    assert f"{source['documents']}:7: " in raised.value.what
    assert "on_bad_row: reject" in raised.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["documents.jsonl"]
    out, stats = made(tmp_path, source, on_bad_row="reject")
    assert (stats["documents"], stats["bad_rows"]) == (6, {reason: 1})
    (rejected,) = read_rows(out / "rejected.jsonl")
    assert (rejected["where"], rejected["reason"]) == (f"{source['documents']}:7", reason)


BAD_JUDGEMENTS = [
    (("q9", "d1", 1), "unknown query"),
    (("q1", "d9", 1), "unknown document"),
    (("q1", "d1", "yes"), "bad grade"),
    (("q1", "d1", 0), "duplicate judgement"),
    (("q1", "d1"), "wrong columns"),
]


@pytest.mark.parametrize(("row", "reason"), BAD_JUDGEMENTS, ids=[reason for _, reason in BAD_JUDGEMENTS])
def test_a_bad_judgement_ends_the_run_or_is_set_aside(tmp_path, row, reason):
    source = jsonl(tmp_path, DOCUMENTS, QUERIES, [*QRELS, row])
    with pytest.raises(DataError) as raised:
        made(tmp_path, source)
    assert f"{source['qrels']}:5: " in raised.value.what
    out, stats = made(tmp_path, source, on_bad_row="reject")
    assert (stats["judgements"], stats["bad_rows"]) == ({"test": 4}, {reason: 1})
    assert read_rows(out / "rejected.jsonl")[0]["reason"] == reason


def test_bad_queries_end_the_run_or_are_set_aside(tmp_path):
    queries = [*QUERIES, {"id": "q4", "text": "\u200b"}, {"id": "q1", "text": "again"}, {"id": "q5"}]
    source = jsonl(tmp_path, DOCUMENTS, queries, QRELS)
    with pytest.raises(DataError, match="3 bad rows"):
        made(tmp_path, source)
    _, stats = made(tmp_path, source, on_bad_row="reject")
    assert stats["queries"] == 3
    assert stats["bad_rows"] == {"empty query": 1, "duplicate id": 1, "missing text": 1}


def test_the_first_five_bad_rows_are_listed(tmp_path):
    with pytest.raises(DataError) as raised:
        made(tmp_path, jsonl(tmp_path, [DOCUMENTS[0], *[b"{" + str(n).encode() for n in range(9)]]))
    told = raised.value.what.splitlines()
    assert told[0] == "the first 5 bad rows:"
    assert [line.split(":")[1] for line in told[1:]] == ["2", "3", "4", "5", "6"]
    assert raised.value.where.endswith("documents.jsonl:2")


def test_no_bad_row_makes_no_file_of_rejected_ones(tmp_path):
    out, _ = made(tmp_path, jsonl(tmp_path, DOCUMENTS), on_bad_row="reject")
    assert not (out / "rejected.jsonl").exists()


def test_nothing_left_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no document is left: 1 × missing text"):
        made(tmp_path, jsonl(tmp_path, [{"id": "d"}]), on_bad_row="reject")


def test_a_short_document_is_bad_when_a_minimum_is_asked_for(tmp_path):
    source = jsonl(tmp_path, [{"id": "a", "title": "ab", "text": "c"}, {"id": "b", "text": "abcdefgh"}])
    out, _ = made(tmp_path, source, clean={"min_characters": 5}, on_bad_row="reject")
    # "ab" + line end + "c" is 4 characters
    assert [document.id for document in beir.read_documents(out)] == ["b"]
    assert "has 4 characters" in read_rows(out / "rejected.jsonl")[0]["what"]


def test_a_title_alone_is_not_an_empty_document(tmp_path):
    _, stats = made(tmp_path, jsonl(tmp_path, [{"id": "a", "title": "ab", "text": ""}]))
    assert stats["documents"] == 1


def test_missing_files_folders_and_files_in_each_others_place_are_told(tmp_path):
    with pytest.raises(ArtifactError, match=r"`source\.documents` cannot be read: No such file"):
        made(tmp_path, {"type": "jsonl", "documents": tmp_path / "absent.jsonl"})
    with pytest.raises(UsageError, match="a folder is here, a file is needed"):
        made(tmp_path, {"type": "jsonl", "documents": TINY})
    with pytest.raises(UsageError, match="a file is here, a BEIR folder is needed"):
        made(tmp_path, {"type": "beir", "path": TINY / "corpus.jsonl"})
    with pytest.raises(UsageError, match="no such file"):
        made(tmp_path, {"type": "beir", "path": TINY / "qrels"})


def test_judgements_without_queries_are_an_error_in_a_beir_folder(tmp_path):
    (tmp_path / "in" / "qrels").mkdir(parents=True)
    rows(tmp_path / "in" / "corpus.jsonl", [{"_id": "d", "text": "t"}])
    (tmp_path / "in" / "qrels" / "test.tsv").write_text("q\td\t1\n")
    with pytest.raises(UsageError, match="no such file") as raised:
        made(tmp_path, {"type": "beir", "path": tmp_path / "in"})
    assert raised.value.where.endswith("queries.jsonl")


def test_splits_that_contradict_each_other_cannot_be_dealt_anew(tmp_path):
    (tmp_path / "qrels").mkdir()
    for split, grade in (("train", 1), ("test", 0)):
        (tmp_path / "qrels" / f"{split}.tsv").write_text(f"q1\td1\t{grade}\n")
    source = jsonl(tmp_path, DOCUMENTS, QUERIES) | {"qrels": tmp_path / "qrels"}
    with pytest.raises(DrError, match="another grade in another split"):
        made(tmp_path, source, split={"by": "query", "train": 0, "dev": 0, "test": 1})


def test_a_corrected_source_is_read_by_the_same_command(tmp_path):
    with pytest.raises(DataError):
        made(tmp_path, jsonl(tmp_path, [*DOCUMENTS, b"broken"]))
    _, stats = made(tmp_path, jsonl(tmp_path, DOCUMENTS))
    assert stats["documents"] == 6


def test_a_killed_run_leaves_no_output_and_the_same_command_finishes_it(tmp_path):
    source = jsonl(tmp_path, ({"id": n, "text": f"text {n} " * 50} for n in range(40_000)))
    (tmp_path / "recipe.json").write_text(recipe(tmp_path, source).model_dump_json())
    code = (
        "import sys; from pathlib import Path; from core import artifact; from core.data import build;"
        "from core.data.recipe import Recipe;"
        "artifact.make(Recipe.model_validate_json(Path(sys.argv[1]).read_text()), build.run)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, tmp_path / "recipe.json"], cwd=Path(__file__).parents[3])
    half = tmp_path / "out.partial" / "corpus.jsonl"
    while not (half.exists() and half.stat().st_size > 0):
        assert child.poll() is None
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "out").exists()
    assert half.stat().st_size < source["documents"].stat().st_size
    _, stats = made(tmp_path, source)
    assert stats["documents"] == 40_000


def test_judged_documents_that_are_not_there_take_no_place_in_a_limit(tmp_path):
    # half of 4 places is for judged documents: d7 and d8 are not there, so d5 of q2 and d6 of q3 get them
    qrels = [("q1", "d7", 1), ("q1", "d8", 1), ("q2", "d5", 1), ("q3", "d6", 1)]
    out, stats = made(tmp_path, jsonl(tmp_path, DOCUMENTS, QUERIES, qrels), limit=4, on_bad_row="reject")
    assert [document.id for document in beir.read_documents(out)] == ["d1", "d2", "d5", "d6"]
    assert stats["bad_rows"] == {"unknown document": 2}


def test_when_no_row_is_good_the_error_shows_the_first(tmp_path):
    source = jsonl(tmp_path, [{"id": number} for number in range(9)])
    with pytest.raises(DataError, match="no document is left: 9 × missing text") as raised:
        made(tmp_path, source, on_bad_row="reject")
    told = raised.value.what.splitlines()[1:]
    assert [line.split(": ")[0].rpartition(":")[2] for line in told] == ["1", "2", "3", "4", "5"]
    assert raised.value.where.endswith("documents.jsonl:1")
