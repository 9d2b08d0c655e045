"""Python and the packages: the core ones, and those of each extra."""

import platform
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement

from core.doctor.finding import Finding
from core.lazy import DISTRIBUTION
from core.versions import installed

OLDEST_PYTHON = (3, 11)

COSTS = {
    "gpu": "faiss searches on the CPU",
    "lucene": "nothing yet: it is for the Lucene backend to come; the embedded BM25 needs none of it",
    "milvus": "nothing yet: it is for the Milvus backend to come",
    "documents": "`dr data` reads no PDF, HTML, DOCX or Markdown (`source.type: files`)",
    "modelscope": "`dr data download` fetches from Hugging Face and from folders, not from ModelScope",
    "trackers": "no swanlab, wandb or tensorboard; metrics.jsonl and plots are kept without them",
    "test": "this project's tests do not run",
    "bench": "no comparison with other engines' speed",
}
"""What one cannot do without an extra."""


def python() -> Finding:
    """The running interpreter."""
    seen = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("Python", "ok", seen, required=True)
    fix = "python3.11 -m venv .venv"
    return Finding("Python", "missing", seen, "`dr` does not run: it needs 3.11 or newer", fix, required=True)


def all_groups() -> list[Finding]:
    """The core packages, then each extra."""
    lines = declared()
    core = _finding(
        "core packages", wanted(lines), "`dr` does not work", f"pip install '{DISTRIBUTION}'", required=True
    )
    extras = [
        _finding(f"extra {extra}", wanted(lines, extra), costs, f"pip install '{DISTRIBUTION}[{extra}]'")
        for extra, costs in COSTS.items()
    ]
    return [core, *extras]


def declared() -> list[str]:
    """Every requirement of ours, as the installed metadata has it or, in a bare checkout, as pyproject.toml does."""
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
        return from_pyproject(text)


def from_pyproject(text: str) -> list[str]:
    """The requirements of a pyproject.toml, in the words of installed metadata."""
    project = tomllib.loads(text)["project"]
    lines = list(project["dependencies"])
    for extra, requirements in project["optional-dependencies"].items():
        for line in requirements:
            name, _, marker = line.partition(";")
            condition = f"({marker.strip()}) and " if marker else ""
            lines.append(f'{name.strip()} ; {condition}extra == "{extra}"')
    return lines


def wanted(lines: list[str], extra: str = "") -> list[Requirement]:
    """The requirements that count here, of the core or of one extra; extras of ours within it are unfolded."""
    found: list[Requirement] = []
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        counts = marker is None or marker.evaluate({"extra": extra})
        if not counts or (extra and (marker is None or marker.evaluate({"extra": ""}))):
            continue
        if requirement.name == DISTRIBUTION:
            found += [inner for name in sorted(requirement.extras) for inner in wanted(lines, name)]
        else:
            found.append(requirement)
    return found


def _finding(name: str, wanted: list[Requirement], costs: str, fix: str, *, required: bool = False) -> Finding:
    faults = [fault for requirement in wanted if (fault := _fault(requirement))]
    if not wanted:
        return Finding(name, "missing", "nothing of it exists for this platform", costs, required=required)
    if not faults:
        seen = ", ".join(f"{r.name} {installed(r.name)}" for r in wanted)
        return Finding(name, "ok", seen, required=required)
    return Finding(name, "missing", ", ".join(faults), costs, fix, required=required)


def _fault(requirement: Requirement) -> str | None:
    version = installed(requirement.name)
    if version is None:
        return f"no {requirement.name}"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} {version} is not {requirement.specifier}"
    return None
