"""Prompts -> answers, one batch by transformers' own `generate`."""

# B rows of the batch, P tokens of the longest prompt

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.llm.local.ends import Ends, Halt, Reason
from core.llm.local.loading import Loaded
from core.llm.local.sampling import Sampler, Sampling


@dataclass(frozen=True)
class Prompt:
    """What is asked: tokens, and how to answer."""

    tokens: tuple[int, ...]
    max_tokens: int
    """Of the answer."""
    sampling: Sampling
    stop: tuple[str, ...] = ()
    """Texts that end the answer, and are no part of it."""


@dataclass(frozen=True)
class Completion:
    """What the model wrote."""

    tokens: tuple[int, ...]
    """The one that ended it included."""
    text: str
    finish_reason: Reason


class Halted(Exception):
    """The batch was ended before its answers were whole."""


def generate(loaded: Loaded, prompts: Sequence[Prompt], halt: Halt | None = None) -> list[Completion]:
    """The answer to each prompt; shorter prompts are padded on the left.

    Raises:
        Halted: `halt` was asked for meanwhile.
    """
    halt, device, longest = halt or Halt(), loaded.device, max(len(prompt.tokens) for prompt in prompts)
    config = _config(loaded, max(prompt.max_tokens for prompt in prompts))
    padding = [longest - len(prompt.tokens) for prompt in prompts]
    rows = [[config.pad_token_id] * pad + list(prompt.tokens) for pad, prompt in zip(padding, prompts, strict=True)]
    seen = [[0] * pad + [1] * len(prompt.tokens) for pad, prompt in zip(padding, prompts, strict=True)]
    most, stops = [prompt.max_tokens for prompt in prompts], [prompt.stop for prompt in prompts]
    ends = Ends(loaded.tokenizer, longest, loaded.ends, most, stops)
    with torch.inference_mode():
        written = loaded.model.generate(
            torch.tensor(rows, device=device),
            attention_mask=torch.tensor(seen, device=device),
            generation_config=config,
            logits_processor=[Sampler([prompt.sampling for prompt in prompts], device)],
            stopping_criteria=[ends, halt],
        )
    if halt.asked:
        raise Halted
    answers = written[:, longest:].tolist()
    return [_completion(loaded, *row) for row in zip(prompts, answers, ends.found, strict=True)]


def _config(loaded: Loaded, max_tokens: int) -> Any:
    """The model's own way to generate; drawing is ours."""
    config = copy.deepcopy(loaded.model.generation_config)
    drawing = dict.fromkeys(("temperature", "top_p", "top_k", "min_p", "typical_p"))
    ends = sorted(loaded.ends)
    padding = next((t for t in (loaded.tokenizer.pad_token_id, *ends) if t is not None), 0)
    limits = {"max_new_tokens": max_tokens, "max_length": None, "eos_token_id": ends or None, "pad_token_id": padding}
    config.update(**drawing, **limits, do_sample=False, num_beams=1, use_cache=True)
    return config


def _completion(loaded: Loaded, prompt: Prompt, written: list[int], end: tuple[int, Reason] | None) -> Completion:
    length, reason = end or (len(written), "length")
    text = loaded.tokenizer.decode(written[:length], skip_special_tokens=True)
    cuts = [place for stop in prompt.stop if (place := text.find(stop)) >= 0]
    return Completion(tuple(written[:length]), text[: min(cuts)] if cuts else text, reason)
