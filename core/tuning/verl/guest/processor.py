"""The processor as one of verl's platforms, and transformers as one of its rollouts; `register` makes them known."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.utils import model
from verl.workers.rollout import base
from verl.workers.rollout.replica import RolloutReplicaRegistry

from core.tuning.verl.guest import critic, device
from core.tuning.verl.guest.names import ROLLOUT


def register() -> None:
    """Tell verl, in this process."""
    PlatformRegistry.register(platform="cpu")(Processor)
    base._ROLLOUT_REGISTRY[(ROLLOUT, "async")] = "core.tuning.verl.guest.rollout.Adapter"
    RolloutReplicaRegistry.register(ROLLOUT, _replica)
    _one_backend_a_device()
    model.load_valuehead_model = critic.load
    torch.Tensor.pin_memory = _unpinned  # type: ignore[method-assign, assignment]


class Processor(PlatformBase):  # type: ignore[misc]
    """The processor. Ray counts it as a GPU, of which there are as many as `ray_init.num_gpus` says."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module: ModuleType = device

    def is_available(self) -> bool:
        """Always."""
        return True

    def current_device(self) -> torch.device:
        """Where tensors are put."""
        return torch.device("cpu")

    def device_count(self) -> int:
        """One."""
        return device.device_count()

    def set_device(self, device_index: int) -> None:
        """There is one."""

    def synchronize(self, device_index: int | None = None) -> None:
        """Nothing is put off."""

    def manual_seed(self, seed: int) -> None:
        """Seed torch."""
        device.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        """Seed torch."""
        device.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        """There is no allocator to set."""

    def empty_cache(self) -> None:
        """Nothing is cached."""

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:  # noqa: ARG002 - verl's signature
        """None: no compute capability."""
        return None, None

    def communication_backend_name(self) -> str:
        """How processes meet."""
        return "gloo"

    def visible_devices_envvar(self) -> str:
        """Ray's, for what it counts as GPUs."""
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:  # noqa: ARG002 - verl's signature
        """Nothing is traced."""
        yield

    def profiler_start(self) -> None:
        """Nothing is traced."""

    def profiler_stop(self) -> None:
        """Nothing is traced."""

    def ray_resource_name(self) -> str:
        """What Ray counts."""
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        """What keeps Ray from setting `visible_devices_envvar`."""
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        """Weights go through Ray."""
        return False

    def cudart(self) -> None:
        """There is none."""


def _replica() -> Any:
    from core.tuning.verl.guest.rollout import Replica  # imports ray and verl's workers

    return Replica


def _unpinned(tensor: torch.Tensor, *_: Any) -> torch.Tensor:
    """FSDP2 pins the weights of a reference model for a GPU to fetch: here they are where they are computed."""
    return tensor


def _one_backend_a_device() -> None:
    """verl names a backend for the processor and one for its device: here one and the same, which torch refuses."""
    begin = torch.distributed.init_process_group

    def init_process_group(backend: str | None = None, *arguments: Any, **named: Any) -> None:
        begin("cpu:gloo" if backend == "cpu:gloo,cpu:gloo" else backend, *arguments, **named)

    torch.distributed.init_process_group = init_process_group
