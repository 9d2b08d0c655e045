"""The model that a recipe names: before training, ready for training, or only looked at."""

from collections.abc import Iterable

from sentence_transformers import SentenceTransformer

from core.embed.models import adapters, checks, pretrained, static
from core.embed.models.spec import Model, Pretrained, Static


def check(spec: Model) -> None:
    """Everything that can be said before weights are loaded; fetches a model of the hub. See `checks.check`."""
    if isinstance(spec, Pretrained):
        checks.check(spec)


def build(spec: Model, texts: Iterable[str], device: str) -> SentenceTransformer:
    """The model to train, with its whole contract; a static one is learnt from `texts`, others leave them.

    Random weights (adapters, a projection, a static model's noise) come from torch's generator: seed it before.
    Weights are float32, but for frozen ones of bfloat16 on a GPU. Raises what `checks.check` does.
    """
    if isinstance(spec, Static):
        return static.build(spec, texts).to(device)
    source, root = checks.check(spec)
    model = pretrained.load(spec, source, root, device)
    if spec.lora is not None:
        if root == source.transformer:
            adapters.add(model, spec.lora, root)
        else:
            adapters.go_on(model, root)
    if spec.projection is not None:
        pretrained.project(model, spec.projection)
    return model


def base(spec: Model, device: str) -> SentenceTransformer | None:
    """The model before training, with the same prompts, pooling and length; None for a static one, learnt from nothing.

    It has no new adapters and no new projection: where training goes on with an adapter, that is part of it.
    """
    if isinstance(spec, Static):
        return None
    source, root = checks.check(spec)
    return pretrained.load(spec, source, root, device)
