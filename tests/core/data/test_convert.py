import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.convert.guess import format_of
from core.data.convert.names import NAMES
from core.data.convert.run import convert
from core.data.convert.table import FORMATS
from core.errors import ArtifactError, DataError, UsageError
from core.formats import beir, examples
from core.types import Document, Example, Pair, Passage, Query

ROWS = ("examples", "flagembedding", "ms-swift", "sentence-transformers")
PAIRS = ("triples", "sentence-transformers-pairs", "ms-swift-pairs")

GRADED = Example(
    "基金的费率？",
    (Passage("管理费为1.2%。", "d1", "费率", 0.9), Passage("申购费为1%。", "d2", "", 0.8)),
    (Passage("今日休市。", "d3", "", 0.1),),
    "q1",
    "找到段落",
    {"type": "keywords", "persona": "经理"},
)


def go(source, out, target, **options):
    given = options.pop("given", None)
    return convert(source, out, source_format=given, target_format=target, **options)


def lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def rows_file(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def ours(path, *items):
    examples.write(path, items)
    return path


def collection(folder, judged=(("train", {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}}),)):
    folder.mkdir()
    documents = [
        Document("d1", "管理费。", "费率"),
        Document("d2", "休市。", "", {"date": "2021"}),
        Document("d3", "无关。"),
    ]
    beir.write_documents(folder, documents)
    beir.write_queries(folder, [Query("q1", "费率？"), Query("q2", "休市吗？"), Query("q3", "谁？")])
    for split, qrels in judged:
        beir.write_qrels(folder, split, qrels)
    return folder


def test_the_table_and_the_names_agree():
    assert list(FORMATS) == list(NAMES)


@pytest.mark.parametrize(
    ("target", "lost"),
    [
        ("examples", {}),
        ("flagembedding", {"title": 1, "query_id": 1, "document_id": 3, "metadata": 1}),
        ("ms-swift", {"title": 1, "query_id": 1, "document_id": 3, "score": 3, "metadata": 1, "grouping": 1}),
        (
            "sentence-transformers",
            {"title": 1, "query_id": 1, "document_id": 3, "score": 3, "instruction": 1, "metadata": 1, "grouping": 1},
        ),
        ("tevatron", {"title": 1, "score": 3, "instruction": 1, "metadata": 1}),
        ("beir", {"score": 3}),
        ("triples", {"title": 1, "query_id": 3, "document_id": 3, "score": 3, "instruction": 1, "metadata": 1}),
    ],
)
def test_what_an_example_cannot_keep_is_counted(tmp_path, target, lost):
    report = go(ours(tmp_path / "in.jsonl", GRADED), tmp_path / "out.jsonl", target)
    assert report.lost == lost
    assert len(report.told()) == len(lost)


def test_graded_pairs_in_a_beir_folder_lose_rel_and_weight(tmp_path):
    source = rows_file(
        tmp_path / "in.jsonl",
        {"query": "q", "document": "a", "rel": 0.9, "weight": 2.0},
        {"query": "q", "document": "b", "rel": 0.2},
        {"query": "q", "document": "c", "rel": 1},
    )
    report = go(source, tmp_path / "out", "beir", threshold=0.5)
    assert report.lost == {"rel": 2, "weight": 1}
    assert report.written == {"documents": 3, "queries": 1, "judgements": 3}
    (query,) = beir.read_queries(tmp_path / "out")
    texts = {document.id: document.text for document in beir.read_documents(tmp_path / "out")}
    grades = beir.read_qrels(tmp_path / "out", "train")[query.id]
    assert {texts[identifier]: grade for identifier, grade in grades.items()} == {"a": 1, "b": 0, "c": 1}


