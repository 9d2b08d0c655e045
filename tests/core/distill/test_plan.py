"""What is asked is settled before the first request."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import artifact
from core.distill import plan, prompts
from core.distill.recipe import DIFFICULTIES, QUESTION_TYPES, Balance, Extractive, Recipe
from core.errors import UsageError
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.types import Document


@given(st.dictionaries(st.sampled_from("abcde"), st.floats(0.1, 10), min_size=1), st.integers(0, 200))
def test_a_deck_is_never_more_than_one_card_away_from_the_shares(weights, size):
    cards = Counter(plan.deck(weights, size, "seed"))
    assert sum(cards.values()) == size
    for name, weight in weights.items():
        assert abs(cards[name] - size * weight / sum(weights.values())) < 1


def test_no_weights_is_no_deck():
    assert plan.deck({}, 5, "seed") is None
    assert plan.deck({"a": 0.0}, 5, "seed") is None


@pytest.fixture
def recipe(tmp_path):
    documents = [
        Document(f"d{n}#{piece}", "text", metadata={"chunk_of": f"d{n}"}) for n in range(100) for piece in range(2)
    ]
    data = ArtifactRecipe(stage="data", out=tmp_path / "data")
    artifact.make(data, lambda _, work: beir.write_documents(work.path, documents))
    return Recipe(stage="distill", data=data.out, out=tmp_path / "out", teacher=Extractive(), limit=30, dev=0.2)


def test_a_limit_draws_documents_by_seed_and_keeps_their_order(recipe):
    chosen = [document.id for document in plan.of(recipe).documents()]
    assert len(chosen) == len(set(chosen)) == 30
    assert chosen == [document.id for document in plan.of(recipe).documents()]
    whole = [document.id for document in beir.read_documents(recipe.data)]
    assert [identifier for identifier in whole if identifier in set(chosen)] == chosen
    other = plan.of(recipe.model_copy(update={"seed": 1}))
    assert chosen != [document.id for document in other.documents()]


def test_pieces_of_one_document_are_judged_in_one_split(recipe):
    whole = plan.of(recipe.model_copy(update={"limit": None}))
    sides = {}
    for document in whole.documents():
        sides.setdefault(document.metadata["chunk_of"], set()).add(whole.split_of(document))
    assert all(len(side) == 1 for side in sides.values())
    assert 8 <= sum(side == {"dev"} for side in sides.values()) <= 34  # 20 expected of 100, four deviations around


@pytest.mark.parametrize("name", ["finance_zh", "medicine_en"])
def test_shipped_prompts_fill_in_and_name_every_kind(name):
    loaded = prompts.load(name)
    assert set(loaded.question_types) == set(QUESTION_TYPES)
    assert set(loaded.difficulties) == set(DIFFICULTIES)
    text = loaded.render(
        "choose",
        characters=loaded.candidates(["someone"]),
        choose_character=loaded.words["choose_character"],
        question_types=prompts.described(QUESTION_TYPES, loaded.question_types),
        difficulties=prompts.described(DIFFICULTIES, loaded.difficulties),
        previous=loaded.previous(["an earlier query"]),
        passage="the $5 passage",
        keys="Characters, Question_Type, Difficulty",
    )
    assert "$" not in text.replace("the $5 passage", "")
    assert "- someone" in text and "- an earlier query" in text and "- phd: " in text
    assert set(prompts.load_solver(name)) == {"system", "solve"}


def test_unknown_prompts_are_refused_with_the_shipped_names():
    with pytest.raises(UsageError, match="there are no prompts `law`") as error:
        prompts.load("law")
    assert "`finance_zh`, `medicine_en`" in error.value.hint


def test_weights_that_are_all_zero_are_no_balance():
    with pytest.raises(ValidationError, match="all weights of `question_types` are 0"):
        Balance(question_types={"keywords": 0})
