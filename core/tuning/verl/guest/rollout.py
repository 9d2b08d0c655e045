"""Answers for verl's training, written by transformers on the processor: token ids in, token ids out.

`Replica` is started by the trainer and starts the server; `Adapter` lives in each training process and brings it the
weights after each step.
"""

import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

import ray
import torch
from torch import Tensor
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica

from core.errors import ContractError
from core.tuning.verl.guest.names import ROLLOUT
from core.tuning.verl.guest.server import Server

BUCKET_BYTES = 256 << 20
"""Weights that travel at once."""


def name(replica: int) -> str:
    """Of a server among Ray's actors."""
    return f"{ROLLOUT}_server_{replica}"


class Replica(RolloutReplica):  # type: ignore[misc]
    """One server and the training processes that share it."""

    def rollout_worker_use_gpu(self) -> bool:
        """The processor is nobody's own."""
        return False

    async def launch_servers(self) -> None:
        """Start it, and wait until its model is loaded."""
        actor = ray.remote(Server).options(
            name=name(self.replica_rank), max_concurrency=self.max_concurrency, num_cpus=0
        )
        server = actor.remote(self.model_config, self.config, self.replica_rank)
        host = await server.host.remote()
        self.servers = [server]
        self._server_handle = server
        self._server_address = f"{host}:{ROLLOUT}:{self.replica_rank}"


class Adapter(BaseRollout):  # type: ignore[misc]
    """The training's side of the server."""

    def __init__(self, config: Any, model_config: Any, device_mesh: Any, replica_rank: int = -1, **_: Any) -> None:
        super().__init__(config, model_config, device_mesh)
        shared_by = self.config.tensor_model_parallel_size * self.config.data_parallel_size
        rank = int(os.environ["RANK"])
        self._replica = rank // shared_by if replica_rank == -1 else replica_rank
        self._leads = rank % shared_by == 0

    async def resume(self, tags: list[str]) -> None:
        """The server never sleeps."""

    async def release(self) -> None:
        """The server never sleeps."""

    async def update_weights(
        self,
        weights: Iterable[tuple[str, Tensor]] | AsyncIterable[tuple[str, Tensor]],
        global_steps: int | None = None,
        wire_format: str = "named_tensors",
        peft_config: Any = None,
        **_: Any,
    ) -> None:
        """Bring the server the weights of step `global_steps`, whole.

        Raises:
            ContractError: they come as adapters or differences, which the server cannot add up.
        """
        if peft_config is not None or wire_format != "named_tensors":
            what = "the rollout on a CPU takes whole weights, and gets adapters or differences"
            raise ContractError(what, hint="actor_rollout_ref.model.lora.merge=True")
        server = ray.get_actor(name(self._replica)) if self._leads else None
        async for bucket in _buckets(weights):  # every process gathers its shards, one of them sends
            if server is not None:
                await server.load.remote(bucket)
        if server is not None:
            await server.loaded.remote(global_steps)


async def _buckets(
    weights: Iterable[tuple[str, Tensor]] | AsyncIterable[tuple[str, Tensor]],
) -> AsyncIterator[dict[str, Tensor]]:
    bucket: dict[str, Tensor] = {}
    size = 0
    async for each, tensor in _each(weights):
        bucket[each] = tensor.detach().to("cpu", copy=True)
        size += tensor.nbytes
        if size >= BUCKET_BYTES:
            yield bucket
            bucket, size = {}, 0
    yield bucket


async def _each(
    weights: Iterable[tuple[str, Tensor]] | AsyncIterable[tuple[str, Tensor]],
) -> AsyncIterator[tuple[str, Tensor]]:
    if isinstance(weights, AsyncIterable):
        async for pair in weights:
            yield pair
    else:
        with torch.no_grad():
            for pair in weights:
                yield pair