@pytest.mark.parametrize(
    ("threshold", "positives"), [(0.5, ["a", "c"]), (0.9, ["a", "c"]), (0.95, ["c"]), (0.1, ["a", "b", "c"])]
)
def test_pairs_become_examples_by_the_threshold(tmp_path, threshold, positives):
    told = (("a", 0.9, 1), ("b", 0.2, 2), ("c", 1, 0.5))
    rows = [{"query": "q", "document": d, "rel": rel, "weight": weight} for d, rel, weight in told]
    report = go(rows_file(tmp_path / "in", *rows), tmp_path / "out", "examples", threshold=threshold)
    assert report.lost == {"weight": 2}
    (found,) = examples.read(tmp_path / "out")
    assert [passage.text for passage in found.positives] == positives
    # Labels between 0 and 1 are kept as scores.
    assert {p.text: p.score for p in found.positives + found.negatives} == {"a": 0.9, "b": 0.2, "c": 1.0}


def test_pairs_of_a_query_that_stand_apart_meet_in_the_order_of_their_first(tmp_path):
    told = [("q1", "a", 1), ("q2", "b", 1), ("q1", "c", 0), ("q3", "d", 0), ("q1", "e", 1)]
    source = rows_file(tmp_path / "in", *({"query": q, "document": d, "rel": rel} for q, d, rel in told))
    report = go(source, tmp_path / "out", "examples")
    assert list(examples.read(tmp_path / "out")) == [
        Example("q1", (Passage("a"), Passage("e")), (Passage("c"),)),
        Example("q2", (Passage("b"),)),
    ]
    assert report.lost == {"no_positive": 1}


def test_a_document_on_both_sides_of_the_threshold_stays_where_it_came_first(tmp_path):
    rows = [{"query": "q", "document": d, "rel": rel} for d, rel in (("a", 1), ("b", 0), ("a", 0), ("a", 1))]
    report = go(rows_file(tmp_path / "in", *rows), tmp_path / "out", "examples")
    assert list(examples.read(tmp_path / "out")) == [Example("q", (Passage("a"), Passage("a")), (Passage("b"),))]
    assert report.lost == {"contradictions": 1}


def test_examples_become_pairs_of_one_and_zero(tmp_path):
    go(ours(tmp_path / "in", Example("q", (Passage("a"),), (Passage("b"),))), tmp_path / "out", "triples")
    assert lines(tmp_path / "out") == [
        {"query": "q", "document": "a", "rel": 1.0, "weight": 1.0},
        {"query": "q", "document": "b", "rel": 0.0, "weight": 1.0},
    ]


def test_triples_are_read_and_written_as_an_array(tmp_path):
    rows = [{"query": "问", "document": "答", "rel": 0.5, "weight": 1.5}] * 2
    (tmp_path / "in.json").write_text(json.dumps(rows))
    go(tmp_path / "in.json", tmp_path / "out.json", "triples")
    assert json.loads((tmp_path / "out.json").read_text()) == rows


def test_a_collection_becomes_examples_by_its_judgements(tmp_path):
    report = go(collection(tmp_path / "in"), tmp_path / "out.jsonl", "examples")
    assert list(examples.read(tmp_path / "out.jsonl")) == [
        # The grade 2 is more than relevant: the query's grades are kept as scores.
        Example("费率？", (Passage("管理费。", "d1", "费率", 2.0),), (Passage("休市。", "d2", "", 0.0),), "q1"),
        Example("休市吗？", (Passage("休市。", "d2"),), (), "q2"),
    ]
    assert report.lost == {"documents": 1, "queries": 1}


def test_a_collection_becomes_pairs_by_shares_of_the_highest_grade(tmp_path):
    report = go(collection(tmp_path / "in"), tmp_path / "out.jsonl", "triples")
    assert [(row["query"], row["rel"]) for row in lines(tmp_path / "out.jsonl")] == [
        ("费率？", 1.0),
        ("费率？", 0.0),
        ("休市吗？", 0.5),
    ]
    assert report.lost["grade"] == 2


def test_of_several_splits_one_must_be_named(tmp_path):
    folder = collection(tmp_path / "in", (("train", {"q1": {"d1": 1}}), ("dev", {"q2": {"d2": 1}})))
    with pytest.raises(UsageError, match="several splits of judgements: train, dev"):
        go(folder, tmp_path / "out", "examples")
    with pytest.raises(UsageError, match="no judgements of the split `test`") as caught:
        go(folder, tmp_path / "out", "examples", split="test")
    assert caught.value.hint == "there are train, dev"
    go(folder, tmp_path / "out", "trec", split="dev")
    assert (tmp_path / "out").read_text() == "q2 0 d2 1\n"


