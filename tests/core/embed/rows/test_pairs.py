import random

import pytest

from core.embed.rows.pairs import draw, question, usable
from core.embed.rows.spec import Shares
from core.types import Document

PLAIN = Document("d1", "基金每天公布净值。投资者按净值申购。赎回也按净值。")
TITLED = Document(
    "d2", "Interest is paid twice a year. The bond ends in 2030. Nothing else is promised.", title="Bonds"
)


def every(document, shares, times=200):
    rng = random.Random(1)
    return [draw(document, shares, rng) for _ in range(times)]


@pytest.mark.parametrize("document", [PLAIN, TITLED])
def test_crops_are_spans_of_a_tenth_to_a_half_of_the_text(document):
    for pair in every(document, Shares()):
        for crop in (pair.query, pair.positive):
            assert crop
            assert crop in document.contents
    # TITLED holds 1 + 15 words: a crop has round(1.6) = 2 to round(8) = 8 of them
    if document is TITLED:
        assert {len(pair.query.split()) for pair in every(document, Shares())} == set(range(2, 9))


def test_a_sentence_is_missing_from_its_rest():
    found = [pair for pair in every(PLAIN, Shares(crops=0.1, sentences=1)) if pair.kind == "sentences"]
    assert {pair.query for pair in found} == {"基金每天公布净值。", "投资者按净值申购。", "赎回也按净值。"}
    assert all(pair.positive == PLAIN.text.replace(pair.query, "") for pair in found)


def test_a_document_without_title_and_of_one_sentence_gives_crops():
    one = Document("d3", "基金每天公布净值")
    assert {pair.kind for pair in every(one, Shares(crops=0.01, sentences=1, titles=1))} == {"crops"}


def test_kinds_come_as_often_as_their_shares_say():
    # 3 : 1 over 4,000 draws: 1,000 titles, standard deviation sqrt(4000 * 0.25 * 0.75) = 27
    kinds = [pair.kind for pair in every(TITLED, Shares(crops=3, titles=1), 4_000)]
    assert abs(kinds.count("titles") - 1_000) < 4 * 27


def test_a_question_and_its_answer_share_no_piece_of_the_text():
    rng = random.Random(2)
    assert question(TITLED, rng).query == "Bonds"
    assert question(TITLED, rng).positive == TITLED.text
    for pair in (question(PLAIN, rng) for _ in range(50)):
        # 22 characters and 3 stops that stand as words of their own: a quarter of 25 is 6
        assert len(pair.query) == 6
        assert sorted(pair.query + pair.positive) == sorted(PLAIN.text)
        assert pair.query in PLAIN.text


def test_texts_below_eight_units_are_not_usable():
    assert not usable(Document("d", "one two three four five six seven"))
    assert usable(Document("d", "one two three four five six seven eight"))
    assert usable(Document("d", "一二三四五六七八"))
    assert not usable(Document("d", " ", title="a long enough title is no text of its own here"))
