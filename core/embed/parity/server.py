"""A server that embeds texts, as OpenAI's interface has it: `POST /v1/embeddings`, `GET /v1/models`."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import ContractError, Missing, UsageError
from core.llm.endpoint import Endpoint, resolve
from core.llm.spec import OpenAI
from core.retrieval.encoder import Vectors

TIMEOUT_SECONDS = 300
BATCH_SIZE = 32


class Server:
    """One model on one server."""

    def __init__(self, endpoint: Endpoint, name: str, *, prompts_itself: bool) -> None:
        self._endpoint, self._name, self._prompts_itself = endpoint, name, prompts_itself

    @classmethod
    def at(cls, url: str, name: str | None) -> "Server":
        """The model `name` on the server at `url`, with or without `/v1`; None: its only one.

        Raises:
            Missing: it does not answer.
            UsageError: `url` is no address, there is no such model, or there are several and none is named.
        """
        base = url.strip().rstrip("/").removesuffix("/embeddings").rstrip("/").removesuffix("/v1")
        endpoint = resolve(OpenAI(type="openai", base_url=f"{base}/v1"))
        models = {str(m["id"]): m.get("owned_by") for m in _list(_ask(endpoint, "models", None), "data", endpoint)}
        if name is None and len(models) != 1:
            hint = f"--name one of {', '.join(models)}" if models else "--name says which is asked for"
            raise UsageError(f"the server has {len(models)} models, and none is named", where=endpoint.shown, hint=hint)
        chosen = name or next(iter(models))
        # OpenAI's interface knows no prompts: other servers embed what they are sent, ours puts the model's in front.
        return cls(endpoint, chosen, prompts_itself=models.get(chosen) == "dr")

    @property
    def shown(self) -> str:
        """Its address, without secrets."""
        return self._endpoint.shown

    def embed(self, texts: Sequence[str], kind: str, prompt: str) -> Vectors:
        """[len(texts), dimension] vectors as the server gives them.

        Raises:
            Missing: it does not answer, or refuses.
            ContractError: its answer is none.
        """
        sent = list(texts) if self._prompts_itself else [prompt + text for text in texts]
        told = {"input_type": kind} if self._prompts_itself else {}
        rows: list[Any] = []
        for start in range(0, len(sent), BATCH_SIZE):
            part = sent[start : start + BATCH_SIZE]
            answer = _ask(self._endpoint, "embeddings", {"model": self._name, "input": part, **told})
            data = sorted(_list(answer, "data", self._endpoint), key=lambda row: int(row.get("index", 0)))
            if len(data) != len(part):
                raise ContractError(f"{len(part)} texts were sent, {len(data)} vectors came back", where=self.shown)
            rows += [row.get("embedding") for row in data]
        try:
            vectors = np.array(rows, np.float32)
        except (ValueError, TypeError):
            raise ContractError(
                "the answer holds something else than vectors of one length", where=self.shown
            ) from None
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise ContractError("the answer holds something else than vectors of numbers", where=self.shown)
        return vectors


def _ask(endpoint: Endpoint, path: str, body: dict[str, Any] | None) -> Any:
    """The JSON that the server answers; without a proxy where it is on this machine."""
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    data = None if body is None else json.dumps(body).encode()
    url = f"{endpoint.base_url}/{path}"
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - the address is http or https
    proxies = urllib.request.ProxyHandler({}) if endpoint.is_loopback else urllib.request.ProxyHandler()
    try:
        with urllib.request.build_opener(proxies).open(request, timeout=TIMEOUT_SECONDS) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            said = endpoint.without_secrets(error.read(500).decode(errors="replace"))
        raise Missing(f"the server answers {error.code}: {said}", where=f"{endpoint.shown}/{path}") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        why = getattr(error, "reason", error)
        hint = "is it running? Such as `vllm serve MODEL`, or `dr serve`"
        raise Missing(f"the server does not answer: {why}", where=f"{endpoint.shown}/{path}", hint=hint) from None
    except ValueError:
        raise ContractError("the server's answer is no JSON", where=f"{endpoint.shown}/{path}") from None


def _list(answer: Any, name: str, endpoint: Endpoint) -> list[dict[str, Any]]:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ContractError(f"the server's answer has no list `{name}`", where=endpoint.shown)
    return found