@pytest.mark.parametrize(("identifier", "told"), [("d9", "is not among the documents"), ("d1", None)])
def test_a_judgement_of_an_absent_document_is_an_error(tmp_path, identifier, told):
    folder = collection(tmp_path / "in", (("train", {"q1": {identifier: 1}}),))
    if told:
        with pytest.raises(DataError, match=told):
            go(folder, tmp_path / "out", "examples")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    else:
        assert go(folder, tmp_path / "out", "examples").written == {"rows": 1}


def test_the_corpus_gives_judgements_their_texts(tmp_path):
    (tmp_path / "qrels.txt").write_text("q1 0 d1 1\nq1 0 d2 0\n")
    folder = collection(tmp_path / "corpus")
    go(tmp_path / "qrels.txt", tmp_path / "out", "examples", corpus=folder)
    (found,) = examples.read(tmp_path / "out")
    assert (found.query, found.positives[0].title) == ("费率？", "费率")
    with pytest.raises(UsageError, match="the input has no documents"):
        go(tmp_path / "qrels.txt", tmp_path / "other", "examples")
    with pytest.raises(UsageError, match="holds its texts itself"):
        go(tmp_path / "out", tmp_path / "other", "ms-swift", corpus=folder)


def test_a_collection_comes_back_whole_through_flagembedding_and_trec(tmp_path):
    splits = (("train", {"q1": {"d1": 2, "d2": 0}}), ("test", {"q1": {"d2": 1}, "q3": {"d3": -1}}))
    folder = collection(tmp_path / "in", splits)
    report = go(folder, tmp_path / "flag", "flagembedding-eval")
    assert report.lost == {"metadata": 1, "queries": 1}  # d2's date, and q2, which nobody judged
    assert lines(tmp_path / "flag/test_qrels.jsonl")[0] == {"qid": "q1", "docid": "d2", "relevance": 1}
    assert lines(tmp_path / "flag/corpus.jsonl")[0] == {"id": "d1", "title": "费率", "text": "管理费。"}
    assert lines(tmp_path / "flag/train_queries.jsonl") == [{"id": "q1", "text": "费率？"}]
    assert go(tmp_path / "flag", tmp_path / "back", "beir").lost == {}
    for split, judged in splits:
        assert beir.read_qrels(tmp_path / "back", split) == judged
        go(folder, tmp_path / f"{split}.txt", "trec", split=split)
        go(tmp_path / f"{split}.txt", tmp_path / f"{split}-beir", "beir", split=split)
        assert beir.read_qrels(tmp_path / f"{split}-beir", split) == judged
    assert {query.id for query in beir.read_queries(tmp_path / "back")} == {"q1", "q3"}


def test_a_corpus_keeps_its_contents_through_pyserini_and_tevatron(tmp_path):
    folder = collection(tmp_path / "in")
    before = [document.contents for document in beir.read_documents(folder)]
    for target in ("pyserini", "tevatron-corpus"):
        report = go(folder, tmp_path / f"{target}.jsonl", target)
        assert report.lost == {"title": 1, "queries": 3, "judgements": 3}
        go(tmp_path / f"{target}.jsonl", tmp_path / target, "beir")
        after = list(beir.read_documents(tmp_path / target))
        assert [document.contents for document in after] == before
        assert after[1].metadata == {"date": "2021"}


def test_documents_without_a_title_are_told_where_others_will_find_one(tmp_path, caplog):
    with caplog.at_level("INFO"):
        go(collection(tmp_path / "in"), tmp_path / "out.jsonl", "pyserini")
    assert "2 documents have no title" in caplog.text


def test_flashrag_questions_become_queries_and_come_back(tmp_path):
    rows = [{"id": "q", "question": "问", "golden_answers": ["答"], "metadata": {"level": 1}}]
    go(rows_file(tmp_path / "in", *rows), tmp_path / "beir", "beir")
    go(tmp_path / "beir", tmp_path / "out", "flashrag")
    assert lines(tmp_path / "out") == rows


