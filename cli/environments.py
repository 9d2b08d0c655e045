"""`dr env`: make and list the interpreters of other people's programs."""

import logging
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from cli import console

log = logging.getLogger(__name__)


def create(name: str, at: Path | None, python: str | None, *, pip: bool, force: bool, as_json: bool) -> None:
    """Make one unless it is there; stdout gets its interpreter."""
    from core.environment.create import create as make
    from core.environment.known import named

    environment = named(name)
    folder = at or environment.folder
    made = make(environment, folder, base=python or sys.executable, uv=None if pip else shutil.which("uv"), force=force)
    if not made.new:
        log.info("%s %s is there already", made.package, made.version)
    if as_json:
        console.emit_json(**asdict(made))
    else:
        console.emit(str(made.python))


def ls(*, as_json: bool) -> None:
    """Print every environment, and what its usual folder holds."""
    from core.environment.known import KNOWN
    from core.environment.mark import standing

    found = [
        {
            "name": e.name,
            "what_for": e.what_for,
            "gib": e.gib,
            "folder": str(e.folder),
            "state": standing(e.folder, e.name, e.digest()),
        }
        for e in KNOWN.values()
    ]
    if as_json:
        return console.emit_json(environments=found)
    headers = ("name", "for", "GiB", "folder", "state")
    return console.emit(console.table(headers, [list(row.values()) for row in found]))
