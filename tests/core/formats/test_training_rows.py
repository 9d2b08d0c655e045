"""The exact rows of other tools' training files, one by one, and what each refuses."""

import pytest

from core.formats import flagembedding, ms_swift, pyserini, sentence_transformers, tevatron, triples
from core.formats.lost import Lost
from core.formats.rows import BadRow, Row
from core.types import Document, Example, Pair, Passage, Query

PLAIN = Example("问", (Passage("答"),), (Passage("错1"), Passage("错2")))


def user(text):
    return [{"role": "user", "content": text}]


def refused(read, fields):
    with pytest.raises(BadRow) as caught:
        read(Row("rows.jsonl:7", fields))
    assert caught.value.where == "rows.jsonl:7"
    return caught.value


def counted(lost):
    return {name: int(count) for name, count in lost.items() if count}


INFONCE = {"messages": user("问"), "positive_messages": [user("答")], "negative_messages": [user("错1"), user("错2")]}


def test_ms_swift_has_a_chat_for_each_text():
    lost = Lost()
    assert list(ms_swift.rows(PLAIN, lost)) == [INFONCE]
    assert counted(lost) == {}
    assert ms_swift.example(Row("", INFONCE)) == PLAIN


def test_ms_swift_has_the_instruction_as_system_message():
    example = Example("问", (Passage("答"),), instruction="检索段落")
    row = {
        "messages": [{"role": "system", "content": "检索段落"}, *user("问")],
        "positive_messages": [user("答")],
    }
    assert list(ms_swift.rows(example, Lost())) == [row]
    assert ms_swift.example(Row("", row)) == example


def test_ms_swift_has_exactly_one_positive_a_row():
    # Two positives: two rows, each with every negative; the scores of all three passages have no place.
    example = Example("问", (Passage("甲", score=0.9), Passage("乙", score=0.8)), (Passage("错", score=0.1),), "q1")
    lost = Lost()
    rows = list(ms_swift.rows(example, lost))
    assert [row["positive_messages"] for row in rows] == [[user("甲")], [user("乙")]]
    assert all(row["negative_messages"] == [user("错")] for row in rows)
    assert counted(lost) == {"score": 3, "grouping": 1, "query_id": 1}


def test_ms_swift_pairs_have_a_label():
    row = {"messages": user("问"), "positive_messages": [user("答")], "label": 0.8}
    lost = Lost()
    assert ms_swift.pair_row(Pair("问", "答", 0.8, 2.0, "q", "d"), lost) == row
    assert counted(lost) == {"weight": 1, "query_id": 1, "document_id": 1}
    assert ms_swift.pair(Row("", row)) == Pair("问", "答", 0.8)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"messages": []}, "roles in `messages` are none"),
        ({"messages": [*user("a"), *user("b")]}, "roles in `messages` are user, user"),
        ({"messages": [{"role": "user"}]}, "needs `role` and `content`"),
        ({"messages": user(" ")}, "is empty"),
        ({"positive_messages": []}, "`positive_messages` is empty"),
        ({"positive_messages": user("答")}, r"`positive_messages[0]` is not a list of one message"),
        ({"negative_messages": [user("")]}, r"`negative_messages[0]` is empty"),
        ({"label": 1.0}, "there is a `label`"),
    ],
)
def test_ms_swift_refuses_other_shapes(change, told):
    assert told in refused(ms_swift.example, INFONCE | change).what


def test_ms_swift_pairs_refuse_an_instruction_and_negatives():
    row = {"messages": user("问"), "positive_messages": [user("答")], "label": 1}
    system = [{"role": "system", "content": "s"}, *user("问")]
    assert "no instruction" in refused(ms_swift.pair, row | {"messages": system}).what
    assert "exactly one" in refused(ms_swift.pair, row | {"negative_messages": [user("错")]}).what
    assert "between 0 and 1" in refused(ms_swift.pair, row | {"label": 4}).what


