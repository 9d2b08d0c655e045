"""The shipped templates, and those of the user."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from core.errors import ContractError, RecipeError
from core.llm.chat import Message
from core.llm.rewriting import template
from core.llm.rewriting.spec import Rewriter, domains

ROOT = Path(__file__).parents[4]
LLM = {"server": {"type": "openai"}}


def test_a_domain_is_shipped_for_finance_medicine_literature_and_anything_else():
    facts = {name: template.load(name).facts() for name in domains()}
    assert {name: (fact["language"], fact["boolean"]) for name, fact in facts.items()} == {
        "finance": ("zh", False),
        "medicine": ("en", False),
        "literature": ("en", True),
        "general": (None, False),
    }


@pytest.mark.parametrize("name", ["finance", "medicine", "literature", "general"])
def test_a_shipped_template_shows_the_contract_with_an_example_of_its_own(name):
    found = template.load(name)
    assert found.example
    system, user = found.request("$5 or 汇率", 0).messages
    assert '<answer>{"query": "' in system.content
    assert "$5 or 汇率" in user.content


@pytest.mark.parametrize(
    ("domain", "digest"),
    [
        ("finance", "4869a3e4627c151b7856df3b9c82a86925c253d087f2a3405f3eb8c9a8e0e6d1"),
        ("medicine", "fdcd140c7486e3be735dd59fa10ece4505aee3558ffc7ea0d5603a7d9a4d2206"),
        ("general", "13284903c5adff7c28af6b9b79ccbb0018c4f2b28e379a57fcb7f6d94b7785a7"),
    ],
)
def test_the_words_of_a_shipped_template_stay_those_that_models_were_trained_with(domain, digest):
    assert template.load(domain).facts()["digest"] == digest


def test_the_values_of_the_source_are_the_defaults():
    rewriter = Rewriter.model_validate({"llm": LLM})
    assert (rewriter.llm.temperature, rewriter.llm.max_tokens, rewriter.prompts) == (0.7, 512, "general")


def test_a_template_of_ones_own_may_be_one_file_and_begin_the_answer(tmp_path):
    (tmp_path / "mine.txt").write_text("---\nprefill: true\n---\nBetter words for $query, please")
    found = template.load(str(tmp_path / "mine.txt"))
    assert found.request("x", 0).messages == (
        Message("user", "Better words for x, please"),
        Message("assistant", "<think>"),
    )


def test_a_second_sample_asks_the_same_anew():
    found = template.load("general")
    assert found.request("x", 0) != found.request("x", 1)
    assert found.request("x", 0).messages == found.request("x", 1).messages


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("---\nboolen: true\n---\n$query", "`boolen`: Extra inputs"),
        ("---\nboolean: perhaps\n---\n$query", "`boolean`"),
        ("---\n- x\n---\n$query", "`head`"),
        ("---\n{\n---\n$query", "no YAML"),
        ("no place for it", r"lacks \$query"),
        ("$query of $domain", r"\$domain, which nothing fills"),
    ],
)
def test_a_faulty_template_is_a_sentence_with_its_file(tmp_path, text, told):
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(RecipeError, match=told) as caught:
        template.load(str(tmp_path / "mine.txt"))
    assert caught.value.where == str(tmp_path / "mine.txt")


def test_a_domain_that_nobody_ships_is_refused_with_those_there_are():
    with pytest.raises(ValidationError, match="finance, general, literature, medicine"):
        Rewriter.model_validate({"llm": LLM, "prompts": "finanz"})


def test_operators_are_refused_where_they_are_words_and_only_there():
    facts = template.load("literature").facts()
    with pytest.raises(
        ContractError, match="writes Boolean operators, and bm25 or dense takes them for words"
    ) as caught:
        template.refuse_operators(facts, ["bm25", "dense"], "rewrites")
    assert "prompts: general" in caught.value.hint
    template.refuse_operators(template.load("general").facts(), ["bm25"], "rewrites")
