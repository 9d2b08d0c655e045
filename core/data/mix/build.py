"""`dr data mix`: corpora become one corpus, rows one file of rows.

Training rows are taken by weight; the other splits are for measuring, and go in whole.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from core.artifact import Work
from core.data import held
from core.data.mix import collections, shares
from core.data.mix.recipe import Recipe
from core.data.mix.rows import JsonLines, Parquet, is_parquet, opened, write_lines, write_table
from core.errors import UsageError
from core.formats import beir

K = TypeVar("K", JsonLines, Parquet)


def run(recipe: Recipe, work: Work) -> None:
    """Fill `work` with the mixture.

    Raises:
        UsageError: the sets are of different kinds.
        DataError: a set cannot be read, is too small for its share, or has other columns.
    """
    corpora = [(part.path / beir.CORPUS).exists() for part in recipe.sets]
    if all(corpora):
        work.stats |= collections.mix(recipe, work.path)
    elif any(corpora):
        odd = recipe.sets[corpora.index(not corpora[0])].path
        hint = "mix corpora with corpora, and rows with rows"
        raise UsageError(f"{recipe.sets[0].path} and {odd} are of different kinds", where=str(odd), hint=hint)
    else:
        _mix_rows(recipe, work)


def _mix_rows(recipe: Recipe, work: Work) -> None:
    files = [_files(part.path) for part in recipe.sets]
    for name in (names := list(files[0])):
        if lacking := next((p.path for p, f in zip(recipe.sets, files, strict=True) if name not in f), None):
            hint = f"{recipe.sets[0].path} has {', '.join(names)}; name single files as `path` to mix them alone"
            raise UsageError(f"there is no {name} here", where=str(lacking), hint=hint)
        target = work.path / name
        target.parent.mkdir(exist_ok=True)
        work.stats[name] = _mix_files(recipe, [of_set[name] for of_set in files], target)


def _mix_files(recipe: Recipe, paths: Sequence[Path], target: Path) -> dict[str, int]:
    """Mix one file of every set; set name -> rows taken."""
    sets, names = [opened(path) for path in paths], [part.title() for part in recipe.sets]
    if target.stem in held.TRAIN:
        picks = _picks(recipe, [len(one) for one in sets], f"{recipe.seed}/{target.name}")
    else:
        picks = [(number, place) for number, one in enumerate(sets) for place in range(len(one))]
    lines, tables = _of(sets, JsonLines), _of(sets, Parquet)
    if lines and tables:
        raise UsageError("some sets are JSON lines and some Parquet", where=", ".join(map(str, paths)))
    if tables:
        write_table(target, tables, picks)
    else:
        write_lines(target, lines, picks)
    return {name: sum(number == of for of, _ in picks) for number, name in enumerate(names)}


def _picks(recipe: Recipe, sizes: Sequence[int], seed: str) -> list[tuple[int, int]]:
    """Set and place of each row of the mixture, in its order."""
    weights = [part.weight for part in recipe.sets]
    taken = shares.counts(sizes, weights, recipe.sampling_strategy, recipe.size)
    shares.tell_of_none((part.title() for part in recipe.sets), taken)
    drawn = [
        iter(shares.draw(available, wanted, f"{seed}/{number}", repeat=recipe.repeat, name=part.title()))
        for number, (part, available, wanted) in enumerate(zip(recipe.sets, sizes, taken, strict=True))
    ]
    return [(number, next(drawn[number])) for number in shares.interleaved(taken, f"{seed}/order")]


def _files(path: Path) -> dict[str, Path]:
    """What of a set is mixed: its name in the mixture -> file.

    Raises:
        UsageError: the folder holds no rows.
    """
    if path.is_file():
        return {"train.parquet" if is_parquet(path) else "train.jsonl": path}
    if found := held.rows(path):
        return found
    if not path.exists():
        raise UsageError("there is no such artifact or file", where=str(path), hint="run the stage that makes it first")
    raise UsageError(
        "here is neither a corpus nor a file of rows", where=str(path), hint="name a .jsonl or .parquet file"
    )


def _of(sets: Sequence[JsonLines | Parquet], kind: type[K]) -> list[K]:
    return [one for one in sets if isinstance(one, kind)]
