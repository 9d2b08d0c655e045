"""Disk, ports, and the place for compiled kernels."""

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

import core
from core.doctor.finding import Finding

GIB = 2**30
ENOUGH_GIB = 10
"""A model of the usual size, its checkpoints and an index of a million documents."""

PORTS = {8080: "`dr serve`", 8000: "a vLLM service"}


def disk(folder: Path) -> Finding:
    """Room where artifacts are made."""
    free = shutil.disk_usage(folder).free / GIB
    seen = f"{free:.1f} GiB free at {folder.resolve()}"
    if not _writable(folder):
        return Finding("disk", "warning", f"{folder.resolve()} is not writable", "no artifact can be made here", "cd ~")
    if free < ENOUGH_GIB:
        costs = f"larger models and indexes may not fit: {ENOUGH_GIB} GiB are comfortable"
        return Finding("disk", "warning", seen, costs, "make room, or set `out:` to another disk")
    return Finding("disk", "ok", seen)


def ports() -> list[Finding]:
    """Whether the usual ports are free on loopback."""
    return [port(number, whose) for number, whose in PORTS.items()]


def port(number: int, whose: str) -> Finding:
    """Whether `whose` usual port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            costs = f"{whose} cannot listen on its usual port"
            return Finding(f"port {number}", "warning", f"taken: {error.strerror}", costs, f"port={number + 1}")
    return Finding(f"port {number}", "ok", "free")


def numba_cache(variables: Mapping[str, str] = os.environ) -> Finding:
    """Where numba keeps compiled kernels: NUMBA_CACHE_DIR, else beside our code, else the user's cache."""
    chosen = variables.get("NUMBA_CACHE_DIR")
    beside = Path(core.__file__).parent
    places = [Path(chosen)] if chosen else [beside, Path(variables.get("XDG_CACHE_HOME") or Path.home() / ".cache")]
    for place in places:
        if _writable(_nearest(place)):
            return Finding("numba cache", "ok", str(place))
    seen = f"not writable: {', '.join(map(str, places))}"
    costs = "BM25 does not start: its kernels cannot be kept"
    return Finding("numba cache", "warning", seen, costs, "export NUMBA_CACHE_DIR=/tmp/numba")


def _nearest(path: Path) -> Path:
    """`path`, or the first folder above it that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _writable(folder: Path) -> bool:
    """Tried, not asked: the permission bits say nothing of a read-only disk or of root's rights."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
