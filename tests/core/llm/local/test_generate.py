"""Batches of different wishes are answered as each would be alone, and as transformers' own `generate` answers."""

import math
from collections import Counter

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from core.llm.local.ends import Halt
from core.llm.local.generate import Halted, Prompt, generate
from core.llm.local.loading import load
from core.llm.local.sampling import Sampler, Sampling

GREEDY = Sampling(temperature=0)
TEXTS = ["a", "what is a fund?", "纳斯达克综合指数是什么", "one two three four five six seven eight nine ten " * 4]


@pytest.fixture(scope="module")
def loaded(tiny_qwen3):
    return load(str(tiny_qwen3), dtype="float32")


def tokens(loaded, text):
    return tuple(loaded.tokenizer(text)["input_ids"])


def prompt(loaded, text, sampling=GREEDY, most=24, stop=()):
    return Prompt(tokens(loaded, text), most, sampling, stop)


def test_greedy_answers_of_a_batch_are_those_of_transformers_to_the_token(loaded, tiny_qwen3):
    theirs = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen3)
    found = generate(loaded, [prompt(loaded, text) for text in TEXTS])
    for text, answer in zip(TEXTS, found, strict=True):
        asked = tokenizer(text, return_tensors="pt")
        written = theirs.generate(**asked, max_new_tokens=24, do_sample=False)[0, asked["input_ids"].shape[1] :]
        assert list(answer.tokens) == written.tolist()
        assert answer.text == tokenizer.decode(written, skip_special_tokens=True)


def test_each_row_ends_at_its_own_limit(loaded):
    found = generate(loaded, [prompt(loaded, text, most=most) for text, most in zip(TEXTS, (3, 9, 1, 5), strict=True)])
    assert [len(answer.tokens) for answer in found] == [3, 9, 1, 5]
    assert {answer.finish_reason for answer in found} == {"length"}


def test_an_end_token_ends_a_row_and_is_no_part_of_its_text(loaded):
    whole, *_ = generate(loaded, [prompt(loaded, TEXTS[1])])
    place = 5
    ending = type(loaded)(loaded.model, loaded.tokenizer, loaded.max_tokens, frozenset({whole.tokens[place]}))
    found = generate(ending, [prompt(loaded, TEXTS[1])])[0]
    first = whole.tokens.index(whole.tokens[place])
    assert (found.tokens, found.finish_reason) == (whole.tokens[: first + 1], "stop")


def test_a_stop_text_ends_a_row_and_what_follows_is_not_told(loaded):
    whole, other = generate(loaded, [prompt(loaded, text, most=40) for text in TEXTS[:2]])
    text = whole.text
    stop = next(text[start : start + 3] for start in range(4, len(text)) if "\ufffd" not in text[start : start + 3])
    found, untouched = generate(
        loaded, [prompt(loaded, TEXTS[0], most=40, stop=(stop,)), prompt(loaded, TEXTS[1], most=40)]
    )
    assert (found.text, found.finish_reason) == (text[: text.index(stop)], "stop")
    assert len(found.tokens) < len(whole.tokens)
    assert untouched == other


def test_the_same_seed_draws_the_same_whoever_else_is_in_the_batch(loaded):
    drawn = prompt(loaded, TEXTS[1], Sampling(temperature=1.0, seed=5))
    alone = generate(loaded, [drawn])[0]
    among = generate(loaded, [prompt(loaded, TEXTS[3]), drawn, prompt(loaded, TEXTS[0], Sampling(seed=9))])[1]
    assert alone.tokens == among.tokens
    assert generate(loaded, [prompt(loaded, TEXTS[1], Sampling(seed=6))])[0].tokens != alone.tokens


def test_without_a_seed_two_answers_differ(loaded):
    found = generate(loaded, [prompt(loaded, TEXTS[1], Sampling(temperature=1.0))] * 2)
    assert found[0].tokens != found[1].tokens


@pytest.mark.parametrize(
    ("temperature", "top_p", "top_k"), [(1.0, 1.0, 0), (0.5, 0.8, 0), (2.0, 0.9, 4), (1.0, 0.3, 0)]
)
def test_tokens_are_drawn_as_transformers_filters_and_weighs_them(temperature, top_p, top_k):
    scores = torch.tensor([2.0, 0.1, 1.5, -1.0, 0.7, 1.4, -2.0, 0.0])
    wanted = TemperatureLogitsWarper(temperature)(None, scores[None])
    wanted = TopKLogitsWarper(top_k)(None, wanted) if top_k else wanted
    wanted = TopPLogitsWarper(top_p)(None, wanted) if top_p < 1 else wanted
    expected = wanted.softmax(-1)[0].tolist()
    draws = 20_000
    sampler = Sampler([Sampling(temperature, top_p, top_k, seed=1)] + [Sampling(temperature, top_p, top_k)] * draws,
                      torch.device("cpu"))  # fmt: skip
    chosen = Counter(sampler(torch.zeros(draws + 1, 1), scores.repeat(draws + 1, 1)).argmax(-1).tolist())
    for token, probability in enumerate(expected):
        # five standard deviations of a binomial share
        assert chosen[token] / draws == pytest.approx(probability, abs=5 * math.sqrt(0.25 / draws))
        assert bool(chosen[token]) is (probability > 0)


def test_rows_that_are_not_sampled_keep_their_scores():
    scores = torch.randn(3, 7)
    found = Sampler([GREEDY, Sampling(), GREEDY], torch.device("cpu"))(torch.zeros(3, 1), scores)
    assert torch.equal(found[[0, 2]], scores[[0, 2]])
    assert torch.isinf(found[1]).sum() == 6


def test_a_halt_ends_the_batch_without_half_answers(loaded):
    halt = Halt()
    halt.asked = True
    with pytest.raises(Halted):
        generate(loaded, [prompt(loaded, TEXTS[0], most=4000)], halt)
