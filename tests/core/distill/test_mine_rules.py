"""The parts of mining, each by itself."""

import itertools
import math
import random
import statistics

import pytest

from core.distill.mine import judged
from core.distill.mine.easy import shuffled
from core.distill.mine.recipe import Limits, Window
from core.distill.mine.report import SAMPLED, Sample
from core.distill.mine.rules import Guard, ceiling, same_text, sift
from core.errors import DataError
from core.formats import beir
from core.types import Document, Hit, Query


@pytest.mark.parametrize(
    ("positive", "limits", "bound"),
    [
        (0.8, {"relative_margin": 0.05}, 0.8 * 0.95),
        (-0.5, {"relative_margin": 0.05}, -0.525),  # times 0.95 it would be -0.475, above the positive
        (0.0, {"relative_margin": 0.05}, 0.0),
        (-0.5, {"absolute_margin": 0.1}, -0.6),
        (0.8, {"absolute_margin": 0.0}, 0.8),
        (0.8, {"absolute_margin": 0.01, "relative_margin": 0.05}, 0.76),
        (10.0, {"absolute_margin": 2.0, "relative_margin": 0.05}, 8.0),
        (0.8, {"max_score": 0.1}, math.inf),
        (-math.inf, {"relative_margin": 0.0}, -math.inf),
        (-math.inf, {"relative_margin": 0.05}, -math.inf),
        (-math.inf, {}, math.inf),
    ],
)
def test_a_margin_lies_below_the_positive_whatever_its_sign(positive, limits, bound):
    assert ceiling(positive, Limits(**limits)) == pytest.approx(bound)
    assert not limits.keys() & {"absolute_margin", "relative_margin"} or bound <= positive


def test_a_hit_is_removed_by_the_first_rule_that_speaks_against_it():
    hits = [Hit("p", 9.0), Hit("first", 8.0), Hit("high", 7.0), Hit("near", 3.9), Hit("edge", 3.8), Hit("p2", 4.0)]
    hits.sort(key=lambda hit: -hit.score)
    hits += [Hit("ok", 2.0)]
    removed = {}
    left = sift(hits, {"p", "p2"}, Window(skip=2), Limits(max_score=5.0, absolute_margin=0.2), removed)
    assert removed == {
        "p": "judged positive",
        "first": "first ranks",
        "high": "max_score",
        "p2": "judged positive",
        "near": "margin",
        "edge": "margin",  # 4.0 - 0.2: not lower
    }
    assert left == [("ok", 2.0, 7)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Fund  Value\n", "fund value"),
        ("ＡＢＣ１２３", "abc123"),
        ("您好： 感谢", "您好:感谢"),
        ("2019年1月25日", "2019-01-25"),
    ],
)
def test_texts_are_the_same_without_blanks_case_width_and_ways_of_a_date(one, other):
    assert same_text(one) == same_text(other)


def test_a_document_and_its_pieces_share_a_source():
    guard = Guard("query", [Document("a", "the whole text")])
    assert guard.take(Document("a#1", "a piece", metadata={"chunk_of": "a"})) == "same source"
    assert guard.take(Document("b#1", "a piece", metadata={"chunk_of": "b"})) is None
    assert guard.take(Document("b#2", "another piece", metadata={"chunk_of": "b"})) is None


@pytest.mark.parametrize("size", [0, 1, 2, 5, 100])
def test_shuffled_gives_each_number_once(size):
    assert sorted(shuffled(size, random.Random(1))) == list(range(size))


def test_shuffled_gives_every_order_alike():
    # 24 orders of four numbers, 24,000 draws: 1,000 each, and 5 standard deviations are 155
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    rng = random.Random(1)
    for _ in range(24_000):
        counts[tuple(shuffled(4, rng))] += 1
    assert all(abs(count - 1000) < 155 for count in counts.values())


def test_shuffled_draws_from_many_without_touching_them():
    assert len(set(itertools.islice(shuffled(10**15, random.Random(1)), 1000))) == 1000


@pytest.fixture
def folder(tmp_path):
    beir.write_queries(tmp_path, (Query(f"q{n}", f"text {n}") for n in range(10)))
    qrels = {f"q{n}": {"d2": 1, "d1": 2, "d0": 0} for n in (7, 3, 0, 9)} | {"q5": {"d1": 0}, "gone": {"d1": 1}}
    beir.write_qrels(tmp_path, "train", qrels)
    return tmp_path


@pytest.mark.parametrize("held", [1, 3, 10, 99])
def test_queries_come_in_their_order_with_the_documents_that_answer_them(folder, held):
    found = list(judged.read(folder, "train", held))
    assert [query.id for query, _ in found] == ["q0", "q3", "q7", "q9"]
    assert {positives for _, positives in found} == {("d2", "d1")}


def test_a_broken_judgement_is_an_error_with_its_line(folder):
    path = folder / "qrels/train.tsv"
    path.write_text(path.read_text() + "q0\td1\tmuch\n")
    with pytest.raises(DataError, match="'much' is not an integer") as error:
        list(judged.read(folder, "train"))
    assert error.value.where.endswith("train.tsv:16")


def test_a_survey_counts_answers_and_those_outside(folder):
    assert judged.survey(folder, "train", lambda id_: id_ == "d1") == judged.Survey(positives=9, outside=4)


def test_a_short_stream_is_summed_up_exactly():
    values = [random.Random(3).gauss(0, 5) for _ in range(101)]
    sample = Sample(0)
    for value in values:
        sample.add(value)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    assert sample.summary() == pytest.approx(
        {
            "min": min(values),
            "quartile_1": low,
            "median": middle,
            "quartile_3": high,
            "max": max(values),
            "mean": statistics.mean(values),
        },
        abs=1e-4,
    )


def test_a_long_stream_is_sampled_evenly():
    sample = Sample(0)
    for value in range(10 * SAMPLED):
        sample.add(value)
    found = sample.summary()
    assert (found["min"], found["max"], found["mean"]) == (0, 10 * SAMPLED - 1, (10 * SAMPLED - 1) / 2)
    # the deviation of a sampled median is 10 · 10,000 · 0.5 / sqrt(10,000) = 500
    assert found["median"] == pytest.approx(5 * SAMPLED, abs=2500)


def test_no_number_has_no_summary():
    assert Sample(0).summary() is None
