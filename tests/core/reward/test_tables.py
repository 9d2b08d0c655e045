"""The presets hold the numbers of their sources, row by row. The retriever's double finds what a query names."""

import json
from pathlib import Path

import pytest

from core.recipe import load
from core.reward.plain import plain
from core.reward.recipe import Recipe
from core.reward.sample import Sample
from core.reward.scorer import Scorer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def preset(services):
    """Make the scorer of a shipped recipe; its services are the doubles."""
    opened = []

    def make(name, *overrides):
        path = ROOT / "recipes/reward" / f"{name}.yaml"
        recipe = load(path, Recipe, [f"retriever.url={services.retriever['url']}", *overrides])
        opened.append(Scorer(json.loads(json.dumps(plain(recipe)))))
        return opened[-1]

    yield make
    for scorer in opened:
        scorer.close()


def rewrite(query):
    return f"<think>why</think><answer>{json.dumps({'query': query})}</answer>"


def totals(scorer, *samples):
    return [item.total for item in scorer.score([Sample("q", *sample) for sample in samples])]


# 20 relevant documents; the query names some of them: recall is their share.
TRUTH = json.dumps({f"d{number}": 1 for number in range(20)})


@pytest.mark.parametrize(
    ("found", "value"),
    # recall 1, .7, .65, .5, .45, .4, .35, .3, .25, .1, .05, 0
    [(20, 5), (14, 5), (13, 4), (10, 4), (9, 3), (8, 3), (7, 1), (6, 1), (5, 0.5), (2, 0.5), (1, 0.1), (0, -3.5)],
)
def test_literature_pays_by_tiers_of_recall(preset, found, value):
    query = " ".join(["other", *(f"d{number}" for number in range(found))])
    assert totals(preset("deepretrieval-literature"), (rewrite(query), TRUTH)) == [1 + value]


def test_literature_pays_minus_four_for_a_bad_format_and_asks_nobody(preset, services):
    scorer = preset("deepretrieval-literature")
    bad = ["d0", '<think>w</think><answer>{"query": ""}</answer>', f"{rewrite('d0')}{rewrite('d1')}", ""]
    assert totals(scorer, *((response, TRUTH) for response in bad)) == [-4] * 4
    assert services.asked() == []


@pytest.mark.parametrize(
    ("rank", "value"),
    [(1, 5), (5, 5), (6, 4), (20, 4), (21, 2), (50, 2), (51, 1), (100, 1), (101, 0.5), (1000, 0.5), (1001, 0.1),
     (3000, 0.1), (3001, -3.5), (None, -3.5)],
)  # fmt: skip
def test_evidence_pays_by_the_rank_of_the_first_passage_with_an_answer(preset, rank, value):
    words = [f"x{number}" for number in range(1, 3002)]
    if rank:
        words[rank - 1] = "hit=It_is_Paris,_of_course"
    truth = '{"target": ["paris", "Lutetia"]}'
    assert totals(preset("deepretrieval-evidence"), (rewrite(" ".join(words)), truth)) == [1 + value]
    squad = value if value > 0 else -2.5
    assert totals(preset("deepretrieval-evidence-squad"), (rewrite(" ".join(words)), truth)) == [1 + squad]


def test_classic_ir_pays_a_tenth_beside_ndcg_and_nothing_where_ndcg_is_nothing(preset):
    scorer, truth = preset("deepretrieval-ir"), '{"d1": 1}'
    # nDCG of one relevant document: 1 / log2(rank + 1); rank 1 -> 1, rank 3 -> 0.5
    samples = [(rewrite("d1"), truth), (rewrite("a b d1"), truth), (rewrite("a"), truth), ("d1", truth)]
    assert totals(scorer, *samples) == [1.1, 0.6, 0, -2]


def test_classic_ir_looks_at_ten_documents_of_a_held_out_row(preset, services):
    scorer = preset("deepretrieval-ir")
    query = " ".join([*(f"x{number}" for number in range(10)), "d1"])
    rows = [Sample("q", rewrite(query), '{"d1": 1}', extra={"split": split}) for split in ("train", "test")]
    training, held_out = scorer.score(rows)
    assert training.total == pytest.approx(0.1 + 1 / 3.5849625)  # rank 11: 1 / log2(12)
    assert held_out.total == 0
    assert sorted(note["body"]["topk"] for note in services.asked()) == [10, 1000]


