"""What a training by TRL asks, in which order, and whether it fits."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from jinja2 import TemplateError
from trl.chat_template_utils import add_response_schema, get_training_chat_template, supports_tool_calling
from trl.chat_template_utils import is_chat_template_prefix_preserving as keeps_prefixes

from core.errors import ContractError, DataError
from core.formats import arrow
from core.reward import trials
from core.reward.sample import Sample
from core.rl.recipe import Recipe
from core.tuning.models.load import Loaded

Prompt = list[dict[str, str]]


@dataclass(frozen=True)
class Questions:
    """Rows for training, and after them those that are held out."""

    prompts: list[Prompt]
    samples: list[Sample]
    """Their ground truths; no answers yet."""
    train: int
    """Rows for training."""

    def rows(self, order: Sequence[int]) -> Dataset:
        """Rows as TRL takes them: the prompt, and which row it is."""
        return Dataset.from_dict({"prompt": [self.prompts[row] for row in order], "row": list(order)})

    def held_out(self) -> Dataset | None:
        """The rows that are measured on."""
        return self.rows(range(self.train, len(self.prompts))) if len(self.prompts) > self.train else None


def read(train: Path, held_out: Path | None) -> Questions:
    """The rows of both files."""
    files = [train] if held_out is None else [train, held_out]
    prompts = [[_prompt(row.fields) for row in arrow.parquet(file)] for file in files]
    samples = [trial.sample for file in files for trial in trials.read(file, response="")]
    return Questions([prompt for of_file in prompts for prompt in of_file], samples, len(prompts[0]))


def order(rows: int, number: int, seed: int) -> list[int]:
    """`number` of so many rows: all of them in a drawn order, then all of them in another, and so on.

    The trainer sees one long pass, so a resumed training goes on where it was.
    """
    draw = random.Random(seed)  # noqa: S311 - a draw
    found: list[int] = []
    while len(found) < number:
        found += draw.sample(range(rows), rows)
    return found[:number]


def check_lengths(questions: Questions, loaded: Loaded, recipe: Recipe, tools: Sequence[Callable[..., str]]) -> None:
    """Look at every prompt.

    Raises:
        DataError: the chat template cannot render one.
        ContractError: one is longer than the recipe allows, or there is no room for its answer.
    """
    room = getattr(loaded.model.config, "max_position_embeddings", None)
    lengths = token_counts(questions, loaded.tokenizer, tools)
    longest, most, answer = max(lengths), recipe.generation.max_prompt_length, recipe.generation.max_new_tokens
    if longest > most:
        over = sum(length > most for length in lengths)
        raise ContractError(
            f"{over:,} of {len(lengths):,} prompts are longer than `generation.max_prompt_length` ({most}); the "
            f"longest has {longest} tokens",
            where=questions.samples[lengths.index(longest)].where,
            hint=f"generation.max_prompt_length={longest}, or rows with shorter prompts",
        )
    if room is not None and longest + answer > room:
        raise ContractError(
            f"the model reads {room} tokens, a prompt has {longest} and an answer up to {answer}",
            where="generation.max_new_tokens",
            hint=f"generation.max_new_tokens={max(1, room - longest)}",
        )


def token_counts(questions: Questions, tokenizer: Any, tools: Sequence[Callable[..., str]]) -> list[int]:
    """Tokens of every prompt, as the model is asked.

    Raises:
        DataError: the chat template cannot render one.
    """
    try:
        ids = tokenizer.apply_chat_template(
            questions.prompts, tools=list(tools) or None, add_generation_prompt=True, return_dict=False
        )
    except TemplateError as error:
        what = f"the chat template cannot render a prompt: {error}"
        raise DataError(what, where=tokenizer.name_or_path, hint="does it take the roles of these rows?") from None
    return list(map(len, ids))


def check_calls(tokenizer: Any, model: str) -> None:
    """See that tools can be called; how calls are read is added to a tokenizer that does not say so.

    Raises:
        ContractError: the chat template shows no tools, or nobody knows how its calls are read.
    """
    if not supports_tool_calling(tokenizer):
        hint = "take a model that is made to call tools, or `tool: null`"
        raise ContractError("the model's chat template does not render calls of tools", where=model, hint=hint)
    try:
        if (
            getattr(tokenizer, "response_template", None) is None
            and getattr(tokenizer, "response_schema", None) is None
        ):
            add_response_schema(tokenizer)
        if not keeps_prefixes(tokenizer):
            get_training_chat_template(tokenizer)
    except ValueError:
        what = "the model's chat template is none of those whose tool calls TRL can read and train on"
        raise ContractError(what, where=model, hint="Qwen2.5, Qwen3 and models made from nothing have one") from None


def _prompt(row: Mapping[str, Any]) -> Prompt:
    return [{"role": message["role"], "content": message["content"]} for message in row["prompt"]]
