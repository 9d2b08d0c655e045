"""What a tokenizer does to a text before the model sees it. All of it is set so that a saved tokenizer does it too."""

import json
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from core.errors import RecipeError

QWEN_END = "<|endoftext|>"
"""Ends every text in Qwen3-Embedding, whatever the tokenizer's own end-of-sequence token is."""

_PROBES = ["a", "a longer text, to be cut " * 40]


def pad_left(tokenizer: Any) -> None:
    """Padding goes before a text. A saved tokenizer remembers only what it was made with: that is set as well."""
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"


def ensure_padding(tokenizer: Any) -> None:
    """Texts of a batch can be padded; language models often come without a token for it.

    Raises:
        RecipeError: there is no token that could stand in.
    """
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise RecipeError(
                "the tokenizer has neither a padding nor an end-of-sequence token",
                where="model.name",
                hint="name a `pad_token` in the model's tokenizer_config.json",
            )
        tokenizer.pad_token = tokenizer.eos_token


def ends_with_special(tokenizer: Any) -> str | None:
    """The special token that the tokenizer puts after every text; None when it puts none."""
    last, own = (tokenizer("a", add_special_tokens=special).input_ids[-1] for special in (True, False))
    return str(tokenizer.convert_ids_to_tokens(last)) if last != own else None


def append_end(tokenizer: Any) -> None:
    """Every text ends with `<|endoftext|>`, or the end-of-sequence token where there is no such one; also when cut.

    Raises:
        RecipeError: the tokenizer has neither, or is of a kind that cannot be changed.
    """
    if ends_with_special(tokenizer):
        return
    end = QWEN_END if QWEN_END in tokenizer.get_added_vocab() else tokenizer.eos_token
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if end is None or backend is None:
        lacks = "no end-of-sequence token" if end is None else "no tokenizer.json"
        raise RecipeError(
            f"the tokenizer has {lacks}: it cannot end a text",
            where="model.append_eos",
            hint="append_eos: false, or another `pooling`",
        )
    state = json.loads(backend.to_str())
    state["post_processor"] = _ending(state["post_processor"], end, tokenizer.convert_tokens_to_ids(end))
    backend.post_processor = Tokenizer.from_str(json.dumps(state)).post_processor


def refuse_end(tokenizer: Any) -> None:
    """Raises RecipeError when the tokenizer ends texts by itself."""
    if end := ends_with_special(tokenizer):
        raise RecipeError(
            f"the tokenizer ends every text with `{end}`, and the model was trained so",
            where="model.append_eos",
            hint="leave out `append_eos: false`",
        )


def check_travels(tokenizer: Any) -> None:
    """Raises RecipeError when a saved tokenizer would not do what this one does: vectors would differ in silence."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        again = AutoTokenizer.from_pretrained(Path(folder))
    if _habits(again) != _habits(tokenizer):
        raise RecipeError(
            f"the tokenizer ({type(tokenizer).__name__}) loses its end-of-sequence token or padding side when saved",
            where="model.name",
            hint="save its tokenizer.json with that token in the post-processor, and set append_eos: false",
        )


def _habits(tokenizer: Any) -> tuple[object, ...]:
    ids = tokenizer(_PROBES, truncation=True, max_length=16).input_ids
    return ids, tokenizer.padding_side, tokenizer.pad_token, tokenizer.model_max_length


def _ending(processor: dict[str, Any] | None, end: str, number: int) -> dict[str, Any]:
    """A post-processor that does what `processor` does and puts `end` after each text.

    Two templates in a sequence do not add up, so a template that is there gets the token itself.
    """
    steps = _steps(processor)
    template = next((step for step in steps if step["type"] == "TemplateProcessing"), None)
    if template is None:
        text, other = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}
        template = {"type": "TemplateProcessing", "single": [text], "pair": [text, other], "special_tokens": {}}
        steps.append(template)
    for form in ("single", "pair"):
        template[form] = _after_texts(template[form], end)
    template["special_tokens"][end] = {"id": end, "ids": [number], "tokens": [end]}
    return steps[0] if len(steps) == 1 else {"type": "Sequence", "processors": steps}


def _steps(processor: dict[str, Any] | None) -> list[dict[str, Any]]:
    if processor is None:
        return []
    return list(processor["processors"]) if processor["type"] == "Sequence" else [processor]


def _after_texts(pieces: list[dict[str, Any]], end: str) -> list[dict[str, Any]]:
    out = []
    for piece in pieces:
        out.append(piece)
        if "Sequence" in piece:
            out.append({"SpecialToken": {"id": end, "type_id": piece["Sequence"]["type_id"]}})
    return out
