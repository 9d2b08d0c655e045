"""Build a search index from a corpus."""

from core import artifact, memory
from core.artifact import Work
from core.formats import beir
from core.index.recipe import Recipe
from core.memory import Knob
from core.retrieval import index
from core.retrieval.spec import Backend, Bm25, Dense, Hybrid


def run(recipe: Recipe, work: Work) -> None:
    """Artifact of `data` -> index; notes the corpus's digest, by which judgements know whether it is theirs."""
    work.stats["corpus"] = artifact.read(recipe.data)["files"][beir.CORPUS]["sha256"]
    with memory.explained(_knobs(recipe.backend)):
        work.stats.update(index.build(beir.read_documents(recipe.data), recipe.backend, work.path))


def _knobs(backend: Backend) -> list[Knob]:
    """The fields that decide how much memory encoding takes."""
    match backend:
        case Bm25():
            return []
        case Dense(batch_size=size):
            return [Knob.halved("backend.batch_size", size, "texts encoded at a time")]
        case Hybrid(dense=Dense(batch_size=size)):
            return [Knob.halved("backend.dense.batch_size", size, "texts encoded at a time")]
