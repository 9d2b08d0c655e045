"""Answers of the rollout without a GPU, against transformers' own generation. No verl is needed."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from core.tuning.verl.guest.decode import Request, Sampling, answers

PROMPTS = ([5, 6, 7, 8, 9], [10, 11], [12, 13, 14, 15, 16, 17, 18, 19])
PAD, END = 0, frozenset({2})


@pytest.fixture(scope="module")
def model(tiny_qwen3):
    return AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32)


def ask(model, requests, seed=0, end=END):
    return answers(model, requests, end=end, pad=PAD, random=torch.Generator().manual_seed(seed))


def generated(model, prompt, **options):
    ids = torch.tensor([prompt])
    told = {"pad_token_id": PAD, "eos_token_id": list(END), "do_sample": False, "max_new_tokens": 12} | options
    return model.generate(ids, attention_mask=torch.ones_like(ids), **told)[0, len(prompt) :].tolist()


def greedy(**others):
    return Sampling(max_tokens=12, temperature=0, **others)


def test_a_batch_of_prompts_is_answered_as_transformers_answers_each_of_them_alone(model):
    found = ask(model, [Request(prompt, greedy()) for prompt in PROMPTS])
    assert [answer.tokens for answer in found] == [generated(model, prompt) for prompt in PROMPTS]


def test_a_repetition_penalty_counts_the_prompt_as_transformers_does(model):
    found = ask(model, [Request(prompt, greedy(repetition_penalty=1.5)) for prompt in PROMPTS])
    assert [a.tokens for a in found] == [generated(model, prompt, repetition_penalty=1.5) for prompt in PROMPTS]


def test_each_request_of_a_batch_keeps_its_own_parameters(model):
    # the model's first words decide what ends the second answer
    words = generated(model, PROMPTS[0])
    requests = [
        Request(PROMPTS[0], greedy()),
        Request(PROMPTS[0], greedy(stop_token_ids=(words[3],))),
        Request(PROMPTS[0], Sampling(max_tokens=2, temperature=0)),
        Request(PROMPTS[0], Sampling(max_tokens=5, temperature=50.0)),
    ]
    whole, stopped, short, drawn = ask(model, requests)
    first = words.index(words[3]) + 1
    assert whole.tokens == words
    assert (stopped.tokens, stopped.stopped) == (words[:first], True)
    assert (short.tokens, short.stopped) == (words[:2], False)
    assert len(drawn.tokens) == 5 and drawn.tokens != words[:5]


def test_the_models_end_is_the_last_token_unless_it_is_to_be_ignored(model):
    words = generated(model, PROMPTS[0])
    end = frozenset({words[1]})
    first = words.index(words[1]) + 1
    ended, further = ask(model, [Request(PROMPTS[0], greedy()), Request(PROMPTS[0], greedy(ignore_eos=True))], end=end)
    assert ended.tokens == words[:first] and ended.stopped
    assert further.tokens == words


@pytest.mark.parametrize(
    ("limits", "options"),
    [
        ({"temperature": 0.7}, {"temperature": 0.7}),
        ({"top_k": 3}, {"top_k": 3}),
        ({"top_p": 0.4}, {"top_p": 0.4}),
        ({"temperature": 0.5, "top_p": 0.8, "top_k": 20}, {"temperature": 0.5, "top_p": 0.8, "top_k": 20}),
    ],
)
def test_tokens_are_drawn_from_transformers_distribution(model, limits, options):
    # one token each, often: the shares are those that transformers draws from
    draws = 3000
    found = ask(model, [Request(PROMPTS[0], Sampling(max_tokens=1, logprobs=True, **limits))] * draws)
    told = model.generate(
        torch.tensor([PROMPTS[0]]),
        attention_mask=torch.ones(1, len(PROMPTS[0]), dtype=torch.long),
        do_sample=True,
        max_new_tokens=1,
        pad_token_id=PAD,
        **({"top_k": 0} | options),
        return_dict_in_generate=True,
        output_scores=True,
    )
    logprobs = told.scores[0][0].log_softmax(0)
    drawn = torch.bincount(torch.tensor([answer.tokens[0] for answer in found]), minlength=len(logprobs)) / draws
    assert (drawn - logprobs.exp()).abs().max() < 0.04
    assert all(answer.logprobs == pytest.approx([logprobs[answer.tokens[0]].item()], abs=1e-4) for answer in found)


def test_the_same_seed_draws_the_same_answers_and_another_others(model):
    requests = [Request(prompt, Sampling(max_tokens=12)) for prompt in PROMPTS]
    assert ask(model, requests, seed=1) == ask(model, requests, seed=1)
    assert ask(model, requests, seed=1) != ask(model, requests, seed=2)


def test_a_parameter_that_is_not_known_is_refused_and_never_dropped():
    with pytest.raises(ValueError, match=r"does not have: min_p, stop"):
        Sampling.of({"temperature": 1.0, "stop": ["x"], "min_p": 0.1}, 8)


def test_an_answer_is_no_longer_than_both_the_request_and_the_room_allow():
    assert Sampling.of({"max_tokens": 5}, 8).max_tokens == 5
    assert Sampling.of({"max_new_tokens": 50, "seed": None}, 8).max_tokens == 8
