"""`dr rewrite`: one query to two lines, many to JSON lines, a recipe to an artifact."""

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import orjson

from cli import console, dispatch
from cli.shelf import find
from cli.stages import STAGES
from core.errors import Missing, UsageError

log = logging.getLogger(__name__)

STDIN = Path("-")
RETRIES = 2
"""Further tries of one query that somebody waits for."""


def refuse(why: str, **options: object) -> None:
    """Raises UsageError for the first of `options` that was given, and says why it has no place here."""
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name.replace('_', '-')} has no place here: {why}")


def make(path: Path, overrides: list[str], *, dry_run: bool, force: bool, as_json: bool) -> None:
    """Run a recipe."""
    dispatch.run(STAGES["rewrite"], find(path), overrides, dry_run=dry_run, force=force, as_json=as_json)


def of_recipe(path: Path, overrides: list[str]) -> Any:
    """The model and the prompts of a recipe."""
    from core.recipe import load

    return load(find(path), STAGES["rewrite"].recipe_model(), overrides)


def rewriter(api_url: str | None, model: str | None, domain: str | None, api_key_env: str | None) -> Any:
    """The model and the prompts that the options name.

    Raises:
        UsageError: no such domain, or nobody says which of the server's models is meant.
        Missing: the key's variable is not set.
    """
    from pydantic import ValidationError

    from core.llm.rewriting.spec import DEFAULT_URL, Rewriter

    server: dict[str, Any] = {"type": "openai", "base_url": api_url or DEFAULT_URL}
    if api_key_env is not None:
        if not os.environ.get(api_key_env, "").strip():
            raise Missing(f"the environment variable {api_key_env} is not set: it holds the key")
        server["api_key_env"] = (api_key_env,)
    if model is not None:
        server["model"] = model
    try:
        made = Rewriter.model_validate({"llm": {"server": server}, "prompts": domain or "general"})
    except ValidationError as error:
        raise UsageError(f"--domain {domain}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    return made if model is not None else _with_its_model(made)


def _with_its_model(rewriter: Any) -> Any:
    """The same with the model that the server has; where it does not tell, asking will say why."""
    from core.llm.endpoint import resolve
    from core.llm.wire import Wire, session

    async def names() -> list[str]:
        endpoint = resolve(rewriter.llm.server)
        async with session(endpoint, rewriter.llm.timeout_seconds) as http:
            return await Wire(rewriter.llm, endpoint, http).models()

    known = asyncio.run(names())
    if len(known) > 1:
        raise UsageError("the server has several models", hint=f"--model NAME, one of {', '.join(known)}")
    server = rewriter.llm.server.model_copy(update={"model": known[0]} if known else {})
    return rewriter.model_copy(update={"llm": rewriter.llm.model_copy(update={"server": server})})


def one(rewriter: Any, query: str, *, as_json: bool) -> None:
    """Print a query and what it is rewritten to; a fallback is told on stderr."""
    _check_text(query)
    patient = rewriter.llm.model_copy(update={"retries": min(rewriter.llm.retries, RETRIES)})
    [(_, done)] = asyncio.run(_listed(_rewritten(rewriter.model_copy(update={"llm": patient}), [query])))
    if done.fallback:
        log.warning("the answer could not be used (%s): the original query stands", done.fallback)
    if as_json:
        return console.emit_json(query=done.query, rewritten=done.rewritten, fallback=done.fallback)
    return console.emit(f"Original query: {done.query}\nRewritten query: {done.rewritten}")


def many(rewriter: Any, file: Path | None) -> None:
    """Print a JSON line for each query of a file, or of stdin, in their order, as soon as it is known."""
    queries = _queries(file)
    counts = asyncio.run(_print(rewriter, queries))
    if fallbacks := counts.total():
        reasons = ", ".join(f"{count} × {reason}" for reason, count in counts.most_common())
        share = 100 * fallbacks / len(queries)
        log.warning("%d of %d answers (%.1f %%) could not be used (%s): the original query stands there",
                    fallbacks, len(queries), share, reasons)  # fmt: skip


def _queries(file: Path | None) -> Sequence[Any]:
    from core.rewrite import questions

    if file is not None and file != STDIN:
        queries = questions.of_file(file)
    elif file is None and sys.stdin.isatty():
        raise UsageError("there is nothing to rewrite", hint="--query TEXT, --file FILE, lines on stdin, or a recipe")
    else:
        queries = list(questions.of_lines(sys.stdin.buffer, "stdin"))
    if not queries:
        raise UsageError("there is no query to rewrite", where=str(file or "stdin"))
    return queries


async def _print(rewriter: Any, queries: Sequence[Any]) -> Counter[str]:
    """Print what becomes of the queries; counts the fallbacks by reason."""
    from core.llm.rewriting.files import row

    fallbacks: Counter[str] = Counter()
    early: dict[int, Any] = {}
    due = 0
    async with contextlib.aclosing(_rewritten(rewriter, [query.text for query in queries])) as asked:
        async for number, done in asked:
            early[number] = done
            fallbacks.update([done.fallback] if done.fallback else [])
            while due in early:
                console.emit(orjson.dumps(row(queries[due], early.pop(due))).decode())
                due += 1
    return fallbacks


async def _rewritten(rewriter: Any, queries: Sequence[str]) -> AsyncGenerator[tuple[int, Any], None]:
    """Number and rewrite of each query, as they come; nothing is kept."""
    from core.llm.rewriting.asking import ask
    from core.llm.rewriting.template import load

    template = load(rewriter.prompts)
    with tempfile.TemporaryDirectory(prefix="dr-rewrite-") as folder:
        async with contextlib.aclosing(ask(rewriter, template, queries, Path(folder))) as asked:
            async for place in asked:
                yield place


async def _listed(items: AsyncGenerator[tuple[int, Any], None]) -> list[tuple[int, Any]]:
    return [item async for item in items]


def _check_text(query: str) -> None:
    """Raises UsageError for a blank query, and one that is not UTF-8 (Python then smuggles its bytes in)."""
    if not query.strip():
        raise UsageError("the query is empty", hint="give words to rewrite")
    if any("\ud800" <= character <= "\udfff" for character in query):
        raise UsageError("the query is not UTF-8", hint="set the terminal's encoding to UTF-8")
