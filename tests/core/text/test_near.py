"""Near-duplicates, against Jaccard similarities counted by hand and by sets."""

import random

import pytest

from core.text.near import Near, exact, pairs


def shingles(text):
    return {text[start : start + 3] for start in range(max(1, len(text) - 2))}


def jaccard(a, b):
    return len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b))


def test_pairs_are_those_whose_true_similarity_is_high():
    rng = random.Random(0)
    base = ["".join(chr(0x4E00 + rng.randrange(2000)) for _ in range(300)) for _ in range(30)]
    texts = dict(enumerate(base))
    for number, text in enumerate(base):
        cut = rng.randrange(10, 120)
        texts[number + 100] = text[cut:]  # loses `cut` of 300 characters
    found = {frozenset(pair) for pair in pairs(((str(key), text) for key, text in texts.items()), 0.8)}
    for number in range(30):
        true = jaccard(texts[number], texts[number + 100])
        assert (frozenset({str(number), str(number + 100)}) in found) == (true > 0.8) or abs(true - 0.8) < 0.12
    assert all({int(key) % 100 for key in pair}.__len__() == 1 for pair in found)


def test_punctuation_width_and_case_make_no_difference():
    near = Near(0.99)
    near.add("a", "基金代码 009730，２０２１年的净值（Net Value）是多少？")
    assert near.like("基金代码009730 2021年的净值 net value 是多少") == ["a"]
    assert exact("Ａ基金，净值！") == exact("a基金 净值")
    assert exact("a基金净值") != exact("b基金净值")


@pytest.mark.parametrize("text", ["", "。！？", "   "])
def test_a_text_without_letters_is_like_no_other(text):
    near = Near(0.5)
    near.add("a", text)
    near.add("b", "一二三四")
    assert near.like(text) == []


def test_short_texts_are_one_shingle():
    near = Near(0.8)
    near.add("a", "利率")
    assert near.like("利率") == ["a"]
    assert near.like("汇率") == []


def test_exact_passes_over_marks_and_blanks_but_not_over_texts_of_marks_alone():
    assert exact("中国，经济 GDP!") == exact("中国 经济ｇｄｐ")
    assert exact("!!!") != exact("😀")
