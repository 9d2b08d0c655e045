"""What recipes are made of: closed, frozen models, and marks on the fields that name files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator


class Part(BaseModel):
    """A closed, frozen piece of a recipe: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _yes_is_no_number(cls, data: Any) -> Any:
        """YAML reads `yes` as true, and pydantic true as 1; as a text it is refused at its own place."""
        if not isinstance(data, dict):
            return data
        numbers = {name for name, field in cls.model_fields.items() if _is_number(field.annotation)}
        return {k: str(v).lower() if isinstance(v, bool) and k in numbers else v for k, v in data.items()}

    @model_validator(mode="before")
    @classmethod
    def _of_the_default(cls, data: Any) -> Any:
        """A block that says no `type`, and nothing that the default has not, says something of the default: so an
        override such as `trainer.threads=2` serves a recipe without `trainer`, too."""
        if not isinstance(data, dict):
            return data
        typed = {name: field.default for name, field in cls.model_fields.items() if _has_type(field.default)}
        return data | {
            name: {"type": default.type, **block}
            for name, default in typed.items()
            if isinstance(block := data.get(name), dict)
            and block.keys() <= type(default).model_fields.keys() - {"type"}
        }


def _has_type(default: Any) -> bool:
    return isinstance(default, Part) and "type" in type(default).model_fields


def _is_number(annotation: Any) -> bool:
    """Whether a field takes a number and not also true and false."""
    kinds = set(_kinds(annotation))
    return bool(kinds & {int, float}) and bool not in kinds


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


@dataclass(frozen=True)
class From:
    """Marks a path as an artifact that one of `stages` made: `Annotated[Path, From("data")]`."""

    stages: tuple[str, ...]
    or_name: bool
    """The field may also hold something else (a model's name on a hub): an input only where it is an artifact."""

    def __init__(self, *stages: str, or_name: bool = False) -> None:
        object.__setattr__(self, "stages", stages)
        object.__setattr__(self, "or_name", or_name)


CORPUS = From("data", "distill", "mix")
"""Marks a path as a corpus in BEIR form, whichever of our stages made it."""


@dataclass(frozen=True)
class SourceFiles:
    """Marks a path as the user's own file or folder: its digest goes into the manifest."""


@dataclass(frozen=True)
class Neutral:
    """Marks a field that does not change what is made (a threshold, a port): changing it needs no new artifact."""


@dataclass(frozen=True)
class Input:
    """One marked field: where it stands in the recipe, what it holds, and the stages it may come from."""

    name: str
    path: Path
    mark: From


M = TypeVar("M")


def marked(part: Part, mark: type[M], prefix: str = "") -> Iterator[tuple[str, Any, M]]:
    """Dotted name, value and mark of every field of `part` that carries `mark` and is not null, at any depth."""
    for name, info in type(part).model_fields.items():
        value, path = getattr(part, name), f"{prefix}{name}"
        found = [m for m in info.metadata if isinstance(m, mark)]
        if found and value is not None:
            yield path, value, found[0]
        for index, item in enumerate(value if isinstance(value, (list, tuple)) else [value]):
            if isinstance(item, Part):
                inner = f"{path}.{index}." if isinstance(value, (list, tuple)) else f"{path}."
                yield from marked(item, mark, inner)


class BaseRecipe(Part):
    """What every recipe has."""

    stage: str
    """The stage this recipe is for: the command's own word."""

    def inputs(self) -> list[Input]:
        """The artifacts this recipe reads. A field that may also be a name counts when an artifact lies there."""
        return [
            Input(name, Path(value), mark)
            for name, value, mark in marked(self, From)
            if not mark.or_name or is_artifact(Path(value))
        ]

    def source_files(self) -> dict[str, Path]:
        """The user's own files this recipe reads, by field name; a model's folder that is no artifact is one."""
        files = {name: Path(value) for name, value, _ in marked(self, SourceFiles)}
        named = {name: Path(value) for name, value, mark in marked(self, From) if mark.or_name}
        return files | {name: path for name, path in named.items() if path.is_dir() and not is_artifact(path)}


def _named(out: Path) -> Path:
    if out.name in {"", ".."}:
        raise ValueError("a directory of its own is needed, such as artifacts/my/data")
    return out


class ArtifactRecipe(BaseRecipe):
    """A recipe that makes an artifact: all but those that only answer."""

    resumes: ClassVar[bool] = False
    """Whether the stage goes on from its unfinished work; otherwise it starts again from nothing."""
    out: Annotated[Path, AfterValidator(_named)]
    """Directory to make, whole or not at all; see `core.artifact`. Relative to where `dr` is called."""
    seed: int = 0
    """Seed of everything random in this stage."""

    def identity(self) -> dict[str, Any]:
        """The fields that decide what is made: without `out`, inputs (compared by digest) and neutral ones."""
        skipped = {"out", *(item.name for item in self.inputs()), *self.source_files()}
        skipped |= {name for name, _, _ in marked(self, Neutral)}
        return {name: value for name, value in flat(self.model_dump(mode="json")).items() if not _within(name, skipped)}


def is_artifact(path: Path) -> bool:
    """Whether an artifact, finished or begun, lies at `path`."""
    whole = path if path.name not in {"", ".."} else path.resolve()
    return (path / "manifest.json").exists() or (whole.parent / f"{whole.name}.partial").is_dir()


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings and lists as one mapping of dotted names."""
    if isinstance(value, dict) and value:
        items: Any = value.items()
    elif isinstance(value, list) and value:
        items = enumerate(value)
    else:
        return {prefix: value}
    return {k: v for key, inner in items for k, v in flat(inner, f"{prefix}.{key}" if prefix else str(key)).items()}


def _within(name: str, skipped: set[str]) -> bool:
    return any(name == skip or name.startswith(f"{skip}.") for skip in skipped)
