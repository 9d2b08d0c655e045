"""What runs in verl's interpreter finds nothing of ours there but what stands on the standard library."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]
GUESTS = [*sorted((ROOT / "core/tuning/verl/guest").glob("*.py")), ROOT / "core/rl/tool/verl.py"]
VERLS = {"torch", "transformers", "ray", "verl", "psutil", "hydra", "omegaconf"}
"""What verl brings with it."""


def imported(path):
    """Dotted names of the modules that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(name):
    """The file of ours that a dotted name is, or stands in."""
    parts = name.split(".")
    places = [ROOT.joinpath(*parts[:end]) for end in (len(parts), len(parts) - 1)]
    return next((found for place in places for found in (place.with_suffix(".py"), place / "__init__.py")
                 if found.is_file()), None)  # fmt: skip


def reached(start):
    """The files of ours that come with `start`."""
    seen, open_ = set(), [start]
    while open_:
        path = open_.pop()
        if path in seen:
            continue
        seen.add(path)
        open_ += [file for name in imported(path) if name.startswith("core.") and (file := file_of(name))]
    return seen


@pytest.mark.parametrize("guest", GUESTS, ids=lambda path: path.name)
def test_a_guest_needs_nothing_that_verl_does_not_bring(guest):
    needed = {name.split(".")[0]: path.name for path in reached(guest) for name in imported(path)}
    assert needed.keys() <= {*sys.stdlib_module_names, "core", *VERLS}, needed


def test_what_a_guest_brings_along_is_seen():
    assert {"door.py", "errors.py", "sampler.py"} <= {path.name for path in reached(GUESTS[0].with_name("sampler.py"))}
