"""`dr distill personas`: from a file of personas to those of a field, searchable.

personas.jsonl     one persona a line: `id` (its line in the source), `persona`, and `original` of a translated one
index/             see `core.retrieval.index`
rejected.jsonl     rows that are no persona          failed.jsonl     personas that were not translated, and why
"""

import shutil
from collections import Counter
from itertools import islice

from core.artifact import Work
from core.distill.personas import library, translate
from core.distill.personas.finder import INDEX
from core.distill.personas.library import Persona
from core.distill.personas.recipe import Recipe
from core.formats import bad_rows
from core.retrieval import index
from core.types import Document

PERSONAS, REJECTED = "personas.jsonl", "rejected.jsonl"


def run(recipe: Recipe, work: Work) -> None:
    """Fill `work` with the recipe's library.

    Raises:
        DataError: bad rows under `on_bad_row: fail`, or no persona is left.
        Missing: the model that translates does not answer; what it answered is kept.
    """
    personas = _taken(recipe, work)
    if recipe.translate:
        personas = translate.all_of(recipe.translate, personas, recipe.out, work)
    library.write(work.path / PERSONAS, personas)
    shutil.rmtree(work.path / INDEX, ignore_errors=True)  # of a run that was stopped
    documents = (Document(persona.id, persona.text) for persona in personas)
    work.stats |= {"personas": len(personas), "index": index.build(documents, recipe.backend, work.path / INDEX)}


def _taken(recipe: Recipe, work: Work) -> list[Persona]:
    """The personas that the recipe asks for, each text once, whatever its case."""
    holds = library.holding(recipe.keywords)
    found: dict[str, Persona] = {}
    seen = Counter[str]()
    with bad_rows.opened(recipe.on_bad_row, work.path / REJECTED) as bad:
        for persona in library.read(recipe.source, bad):
            seen["read"] += 1
            if holds(persona):
                seen["held"] += 1
                found.setdefault(persona.text.casefold(), persona)
        bad.settle()
    if not found:
        raise library.none_left(recipe.source, seen["read"], recipe.keywords)
    work.stats |= {
        "read": seen["read"],
        "without_keyword": seen["read"] - seen["held"],
        "duplicates": seen["held"] - len(found),
        "bad_rows": dict(bad.counts),
    }
    return list(islice(found.values(), recipe.limit))
