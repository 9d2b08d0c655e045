"""What this machine can and cannot do for `dr`, and the line that changes it. Looks only; changes nothing."""

from pathlib import Path

from core.doctor import environment, interpreters, java, machine, packages, torch
from core.doctor.finding import Finding

__all__ = ["Finding", "examine"]


def examine(folder: Path = Path()) -> list[Finding]:
    """All findings, the required ones first; `folder` is where work would be done.

    Takes about three seconds, most of it spent on importing torch in a process of its own.
    """
    return [
        packages.python(),
        *packages.all_groups(),
        *torch.findings(),
        java.finding(),
        *interpreters.findings(folder),
        machine.disk(folder),
        *machine.ports(),
        machine.numba_cache(),
        *environment.findings(),
    ]