FLAG = {
    "query": "问",
    "pos": ["答"],
    "neg": ["错1", "错2"],
    "pos_scores": [0.9],
    "neg_scores": [0.2, 0.1],
    "prompt": "检索段落",
    "type": "normal",
}


def test_flagembedding_carries_scores_instruction_and_type():
    example = Example(
        "问",
        (Passage("答", score=0.9),),
        (Passage("错1", score=0.2), Passage("错2", score=0.1)),
        instruction="检索段落",
        metadata={"type": "normal"},
    )
    lost = Lost()
    assert flagembedding.example(Row("", FLAG)) == example
    assert flagembedding.row(example, lost) == FLAG
    assert counted(lost) == {}


def test_flagembedding_has_scores_for_all_of_a_list_or_for_none():
    lost = Lost()
    example = Example("问", (Passage("甲", score=1.0), Passage("乙")), (Passage("错", score=0.0),))
    row = flagembedding.row(example, lost)
    assert "pos_scores" not in row
    assert row["neg_scores"] == [0.0]
    assert counted(lost) == {"score": 1}


def test_flagembedding_counts_titles_ids_and_metadata():
    lost = Lost()
    example = Example("问", (Passage("答", "d", "题"),), (), "q", metadata={"type": "a", "persona": "b"})
    assert flagembedding.row(example, lost) == {"query": "问", "pos": ["题\n答"], "neg": [], "type": "a"}
    assert counted(lost) == {"title": 1, "document_id": 1, "query_id": 1, "metadata": 1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pos": []}, "`pos` is empty"),
        ({"pos": "答"}, "`pos` is a text, a list is needed"),
        ({"neg": ["a", 1]}, "`neg[1]` is a number"),
        ({"neg": ["a", ""]}, "`neg[1]` is empty"),
        ({"pos_scores": [1.0, 2.0]}, "`pos_scores` has 2 entries, `pos` has 1"),
        ({"pos_scores": ["1"]}, "`pos_scores` is a text"),
        ({"prompt": 3}, "`prompt` is a number"),
    ],
)
def test_flagembedding_refuses_other_shapes(change, told):
    assert told in refused(flagembedding.example, FLAG | change).what


def test_sentence_transformers_has_columns_by_their_order():
    lost = Lost()
    row = {"anchor": "问", "positive": "答", "negative_1": "错1", "negative_2": "错2"}
    assert list(sentence_transformers.rows(PLAIN, lost)) == [row]
    assert counted(lost) == {}
    assert sentence_transformers.Table().example(Row("", {"q": "问", "d": "答", "n": "错1", "m": "错2"})) == PLAIN


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (0, ("anchor", "positive")),
        (1, ("anchor", "positive", "negative")),
        (2, ("anchor", "positive", "negative_1", "negative_2")),
    ],
)
def test_sentence_transformers_names_its_negatives(number, names):
    assert sentence_transformers.columns(number) == names


@pytest.mark.parametrize("label", ["label", "score"])
def test_a_label_makes_a_table_of_pairs_wherever_it_stands(label):
    row = {label: 0.25, "a": "问", "b": "答"}
    assert sentence_transformers.Table().pair(Row("", row)) == Pair("问", "答", 0.25)
    assert "pairs" in refused(sentence_transformers.Table().example, row).hint


def test_sentence_transformers_pairs_are_two_sentences_and_a_score():
    row = {"sentence1": "问", "sentence2": "答", "score": 0.25}
    assert sentence_transformers.pair_row(Pair("问", "答", 0.25), Lost()) == row


def test_every_row_of_a_table_has_the_columns_of_the_first():
    table = sentence_transformers.Table()
    table.example(Row("", {"anchor": "a", "positive": "b"}))
    assert (
        "those of the first row are anchor, positive" in refused(table.example, {"anchor": "a", "negative": "b"}).what
    )


TRIPLE = {"query": "问", "document": "答", "rel": 0.9, "weight": 2.0}


