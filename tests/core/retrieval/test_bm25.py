import math
import random

import numpy as np
import pytest

from core.errors import DataError
from core.retrieval import bm25, store
from core.retrieval.spec import Bm25
from core.text.spec import Chinese, Whitespace
from core.types import Document

SPLIT = Whitespace(type="whitespace")


def leg(path, texts, **options):
    options.setdefault("analyzer", SPLIT)
    documents = store.write((Document(f"d{i:04}", text) for i, text in enumerate(texts)), path / "documents")
    bm25.build(documents, Bm25(**options), path / "bm25")
    return bm25.load(path / "bm25")


def test_the_score_is_the_formula(tmp_path):
    found = leg(tmp_path, ["a b a", "b c", "c c c c"], k1=0.9, b=0.4).search(["a"], 3)
    # N 3, df 1: idf = ln(1 + 2.5 / 1.5); tf 2, |d| 3, mean 3: tf part = 2 / (2 + 0.9 · (0.6 + 0.4 · 1)) = 2 / 2.9
    assert found == [[(0, pytest.approx(math.log(1 + 2.5 / 1.5) * 2 / 2.9, rel=1e-6))]]


def test_a_query_counts_a_repeated_term_as_often_as_it_stands(tmp_path):
    (once,), (twice,) = leg(tmp_path, ["a b", "c"]).search(["a", "a a"], 1)
    assert twice[1] == pytest.approx(2 * once[1])


def test_occurrences_beyond_the_cap_do_not_count_but_length_stays_true(tmp_path):
    texts = ["a " * 20 + "b", "a " * 10 + "b " * 11, "c"]
    capped = dict(leg(tmp_path / "c", texts, tf_cap=10, b=0.4).search(["a"], 2)[0])
    # both documents have 21 terms and at least 10 times a
    assert capped[0] == capped[1]
    free = dict(leg(tmp_path / "f", texts, b=0.4).search(["a"], 2)[0])
    assert free[0] > capped[0]
    assert free[1] == capped[1]


def test_a_lexicon_word_weighs_as_the_recipe_says(tmp_path):
    lexicon = tmp_path / "words"
    lexicon.write_text("净值\n", encoding="utf-8")
    texts = ["净值", "股票", "公司"]
    scores = []
    for weight in (1.0, 1.2):
        analyzer = Chinese(views=("words",), lexicon=lexicon)
        index = leg(tmp_path / str(weight), texts, analyzer=analyzer, lexicon_weight=weight)
        scores.append(index.search(["净值"], 1)[0][0][1])
        assert index.search(["股票"], 1)[0][0][1] == pytest.approx(scores[0])
    assert scores[1] == pytest.approx(1.2 * scores[0], rel=1e-6)


def test_equal_scores_come_in_the_order_of_their_ids(tmp_path):
    index = leg(tmp_path, ["x"] * 50 + ["x y"])
    assert [number for number, _ in index.search(["x"], 10)[0]] == list(range(10))


def test_fewer_hits_come_when_fewer_documents_match(tmp_path):
    assert [number for number, _ in leg(tmp_path, ["a", "b", "a c"]).search(["a", "zzz", ""], 10)[0]] == [0, 2]
    assert leg(tmp_path / "2", ["a", "b"]).search(["zzz", "", "a"], 10)[:2] == [[], []]


def test_no_query_gives_no_answer(tmp_path):
    assert leg(tmp_path, ["a"]).search([], 10) == []


def test_documents_without_a_single_term_are_an_error(tmp_path):
    with pytest.raises(DataError, match="no document has a term"):
        leg(tmp_path, ["，。", "！"], analyzer=Chinese())


def zipfian(count, length, seed):
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(2000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [" ".join(rng.choices(words, weights, k=rng.randint(1, length))) for _ in range(count)]


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.5, 0.75), (1.2, 0.0)])
def test_scores_equal_those_of_bm25s(tmp_path, k1, b):
    import bm25s

    texts, queries = zipfian(3000, 60, seed=1), zipfian(40, 8, seed=2)
    theirs = bm25s.BM25(method="lucene", k1=k1, b=b)
    theirs.index([text.split() for text in texts], show_progress=False)
    ours = leg(tmp_path, texts, k1=k1, b=b).search(queries, len(texts))
    for query, hits in zip(queries, ours, strict=True):
        expected = theirs.get_scores(query.split())
        scores = np.zeros(len(texts), np.float32)
        for number, score in hits:
            scores[number] = score
        assert scores == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def test_the_best_k_are_the_head_of_all_across_blocks(tmp_path):
    # More documents than one block of the kernel, with many equal scores.
    from core.retrieval.kernel import BLOCK

    rng = random.Random(3)
    texts = [" ".join(rng.choices("abcdef", k=rng.randint(1, 3))) for _ in range(BLOCK + 5000)]
    index = leg(tmp_path, texts)
    queries = ["a b", "f", "c c d e"] * 8
    for k in (1, 7, 100):
        everything = index.search(queries[:3], len(texts)) * 8
        assert index.search(queries, k) == [hits[:k] for hits in everything]
