"""The interpreters of other people's programs, where recipes look for them."""

from pathlib import Path

from core.doctor.finding import Finding
from core.environment import mark
from core.environment.known import KNOWN

COSTS = {
    Path(".venv-vllm"): ("vLLM", "no `dr serve llm`, and no recipe that serves its own model"),
    Path(".venv-verl"): ("verl", "nothing yet: training by verl is to come"),
}


def findings(folder: Path = Path()) -> list[Finding]:
    """One line for each, looked at in `folder`; what several can fill is fixed by the first."""
    return [_finding(folder / place, name, costs) for place, (name, costs) in COSTS.items()]


def _finding(place: Path, program: str, costs: str) -> Finding:
    fits = [environment for environment in KNOWN.values() if environment.folder.name == place.name]
    name, found = f"interpreter for {program}", mark.read(place)
    if found is None:
        return _unmarked(place, name, costs, " # or ".join(f"dr env create {fit.name}" for fit in fits))
    seen = f"{found.name} {found.version} at {place}"
    if any(found.name == fit.name and found.pins == fit.digest() for fit in fits):
        return Finding(name, "ok", seen)
    risk = "it may not be what this version of `dr` was tried with"
    return Finding(name, "warning", f"{seen}, of other pins", risk, f"dr env create {found.name} --force")


def _unmarked(place: Path, name: str, costs: str, fix: str) -> Finding:
    match mark.state(place):
        case "half":
            return Finding(name, "missing", f"not finished: {place}", costs, fix)
        case "foreign":  # their own; the command that uses it asks it
            return Finding(name, "ok", f"not made by `dr`: {place}")
        case _:
            return Finding(name, "missing", f"none at {place}", costs, fix)
