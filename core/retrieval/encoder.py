"""Texts as normalised vectors, through sentence-transformers. Prompts and pooling come from the model, never from us.

The contract says what decides a vector; an index stores it and refuses a model that would answer otherwise.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from core import digest, progress
from core.errors import ArtifactError, ContractError, Missing
from core.recipe.model import is_artifact
from core.retrieval.spec import Dense

Vectors = npt.NDArray[np.float32]

log = logging.getLogger(__name__)

QUERY_NAMES, DOCUMENT_NAMES = ("query",), ("document", "passage", "corpus")
SAMPLES = 64
"""Values of each parameter that a contract's digest of the weights looks at."""

_TASK = re.compile(r"(?<=Instruct: )[^\n]*(?=\nQuery:)")
"""The task inside a query prompt of the form that Qwen3-Embedding and E5-instruct use."""


@dataclass(frozen=True)
class Contract:
    """What decides the vector of a text."""

    dimension: int
    modules: tuple[str, ...]
    """The model's parts in order, with the pooling's mode."""
    query_prompt: str
    document_prompt: str
    max_tokens: int | None
    """Longest input; None when the model has no limit."""
    padding_side: str
    tokenizer: str
    """Digest of the tokenizer's own serialisation."""
    weights: str
    """Digest of samples of every parameter: tells two trainings of one architecture apart."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON gives it back."""
        return {**asdict(self), "modules": list(self.modules)}

    def check(self, stored: dict[str, Any]) -> None:
        """Raises ContractError when this model is not the one that made the stored vectors."""
        mine = self.as_dict()
        if different := [
            f"{name}: {stored.get(name)} → {mine[name]}" for name in mine if stored.get(name) != mine[name]
        ]:
            raise ContractError(
                f"the model is not the one that this index was built with ({'; '.join(different)})",
                hint="put the model back, or build the index again with --force",
            )


class Encoder:
    """A loaded model."""

    def __init__(self, model: SentenceTransformer, spec: Dense) -> None:
        self._model, self._batch_size = model, spec.batch_size
        if spec.max_tokens is not None:
            _cut_at(model, spec.max_tokens)
        self.contract = _contract(model)
        self._query_prompt = self.contract.query_prompt

    def set_task(self, task: str) -> None:
        """Fill the task slot of the query prompt; warns where that departs from the contract."""
        if not _TASK.search(self.contract.query_prompt):
            log.warning("the model's query prompt has no slot for a task: `task_desc` has no effect")
            return
        self._query_prompt = _TASK.sub(lambda _: task, self.contract.query_prompt)
        if self._query_prompt != self.contract.query_prompt:
            log.warning("the task %r is not the one of the model's contract: %r", task, self.contract.query_prompt)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dimension] unit vectors of queries, float32."""
        return self._encode(texts, self._query_prompt)

    def documents(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dimension] unit vectors of documents, float32."""
        return self._encode(texts, self.contract.document_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        # An empty text has no token, and the mean over none is NaN in some models: a blank stands in for it.
        vectors = self._model.encode(
            [text or " " for text in texts],
            prompt=prompt,
            batch_size=self._batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        if not np.isfinite(vectors).all():
            bad = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
            raise ContractError(f"the model gives NaN for the text {texts[bad][:80]!r}", hint="its weights are damaged")
        return np.ascontiguousarray(vectors, np.float32)

    def all_documents(self, texts: Sequence[str]) -> Vectors:
        """Like `documents`, for many texts, with a progress bar."""
        out = np.empty((len(texts), self.contract.dimension), np.float32)
        with progress.bar("dense: encode documents", len(texts)) as bar:
            for start in range(0, len(texts), 16 * self._batch_size):
                part = texts[start : start + 16 * self._batch_size]
                out[start : start + len(part)] = self.documents(part)
                bar.advance(len(part))
        return out


def open_encoder(spec: Dense) -> Encoder:
    """Load the model that `spec` names: an artifact of `dr embed train`, a folder, or a name on the hub.

    Raises:
        Missing: it is none of them, or the hub does not answer.
        ArtifactError: it is a folder without a model.
    """
    path = Path(spec.model)
    if is_artifact(path):
        path = path / "model"
    elif path.is_dir() and not (path / "modules.json").exists() and not (path / "config.json").exists():
        raise ArtifactError("this folder holds no model: neither modules.json nor config.json", where=str(path))
    name = str(path) if path.is_dir() else spec.model
    try:
        model = SentenceTransformer(name, trust_remote_code=spec.trust_remote_code)
    except (OSError, ValueError, SafetensorError) as error:
        raise Missing(
            f"the model `{spec.model}` cannot be loaded: {str(error).splitlines()[0]}",
            hint="give an artifact of `dr embed train`, a local folder, or a hub name (HF_ENDPOINT names a mirror)",
        ) from None
    return Encoder(model, spec)


def _cut_at(model: SentenceTransformer, max_tokens: int) -> None:
    """Let longer texts be cut. A model of static vectors has no length of its own: its tokenizer cuts."""
    if isinstance(model[0], StaticEmbedding):
        model.tokenizer.enable_truncation(max_tokens)
    else:
        model.max_seq_length = max_tokens


def _contract(model: SentenceTransformer) -> Contract:
    return Contract(
        dimension=int(model.get_embedding_dimension() or 0),
        modules=tuple(_module_name(module) for module in model),
        query_prompt=_prompt(model, QUERY_NAMES),
        document_prompt=_prompt(model, DOCUMENT_NAMES),
        max_tokens=model.max_seq_length if isinstance(model.max_seq_length, int) else None,
        padding_side=str(getattr(model.tokenizer, "padding_side", "right")),
        tokenizer=_tokenizer_digest(model.tokenizer),
        weights=_weights_digest(model),
    )


def _weights_digest(model: SentenceTransformer) -> str:
    """A retrained model differs in nearly every parameter: some values of each tell it without reading the file."""
    samples = {}
    for name, parameter in model.named_parameters():
        flat = parameter.detach().reshape(-1)
        samples[name] = flat[:: max(1, len(flat) // SAMPLES)].float().cpu().numpy().tobytes().hex()
    return digest.of_files(samples)


def _module_name(module: Any) -> str:
    mode = getattr(module, "pooling_mode", None)
    return f"{type(module).__name__}({mode})" if isinstance(mode, str) else type(module).__name__


def _prompt(model: SentenceTransformer, names: Sequence[str]) -> str:
    return next((str(model.prompts[name]) for name in names if model.prompts.get(name)), "")


def _tokenizer_digest(tokenizer: Any) -> str:
    inner = getattr(tokenizer, "backend_tokenizer", tokenizer)
    return digest.of_text(inner.to_str()) if hasattr(inner, "to_str") else digest.of_text(str(tokenizer.get_vocab()))
