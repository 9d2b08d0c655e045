"""`POST /v1/chat/completions`, `GET /v1/models` and `GET /health`, until SIGTERM or Ctrl-C."""

import contextlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from core.llm.local import protocol
from core.llm.local.batches import Batches, Limits, Overloaded, Unanswerable
from core.llm.local.generate import generate
from core.llm.local.loading import Loaded
from core.llm.local.protocol import Refused

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 << 20
RETRY_AFTER_SECONDS = 1
GRACE_SECONDS = 10
"""How long a batch under way may take after a stop; then it is ended with its next token."""

Answering = Callable[[Request], Awaitable[bytes]]


class Server(uvicorn.Server):
    """Answers until a signal, then finishes what is under way; ends as after any work done."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=60,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """First signal: finish; second: at once. Not raised anew at the end, as uvicorn would."""
        log.info("stopping")
        self.force_exit = self.should_exit
        self.should_exit = True


def create(loaded: Loaded, name: str, limits: Limits, key: bytes | None) -> FastAPI:
    """The routes over a loaded model, which answers under `name`; `key` is what callers must send."""
    batches, created = Batches(partial(generate, loaded), limits), int(time.time())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with batches:
            yield

    async def complete(request: Request) -> bytes:
        wish = protocol.read(await _body(request))
        if wish.model not in {None, name}:
            what = f"the model `{wish.model}` does not exist: this server has `{name}`"
            raise Refused(404, what, code="model_not_found", field="model")
        asked = protocol.prompts(wish, loaded)
        return protocol.answer(wish, asked, await batches.ask(asked, request.is_disconnected), name)

    async def models(_: Request) -> bytes:
        return protocol.models(name, created, loaded.max_tokens)

    app = FastAPI(title="dr serve llm", lifespan=lifespan, openapi_url=None)

    @app.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        return await _answered(request, complete, key)

    @app.get("/v1/models")
    async def list_models(request: Request) -> Response:
        return await _answered(request, models, key)

    @app.get("/health")
    async def health(_: Request) -> Response:
        return _json(b'{"status": "ok"}') if batches.running else _json(b'{"status": "failed"}', 500)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        there = "there are POST /v1/chat/completions, GET /v1/models and GET /health"
        return _refusal(Refused(error.status_code, f"{request.method} {request.url.path}: {there}"))

    return app


async def _answered(request: Request, answering: Answering, key: bytes | None) -> Response:
    """What `answering` makes of a request, or its refusal."""
    try:
        _check_key(request, key)
        return _json(await answering(request))
    except Refused as refused:
        return _refusal(refused)
    except Overloaded:
        wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return _refusal(Refused(503, "too many requests wait: try again later", headers=wait))
    except Unanswerable as error:
        return _refusal(Refused(500, str(error)))


def _check_key(request: Request, key: bytes | None) -> None:
    """Raises Refused (401) when a key is needed and not given. Takes equally long for every wrong one."""
    if key is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), key):
        sentence = "this server needs the header `Authorization: Bearer` with its key"
        raise Refused(401, sentence, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


async def _body(request: Request) -> bytes:
    """Raises Refused when the body is too long (413), or its sender went away (499)."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise Refused(413, f"the body has more than {MAX_BODY_BYTES:,} bytes")
    except ClientDisconnect:
        raise Refused(499, "the client went away") from None
    return bytes(body)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _refusal(refused: Refused) -> Response:
    return Response(refused.body(), refused.status, dict(refused.headers), "application/json")
