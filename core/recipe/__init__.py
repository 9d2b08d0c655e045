"""Recipes: one YAML file says everything a stage needs. No inheritance, no environment, no secret.

`model` holds what recipes are made of, `source` reads YAML and remembers where each field stands,
`explain` turns a failed validation into a sentence with file and line.
"""

from core.recipe.loading import dump, load, load_stage
from core.recipe.model import CORPUS, ArtifactRecipe, BaseRecipe, From, Neutral, Part, SourceFiles

__all__ = [
    "CORPUS",
    "ArtifactRecipe",
    "BaseRecipe",
    "From",
    "Neutral",
    "Part",
    "SourceFiles",
    "dump",
    "load",
    "load_stage",
]
