"""Which files of rows a folder holds: one that our stages made, or one that is laid out like theirs."""

from pathlib import Path

from core import artifact

FILES = {"mine": ("train.jsonl",), "reasoning": ("messages.jsonl",)}
"""The rows in an artifact of these stages; beside them lie other tables."""

TRAIN = ("train", "messages")
"""What a file of rows for training is named, without its ending."""

ENDINGS = (".jsonl", ".parquet")


def rows(folder: Path) -> dict[str, Path]:
    """Name of each file of rows, from the folder on -> where it lies; empty where there is none."""
    stage = artifact.read(folder)["stage"] if (folder / artifact.MANIFEST).exists() else ""
    if stage in FILES:
        return {name: folder / name for name in FILES[stage]}
    named = [folder / f"{name}{ending}" for name in TRAIN for ending in ENDINGS]
    found = [*sorted(folder.glob("*/*.parquet")), *(path for path in named if path.is_file())]
    return {str(path.relative_to(folder)): path for path in found}
