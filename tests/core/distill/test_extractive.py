"""The teacher without a language model."""

import random
from functools import lru_cache

import pytest
from pydantic import ValidationError

from core.distill import extractive
from core.distill.recipe import Extractive
from core.text.spec import English
from core.types import Document

LAW = Document(
    "law",
    "继承开始后，遗嘱执行人为遗产管理人；没有遗嘱执行人的，继承人应当及时推选遗产管理人。\n"
    "（一）无民事行为能力人不能作为遗嘱见证人。感谢您的关注。",
    "民法典继承编",
)
FUND = Document("fund", "基金代码009730的单位净值为1.2300元。公司将继续扩大生产规模，感谢您的关注。")
HEART = Document(
    "heart",
    "The patients of the clinic had chronic heart failure. "
    "A beta blocker lowered the mortality of chronic heart failure. Thank you for the attention of the clinic.",
)
THANKS = [Document(f"t{number}", "您好，感谢您的关注。") for number in range(20)]
CORPUS = [LAW, FUND, *THANKS]


@lru_cache
def taught(corpus, spec):
    """A teacher; loading a dictionary takes longer than all that these tests ask of it."""
    return extractive.prepare((Document(*fields) for fields in corpus), spec)


def teacher_of(corpus, **spec):
    return taught(tuple((document.id, document.text, document.title) for document in corpus), Extractive(**spec))


def queries(document, number=20, corpus=CORPUS, **spec):
    return teacher_of(corpus, **spec).write(document, number, random.Random(f"0/{document.id}"))


def texts(document, **spec):
    return [draft.query for draft in queries(document, **spec)]


def kinds(document, **spec):
    return {draft.question_type for draft in queries(document, **spec)}


def test_every_kind_of_query_is_named_as_what_it_is():
    assert kinds(LAW) == {"title", "phrase", "sentence"}
    assert {(draft.character, draft.difficulty) for draft in queries(LAW)} == {("", "")}


def test_a_corpus_without_titles_gives_phrases_and_sentences():
    assert kinds(FUND) == {"phrase", "sentence"}


def test_a_kind_of_weight_zero_is_not_drawn():
    assert kinds(LAW, titles=0, phrases=0) == {"sentence"}


def test_a_recipe_under_which_documents_without_a_title_have_no_query_is_refused():
    with pytest.raises(ValidationError, match="without a title"):
        Extractive(phrases=0, sentences=0)


def test_queries_are_numbered_and_differ():
    drafts = queries(LAW)
    assert [draft.number for draft in drafts] == list(range(1, len(drafts) + 1))
    assert len({draft.query for draft in drafts}) == len(drafts) > 4
    assert drafts[0].query_id == "law-q1"


def test_no_more_queries_come_than_are_asked_for():
    assert len(queries(LAW, 2)) == 2


def test_what_a_document_gets_hangs_on_nothing_but_itself_its_corpus_and_the_generator():
    teacher = teacher_of(CORPUS)
    alone = teacher.write(LAW, 3, random.Random(1))
    for document in CORPUS:
        teacher.write(document, 3, random.Random(2))
    assert teacher.write(LAW, 3, random.Random(1)) == alone
    assert teacher.write(LAW, 20, random.Random(1)) != teacher.write(LAW, 20, random.Random(2))


def test_a_query_is_words_of_the_document_in_their_order():
    # FUND is one of few: every query but the title stands in its document, white space aside.
    for query in texts(LAW, titles=0):
        assert query in LAW.contents
    for query in texts(HEART, corpus=[HEART, FUND], analyzer=English(type="english")):
        assert query in HEART.contents


def test_a_phrase_is_made_of_rare_words_not_of_what_all_documents_say():
    phrases = texts(FUND, sentences=0)
    assert any("009730" in phrase for phrase in phrases)
    assert not any("感谢" in phrase for phrase in phrases)


def test_a_phrase_does_not_begin_or_end_with_a_word_of_every_document():
    corpus = [HEART, *(Document(f"d{n}", "The weather of the day is in the paper of the day.") for n in range(20))]
    phrases = texts(HEART, corpus=corpus, sentences=0, analyzer=English(type="english"))
    assert phrases
    assert not [phrase for phrase in phrases if {phrase.split()[0].lower(), phrase.split()[-1]} & {"the", "of"}]


def test_later_phrases_bring_words_that_earlier_ones_did_not():
    repeated = Document("r", "遗嘱见证人。遗嘱见证人。遗嘱见证人的遗嘱。房屋租赁合同。")
    first, *others = texts(repeated, corpus=[repeated, *THANKS], sentences=0)
    assert "遗嘱" in first
    assert others
    assert not [phrase for phrase in others if "遗嘱" in phrase]


def test_a_sentence_that_says_nothing_of_its_own_is_no_query():
    assert "感谢您的关注" not in texts(LAW, titles=0, phrases=0)


def test_the_number_of_a_list_item_is_no_part_of_a_query():
    sentences = texts(LAW, titles=0, phrases=0)
    assert "无民事行为能力人不能作为遗嘱见证人" in sentences


@pytest.mark.parametrize(
    "text", ["遗嘱执行人为遗产管理人应当及时", "遗嘱见证人", "chronic heart failure raises the mortality of patients"]
)
def test_a_document_of_one_sentence_gives_a_part_of_it_never_the_whole(text):
    document = Document("one", text)
    teacher = teacher_of([document, *CORPUS])
    for seed in range(20):
        for draft in teacher.write(document, 5, random.Random(seed)):
            assert draft.query in text
            assert len(draft.query) < len(text)


def test_a_title_without_a_text_is_the_whole_document_and_no_query():
    assert "民法典继承编" not in texts(Document("bare", "", "民法典继承编"))


@pytest.mark.parametrize("text", ["", "。", "12月31日", "您好"])
def test_a_document_that_says_nothing_gives_no_query(text):
    assert queries(Document("empty", text)) == []


def test_a_long_sentence_gives_a_span_of_whole_words():
    words = [f"word{number}" for number in range(200)]
    document = Document("long", " ".join(words))
    for query in texts(document, corpus=[document, *THANKS], phrases=0):
        found = query.split()
        assert set(found) <= set(words)
        assert 5 <= len(found) <= extractive.LONGEST


def test_a_long_document_takes_no_longer_than_its_length():
    # Choosing the next phrase looks at all that are left: only as many are chosen as are asked for.
    document = Document("book", "".join(f"第{n}号遗嘱见证人签字{n}次。" for n in range(3000)))
    assert len(queries(document, 3)) == 3
