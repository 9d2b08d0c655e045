"""torch and the GPU, asked in a process of their own: a broken torch may take its process with it."""

import json
import sys
from typing import Any

from core import process
from core.doctor.finding import Finding
from core.errors import Missing, ProcessFailed

SLOW = "large models train and encode on the CPU, tens of times slower; rl needs a GPU"

_ASK_TORCH = """
import json, torch
gpu = torch.cuda.is_available()
devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())] if gpu else []
print(json.dumps({
    "version": torch.__version__,
    "built_for": torch.version.cuda or torch.version.hip,
    "mps": torch.backends.mps.is_available(),
    "devices": [f"{d.name} ({d.total_memory / 2**30:.0f} GiB)" for d in devices],
}))
"""
_ASK_DRIVER = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def findings() -> list[Finding]:
    """torch, and the GPU where torch answers."""
    try:
        answer = process.ask((sys.executable, "-W", "ignore", "-c", _ASK_TORCH), timeout_seconds=120)
    except ProcessFailed as error:
        reason = error.what.splitlines()[-1]
        fix = "pip install --force-reinstall torch"
        return [Finding("torch", "missing", reason, "no dense retrieval and no training", fix, required=True)]
    told: dict[str, Any] = json.loads(answer.splitlines()[-1])  # warnings may stand above it
    return [Finding("torch", "ok", told["version"], required=True), gpu(told, driver())]


def driver() -> list[str]:
    """The GPUs that NVIDIA's driver shows, one line each; none without a driver."""
    try:
        return process.ask(_ASK_DRIVER, timeout_seconds=20).splitlines()
    except (Missing, ProcessFailed):
        return []


def gpu(told: dict[str, Any], driver: list[str]) -> Finding:
    """What torch can compute on. `told` is torch's answer, `driver` the GPUs it should find."""
    if told["devices"]:
        return Finding("GPU", "ok", ", ".join(told["devices"]))
    if told["mps"]:
        return Finding("GPU", "ok", "Apple's, through MPS")
    if not driver:
        return Finding("GPU", "missing", "none: torch uses the CPU", SLOW, "run the training on a machine with one")
    seen = f"the driver shows {'; '.join(driver)}, "
    if not told["built_for"]:
        fix = "pip install --force-reinstall torch  # the CUDA build, not the CPU one"
        return Finding("GPU", "warning", f"{seen}torch {told['version']} is a CPU build", SLOW, fix)
    fix = "unset CUDA_VISIBLE_DEVICES, or update the driver"
    return Finding("GPU", "warning", f"{seen}torch, built for {told['built_for']}, does not see it", SLOW, fix)
