"""A cross-encoder: scores of query and document read together."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError
from sentence_transformers import CrossEncoder
from torch import nn

from core.errors import ContractError, Missing

HEADLESS = ("Model", "ForMaskedLM", "ForPreTraining")
"""How the architectures end that give no score."""


class Spec(Protocol):
    """What a recipe says of a cross-encoder."""

    @property
    def model(self) -> str:
        """Folder of a sentence-transformers CrossEncoder with one label, or its name on the hub."""
        ...

    @property
    def batch_size(self) -> int:
        """Pairs scored at a time."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a pair that are read. None: as the model says."""
        ...

    @property
    def trust_remote_code(self) -> bool:
        """Whether code that comes with the model may run."""
        ...


class Scorer:
    """A loaded cross-encoder."""

    def __init__(self, model: CrossEncoder, spec: Spec) -> None:
        self._model, self._spec = model, spec

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The score of each pair of query and document, higher for a better answer.

        As the model says: many bring what they compute between 0 and 1 at the end.

        Raises:
            ContractError: the model gives NaN.
        """
        return self._predict(pairs, self._model.activation_fn)

    def logits(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The same scores as the last layer gives them, whose differences tell good answers apart.

        Raises:
            ContractError: the model gives NaN.
        """
        return self._predict(pairs, nn.Identity())

    def _predict(self, pairs: Sequence[tuple[str, str]], activation: Callable[..., Any] | None) -> list[float]:
        if not pairs:
            return []
        scores = self._model.predict(
            list(pairs), batch_size=self._spec.batch_size, show_progress_bar=False, activation_fn=activation
        )
        if not np.isfinite(scores).all():
            raise ContractError(f"the cross-encoder `{self._spec.model}` gives NaN", hint="its weights are damaged")
        return [float(score) for score in scores]


def open_scorer(spec: Spec) -> Scorer:
    """Load the model that `spec` names.

    Raises:
        Missing: it is no folder of a model, and the hub does not give it.
        ContractError: it is no cross-encoder, or one with several labels.
    """
    try:
        model = CrossEncoder(spec.model, max_length=spec.max_tokens, trust_remote_code=spec.trust_remote_code)
    except (OSError, ValueError, SafetensorError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise Missing(
            f"the cross-encoder `{spec.model}` cannot be loaded: {said}",
            hint="give a local folder or a hub name (HF_ENDPOINT names a mirror)",
        ) from None
    _check(model, spec.model)
    return Scorer(model, spec)


def _check(model: CrossEncoder, name: str) -> None:
    if model.num_labels != 1:
        what = f"the cross-encoder `{name}` has {model.num_labels} labels, a score needs one"
        raise ContractError(what, hint="take a model for ranking, not for classes")
    # sentence-transformers gives such a model a head of random numbers, with a note in the log only.
    for architecture in (model.config and model.config.architectures) or ():
        if architecture.endswith(HEADLESS):
            what = f"`{name}` is no cross-encoder: {architecture} has no layer that scores a pair"
            raise ContractError(what, hint="take a reranker; an embedding model belongs into the index")