def test_the_other_sets_of_classic_ir_are_an_override_away(preset, services):
    preset("deepretrieval-ir", "parts.1.k=50").score([Sample("q", rewrite("d1"), '{"d1": 1}')])
    assert services.asked()[0]["body"]["topk"] == 50


FINANCE = ["finance-process-outcome", "parts.2.judge.retries=0"]
ALL = "<think>\nStep 1: a\nStep 2: b\n</think>\n<answer>\\boxed{B}</answer>"


def test_finance_pays_format_answer_and_process(preset, services, prompt):
    override = f"parts.2.judge.server.base_url={services.server['base_url']}"
    scorer = preset(*FINANCE, override, f"parts.2.prompt={prompt('grade $thoughts of 8')}")
    whole, wrong, bare = scorer.score(
        [Sample("q", response, "B") for response in (ALL, ALL.replace("{B}", "{C}"), "B")]
    )
    # .5 x (.2 + .2 + .3 + .3) + 1 x 1 + 1 x 8 / 10
    assert whole.parts == {"format_pieces": 1.0, "choice": 1.0, "process_judge": 0.8}
    assert whole.total == 0.5 + 1 + 0.8
    assert wrong.total == 0.5 + 0 + 0.8
    assert bare.total == 0  # no answer tag, no thoughts: nobody is asked
    assert services.asked()[0]["body"]["max_tokens"] == 16
    assert services.asked() == []


def test_the_most_that_finance_pays_is_two_and_a_half(preset, services, prompt):
    override = f"parts.2.judge.server.base_url={services.server['base_url']}"
    scorer = preset(*FINANCE, override, f"parts.2.prompt={prompt('$thoughts SAY 10')}")
    assert totals(scorer, (ALL, "B")) == [2.5]


@pytest.mark.parametrize(
    ("response", "value"),
    [
        (ALL, 1),
        (ALL.replace("<think>", ""), 0.8),
        (ALL.replace("Step ", ""), 0.8),
        (ALL.replace("</answer>", ""), 0.7),
        (ALL.replace("\\boxed{B}", "B"), 0.7),
        (ALL.replace("\\boxed{B}", "<|box_start|>B<|box_end|>"), 1),
        ("B", 0),
        (ALL.replace("Step 2: b", "\n".join(f"Step {n}: b" for n in range(2, 6))), 1),
        (ALL.replace("Step 2: b", "\n".join(f"Step {n}: b" for n in range(2, 7))), 0),
    ],
)
def test_a_format_is_worth_its_pieces_and_nothing_with_more_than_five_steps(scorer, response, value):
    assert totals(scorer({"type": "format_pieces"}), (response, "B")) == [value]


def test_search_r1_pays_one_or_nothing(preset):
    truth = '{"target": ["北京", "Beijing"]}'
    samples = [
        ("<answer>北京。</answer>", truth),
        ("<answer>the Beijing</answer>", truth),
        ("<answer>上海</answer>", truth),
    ]
    assert totals(preset("search-r1"), *samples) == [1, 1, 0]


@pytest.mark.parametrize(
    ("response", "value"),
    [
        ("<think>a</think><search>b</search><information>c</information><think>d</think><answer>Paris</answer>", 1),
        ("<think>a</think>\n<answer>Paris</answer>", 1),
        ("so <answer>Paris</answer>", 0.8),
        ("<think>a</think><answer>Rome</answer>", 0.2),
        ("so <answer>Rome</answer>", 0.1),
        ("so", 0),
    ],
)
def test_search_r1_with_format_pays_by_what_is_right(preset, response, value):
    assert totals(preset("search-r1-format"), (response, '["Paris"]')) == [value]


def test_semantic_match_pays_three_parts_format_and_seven_parts_judge(preset, services, prompt):
    override = f"parts.1.judge.server.base_url={services.server['base_url']}"
    scorer = preset("semantic-match", override, f"parts.1.prompt={prompt('$truth or $answer SAY 5')}")
    good, bad = "<think>a</think><answer>it fell</answer>", "<answer>it fell</answer>"
    assert totals(scorer, (good, "it sank"), (bad, "it sank")) == [pytest.approx(0.3 + 0.35), pytest.approx(0.35)]


def test_the_tiny_preset_needs_no_service(preset):
    assert totals(preset("tiny"), ("<think>x</think><answer>中国平安</answer>", "中国平安")) == [1.2]
