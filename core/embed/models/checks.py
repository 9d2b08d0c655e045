"""What can be said of a model before its weights are loaded."""

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import CONFIG_MAPPING, AutoConfig, AutoModel

from core.embed.models import adapters
from core.embed.models.source import Source, described, fetch_weights
from core.embed.models.spec import Pretrained
from core.errors import ArtifactError, Missing, RecipeError
from core.lazy import require
from core.retrieval import tensors
from core.retrieval.adapter import CONFIG

_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def check(spec: Pretrained) -> tuple[Source, Source]:
    """The model's files and those of its adapter's base (itself, where it is no adapter), all that are needed.

    Raises:
        RecipeError: the recipe asks for what this model does not have, or leaves out what it needs.
        ArtifactError: the model has no tokenizer, no weights, or weights as pickle.
        ContractError: an adapter for another base.
        Missing: the model or an adapter's base is not there, or the installed transformers is too old for it.
    """
    source = described(spec.name, spec.revision, code=spec.trust_remote_code)
    check_code(source, trusted=spec.trust_remote_code)
    _check_fields(spec, source)
    if source.is_static:
        fetch_weights(source)
        _check_weights(source)
        return source, source
    _check_tokenizer(source.transformer)
    base = base_of(source, trusted=spec.trust_remote_code)
    config = _config(base, trusted=spec.trust_remote_code)
    _check_length(spec, config)
    if not source.modules and spec.pooling is None:
        raise RecipeError(_which_pooling(source, config), where="model.pooling", hint=_usual(config))
    is_adapter = base != source.transformer
    skeleton = _skeleton(config, trusted=spec.trust_remote_code) if spec.lora or is_adapter else None
    if spec.lora and skeleton is not None and not is_adapter:
        adapters.check_targets(spec.lora, skeleton)
    for each in (source, base):
        fetch_weights(each)
        _check_weights(each)
        tensors.shapes(each.transformer.folder)
    if is_adapter and skeleton is not None:
        _check_adapter(spec, source.transformer, base, skeleton)
    return source, base


def check_code(source: Source, *, trusted: bool) -> None:
    """Raises RecipeError when the model brings code that would run, and the recipe does not allow it."""
    if trusted:
        return
    foreign = [module["type"] for module in source.modules if not module["type"].startswith("sentence_transformers.")]
    files = [name for name in ("config.json", "tokenizer_config.json") if _names_code(source.transformer, name)]
    if foreign or files:
        where = "modules.json" if foreign else files[0]
        what = f"the class {foreign[0]}" if foreign else "code of its own"
        raise RecipeError(
            f"the model {source.name} wants to run {what}",
            where=str((source if foreign else source.transformer).folder / where),
            hint="read that code, then model.trust_remote_code=true; or take a model without",
        )


def base_of(source: Source, *, trusted: bool) -> Source:
    """The files of the transformer without adapters.

    Raises:
        Missing: an adapter's base is not where the adapter says, or peft is not installed.
    """
    transformer = source.transformer
    adapter = transformer.json(CONFIG)
    if adapter is None or (transformer.folder / "config.json").exists():
        return transformer
    require("peft")
    name = adapter["base_model_name_or_path"]
    try:
        commit = None if Path(name).is_dir() else adapter.get("revision")
        found = described(name, commit, code=trusted)
    except Missing as error:
        raise Missing(
            f"the model is an adapter, and its base `{name}` cannot be reached: {error.what}",
            where=str(transformer.folder / CONFIG),
            hint="put the base back, or `dr embed merge` the adapter where it is",
        ) from None
    check_code(found, trusted=trusted)
    return found.transformer


def _check_fields(spec: Pretrained, source: Source) -> None:
    if not source.is_static:
        return
    for field in ("pooling", "append_eos", "lora"):
        if getattr(spec, field):
            raise RecipeError(
                f"the model {source.name} is a table of vectors: it takes no `{field}`",
                where=f"model.{field}",
                hint=f"leave out `{field}`, or name a transformer",
            )


