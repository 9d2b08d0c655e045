"""What verl asks of `torch.cuda`, answered by the processor: the module of `plugin.Processor`.

There is one device and one stream; memory is not counted.
"""

import time
from types import SimpleNamespace
from typing import Any

import psutil
import torch

Stream = torch.cpu.Stream
stream = torch.cpu.stream
current_stream = torch.cpu.current_stream
synchronize = torch.cpu.synchronize


class Event:
    """A moment; everything before it is done, since nothing is put off."""

    def __init__(self, **_: Any) -> None:
        self._at = time.perf_counter()

    def record(self, _: Any = None) -> None:
        """It is now."""
        self._at = time.perf_counter()

    def wait(self, _: Any = None) -> None:
        """Nothing to wait for."""

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def query(self) -> bool:
        """Whether it has come."""
        return True

    def elapsed_time(self, end: "Event") -> float:
        """Milliseconds until `end`."""
        return (end._at - self._at) * 1000


def is_available() -> bool:
    """Always."""
    return True


def device_count() -> int:
    """One."""
    return 1


def current_device() -> int:
    """The first."""
    return 0


def set_device(_: Any) -> None:
    """There is one."""


def get_device_name(_: Any = None) -> str:
    """`cpu`."""
    return "cpu"


def get_device_properties(_: Any = None) -> SimpleNamespace:
    """Name and memory."""
    return SimpleNamespace(name="cpu", total_memory=psutil.virtual_memory().total, multi_processor_count=1)


def mem_get_info(_: Any = None) -> tuple[int, int]:
    """Free and total bytes of main memory."""
    memory = psutil.virtual_memory()
    return memory.available, memory.total


def memory_allocated(_: Any = None) -> int:
    """Not counted."""
    return 0


memory_reserved = max_memory_allocated = max_memory_reserved = memory_allocated


def empty_cache() -> None:
    """Nothing is cached."""


ipc_collect = empty_cache


def reset_peak_memory_stats(_: Any = None) -> None:
    """Nothing is counted."""


reset_max_memory_allocated = reset_peak_memory_stats


def set_per_process_memory_fraction(*_: Any) -> None:
    """Memory is not shared out."""


def manual_seed(seed: int) -> None:
    """Seed torch."""
    torch.manual_seed(seed)


manual_seed_all = manual_seed


def get_rng_state(_: Any = None) -> torch.Tensor:
    """Torch's own."""
    return torch.get_rng_state()


def set_rng_state(state: torch.Tensor, _: Any = None) -> None:
    """Torch's own."""
    torch.set_rng_state(state)
