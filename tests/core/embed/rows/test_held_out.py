import random
from dataclasses import replace

import pytest

from core.embed.rows.held_out import split
from core.errors import DataError
from core.types import Document


def numbered(count):
    return [Document(f"d{n}", f"this is a text of eight words and {n}") for n in range(count)]


@pytest.mark.parametrize(("count", "share", "expected"), [(100, 0.05, 20), (1_000, 0.05, 50), (2_000, 0.5, 500)])
def test_a_share_is_held_out_between_twenty_and_five_hundred(count, share, expected):
    # 100 * 0.05 = 5 -> 20; 1,000 * 0.05 = 50; 2,000 * 0.5 = 1,000 -> 500
    found = split(numbered(count), share, random.Random(0))
    assert len(found.held_out) == expected
    assert len(found.training) == count - expected


def test_no_text_stands_on_both_sides():
    documents = numbered(100)
    copies = [replace(document, id=f"copy-{document.id}", text=f" {document.text}\n") for document in documents]
    found = split([*documents, *copies], 0.3, random.Random(0))
    texts = [[document.text.strip() for document in side] for side in (found.training, found.held_out)]
    assert not set(texts[0]) & set(texts[1])
    assert len(texts[0]) + len(texts[1]) == 100
    assert found.num_read == 200


def test_the_seed_decides_what_is_held_out():
    first, again, other = (split(numbered(100), 0.2, random.Random(seed)).held_out for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_small_corpus_is_refused_with_its_size():
    short = [Document(f"s{n}", "too short") for n in range(9)]
    with pytest.raises(DataError, match=r"49 of its 58 documents .* 50 are needed"):
        split([*numbered(49), *short], 0.05, random.Random(0))


def test_an_empty_corpus_is_refused():
    with pytest.raises(DataError, match="0 of its 0 documents"):
        split([], 0.05, random.Random(0))
