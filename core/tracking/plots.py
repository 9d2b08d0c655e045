"""One picture for each family of metrics: `train/loss` and `eval/loss` share `loss.png`."""

import math
import re
import warnings
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from core.tracking.record import Series, read, series

SIZE_INCHES = (7.0, 4.0)
FEW_POINTS = 30
"""Lines of at most this many points show each of them."""


def draw(metrics: Path, folder: Path) -> list[Path]:
    """Draw the rows of `metrics` into `folder`; the pictures, by name."""
    return [_picture(name, lines, folder) for name, lines in sorted(families(series(read(metrics))).items())]


def families(found: Series) -> dict[str, Series]:
    """Metrics that measure one thing, under a name that is safe as a file's."""
    grouped: dict[str, Series] = defaultdict(dict)
    for metric, points in found.items():
        grouped[re.sub(r"[^\w@.+-]", "_", metric.rsplit("/", 1)[-1])][metric] = points
    return grouped


def _picture(name: str, lines: Series, folder: Path) -> Path:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")  # without pyplot: no global state, no display
    axes = figure.subplots()
    for metric, points in lines.items():
        axes.plot(list(points), list(points.values()), marker="." if len(points) <= FEW_POINTS else "", label=metric)
    axes.set(title=_title(name, lines), xlabel="step")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    temporary = folder / f".{name}.png"
    with warnings.catch_warnings():
        # A metric may be named in Chinese; a font without these letters draws boxes, which is no failure.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from", category=UserWarning)
        figure.savefig(temporary, format="png", dpi=110)
    return temporary.replace(path)


def _title(name: str, lines: Mapping[str, Mapping[int, float]]) -> str:
    """A line has a hole where a value is not finite: the title says how many there are."""
    holes = sum(not math.isfinite(value) for points in lines.values() for value in points.values())
    return f"{name} ({holes} not finite)" if holes else name
