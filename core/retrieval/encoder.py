"""Texts as normalised vectors, by sentence-transformers. Prompts and pooling come from the model, never from us."""

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from sentence_transformers.util import is_sentence_transformer_model
from transformers.utils.hub import cached_file
from transformers.utils.logging import disable_progress_bar

from core import progress
from core.errors import ContractError, Missing, UsageError
from core.lazy import require
from core.retrieval import adapter
from core.retrieval.contract import contract_of
from core.retrieval.models import resolve
from core.retrieval.spec import Dense, Precision

Vectors = npt.NDArray[np.float32]

log = logging.getLogger(__name__)

_TASK = re.compile(r"(?<=Instruct: )[^\n]*(?=\nQuery:)")
"""The task inside a query prompt of the form that Qwen3-Embedding and E5-instruct use."""


class Encoder:
    """A loaded model."""

    def __init__(self, model: SentenceTransformer, spec: Dense) -> None:
        self._model, self._batch_size = model, spec.batch_size
        self._pool: Any = None
        if spec.max_tokens is not None:
            _cut_at(model, spec.max_tokens)
        self.contract = contract_of(model, spec.precision)
        self._query_prompt = self.contract.query_prompt

    @contextlib.contextmanager
    def on(self, devices: Sequence[str]) -> Iterator[None]:
        """Encode on `devices` inside the block (`cuda:0`, `cpu`); several share the work, each in a process of its own.

        None leaves the model where it is.
        """
        if len(devices) == 1:
            self._model.to(devices[0])
        if len(devices) <= 1:
            yield
            return
        self._pool = self._model.start_multi_process_pool(list(devices))
        try:
            yield
        finally:
            self._model.stop_multi_process_pool(self._pool)
            self._pool = None

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
        return self._encode(texts, self._query_prompt, "query")

    def documents(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dimension] unit vectors of documents, float32."""
        return self._encode(texts, self.contract.document_prompt, "document")

    def query_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens of each query the model reads: with the prompt and special tokens, after the cut."""
        return self._num_tokens(texts, self._query_prompt)

    def document_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens of each document the model reads: with the prompt and special tokens, after the cut."""
        return self._num_tokens(texts, self.contract.document_prompt)

    def _num_tokens(self, texts: Sequence[str], prompt: str) -> list[int]:
        if not texts:
            return []
        shown = [text or " " for text in texts]
        if isinstance(self._model[0], StaticEmbedding):  # its rows have no mask
            pieces = self._model.tokenizer.encode_batch_fast(
                [prompt + text for text in shown], add_special_tokens=False
            )
            return [len(row) for row in pieces]
        read = self._model.preprocess(shown, prompt=prompt)
        return [int(n) for n in read["attention_mask"].sum(1)]

    def _encode(self, texts: Sequence[str], prompt: str, task: str) -> Vectors:
        if not texts:
            return np.empty((0, self.contract.dimension), np.float32)
        # An empty text has no token, and the mean over none is NaN in some models: a blank stands in for it.
        vectors = self._model.encode(
            [text or " " for text in texts],
            prompt=prompt,
            batch_size=self._batch_size,
            show_progress_bar=False,
            pool=self._pool,
            task=task,  # which way a text takes in a model with one for each kind
        )
        if not np.isfinite(vectors).all():
            bad = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
            raise ContractError(f"the model gives NaN for the text {texts[bad][:80]!r}", hint="its weights are damaged")
        return _unit(np.ascontiguousarray(vectors, np.float32))

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
    """Load the model that `spec` names: an artifact of `dr embed train` or `merge`, a folder, or a name on the hub.

    Raises:
        Missing: it is none of them, the hub does not answer, or the base of an adapter is not there.
        ArtifactError: it is a folder without a model.
        UsageError: it is a plain transformer, without a pooling.
        ContractError: it is an adapter, and the base that lies where it says has other weights.
    """
    return Encoder(load(spec.model, trust_remote_code=spec.trust_remote_code, precision=spec.precision), spec)


def load(name: str, *, trust_remote_code: bool = False, precision: Precision = "fp32") -> SentenceTransformer:
    """The model that `name` means, as sentence-transformers loads it; see `open_encoder`, also for what it raises."""
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading files; ours is of the texts
    place = resolve(name)
    base = adapter.base_of(Path(place))
    if base is not None:
        require("peft")
        if Path(base).is_dir():
            adapter.check_weights(Path(place), Path(base))
    kind = _Autocast if precision == "bf16" else SentenceTransformer
    try:
        if not is_sentence_transformer_model(place):
            if not Path(place).is_dir():
                cached_file(place, "config.json")  # raises OSError where there is no such model
            raise UsageError(
                f"the model `{name}` is a plain transformer: it does not say how its tokens become one vector",
                hint="train it, or keep its weights (epochs=0): `dr embed train` with `model.pooling`",
            )
        return kind(place, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, SafetensorError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        what, hint = (
            f"the model `{name}` cannot be loaded: {said}",
            ("give an artifact of `dr embed train`, a local folder, or a hub name (HF_ENDPOINT names a mirror)"),
        )
        if base is not None:
            what, hint = (
                f"{what} (it is an adapter of `{base}`)",
                f"put `{base}` back where the adapter's {adapter.CONFIG} says",
            )
        elif not Path(place).is_dir():
            what = f"there is no folder `{name}`, and as a name on the hub it cannot be loaded: {said}"
        raise Missing(what, hint=hint) from None


class _Autocast(SentenceTransformer):
    """Computes in bfloat16 where that is as good as float32; weights stay as they are. Goes into other processes."""

    def forward(self, input: dict[str, torch.Tensor], **kwargs: Any) -> dict[str, torch.Tensor]:  # noqa: A002 - inherited
        """See SentenceTransformer."""
        with torch.autocast(self.device.type, torch.bfloat16):
            return super().forward(input, **kwargs)


def _unit(vectors_NH: Vectors) -> Vectors:
    """Each row at length 1; a zero row stays zero."""
    unit_NH: Vectors = vectors_NH / np.maximum(np.linalg.norm(vectors_NH, axis=1, keepdims=True), 1e-12)
    return unit_NH


def _cut_at(model: SentenceTransformer, max_tokens: int) -> None:
    """Let longer texts be cut. A model of static vectors has no length of its own: its tokenizer cuts."""
    if isinstance(model[0], StaticEmbedding):
        model.tokenizer.enable_truncation(max_tokens)
    else:
        model.max_seq_length = max_tokens
