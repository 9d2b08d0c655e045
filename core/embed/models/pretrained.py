"""A model that exists, as it is trained: loaded, with the recipe's pooling, prompts, length and projection."""

import itertools
from typing import Any

from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from torch import nn

from core.embed.models import tokens
from core.embed.models.source import Source
from core.embed.models.spec import Pretrained
from core.errors import ArtifactError, RecipeError
from core.memory import what_ran_out
from core.retrieval import tensors
from core.retrieval.contract import DOCUMENT_NAMES, QUERY_NAMES

_MODES = {"last": "lasttoken", "cls": "cls", "mean": "mean"}
"""Our names of poolings, and the library's."""

_TAIL = 2
"""Last words of a layer's name by which it is found in a file, where names may begin otherwise: `query.weight`."""

# Left to itself the library puts the texts of a chat model into its chat template.
_TEXT: Any = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}


def load(spec: Pretrained, source: Source, base: Source, device: str) -> SentenceTransformer:
    """The model before training, with all of the recipe's contract but its projection.

    A plain transformer gets a pooling and, last, Normalize, as Qwen3-Embedding has it: its vectors have length 1
    wherever it is loaded. A model of sentence-transformers keeps the modules that it has.

    Raises:
        ArtifactError: files of the model are damaged.
        RecipeError: the recipe asks for what the model does not have.
    """
    loading = {"dtype": _dtype(spec, source, base, device), "use_safetensors": True}
    try:
        if source.modules:
            model = SentenceTransformer(
                str(source.folder), device=device, trust_remote_code=spec.trust_remote_code, model_kwargs=loading
            )
        else:
            model = _from_transformer(spec, source, device, loading)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if getattr(error, "errno", None) is not None or what_ran_out(error):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArtifactError(f"the model {source.name} cannot be loaded: {said}", where=str(source.folder)) from None
    _check_loaded(model, base)
    _set_contract(model, spec)
    return model


def project(model: SentenceTransformer, length: int) -> None:
    """Put a new linear layer after the pooling, before any Normalize: random, from torch's generator."""
    modules = list(model.named_children())
    last = max(number for number, (_, module) in enumerate(modules) if not isinstance(module, Normalize))
    made = Dense(model.get_embedding_dimension() or 0, length, activation_function=nn.Identity())
    name = next(name for number in itertools.count() if (name := f"projection{number or ''}") not in dict(modules))
    modules.insert(last + 1, (name, made.to(model.device)))
    model._modules = dict(modules)


def _from_transformer(spec: Pretrained, source: Source, device: str, loading: dict[str, object]) -> SentenceTransformer:
    trusted = {"trust_remote_code": spec.trust_remote_code}
    transformer = Transformer(
        str(source.folder),
        model_kwargs={**loading, **trusted},
        processor_kwargs=dict(trusted),
        config_kwargs=dict(trusted),
        modality_config=_TEXT,
        module_output_name="token_embeddings",
    )
    if transformer.tokenizer is not None:
        tokens.ensure_padding(transformer.tokenizer)
    pooling = Pooling(transformer.get_embedding_dimension(), _MODES[spec.pooling or ""])
    return SentenceTransformer(modules=[transformer, pooling, Normalize()], device=device)


def _dtype(spec: Pretrained, source: Source, base: Source, device: str) -> str:
    """Weights that are trained are float32: the steps of a low rate vanish in bfloat16.

    On a GPU frozen ones may stay small, where no linear layer follows, which is trained and has to be of their type.
    """
    written = base.json("config.json") or {}
    projected = spec.projection is not None or any(module["type"].endswith(".Dense") for module in source.modules)
    frozen = spec.lora is not None and device.startswith("cuda") and not projected
    return "bfloat16" if frozen and written.get("dtype", written.get("torch_dtype")) == "bfloat16" else "float32"


def _check_loaded(model: SentenceTransformer, base: Source) -> None:
    """Raises ArtifactError when most of the model is not in its files: the library makes such layers of random numbers.

    A few may be: a head that no vector passes through, layers that the library splits or joins while it reads them.
    """
    if (inner := model.transformers_model) is None:
        return
    in_files = {".".join(name.split(".")[-_TAIL:]) for name in tensors.shapes(base.folder)}
    wanted = [name.replace(".base_layer.", ".") for name, _ in inner.named_parameters() if "lora_" not in name]
    absent = [name for name in wanted if ".".join(name.split(".")[-_TAIL:]) not in in_files]
    if len(absent) > len(wanted) / 2:
        raise ArtifactError(
            f"the weights are not this model's: {len(absent)} of {len(wanted)} layers are in no file ({absent[0]})",
            where=str(base.folder),
            hint="do config.json and model.safetensors come from one model?",
        )


def _set_contract(model: SentenceTransformer, spec: Pretrained) -> None:
    model.similarity_fn_name = "cosine"  # what every loss here trains
    _set_prompt(model, QUERY_NAMES, spec.query_prompt)
    _set_prompt(model, DOCUMENT_NAMES, spec.document_prompt)
    if isinstance(model[0], StaticEmbedding):
        if spec.max_tokens is not None:
            model.tokenizer.enable_truncation(spec.max_tokens)
        return
    if spec.pooling is not None:
        _set_pooling(model, spec.pooling)
    if spec.max_tokens is not None:
        model.max_seq_length = spec.max_tokens
    _set_ends(model, spec)


def _set_prompt(model: SentenceTransformer, names: tuple[str, ...], prompt: str | None) -> None:
    """Under the first of its names; the others go, or an empty prompt would fall back to them."""
    if prompt is not None:
        model.prompts = {name: text for name, text in model.prompts.items() if name not in names} | {names[0]: prompt}


def _set_pooling(model: SentenceTransformer, mode: str) -> None:
    number = next((number for number, module in enumerate(model) if isinstance(module, Pooling)), None)
    if number is None:
        raise RecipeError(
            "the model has no pooling that could be changed", where="model.pooling", hint="leave out `pooling`"
        )
    old: Any = model[number]
    if old.pooling_mode != _MODES[mode]:
        model[number] = Pooling(old.embedding_dimension, _MODES[mode], include_prompt=old.include_prompt)


def _set_ends(model: SentenceTransformer, spec: Pretrained) -> None:
    """Padding side and end of sequence, where the recipe decides them."""
    last = spec.pooling == "last"
    # With positions counted from the left, padding there would move a text: such models are padded on the right, and
    # pooling finds the last token in the mask.
    config: Any = model.config
    rotary = bool(getattr(config.get_text_config(), "rope_parameters", None))
    if last and rotary:
        tokens.pad_left(model.tokenizer)
    if spec.append_eos or (last and spec.append_eos is None):
        tokens.append_end(model.tokenizer)
    elif spec.append_eos is False:
        tokens.refuse_end(model.tokenizer)
    if last or spec.append_eos:
        tokens.check_travels(model.tokenizer)
