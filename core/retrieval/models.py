"""Where a model lies that a recipe names."""

from pathlib import Path

from core.errors import ArtifactError, Missing
from core.retrieval.checkpoints import model_of

_MARKS = ("modules.json", "config.json", "adapter_config.json")
"""A model's folder holds one of them: of sentence-transformers, a transformer, an adapter."""


def resolve(name: str) -> str:
    """The absolute path of the model's folder, or the name on the hub as it is.

    `name` is an artifact of `dr embed train` or `dr embed merge`, a folder, or a name on the hub.

    Raises:
        ArtifactError: an unfinished training without a checkpoint, or a folder or an artifact that holds no model.
        Missing: a path, and nothing lies there.
    """
    path = Path(model_of(name))
    if path.is_dir():
        if not any((path / mark).exists() for mark in _MARKS):
            raise ArtifactError(f"this folder holds no model: none of {', '.join(_MARKS)}", where=str(path))
        return str(path.resolve())
    if path != Path(name) and Path(name).is_dir():
        hint = "name an artifact of `dr embed train` or `dr embed merge`"
        raise ArtifactError("this artifact holds no model", where=name, hint=hint)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or path != Path(name):
        raise Missing(
            f"there is no folder `{name}`, and it cannot be a name on the hub",
            hint="give an artifact of `dr embed train`, a local folder, or a hub name (HF_ENDPOINT names a mirror)",
        )
    return name