def test_tevatron_has_its_documents_beside_and_comes_back(tmp_path):
    items = [
        Example("问一", (Passage("甲", "d1"),), (Passage("乙", "d2"), Passage("丙", "d3")), "q1"),
        Example("问二", (Passage("乙", "d2"),), (), "q2"),
    ]
    report = go(ours(tmp_path / "in", *items), tmp_path / "tevatron", "tevatron")
    assert (report.written, report.lost) == ({"rows": 2, "documents": 3}, {})
    assert lines(tmp_path / "tevatron/corpus.jsonl")[0] == {"docid": "d1", "document_text": "甲"}
    go(tmp_path / "tevatron", tmp_path / "back", "examples")
    assert list(examples.read(tmp_path / "back")) == items
    rows = tmp_path / "tevatron/train.jsonl"
    go(rows, tmp_path / "again", "examples", corpus=tmp_path / "tevatron/corpus.jsonl")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "back").read_bytes()
    rows_file(tmp_path / "tevatron/corpus.jsonl", {"docid": "d1", "document_text": "甲"})
    with pytest.raises(DataError, match="document `d2` is not in the corpus") as caught:
        go(rows, tmp_path / "third", "examples")
    assert caught.value.where == f"{rows}:1"


def test_ids_are_made_from_texts_so_equal_texts_meet(tmp_path):
    # Passage "a" is a positive of one row and a negative of the other: one document, two judgements.
    items = [
        Example("p", (Passage("a"),)),
        Example("q", (Passage("b"),), (Passage("a"),)),
        Example("p", (Passage("a"),)),
    ]
    report = go(ours(tmp_path / "in", *items), tmp_path / "out", "beir")
    assert report.written == {"documents": 2, "queries": 2, "judgements": 3}
    assert report.lost == {}
    go(ours(tmp_path / "again", *items[::-1]), tmp_path / "other", "beir")
    assert {d.id for d in beir.read_documents(tmp_path / "out")} == {
        d.id for d in beir.read_documents(tmp_path / "other")
    }


def test_a_judgement_that_contradicts_an_earlier_one_is_counted(tmp_path):
    items = [Example("q", (Passage("a"),)), Example("q", (Passage("b"),), (Passage("a"),))]
    report = go(ours(tmp_path / "in", *items), tmp_path / "out", "beir")
    assert report.lost == {"contradictions": 1}
    (grades,) = beir.read_qrels(tmp_path / "out", "train").values()
    assert list(grades.values()) == [1, 1]


@pytest.mark.parametrize(
    "second", [Example("q", (Passage("b", "d"),), (), "q2"), Example("p", (Passage("a", "d"),), (), "q")]
)
def test_an_id_with_two_texts_is_an_error(tmp_path, second):
    source = ours(tmp_path / "in", Example("q", (Passage("a", "d"),), (), "q"), second)
    with pytest.raises(DataError, match="has two texts"):
        go(source, tmp_path / "out", "beir")


@pytest.mark.parametrize(
    ("negatives", "kept", "lost"),
    [
        (None, [1, 1], {"negatives": 1}),
        (1, [1, 1], {"negatives": 1}),
        (2, [2], {"examples": 1}),
        (0, [0, 0], {"negatives": 3}),
    ],
)
def test_a_table_has_as_many_negatives_in_every_row(tmp_path, negatives, kept, lost):
    source = ours(
        tmp_path / "in",
        Example("q", (Passage("a"),), (Passage("b"), Passage("c"))),
        Example("p", (Passage("a"),), (Passage("b"),)),
    )
    report = go(source, tmp_path / "out", "sentence-transformers", negatives=negatives)
    assert [len(row) - 2 for row in lines(tmp_path / "out")] == kept
    assert report.lost == lost


def test_hard_negatives_survive_in_their_order(tmp_path):
    negatives = tuple(Passage(f"n{number}") for number in range(9))
    source = ours(tmp_path / "in", Example("q", (Passage("a"),), negatives))
    go(source, tmp_path / "out", "ms-swift", negatives=4)
    (row,) = lines(tmp_path / "out")
    assert [chat[0]["content"] for chat in row["negative_messages"]] == ["n0", "n1", "n2", "n3"]


