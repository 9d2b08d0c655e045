"""The files of a model that exists: in a folder, or fetched from the hub into its cache, the small ones first."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants, snapshot_download
from sentence_transformers.util.misc import ORIGINAL_TRANSFORMER_MODELS

from core.errors import ArtifactError, Missing, RecipeError, UsageError
from core.hub.huggingface import told
from core.hub.listing import Repository
from core.retrieval.models import resolve

_DESCRIPTION = ["*.json", "*.txt", "*.model", "*.jinja"]
_WEIGHTS = ["*.safetensors"]
_HINT = (
    "give an artifact of `dr embed train`, a local folder (`dr data download` fetches one), or a hub name: HF_ENDPOINT "
    "names a mirror, HF_TOKEN opens private models"
)
_OTHER_FORMS = ["onnx/*", "openvino/*"]


@dataclass(frozen=True)
class Source:
    """A model's files on this machine."""

    folder: Path
    name: str
    """What a plain loader takes: an absolute path, or the name on the hub."""
    commit: str | None = None
    """On the hub; None for a folder."""

    def json(self, name: str) -> Any:
        """A file's content; None where there is no such file.

        Raises:
            ArtifactError: it is no JSON.
        """
        path = self.folder / name
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ArtifactError(f"this file of the model is no JSON: {error}", where=str(path)) from None

    @property
    def modules(self) -> list[dict[str, str]]:
        """The parts as modules.json lists them; none for a plain transformer."""
        found: list[dict[str, str]] = self.json("modules.json") or []
        return found

    @property
    def is_static(self) -> bool:
        """Whether the model begins with a table of vectors instead of a transformer."""
        return bool(self.modules) and self.modules[0]["type"].endswith(".StaticEmbedding")

    @property
    def transformer(self) -> "Source":
        """The files of the transformer, which old models keep in a folder of its own."""
        inner = self.modules[0].get("path", "") if self.modules else ""
        if not inner:
            return self
        name = str(self.folder / inner)  # No name on the hub means a folder of a repository.
        return Source(self.folder / inner, name, self.commit)


def described(name: str, revision: str | None, *, code: bool) -> Source:
    """The model's files without its weights (of a folder: with them); `code` fetches Python files too.

    Raises:
        ArtifactError: an unfinished artifact, or a folder without a model.
        Missing: the folder is not there, or the hub does not answer or has no such model.
        UsageError: no such model or revision on the hub, or a revision of a folder.
    """
    resolved = resolve(name)
    if Path(resolved).is_dir():
        if revision is not None:
            what = f"`{name}` is a folder: it has no revision `{revision}`"
            raise RecipeError(what, where="model.revision", hint="leave it out, or give the model's name on the hub")
        return Source(Path(resolved), resolved)
    # As sentence-transformers reads a name without an owner.
    owned = "/" in name or name.lower() in ORIGINAL_TRANSFORMER_MODELS
    full = name if owned else f"sentence-transformers/{name}"
    folder = _fetch(full, revision, [*_DESCRIPTION, *(["*.py"] if code else [])])
    return Source(folder, full, folder.name)


def fetch_weights(source: Source) -> None:
    """Fetch the weights of a model on the hub; safetensors alone, so that no pickle ever comes here."""
    if source.commit is not None and source.name == _id_in_cache(source.folder):
        _fetch(source.name, source.commit, _WEIGHTS)


def _id_in_cache(snapshot: Path) -> str:
    """`OWNER/NAME` of `models--OWNER--NAME/snapshots/<commit>`."""
    return snapshot.parents[1].name.removeprefix("models--").replace("--", "/")


def _fetch(name: str, revision: str | None, patterns: list[str]) -> Path:
    repository = Repository("huggingface", name, "model", revision)
    try:
        with told(repository, constants.ENDPOINT):
            return Path(
                snapshot_download(name, revision=revision, allow_patterns=patterns, ignore_patterns=_OTHER_FORMS)
            )
    except (Missing, UsageError) as error:
        raise type(error)(error.what, where=error.where, hint=_HINT) from None
    except OSError as error:
        if error.errno is not None and not isinstance(error, ConnectionError):
            raise
        what = f"the model `{name}` is neither a folder nor in the hub's cache: {str(error).splitlines()[0]}"
        raise Missing(what, where="model.name", hint=_HINT) from None