def test_a_triple_is_read_and_written():
    lost = Lost()
    assert triples.pair(Row("", TRIPLE)) == Pair("问", "答", 0.9, 2.0)
    assert triples.row(Pair("问", "答", 0.9, 2.0, "q"), lost) == TRIPLE
    assert counted(lost) == {"query_id": 1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rel": 1.5}, "`rel` is 1.5, it must lie between 0 and 1"),
        ({"rel": "0.5"}, "`rel` is a text, a number is needed"),
        ({"rel": True}, "`rel` is true or false"),
        ({"weight": -1}, "`weight` is -1"),
        ({"document": ""}, "`document` is empty"),
        ({"wieght": 1.0}, "there is no field `wieght`"),
    ],
)
def test_a_triple_is_strict(change, told):
    assert told in refused(triples.pair, TRIPLE | change).what


def test_a_triple_without_weight_weighs_one_and_without_rel_is_refused():
    assert triples.pair(Row("", {"query": "q", "document": "d", "rel": 0})).weight == 1
    assert "there is no `rel`" in refused(triples.pair, {"query": "q", "document": "d"}).what


def test_tevatron_names_its_documents(tmp_path):
    example = Example("问", (Passage("答", "d1"),), (Passage("错", "d2"),), "q1")
    row = {
        "query_id": "q1",
        "query_text": "问",
        "positive_document_ids": ["d1"],
        "negative_document_ids": ["d2"],
    }
    assert tevatron.row(example) == row
    path = tmp_path / "train.jsonl"
    path.write_text('{"query_id": 1, "query_text": "问", "positive_document_ids": [7], "negative_document_ids": []}')
    assert list(tevatron.examples(path)) == [(Example("问", (Passage("", "7"),), (), "1"), f"{path}:1")]


def test_corpora_are_id_and_contents_or_docid_and_text(tmp_path):
    documents = [Document("d1", "文", "题", {"date": "2021"}), Document("d2", "文")]
    lost = Lost()
    rows = [{"id": "d1", "contents": "题\n文", "metadata": {"date": "2021"}}, {"id": "d2", "contents": "文"}]
    assert list(pyserini.rows(documents, lost)) == rows
    assert counted(lost) == {"title": 1}
    assert list(pyserini.tevatron_rows(documents[1:], Lost())) == [{"docid": "d2", "document_text": "文"}]


@pytest.mark.parametrize(
    ("row", "document"),
    [
        ('{"id": "d", "contents": "t"}', Document("d", "t")),
        ('{"id": 7, "contents": "t"}', Document("7", "t")),
        ('{"id": "d", "contents": "t", "title": "T", "a": 1}', Document("d", "t", "T", {"a": 1})),
        ('{"id": "d", "contents": {"a": "t"}}', Document("d", "a: t", metadata={"a": "t"})),
    ],
)
def test_a_pyserini_row_is_read_as_every_corpus_row(tmp_path, row, document):
    path = tmp_path / "rows"
    path.write_text(row)
    assert [found.item for found in pyserini.documents(path)] == [document]


def test_a_pyserini_id_with_white_space_is_refused(tmp_path):
    path, bad = tmp_path / "rows", []
    path.write_text('{"id": "a b", "contents": "t"}')
    assert list(pyserini.documents(path, bad.append)) == []
    assert bad[0].reason == "bad id"


def test_flashrag_questions_keep_their_answers(tmp_path):
    path, row = tmp_path / "qa.jsonl", {"id": "q", "question": "问", "golden_answers": ["答"], "metadata": {"level": 1}}
    path.write_text('{"id": "q", "question": "问", "golden_answers": ["答"], "metadata": {"level": 1}}')
    (found,) = pyserini.questions(path)
    assert found.item == Query("q", "问", {"golden_answers": ["答"], "level": 1})
    assert list(pyserini.question_rows([found.item])) == [row]
    path.write_text('{"id": "q", "question": "问", "golden_answers": "答"}')
    with pytest.raises(BadRow, match="a list of texts is needed"):
        list(pyserini.questions(path))
