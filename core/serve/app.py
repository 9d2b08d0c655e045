"""The service: `POST /retrieve`, `/rewrite`, `/v1/embeddings` and `/similarity`, `GET /health` and `/v1/models`."""

import contextlib
import gc
import hmac
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from core import artifact
from core.address import listen, url
from core.errors import Missing
from core.serve.asking import Gone
from core.serve.journal import Entry, Journal
from core.serve.listen import Server
from core.serve.protocol import Question
from core.serve.recipe import Recipe
from core.serve.refused import Body, OpenAIRefused, Refused
from core.serve.rewriting import Wording
from core.serve.service import Service
from core.serve.vectors import Comparison, Wish

log = logging.getLogger(__name__)

ROUTES = "POST /retrieve, POST /v1/embeddings, POST /similarity, POST /rewrite, GET /v1/models and GET /health"

Answering = Callable[[bytes, Entry, Gone], Awaitable[bytes]]
"""From the body of a request to that of its answer."""


def run(recipe: Recipe) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish what is under way and return.

    Raises:
        UsageError: the port is taken, the index is no index, or the recipe does not fit it.
        Missing: the token's variable is not set, or the model is not there.
    """
    with listen(recipe.host, recipe.port) as sock:
        service, app = create(recipe)
        # What is loaded stays: left in the collector's reach, it costs a pause of 60 ms every thousand requests.
        gc.collect()
        gc.freeze()
        greeting = _greeting(recipe, url(*sock.getsockname()[:2]), service)
        Server(app, lambda: log.info("%s", greeting)).run([sock])


def create(recipe: Recipe) -> tuple[Service, FastAPI]:
    """The service with all open and tried once, and its routes; cheap checks come first."""
    artifact.check_inputs(recipe)
    token = _token(recipe)
    with contextlib.ExitStack() as on_failure:
        journal = Journal(recipe.log_path, with_queries=recipe.log_queries)
        on_failure.callback(journal.close)
        service = Service(recipe)
        on_failure.pop_all()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with contextlib.closing(journal):
            async with service.open():
                yield

    # Its pages of documentation name the index: not for everybody where a token is asked for.
    docs = None if token else "/openapi.json"
    app = FastAPI(title="dr serve", description=service.summary, lifespan=lifespan, openapi_url=docs)
    _routes(service, _Door(service, journal, token, recipe.max_body_bytes), app)
    return service, app


class _Door:
    """What every request passes on its way in and out."""

    def __init__(self, service: Service, journal: Journal, token: bytes | None, max_bytes: int) -> None:
        self._service, self._journal, self._token, self._max_bytes = service, journal, token, max_bytes

    async def answer(self, request: Request, route: str, answer: Answering) -> Response:
        """What `answer` makes of the body, or its refusal; counted and noted."""
        entry = Entry(route)
        try:
            _check_token(request, self._token)
            body = await _body(request, self._max_bytes)
            response = _json(await answer(body, entry, request.is_disconnected))
        except Refused as refused:
            response = _refusal(refused, route)
        self._service.statuses[response.status_code] += 1
        self._journal.write(entry, response.status_code)
        return response

    def health(self, request: Request) -> Response:
        """Only whether it lives, for one who has no token."""
        entry = Entry("/health")
        body = self._service.health() if _has_token(request, self._token) else self._service.pulse()
        response = _json(body, 200 if self._service.running else 500)
        self._journal.write(entry, response.status_code)
        return response


def _routes(service: Service, door: _Door, app: FastAPI) -> None:
    @app.post("/retrieve", openapi_extra=_schema(Question))
    async def retrieve(request: Request) -> Response:
        """The best documents of each query."""
        return await door.answer(request, "/retrieve", lambda *asked: service.search.answer(*asked))

    @app.post("/rewrite", openapi_extra=_schema(Wording))
    async def rewrite(request: Request) -> Response:
        """Each query in better words, by a language model."""
        return await door.answer(request, "/rewrite", lambda body, entry, _: service.rewrite.answer(body, entry))

    @app.post("/v1/embeddings", openapi_extra=_schema(Wish))
    async def embeddings(request: Request) -> Response:
        """The vector of each text, as OpenAI's clients read it."""
        return await door.answer(request, "/v1/embeddings", lambda *asked: service.model.embeddings(*asked))

    @app.post("/similarity", openapi_extra=_schema(Comparison))
    async def similarity(request: Request) -> Response:
        """The cosine of each pair: its first text gets the query prompt, its second the document prompt."""
        return await door.answer(request, "/similarity", lambda *asked: service.model.similarity(*asked))

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        """The model that `/v1/embeddings` has."""
        return await door.answer(request, "/v1/models", lambda *_: service.model.models())

    @app.get("/health")
    async def health(request: Request) -> Response:
        """What is served, and how it fares."""
        return door.health(request)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        refused = Refused(error.status_code, f"{request.method} {request.url.path}: there are {ROUTES}")
        return _refusal(refused, request.url.path)


def _schema(kind: type[Body]) -> dict[str, Any]:
    """Shown at /docs. The body is read by us: any content type will do, and every refusal is one sentence."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": kind.model_json_schema()}}}}


def _refusal(refused: Refused, route: str) -> Response:
    """In OpenAI's shape on OpenAI's routes."""
    said = OpenAIRefused.of(refused) if route.startswith("/v1/") else refused
    return _json(said.body(), said.status, said.headers)


def _json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, "application/json")


def _check_token(request: Request, token: bytes | None) -> None:
    """Raises Refused (401) when a token is needed and not given."""
    if not _has_token(request, token):
        sentence = "this server needs the header `Authorization: Bearer` with its token"
        raise Refused(401, sentence, {"WWW-Authenticate": "Bearer"})


def _has_token(request: Request, token: bytes | None) -> bool:
    """Whether the request may ask. Takes equally long for every wrong token."""
    if token is None:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), token)


async def _body(request: Request, max_bytes: int) -> bytes:
    """Raises Refused when the body is too long (413), or its sender went away (499)."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:
                raise Refused(413, f"the body has more than {max_bytes:,} bytes (this server's `max_body_bytes`)")
    except ClientDisconnect:
        raise Refused(499, "the client went away") from None
    return bytes(body)


def _token(recipe: Recipe) -> bytes | None:
    if recipe.token_env is None:
        return None
    token = os.environ.get(recipe.token_env, "").strip()
    if not token:
        raise Missing(
            f"`token_env`: the environment variable {recipe.token_env} is not set",
            hint=f'export {recipe.token_env}="$(openssl rand -hex 32)"',
        )
    return token.encode()


def _greeting(recipe: Recipe, address: str, service: Service) -> str:
    token = f' -H "Authorization: Bearer ${recipe.token_env}"' if recipe.token_env else ""
    path, body = service.example
    return f"serving {service.summary} at {address}, for example: curl -s {address}{path}{token} -d '{body}'"
