import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.chunk import pieces, sentences
from core.data.recipe import Chunk
from core.types import Document

TEXTS = st.text(st.sampled_from("ab基金。！？.!? \n”A1"), max_size=200)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("净值上涨。风险较低！为什么？", ["净值上涨。", "风险较低！", "为什么？"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("It rose 3.5%. Why? See e.g. this one.", ["It rose 3.5%. ", "Why? ", "See e.g. this one."]),
        ("第一行\n第二行", ["第一行\n", "第二行"]),
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_say(text, expected):
    assert sentences(text) == expected


@settings(deadline=None)
@given(TEXTS)
def test_the_sentences_are_the_whole_text(text):
    assert "".join(sentences(text)) == text


def test_a_document_that_fits_stays_as_it_is():
    document = Document("d", "x" * 10)
    assert pieces(document, Chunk(max_characters=10)) == [document]


def test_pieces_hold_whole_sentences_and_begin_with_the_last_one_of_before():
    # 4 characters a sentence, 8 a piece: two sentences each, the second of which comes again
    document = Document("d", "一一一。二二二。三三三。四四四。", "标题", {"a": 1})
    found = pieces(document, Chunk(max_characters=8, overlap_sentences=1))
    assert [piece.text for piece in found] == ["一一一。二二二。", "二二二。三三三。", "三三三。四四四。"]
    assert [piece.id for piece in found] == ["d#1", "d#2", "d#3"]
    assert {piece.title for piece in found} == {"标题"}
    assert found[2].metadata == {"a": 1, "chunk_of": "d", "chunk": 3}


def test_without_overlap_nothing_comes_twice():
    found = pieces(Document("d", "一一一。二二二。三三三。四四四。"), Chunk(max_characters=8, overlap_sentences=0))
    assert [piece.text for piece in found] == ["一一一。二二二。", "三三三。四四四。"]


def test_an_overlap_that_does_not_fit_is_left_out():
    found = pieces(Document("d", "一一一一。二二二二。"), Chunk(max_characters=6, overlap_sentences=1))
    assert [piece.text for piece in found] == ["一一一一。", "二二二二。"]


def test_a_sentence_that_is_too_long_is_cut():
    found = pieces(Document("d", "一" * 25), Chunk(max_characters=10, overlap_sentences=0))
    assert [len(piece.text) for piece in found] == [10, 10, 5]


@settings(deadline=None)
@given(TEXTS.filter(str.strip), st.integers(1, 30), st.integers(0, 3))
def test_pieces_are_never_too_long_and_lose_nothing(text, most, overlap):
    found = [piece.text for piece in pieces(Document("d", text), Chunk(max_characters=most, overlap_sentences=overlap))]
    if len(text.strip()) > most:
        assert all(0 < len(piece) <= most for piece in found)
    if overlap == 0:
        assert "".join("".join(found).split()) == "".join(text.split())
    else:
        assert set("".join(found)) - {" ", "\n"} == set(text) - {" ", "\n"}
