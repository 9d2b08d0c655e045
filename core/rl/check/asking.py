"""What the model is asked, and whether it can be: chat template, tool, lengths, thoughts, special tokens."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trl.chat_template_utils import parse_response

from core.errors import ContractError
from core.reward.decoding import Decoder, stripped
from core.reward.parts import turns
from core.reward.plain import plain
from core.reward.sample import Sample
from core.rl.recipe import Recipe
from core.rl.tool.search import ARGUMENT, Search, schema
from core.rl.trl import questions, searcher
from core.rl.trl.questions import Questions
from core.tuning.check import apart, sample
from core.tuning.models.chat import check_template
from core.tuning.models.load import Loaded
from core.tuning.spec import Trl

THINK = "<think>"
CALLED = "a query"


def look(recipe: Recipe, found: Questions, loaded: Loaded, name: str, folder: Path) -> Iterator[str]:
    """Look at the prompts, as the model `name` is asked them."""
    tokenizer = loaded.tokenizer
    check_template(tokenizer, name)
    tools = list(_tools(recipe))
    chosen = _chosen(found, recipe.seed)
    questions.check_lengths(chosen, loaded, recipe, tools)
    text = _rendered(recipe, tokenizer, chosen.prompts[0])
    if recipe.tool:
        check_tool(recipe, tokenizer, text, name)
        yield f"tool: the model is told of `{recipe.tool.name}`, and its calls are read"
    check_thoughts(recipe, text)
    lengths = questions.token_counts(chosen, tokenizer, tools)
    mean, number = sum(lengths) / len(lengths), len(lengths)
    yield f"prompts: {mean:,.0f} tokens in the mean, {max(lengths):,} at most, of {number:,} looked at"
    yield from (f"{apart.WARNING}{line}" for line in _lost(recipe, tokenizer, folder))


def check_thoughts(recipe: Recipe, prompt: str) -> None:
    """See that the prompt ends in `<think>` where the reward believes so, and nowhere else.

    Raises:
        ContractError: one of both is wrong: no answer would be in form.
    """
    ends = prompt.rstrip().endswith(THINK)
    if ends == recipe.reward.prefilled_think:
        return
    if ends:
        what = f"the chat template ends the prompt with `{THINK}`, so answers lack it, and the reward wants it"
    else:
        what = f"the reward believes that the prompt ends with `{THINK}`, and it does not"
    raise ContractError(what, hint=f"reward.prefilled_think={str(ends).lower()}")


def check_tool(recipe: Recipe, tokenizer: Any, prompt: str, name: str) -> None:
    """See that the model is told of the tool, and that a call as its template writes it is read by the trainer.

    Raises:
        ContractError: it is not so.
    """
    assert recipe.tool is not None  # noqa: S101 - whoever calls has looked
    if recipe.tool.name not in prompt or ARGUMENT not in prompt:
        hint = "take a model that is made to call tools, or `tool: null`"
        raise ContractError("the model's chat template does not tell of tools", where=name, hint=hint)
    if isinstance(recipe.trainer, Trl):
        questions.check_calls(tokenizer, name)
    call = {"name": recipe.tool.name, "arguments": {ARGUMENT: [CALLED]}}
    before, written = _turns(tokenizer, [{"type": "function", "function": call}])
    read = _read_by_trl(tokenizer, before, written) if isinstance(recipe.trainer, Trl) else _read_by_verl(written)
    if read != [call]:
        what = f"a call that the chat template writes is not read back: {written.strip()[:120]!r} gives {read}"
        raise ContractError(what, where=name, hint="the trainers read calls as Qwen2.5 and Qwen3 write them")


def _rendered(recipe: Recipe, tokenizer: Any, prompt: questions.Prompt) -> str:
    tools = [schema(recipe.tool.model_dump())] if recipe.tool else None
    return str(tokenizer.apply_chat_template(prompt, tools=tools, add_generation_prompt=True, tokenize=False))


def _turns(tokenizer: Any, calls: list[dict[str, Any]]) -> tuple[str, str]:
    """A prompt, and what a model writes after it that makes these calls."""
    asked = [{"role": "user", "content": "?"}]
    before = str(tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False))
    turns = [*asked, {"role": "assistant", "content": "", "tool_calls": calls}]
    return before, str(tokenizer.apply_chat_template(turns, tokenize=False))[len(before) :]


def _read_by_trl(tokenizer: Any, before: str, written: str) -> list[dict[str, Any]]:
    prefix, ids = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (before, written))
    parsed = parse_response(tokenizer, ids, prefix=prefix)
    return [{name: call["function"][name] for name in ("name", "arguments")} for call in parsed.get("tool_calls") or []]


def _read_by_verl(written: str) -> list[dict[str, Any]]:
    """verl's parser `hermes` reads what stands between the tags, as the reward does."""
    return [{"name": call.tool, "arguments": call.arguments} for call in turns.calls(Sample("", written, None))]


def _chosen(found: Questions, seed: int) -> Questions:
    """Rows that stand for all, those that are held out among them."""
    characters = [sum(len(turn["content"]) for turn in prompt) for prompt in found.prompts]
    places = sample.chosen(characters, seed)
    return Questions(
        [found.prompts[place] for place in places],
        [found.samples[place] for place in places],
        sum(place < found.train for place in places),
    )


def _tools(recipe: Recipe) -> Iterator[Callable[..., str]]:
    if recipe.tool:
        tool = recipe.tool.model_dump()
        yield searcher.function(tool, Search(tool, plain(recipe.reward)["retriever"]))


def _lost(recipe: Recipe, tokenizer: Any, folder: Path) -> Sequence[str]:
    """Marks that the reward looks for and trainers strip."""
    place = folder / "tokenizer"
    tokenizer.save_pretrained(place)
    return stripped(recipe.reward, Decoder(place)) if (place / "tokenizer.json").is_file() else ()
