"""Language models that we trained: where they lie in an artifact, and the prompts that they were trained with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import digest
from core.artifact import MANIFEST
from core.artifact.files import read_json

MODEL = "model"
"""Folder of the model in an artifact of `dr sft train`, `dr rl train` or `dr rl export`: a Hugging Face directory."""
PROMPTS = "dr_prompts.json"
"""In that folder: the facts of the prompt template (`name`, `digest`) that the model was trained with."""


def resolve(name: str) -> str:
    """The folder of a model that an artifact, a folder or a name on the hub means; names stay as they are."""
    folder = Path(name)
    return str(folder / MODEL) if (folder / MANIFEST).is_file() and (folder / MODEL).is_dir() else name


def identity(name: str) -> str:
    """What tells a model from another that lies in the same place later; of a name on the hub the name."""
    folder = Path(name)
    if resolve(name) != name:
        return str(read_json(folder / MANIFEST)["digest"])
    return f"{name} {digest.stamp(folder)}" if folder.is_dir() else name


def prompts(name: str) -> dict[str, Any] | None:
    """Facts of the prompts that a model was trained with; None where nobody wrote them down.

    Raises:
        ArtifactError: the file is damaged.
    """
    path = Path(resolve(name)) / PROMPTS
    return read_json(path) if path.is_file() else None


def differs(model: str, facts: Mapping[str, Any] | None) -> str | None:
    """A warning where a model (an artifact, a folder, a name) was trained with other prompts than those of `facts`.

    None where they are the same, or where one of both is not known.
    """
    known = prompts(model)
    if known is None or facts is None or known.get("digest") == facts.get("digest"):
        return None
    return (
        f"{model} was trained with {_named(known)}, and is asked with {_named(facts)}, whose words are others: take "
        "those that it knows (`prompts:`)"
    )


def _named(facts: Mapping[str, Any]) -> str:
    name = f" `{facts['name']}`" if facts.get("name") else ""
    return f"the prompts{name} ({str(facts.get('digest'))[:12]})"
