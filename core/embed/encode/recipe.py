"""What `dr embed encode` can be told. Prompts, pooling and length are the model's: no field says them."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveInt

from core.recipe import CORPUS, ArtifactRecipe, From, Neutral, Part, SourceFiles
from core.retrieval.spec import Precision


class Corpus(Part):
    """Documents or queries of a corpus; the text of a document is its title, a line end, and its text."""

    type: Literal["corpus"]
    data: Annotated[Path, CORPUS]
    """Corpus of `dr data`, `dr data mix` or `dr distill`."""


class Jsonl(Part):
    """A file of one JSON object a line, with an id and a text; documents may have a title."""

    type: Literal["jsonl"]
    path: Annotated[Path, SourceFiles()]
    """The file; ids and texts are found under the names that `dr data` knows. See README, formats."""


class Lines(Part):
    """A file of one text a line; the id of a text is the number of its line, and blank lines are passed over."""

    type: Literal["lines"]
    path: Annotated[Path, SourceFiles()]
    """The file, UTF-8."""


Texts: TypeAlias = Annotated[Corpus | Jsonl | Lines, Field(discriminator="type")]


class Recipe(ArtifactRecipe):
    """Turn texts into vectors."""

    resumes = True  # from its last whole shard

    stage: Literal["encode"]
    """Always `encode`."""
    model: Annotated[str, From("embed", "merge", or_name=True)]
    """Artifact of `dr embed train` or `dr embed merge`, folder of a model, or its name on the hub."""
    texts: Texts
    """What is encoded."""
    kind: Literal["documents", "queries"]
    """Which prompt of the model's contract is put before the texts; in a corpus also which texts."""
    batch_size: Annotated[PositiveInt, Neutral()] = 32
    """Texts encoded at a time."""
    shard_size: PositiveInt = 8_192
    """Texts between two savings; they are sorted by length within."""
    precision: Precision = "fp32"
    """Numbers that the model is computed in (autocast); bf16 is faster where the processor or GPU knows it. Vectors are
    stored in 32 bits."""
    devices: Annotated[tuple[str, ...] | None, Neutral()] = None
    """Where, as torch names it (`cuda:0`, `cpu`); several share the work. null: all GPUs, or the CPU."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""
