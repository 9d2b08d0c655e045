"""Making an interpreter: whole, or known to be unfinished; nothing that is not ours is touched."""

import logging
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from core import process
from core.artifact.files import free_name
from core.environment import mark
from core.environment.known import OLDEST_PYTHON, Environment
from core.environment.mark import Mark
from core.environment.plan import CLEAN, Step, steps
from core.errors import DrError, Missing, ProcessFailed, UsageError
from core.process import Command

log = logging.getLogger(__name__)

GIB = 2**30
HINT = "the same command again starts over; packages come from PyPI, or from the mirror that PIP_INDEX_URL names"
HINT_UV = f"{HINT}. uv reads no pip.conf: --pip leaves it aside"


@dataclass(frozen=True)
class Made:
    """An interpreter that is ready."""

    name: str
    python: Path
    package: str
    version: str
    new: bool
    """False when it was there already."""


def create(
    environment: Environment, folder: Path, *, base: str = sys.executable, uv: str | None = None, force: bool = False
) -> Made:
    """The interpreter of `environment` in `folder`, made unless it is there. `base`: the Python it is made from.

    Raises:
        UsageError: something else lies in `folder`, another run fills it, or `base` is too old or too new.
        DrError: the disk has no room.
        ProcessFailed: a package was not found or not installed, or does not work; the log stays beside `folder`.
    """
    if mark.state(folder) == "whole" and not force:
        return _as_it_is(environment, folder)
    _check_place(folder, force=force)
    running = _check_base(environment, base)
    _check_room(environment, folder)
    with mark.alone(folder):
        if mark.state(folder) == "whole" and not force:  # by another run, meanwhile
            return _as_it_is(environment, folder)
        _make_way(folder, force=force)
        plan, hint = steps(environment, folder, base, uv), HINT_UV if uv else HINT
        version = _fill(environment, folder, plan, hint)
        _log_file(folder).replace(folder / "dr-env.log")
        mark.write(folder, Mark(environment.name, environment.digest(), running, version))
    return Made(environment.name, mark.python(folder), environment.package, version, new=True)


def _as_it_is(environment: Environment, folder: Path) -> Made:
    """A whole one, if it is what is wanted."""
    found = mark.read(folder)
    assert found, "asked for a whole one only"  # noqa: S101 - cannot happen
    hint = f"dr env create {environment.name} --at {folder} --force  # the old one is kept as .previous"
    if found.name != environment.name:
        what = f"this is the interpreter for {found.name}"
        raise UsageError(what, where=str(folder), hint=f"choose another place with --at, or: {hint}")
    if found.pins != environment.digest():
        raise UsageError("it was made from other pins than this version of `dr` has", where=str(folder), hint=hint)
    try:
        version = _version(environment, folder)
    except (Missing, ProcessFailed, IndexError):
        raise UsageError("the interpreter does not work any more", where=str(folder), hint=hint) from None
    return Made(environment.name, mark.python(folder), environment.package, version, new=False)


def _check_place(folder: Path, *, force: bool) -> None:
    """Raises UsageError when `folder` is not ours to fill or, with `force`, to move away."""
    if folder.resolve() == Path(sys.prefix).resolve():
        raise UsageError("`dr` itself runs in this environment", where=str(folder), hint="choose another with --at")
    if mark.state(folder) != "foreign" or (force and (folder / "pyvenv.cfg").is_file()):
        return
    hint = "choose another place with --at"
    if (folder / "pyvenv.cfg").is_file():
        hint += ", or move it aside with --force"
    raise UsageError("`dr` did not make what lies here", where=str(folder), hint=hint)


def _check_base(environment: Environment, base: str) -> str:
    """The version of `base`."""
    told = process.ask((base, "-c", "import platform; print(platform.python_version())")).splitlines()[-1]
    number = tuple(int(part) for part in told.split(".")[:2])
    if OLDEST_PYTHON <= number <= environment.newest_python:
        return told
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST_PYTHON, environment.newest_python))
    raise UsageError(
        f"the packages of {environment.name} are for Python {oldest} to {newest}, this one is {told}",
        where=base,
        hint=f"name another: --python python{oldest}",
    )


def _check_room(environment: Environment, folder: Path) -> None:
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(nearest).free / GIB
    if free < environment.gib:
        what = f"{environment.name} needs about {environment.gib} GiB of disk, {free:.1f} GiB are free"
        raise DrError(what, where=str(nearest), hint="make room, or choose another disk with --at")


def _make_way(folder: Path, *, force: bool) -> None:
    if force and mark.state(folder) != "absent":
        aside = free_name(folder)
        folder.rename(aside)
        log.info("the old one is now %s", aside)


def _fill(environment: Environment, folder: Path, plan: list[Step], hint: str) -> str:
    """Run the plan and import what was installed; its version."""
    log_file = _log_file(folder)
    log_file.write_bytes(b"")
    began = time.monotonic()
    log.info("making %s for %s in %s; the output goes to %s", environment.name, environment.what_for, folder, log_file)
    for step in plan:
        log.info("%s", step.what)
        _run(step, log_file, hint)
    # The first import compiles every module: minutes on a slow disk, and the next start is spared them.
    log.info("importing %s", environment.module)
    code = f"import torch, {environment.module}"
    process.run(Command((str(mark.python(folder)), "-c", code), CLEAN), log_file)
    version = _version(environment, folder)
    log.info("%s %s is ready after %.0f s", environment.package, version, time.monotonic() - began)
    return version


def _log_file(folder: Path) -> Path:
    """Beside `folder`, which is emptied, until the work is done."""
    return folder.with_name(f"{folder.name}.log")


def _run(step: Step, log_file: Path, hint: str) -> None:
    try:
        return process.run(step.command, log_file)
    except ProcessFailed as failed:
        if step.otherwise is None:
            raise ProcessFailed(failed.what, where=failed.where, hint=hint) from None
    log.info("not there; looking in PyTorch's own index")
    return _run(Step(step.what, step.otherwise), log_file, hint)


def _version(environment: Environment, folder: Path) -> str:
    """Of the package, asked of the interpreter."""
    question = f"from importlib.metadata import version; print(version({environment.package!r}))"
    return process.ask((str(mark.python(folder)), "-c", question)).splitlines()[-1]
