"""The server of a rollout on the processor: a Ray actor that holds a model, and answers what waits in one batch."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import ray
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.rollout.replica import TokenOutput

from core.errors import ContractError
from core.tuning.verl.guest.decode import Answer, Request, Sampling, answers

GATHER_SECONDS = 0.02
"""How long the first request of a batch waits for others."""
MOST_AT_ONCE = 256
"""Answers that are written beside each other; the configuration's `max_num_seqs` may say less."""


class Server:
    """Token ids in, token ids out; the methods and their names are what verl calls."""

    def __init__(self, model_config: Any, config: Any, replica_rank: int) -> None:
        self._config = config
        model: Any = omega_conf_to_dataclass(model_config)
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            model.local_path, dtype=torch.float32, trust_remote_code=model.trust_remote_code
        )
        self._end = _ends(model.generation_config, model.tokenizer)
        self._pad = next(i for i in (model.tokenizer.pad_token_id, *self._end) if i is not None)
        self._random = torch.Generator().manual_seed(config.seed + replica_rank)
        self._step: int | None = None
        self._fresh: set[str] = set()
        self._waiting: asyncio.Queue[tuple[Request, asyncio.Future[TokenOutput]]] = asyncio.Queue()
        self._work: asyncio.Task[None] | None = None

    async def host(self) -> str:
        """Address of its machine."""
        return str(ray.util.get_node_ip_address())

    async def generate(
        self,
        prompt_ids: Sequence[int],
        sampling_params: Mapping[str, Any],
        request_id: str,  # noqa: ARG002 - verl's signature
        **media: Any,
    ) -> TokenOutput:
        """The answer to one prompt.

        Raises:
            ValueError: images or other media; a sampling parameter that is not known; a prompt that fills the context.
        """
        if given := sorted(name for name, value in media.items() if value is not None):
            raise ValueError(f"the rollout on a CPU reads text only, and gets {', '.join(given)}")
        request = Request(list(prompt_ids), Sampling.of(sampling_params, self._room(len(prompt_ids))))
        if self._work is None:
            self._work = asyncio.create_task(self._serve())
        future: asyncio.Future[TokenOutput] = asyncio.get_running_loop().create_future()
        await self._waiting.put((request, future))
        return await future

    async def load(self, weights: dict[str, Tensor]) -> None:
        """Take over some of the weights.

        Raises:
            ContractError: a name or a shape that the model does not have.
        """
        own = self._model.state_dict()
        for name, tensor in weights.items():
            if name not in own or own[name].shape != tensor.shape:
                raise ContractError(f"the training sends `{name}` {tuple(tensor.shape)}, which the rollout has not")
            own[name].copy_(tensor)
        self._fresh |= weights.keys()

    async def loaded(self, step: int | None) -> None:
        """All weights of a step have come.

        Raises:
            ContractError: some have not.
        """
        own = self._model.state_dict()
        fresh = {own[name].data_ptr() for name in self._fresh}  # tied weights have two names and one place
        if stale := sorted(name for name, tensor in own.items() if tensor.data_ptr() not in fresh):
            raise ContractError(f"the training sent no weights for {len(stale)} tensors, such as `{stale[0]}`")
        self._fresh.clear()
        self._step = step

    async def set_global_steps(self, global_steps: int) -> None:
        """Name the step of the weights."""
        self._step = global_steps

    async def abort_all_requests(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Nothing is cut short."""
        return {"aborted_count": 0, "request_ids": []}

    async def nothing(self, *_: Any, **__: Any) -> None:
        """It never sleeps, keeps nothing between requests and is not profiled."""

    wake_up = sleep = clear_kv_cache = release_kv_cache = resume_kv_cache = nothing
    resume_generation = start_profile = stop_profile = nothing

    def _room(self, prompt: int) -> int:
        """Tokens that an answer may have: verl's rule for its own engines."""
        context: int = self._config.max_model_len or self._model.config.max_position_embeddings
        if prompt >= context:
            raise ValueError(f"a prompt of {prompt} tokens leaves no room for an answer in a context of {context}")
        length: int = self._config.response_length
        limits: list[int] = [length, self._config.prompt_length + length - prompt, context - prompt]
        return max(1, min(limits))

    async def _serve(self) -> None:
        """Answer what waits, batch after batch. A failure is each request's of its batch."""
        most = min(MOST_AT_ONCE, self._config.max_num_seqs)
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(GATHER_SECONDS)
            while len(batch) < most and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            work = asyncio.to_thread(self._answers, [request for request, _ in batch])
            (result,) = await asyncio.gather(work, return_exceptions=True)
            for place, (_, future) in enumerate(batch):
                if isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    future.set_result(self._told(result[place]))

    def _answers(self, requests: list[Request]) -> list[Answer]:
        return answers(self._model, requests, end=self._end, pad=self._pad, random=self._random)

    def _told(self, answer: Answer) -> TokenOutput:
        return TokenOutput(
            token_ids=answer.tokens,
            log_probs=answer.logprobs,
            stop_reason="completed",
            extra_fields={"global_steps": self._step},
        )


def _ends(generation: GenerationConfig | None, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer: those of the generation settings and the tokenizer's own."""
    named = generation.eos_token_id if generation is not None else None
    listed = named if isinstance(named, list) else [named]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if token is not None)