def test_nothing_left_is_an_error_that_says_why(tmp_path):
    source = ours(tmp_path / "in", Example("q", (Passage("a"),)))
    with pytest.raises(DataError, match="nothing is left to be written\n  lost: 1 examples with fewer negatives"):
        go(source, tmp_path / "out", "ms-swift", negatives=3)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", [*ROWS, *PAIRS])
def test_a_bad_row_leaves_nothing_behind(tmp_path, target):
    source = rows_file(tmp_path / "in", {"query": "q", "pos": ["a"], "neg": ["b"]}, {"query": "q", "pos": [3]})
    with pytest.raises(DataError, match=r"`pos\[0\]` is a number") as caught:
        go(source, tmp_path / "out", target)
    assert caught.value.where == f"{source}:2"
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_output_in_the_way_is_refused_or_moved_aside(tmp_path):
    source, out = ours(tmp_path / "in", GRADED), tmp_path / "out"
    out.write_text("precious")
    with pytest.raises(ArtifactError, match="there already"):
        go(source, out, "triples")
    go(source, out, "triples", force=True)
    go(source, out, "ms-swift", force=True)
    assert (tmp_path / "out.previous").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "out.previous", "out.previous-2"]


def test_the_input_is_never_replaced(tmp_path):
    source = ours(tmp_path / "in", GRADED)
    for out in (source, tmp_path):
        with pytest.raises(ArtifactError, match="its own input"):
            go(source, out, "triples", force=True)


def test_wrong_words_are_told(tmp_path):
    source = ours(tmp_path / "in", GRADED)
    with pytest.raises(UsageError, match="there is no format `msswift`") as caught:
        go(source, tmp_path / "out", "msswift")
    assert "did you mean `ms-swift`" in caught.value.hint
    with pytest.raises(UsageError, match="ms-swift is not written as Parquet"):
        go(source, tmp_path / "out.parquet", "ms-swift")
    with pytest.raises(UsageError, match="--negatives means nothing to beir"):
        go(source, tmp_path / "out", "beir", negatives=2)
    with pytest.raises(UsageError, match="no such file"):
        go(tmp_path / "absent", tmp_path / "out", "ms-swift")
    with pytest.raises(UsageError, match="the input has no judgements"):
        go(rows_file(tmp_path / "c", {"id": "d", "contents": "t"}), tmp_path / "out", "ms-swift")


ENDINGS = {"csv": ".csv", "parquet": ".parquet"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"flashrag", "pyserini", "tevatron-corpus", "trec"}))
def test_what_we_write_from_examples_is_known_again(tmp_path, name):
    items = [Example("q", (Passage("a"),), (Passage("b"),)), Example("p", (Passage("b"),), (Passage("a"),))]
    out = tmp_path / f"out{ENDINGS.get(name, '')}"
    go(ours(tmp_path / "in", *items), out, name)
    assert format_of(out) == name


@pytest.mark.parametrize("name", ["flashrag", "pyserini", "tevatron-corpus", "trec"])
def test_what_we_write_from_a_collection_is_known_again(tmp_path, name):
    go(collection(tmp_path / "in"), tmp_path / "out", name)
    assert format_of(tmp_path / "out") == name


@pytest.mark.parametrize("content", ['{"text": "t"}', "one two three", '{"prompt": [], "answer": ""}'])
def test_what_is_not_clear_is_asked(tmp_path, content):
    (tmp_path / "in").write_text(content)
    with pytest.raises(UsageError, match="not clear") as caught:
        format_of(tmp_path / "in")
    assert "name it with --from" in caught.value.hint


words = st.text(min_size=1, max_size=8)
queries = words.filter(str.strip)
scores = st.none() | st.floats(-1, 1)
passages = st.builds(Passage, words, st.just("") | st.sampled_from("ab"), st.just("") | words, scores)
plain = st.builds(Passage, words)


