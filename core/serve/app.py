"""The search service: `POST /retrieve` and `GET /health`."""

import contextlib
import gc
import hmac
import logging
import os
from collections.abc import AsyncIterator, Mapping

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from core import artifact
from core.address import listen, url
from core.errors import Missing
from core.retrieval.index import open_index
from core.serve.desk import Desk
from core.serve.journal import Entry, Journal
from core.serve.listen import Server
from core.serve.protocol import Question, Refused
from core.serve.recipe import Recipe

log = logging.getLogger(__name__)

SCHEMA = {"requestBody": {"required": True, "content": {"application/json": {"schema": Question.model_json_schema()}}}}
"""Shown at /docs. The body is read by us: any content type will do, and every refusal is one sentence."""


def run(recipe: Recipe) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish what is under way and return.

    Raises:
        UsageError: the port is taken, the index is no index, or the recipe does not fit it.
        Missing: the token's variable is not set, or the model is not there.
    """
    with listen(recipe.host, recipe.port) as sock:
        app = create(recipe)
        # What is loaded stays: left in the collector's reach, it costs a pause of 60 ms every thousand requests.
        gc.collect()
        gc.freeze()
        Server(app, lambda: log.info("%s", _greeting(recipe, url(*sock.getsockname()[:2]), app.description))).run(
            [sock]
        )


def create(recipe: Recipe) -> FastAPI:
    """The service with its index open and searched once; cheap checks come first."""
    artifact.read(recipe.index, ("index",))
    token = _token(recipe)
    with contextlib.ExitStack() as on_failure:
        journal = Journal(recipe.log_path, with_queries=recipe.log_queries)
        on_failure.callback(journal.close)
        desk = Desk(recipe, open_index(recipe.index, task=recipe.task_desc))
        on_failure.pop_all()
    return _routes(desk, journal, token, recipe.max_body_bytes)


def _routes(desk: Desk, journal: Journal, token: bytes | None, max_bytes: int) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with contextlib.closing(journal):
            async with desk.engine:
                yield

    # Its pages of documentation name the index: not for everybody where a token is asked for.
    docs = None if token else "/openapi.json"
    app = FastAPI(title="dr serve", description=desk.summary, lifespan=lifespan, openapi_url=docs)

    @app.post("/retrieve", openapi_extra=SCHEMA)
    async def retrieve(request: Request) -> Response:
        """The best documents of each query."""
        entry = Entry("/retrieve")
        try:
            _check_token(request, token)
            body = await _body(request, max_bytes)
            response = _json(await desk.answer(body, entry, request.is_disconnected))
        except Refused as refused:
            response = _json(refused.body(), refused.status, refused.headers)
        desk.statuses[response.status_code] += 1
        journal.write(entry, response.status_code)
        return response

    @app.get("/health")
    async def health(request: Request) -> Response:
        """What is served, and how it fares; only whether it lives, for one who has no token."""
        entry = Entry("/health")
        body = desk.health() if _has_token(request, token) else desk.pulse()
        response = _json(body, 200 if desk.engine.running else 500)
        journal.write(entry, response.status_code)
        return response

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        sentence = f"{request.method} {request.url.path}: there are POST /retrieve and GET /health"
        return _json(Refused(error.status_code, sentence).body(), error.status_code, error.headers)

    return app


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


def _greeting(recipe: Recipe, address: str, summary: str) -> str:
    token = f' -H "Authorization: Bearer ${recipe.token_env}"' if recipe.token_env else ""
    example = f'curl -s {address}/retrieve{token} -d \'{{"queries": ["单位净值"]}}\''
    return f"serving {summary} at {address}, for example: {example}"