def _check_tokenizer(transformer: Source) -> None:
    # Asked for a tokenizer that is not there, transformers makes an empty one and says nothing.
    if not any(next(transformer.folder.glob(pattern), None) for pattern in _TOKENIZERS):
        raise ArtifactError(
            f"the model {transformer.name} has no tokenizer: none of {', '.join(_TOKENIZERS)}",
            where=str(transformer.folder),
            hint="copy the tokenizer's files of the model that it was trained from into this folder",
        )


def _check_weights(source: Source) -> None:
    folders = {source.transformer.folder, *(source.folder / module.get("path", "") for module in source.modules)}
    for folder in sorted(folders):
        whole = any(folder.glob("*.safetensors"))
        pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
        if not whole and (pickles or folder == source.transformer.folder):
            what = f"its weights are a pickle ({pickles[0]}), which can run code" if pickles else "it has no weights"
            raise ArtifactError(
                f"the model {source.name} cannot be read: {what}",
                where=str(folder),
                hint="take a revision with model.safetensors, or convert one that you trust with `save_pretrained`",
            )


def _config(base: Source, *, trusted: bool) -> Any:
    """The transformer's configuration.

    Raises:
        Missing: the installed transformers does not know this kind of model.
        ArtifactError: there is none, or it does not say which kind of model this is.
    """
    written = base.json("config.json")
    if written is None or "model_type" not in written:
        what = "no config.json" if written is None else "a config.json without `model_type`"
        raise ArtifactError(f"the model {base.name} has {what}", where=str(base.folder), hint="is the folder complete?")
    if written["model_type"] not in CONFIG_MAPPING and "auto_map" not in written:
        by = written.get("transformers_version")
        raise Missing(
            f"transformers {transformers.__version__} knows no model `{written['model_type']}`"
            + (f"; its config.json was written with {by}" if by else ""),
            where=str(base.folder / "config.json"),
            hint=f"pip install -U 'transformers{f'>={by}' if by else ''}'",
        )
    try:
        return AutoConfig.from_pretrained(base.folder, trust_remote_code=trusted)
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise ArtifactError(f"config.json of the model {base.name}: {said}", where=str(base.folder)) from None


def _check_length(spec: Pretrained, config: Any) -> None:
    most = getattr(config.get_text_config(), "max_position_embeddings", None)
    if spec.max_tokens is not None and isinstance(most, int) and 0 < most < spec.max_tokens:
        raise RecipeError(
            f"the model reads {most} tokens at most, the recipe says {spec.max_tokens}",
            where="model.max_tokens",
            hint=f"model.max_tokens={most}",
        )


def _check_adapter(spec: Pretrained, adapter: Source, base: Source, skeleton: nn.Module) -> None:
    if spec.lora is None:
        raise RecipeError(
            "the model is an adapter, and the recipe trains all weights",
            where="model.lora",
            hint="say `lora` to train the adapter further, or `dr embed merge` it first",
        )
    adapters.check_same(spec.lora, adapter)
    adapters.check_base(adapter, base, skeleton)


def _skeleton(config: Any, *, trusted: bool) -> nn.Module:
    """The transformer's layers without memory for weights."""
    library: Any = AutoModel
    with torch.device("meta"):
        made: nn.Module = library.from_config(config, trust_remote_code=trusted)
    return made


def _is_causal(config: Any) -> bool:
    names = config.architectures or []
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)


def _which_pooling(source: Source, config: Any) -> str:
    kind = ", ".join(config.architectures or [config.model_type])
    return f"the model {source.name} is a plain {kind}: it does not say which vector stands for a text"


def _usual(config: Any) -> str:
    if _is_causal(config):
        return "a causal language model usually takes model.pooling=last"
    if getattr(config, "is_encoder_decoder", False):
        return "an encoder of this kind usually takes model.pooling=mean"
    return "a model like BERT usually takes model.pooling=cls or model.pooling=mean"


def _names_code(transformer: Source, name: str) -> bool:
    return "auto_map" in (transformer.json(name) or {})