def some(least):
    return st.one_of(*(st.lists(kind, min_size=least, max_size=2).map(tuple) for kind in (passages, plain)))


any_examples = st.builds(
    Example,
    queries,
    some(1),
    some(0),
    st.just("") | st.sampled_from("pq"),
    st.just("") | words,
    st.just({}) | st.builds(lambda word: {"type": word}, words),
)
any_pairs = st.builds(Pair, queries, words, st.floats(0, 1), st.sampled_from([0.0, 1.0, 2.5]))


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize(
    ("target", "suffix"),
    [*((target, ".jsonl") for target in ROWS), ("ms-swift", ".json"), ("sentence-transformers", ".parquet")],
)
@given(items=st.lists(any_examples, min_size=1, max_size=3))
def test_a_conversion_that_tells_no_loss_loses_nothing(target, suffix, items):
    with tempfile.TemporaryDirectory() as home:
        source, there, back = (Path(home) / name for name in ("in.jsonl", f"there{suffix}", "back.jsonl"))
        report = go(ours(source, *items), there, target)
        assert go(there, back, "examples", given=target).lost == {}
        found = list(examples.read(back))
        if not report.lost:
            assert found == items
        if not {"grouping", "negatives"} & report.lost.keys():
            contents = [[p.contents for p in item.positives + item.negatives] for item in items]
            assert [[p.contents for p in item.positives + item.negatives] for item in found] == contents
        if not {"grouping", "instruction"} & report.lost.keys():
            assert [item.instruction for item in found] == [item.instruction for item in items]


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("target", PAIRS)
@given(items=st.lists(any_pairs, min_size=1, max_size=4))
def test_pairs_come_back_with_their_labels(target, items):
    with tempfile.TemporaryDirectory() as home:
        source, there, back = (Path(home) / name for name in ("in", "there", "back"))
        rows = [{"query": i.query, "document": i.document, "rel": i.label, "weight": i.weight} for i in items]
        report = go(rows_file(source, *rows), there, target)
        go(there, back, "triples", given=target)
        assert report.lost.get("weight", 0) == (sum(i.weight != 1 for i in items) if target != "triples" else 0)
        kept = [row if target == "triples" else row | {"weight": 1.0} for row in rows]
        assert lines(back) == kept


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_examples_with_ids_come_back_from_a_beir_folder_and_from_tevatron(data):
    pool = [
        Passage(text, f"d{number}", title)
        for number, (text, title) in enumerate(data.draw(st.lists(st.tuples(words, st.just("") | words), min_size=2)))
    ]
    items = []
    for number in range(data.draw(st.integers(1, 3))):
        order = data.draw(st.permutations(pool))
        cut = data.draw(st.integers(1, len(order)))
        items.append(Example(data.draw(queries), tuple(order[:cut]), tuple(order[cut:]), f"q{number}"))
    with tempfile.TemporaryDirectory() as home:
        source, back = ours(Path(home) / "in", *items), Path(home) / "back"
        assert go(source, Path(home) / "beir", "beir").lost == {}
        go(Path(home) / "beir", back, "examples")
        assert list(examples.read(back)) == items
        if not any(passage.title for passage in pool):
            go(source, Path(home) / "tevatron", "tevatron")
            shutil.move(back, Path(home) / "before")
            go(Path(home) / "tevatron", back, "examples")
            assert list(examples.read(back)) == items


