"""Texts as the model's inputs, in groups of about the same length so that little is padded."""

# T texts, L tokens of the longest

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor
from torch.nn.functional import pad

from core.embed.fit import groups
from core.retrieval.contract import DOCUMENT_NAMES, QUERY_NAMES, prompt_of

Features: TypeAlias = dict[str, Any]
"""What `model.preprocess` gives: tensors, and words about them."""


class Prepare:
    """Queries and documents -> groups of features, and where each text's vector will stand."""

    def __init__(self, model: SentenceTransformer, *, most_texts: int | None) -> None:
        self._model, self._most = model, most_texts
        self._prompts = prompt_of(model, QUERY_NAMES), prompt_of(model, DOCUMENT_NAMES)
        self._overhead = groups.CPU_OVERHEAD if _on_cpu(model) else groups.GPU_OVERHEAD
        self._pools_prompt = all(module.include_prompt for module in model if isinstance(module, Pooling))

    def __call__(self, queries: Sequence[str], documents: Sequence[str]) -> tuple[list[Features], Tensor]:
        """Groups, and [len(queries) + len(documents)] places: text i is number `order[i]` of all groups in a row."""
        sides = [
            self._features(texts, prompt) for texts, prompt in zip((queries, documents), self._prompts, strict=True)
        ]
        made: list[Features] = []
        placed: list[Tensor] = []
        start = 0
        for features in self._joined(sides):
            cut, numbers = self._cut(features)
            made += cut
            placed.append(numbers + start)
            start += len(numbers)
        return made, torch.cat(placed).argsort()

    def _features(self, texts: Sequence[str], prompt: str) -> Features:
        # As `core.retrieval.encoder` does: an empty text has no token, and the mean over none is NaN in some models.
        features: Features = dict(self._model.preprocess([text or " " for text in texts], prompt=prompt or None))
        if self._pools_prompt:
            features.pop("prompt_length", None)
        return features

    def _joined(self, sides: Sequence[Features]) -> Sequence[Features]:
        """Both sides in one where the model cannot tell: groups are fuller, and steps of a static model are one."""
        first, second = sides
        if "cu_seq_lens_q" in first or _words(first) != _words(second) or first.keys() != second.keys():
            return sides
        if "offsets" in first:
            offsets = torch.cat([first["offsets"], second["offsets"] + len(first["input_ids"])])
            return [{**first, "input_ids": torch.cat([first["input_ids"], second["input_ids"]]), "offsets": offsets}]
        if "attention_mask" not in first:
            return sides
        width = max(_width(side) for side in sides)
        wide = [{name: self._widened(name, value, width) for name, value in side.items()} for side in sides]
        return [
            {
                name: torch.cat([wide[0][name], wide[1][name]]) if isinstance(value, Tensor) else value
                for name, value in first.items()
            }
        ]

    def _widened(self, name: str, value: Any, width: int) -> Any:
        if not isinstance(value, Tensor) or value.ndim < 2:
            return value
        missing = width - value.shape[1]
        filler = self._model.tokenizer.pad_token_id or 0 if name == "input_ids" else 0
        return pad(value, (missing, 0) if self._left else (0, missing), value=filler)

    @property
    def _left(self) -> bool:
        return bool(getattr(self._model.tokenizer, "padding_side", "right") == "left")

    def _cut(self, features: Features) -> tuple[list[Features], Tensor]:
        """The groups, and the numbers of the texts in the order in which they stand there."""
        if "attention_mask" not in features:
            return [features], torch.arange(_num_texts(features))
        lengths_T = features["attention_mask"].sum(1)
        order_T = lengths_T.argsort(descending=True, stable=True)
        sizes = groups.sizes(lengths_T[order_T].tolist(), overhead=self._overhead, most=self._most)
        return [self._rows(features, rows, int(lengths_T[rows[0]])) for rows in order_T.split(sizes)], order_T

    def _rows(self, features: Features, rows: Tensor, length: int) -> Features:
        """Some texts, without the columns that are padding in all of them."""
        columns = slice(-length, None) if self._left else slice(length)
        width = _width(features)
        return {
            name: (value[rows][:, columns] if value.ndim > 1 and value.shape[1] == width else value[rows])
            if isinstance(value, Tensor)
            else value
            for name, value in features.items()
        }


def _on_cpu(model: SentenceTransformer) -> bool:
    """A copy without weights, which a process that tokenises ahead has, takes it that a GPU is used where one is."""
    kind = model.device.type
    return kind == "cpu" or (kind == "meta" and not torch.accelerator.is_available())


def _words(features: Features) -> dict[str, Any]:
    return {name: value for name, value in features.items() if not isinstance(value, Tensor)}


def _width(features: Features) -> int:
    return int(features["attention_mask"].shape[1])


def _num_texts(features: Features) -> int:
    if "cu_seq_lens_q" in features:
        return len(features["cu_seq_lens_q"]) - 1
    return len(features["offsets"] if "offsets" in features else features["input_ids"])
