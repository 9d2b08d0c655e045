"""What a training logged at first and at last, for the manifest."""

from pathlib import Path

from core.artifact.files import LOGS
from core.tracking.record import read, series
from core.tracking.tracker import METRICS


def ends(folder: Path) -> dict[str, dict[str, float]]:
    """`first` and `last`: each metric's value at its first and its last step."""
    found = {name: list(values.values()) for name, values in series(read(folder / LOGS / METRICS)).items()}
    return {
        "first": {name: values[0] for name, values in found.items()},
        "last": {name: values[-1] for name, values in found.items()},
    }