def test_our_columns_are_what_sentence_transformers_trains_on(tmp_path, static_model):
    import datasets
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    source = ours(
        tmp_path / "in",
        Example("基金的净值", (Passage("净值为一"),), (Passage("休市"), Passage("值"))),
        Example("基金", (Passage("净值"), Passage("的值")), (Passage("一"), Passage("二"))),
    )
    model = SentenceTransformer(str(static_model), device="cpu")
    for suffix, loader in ((".parquet", "parquet"), (".jsonl", "json")):
        go(source, tmp_path / f"out{suffix}", "sentence-transformers")
        files = str(tmp_path / f"out{suffix}")
        table = datasets.load_dataset(loader, data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
        assert table.column_names == ["anchor", "positive", "negative_1", "negative_2"]
        features = [model.tokenize(list(table[name])) for name in table.column_names]
        assert MultipleNegativesRankingLoss(model)(features, None).item() > 0
    go(tmp_path / "in", tmp_path / "pairs.parquet", "sentence-transformers-pairs")
    files = str(tmp_path / "pairs.parquet")
    table = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert table.column_names == ["sentence1", "sentence2", "score"]
    assert table["score"][:3] == [1.0, 0.0, 0.0]


CODE = """
import sys
from pathlib import Path
from core.data.convert.run import convert
source, out, name, target = sys.argv[1:]
convert(Path(source), Path(out), source_format=name, target_format=target)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""

ON_LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's peak is read from /proc")
LONG = "基金净值公告。" * 150


def peak_megabytes(tmp_path, megabytes, name, target, row):
    source, out = tmp_path / f"{name}-{megabytes}", tmp_path / f"{name}-{target}-{megabytes}"
    with source.open("w", encoding="utf-8") as file:
        size = number = 0
        while size < megabytes * 1_000_000:
            line = json.dumps(row(number), ensure_ascii=False) + "\n"
            size += len(line.encode())
            file.write(line)
            number += 1
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", CODE, source, out, name, target]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / 1000


def corpus_row(number):
    return {"id": f"d{number}", "contents": f"{LONG}{number}"}


def training_row(number):
    return {"query": f"q{number}", "pos": [f"{LONG}{number}"], "neg": [f"{LONG}{place}.{number}" for place in range(3)]}


def scattered_row(number):
    return {"query": f"q{number % 997}", "document": f"{LONG}{number}", "rel": number % 2}


@ON_LINUX
@pytest.mark.parametrize(
    ("name", "target", "row"), [("pyserini", "beir", corpus_row), ("triples", "examples", scattered_row)]
)
def test_memory_does_not_grow_with_the_file(tmp_path, name, target, row):
    small, large = (peak_megabytes(tmp_path, size, name, target, row) for size in (4, 40))
    assert large - small < 10, f"4 MB: {small:.0f} MB, 40 MB: {large:.0f} MB"


@ON_LINUX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target", "row"),
    [
        ("pyserini", "beir", corpus_row),
        ("flagembedding", "ms-swift", training_row),
        ("flagembedding", "beir", training_row),
        ("triples", "examples", scattered_row),
    ],
)
def test_one_gigabyte_needs_less_than_half_a_gigabyte_of_memory(tmp_path, name, target, row):
    assert peak_megabytes(tmp_path, 1000, name, target, row) < 500


def test_a_collection_comes_back_whole_through_source_as_folder(tmp_path):
    judged = (("train", {"q1": {"d1": 2, "d2": 0}}), ("test", {"q1": {"d2": 1}, "q2": {"d2": 1}}))
    source = collection(tmp_path / "in", judged)
    report = go(source, tmp_path / "there", "processed")
    assert report.written == {"documents": 3, "queries": 3, "judgements": 4}
    assert report.lost == {"queries": 1}
    assert lines(tmp_path / "there" / "train.jsonl") == [
        {"query_id": "q1", "query": "费率？", "qrels": {"d1": 2, "d2": 0}}
    ]
    assert go(tmp_path / "there", tmp_path / "back", "beir").lost == {}
    assert list(beir.read_documents(tmp_path / "back")) == list(beir.read_documents(source))
    assert beir.read_queries(tmp_path / "back") == beir.read_queries(source)[:2]
    for split, qrels in judged:
        assert beir.read_qrels(tmp_path / "back", split) == qrels


def test_source_as_folder_has_three_splits_and_others_are_counted(tmp_path):
    source = collection(tmp_path / "in", (("train", {"q1": {"d1": 1}}), ("hard", {"q2": {"d1": 1, "d2": 0}})))
    assert go(source, tmp_path / "out", "processed").lost == {"judgements": 2, "queries": 2}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["corpus.jsonl", "train.jsonl"]


def test_a_judged_query_that_is_absent_is_told_on_the_way_to_source_as_folder(tmp_path):
    source = collection(tmp_path / "in", (("train", {"q9": {"d1": 1}}),))
    with pytest.raises(DataError, match="1 judged queries are not among the queries, `q9`"):
        go(source, tmp_path / "out", "processed")


def test_a_query_with_two_texts_in_source_as_folder_is_told(tmp_path):
    (tmp_path / "in").mkdir()
    rows_file(tmp_path / "in" / "corpus.jsonl", {"id": "d", "text": "t"})
    for split in ("train", "test"):
        rows_file(tmp_path / "in" / f"{split}.jsonl", {"query_id": "q", "query": split, "qrels": {"d": 1}})
    with pytest.raises(DataError, match="the query id `q` has two texts"):
        go(tmp_path / "in", tmp_path / "out", "beir")


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize(("name", "ending"), [("csv", ".csv"), ("csv", ".tsv"), ("parquet", ".parquet")])
@given(texts=st.lists(st.tuples(st.text(max_size=8), st.just("") | words), min_size=1, max_size=3))
def test_a_corpus_comes_back_from_a_table(name, ending, texts):
    with tempfile.TemporaryDirectory() as home:
        source, there, back = Path(home) / "in", Path(home) / f"there{ending}", Path(home) / "back"
        source.mkdir()
        documents = [Document(f"d{number}", text, title) for number, (text, title) in enumerate(texts)]
        beir.write_documents(source, documents)
        assert go(source, there, name).lost == {}
        assert format_of(there) == name
        go(there, back, "beir")
        assert list(beir.read_documents(back)) == documents


@pytest.mark.parametrize(("name", "ending"), [("csv", ".csv"), ("parquet", ".parquet")])
def test_a_table_loses_what_it_has_no_column_for(tmp_path, name, ending):
    report = go(collection(tmp_path / "in"), tmp_path / f"out{ending}", name)
    assert report.written == {"documents": 3}
    assert report.lost == {"metadata": 1, "queries": 3, "judgements": 3}


def test_a_table_has_the_ending_of_its_form(tmp_path):
    source = collection(tmp_path / "in")
    with pytest.raises(UsageError, match="parquet is not written as lines") as caught:
        go(source, tmp_path / "out.jsonl", "parquet")
    assert caught.value.hint == "name the output .parquet"
    with pytest.raises(UsageError, match="csv is not written as Parquet"):
        go(source, tmp_path / "out.parquet", "csv")


def test_other_columns_and_images_in_a_table_do_no_harm(tmp_path):
    columns = {"docid": [1.0], "content": ["t"], "image": [b"\xff"], "year": [2020]}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    go(tmp_path / "in.parquet", tmp_path / "out", "beir")
    assert list(beir.read_documents(tmp_path / "out")) == [Document("1", "t", "", {"year": 2020})]


def test_scores_and_labels_are_counted_where_the_documents_are_left_out(tmp_path):
    report = go(ours(tmp_path / "in", GRADED), tmp_path / "out.txt", "trec")
    assert report.lost == {"score": 3, "documents": 3, "queries": 1}
    report = go(ours(tmp_path / "in", GRADED), tmp_path / "out.jsonl", "flashrag")
    assert report.lost == {"score": 3, "documents": 3, "judgements": 3}
    pairs = rows_file(tmp_path / "pairs", {"query": "q", "document": "a", "rel": 0.9, "weight": 2.0})
    assert go(pairs, tmp_path / "qrels", "trec").lost == {"rel": 1, "weight": 1, "documents": 1, "queries": 1}


def test_questions_without_answers_are_told(tmp_path, caplog):
    go(collection(tmp_path / "in"), tmp_path / "out", "flashrag")
    assert "3 questions have no `golden_answers`" in caplog.text
    caplog.clear()
    go(tmp_path / "out", tmp_path / "again", "flashrag")
    assert "3 questions" in caplog.text
    rows_file(tmp_path / "known", {"id": "q", "question": "?", "golden_answers": ["a"]})
    caplog.clear()
    go(tmp_path / "known", tmp_path / "third", "flashrag")
    assert "golden_answers" not in caplog.text
