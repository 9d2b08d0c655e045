"""How an engine is started: a recipe becomes a `Command`, printed and compared without starting anything."""

import json
import shlex
import sys
from pathlib import Path

from core.errors import UsageError
from core.llm import checkpoint
from core.llm.engine import Engine
from core.llm.spec import Served
from core.process import Command

CPU_SEQUENCES = 16
"""Requests that a CPU computes together; more only share the same arithmetic."""

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The limits that vLLM's `--max-lora-rank` takes."""


def command(spec: Served, engine: Engine, port: int, *, fast_bfloat16: bool) -> Command:
    """What serves `spec` by `engine`. `fast_bfloat16`: whether this processor has arithmetic for it.

    Raises:
        UsageError: the folder of the model or of an adapter holds none.
    """
    model = _model(spec)
    listen = ("--host", spec.host, "--port", str(port))
    # An artifact answers under the name that the recipe has for it, which is what is asked for.
    named = ("--served-model-name", spec.model) if model != spec.model else ()
    length = ("--max-model-len", str(spec.max_model_len)) if spec.max_model_len else ()
    if spec.engine == "transformers":
        start = (str(spec.python), "-m", "transformers.cli.transformers", "serve", model)
        return Command((*start, *listen, "--dtype", spec.dtype, *spec.arguments))
    if spec.engine == "local":
        start = (sys.executable, "-m", "core.llm.local", "--model", model)
        return Command((*start, *named, *listen, "--dtype", spec.dtype, *length, *spec.arguments))
    start = (str(spec.python), "-m", "vllm.entrypoints.openai.api_server", "--model", model, *named)
    place = _on_cpu(spec, fast_bfloat16=fast_bfloat16) if engine.on_cpu else _on_gpu(spec)
    # Its use is nobody's business: models of a bank, machines without a way out.
    env = {"VLLM_NO_USAGE_STATS": "1"} | ({"VLLM_CPU_KVCACHE_SPACE": str(spec.cpu_cache_gib)} if engine.on_cpu else {})
    shared = ("--tensor-parallel-size", str(spec.tensor_parallel_size)) if spec.tensor_parallel_size > 1 else ()
    return Command((*start, *listen, *place, *shared, *length, *_adapters(spec), *spec.arguments), env)


def _model(spec: Served) -> str:
    """The model's folder, or its name on the hub."""
    model = checkpoint.resolve(spec.model)
    if Path(model).is_dir():
        _read(Path(model) / "config.json", "model")
    if spec.engine == "transformers" and model != spec.model:
        what = "`transformers serve` answers only under the name of the model's folder"
        raise UsageError(what, where=spec.model, hint=f"model: {model}, or `engine: local`")
    return model


def as_text(command: Command) -> str:
    """The command as one would type it."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in command.env.items()]
    return " ".join([*settings, shlex.join(command.argv)])


def _on_cpu(spec: Served, *, fast_bfloat16: bool) -> tuple[str, ...]:
    dtype = "float32" if spec.dtype == "auto" and not fast_bfloat16 else spec.dtype
    # Compiling takes longer than small models gain by it.
    return ("--dtype", dtype, "--enforce-eager", "--max-num-seqs", str(CPU_SEQUENCES))


def _on_gpu(spec: Served) -> tuple[str, ...]:
    share = ("--gpu-memory-utilization", str(spec.gpu_memory_utilization))
    return ("--dtype", spec.dtype, *share)


def _adapters(spec: Served) -> tuple[str, ...]:
    """vLLM reserves room for the largest rank, and refuses an adapter above it."""
    if not spec.adapters:
        return ()
    largest = max(_rank(path) for path in spec.adapters.values())
    room = next((rank for rank in RANKS if rank >= largest), largest)
    named = (f"{name}={path}" for name, path in spec.adapters.items())
    return ("--enable-lora", "--max-lora-rank", str(room), "--lora-modules", *named)


def _rank(adapter: Path) -> int:
    told = _read(adapter / "adapter_config.json", "adapter")
    rank = told.get("r")
    if not isinstance(rank, int):
        raise UsageError("the adapter does not tell its rank `r`", where=str(adapter / "adapter_config.json"))
    return rank


def _read(path: Path, what: str) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UsageError(f"the folder holds no {what}: there is no {path.name}", where=str(path.parent)) from None
    except (ValueError, TypeError):
        raise UsageError("the file is damaged: no JSON object", where=str(path)) from None
