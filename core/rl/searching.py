"""The search that the reward asks, a running server or one of our own; and whether the index has the documents."""

import contextlib
import http.client
import json
import logging
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core import address, artifact, process
from core.errors import ContractError, Missing, ProcessFailed
from core.llm.rewriting import template
from core.process import Command
from core.remote.spec import AnyEngine
from core.retrieval.store import DocumentStore
from core.reward import truth
from core.reward.parts.spec import Ndcg, Ranking, Recall, RecallTiers
from core.reward.sample import Sample
from core.reward.spec import Retriever, Reward
from core.rl.spec import Rewarded

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
STARTUP_SECONDS = 600
MAX_QUEUE = 8192
"""Queries that wait in our own server at most, where the reward does not send more at once."""
LEAST_TOP_K = 1000
ENGINE_QUERIES = 64
"""Queries of one request where an engine of others is behind it: what it finds comes back, and is kept, in parts."""
ENGINE_QUEUE = 16
"""Requests of so many that may wait before one: a public engine takes a few queries a second."""
ENGINE_RETRIES = 2
"""Further tries there: our own server has asked the engine again already."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def serving(recipe: Rewarded, logs: Path) -> Iterator[tuple[Reward, Callable[[], None]]]:
    """The reward with the address of its retriever, and what raises when a server of our own has ended.

    Raises:
        Missing: our own server does not start, or ends on the way.
    """
    if recipe.index is None and recipe.engine is None:
        yield recipe.reward, process.nothing
        return
    port = address.free(HOST, 0)
    url = address.url(HOST, port)
    logs.mkdir(exist_ok=True)
    reward = _patient(recipe.reward, recipe.engine) if recipe.engine else recipe.reward
    artifact.write_json(logs / "search.yaml", _service(recipe, reward.retriever, port))
    # By the command line, as a person would start it: stages do not know each other.
    command = Command((sys.executable, "-m", "cli.main", "serve", "retrieval", str(logs / "search.yaml")))
    log.info("starting the search service over %s", recipe.engine.service if recipe.engine else recipe.index)
    own_log = logs / "search.log"
    try:
        with process.service(command, own_log, ready=f"{url}/health", timeout_seconds=STARTUP_SECONDS) as running:
            own = reward.retriever.model_copy(update={"url": f"{url}/retrieve", "token_env": ()})
            yield reward.model_copy(update={"retriever": own}), running.check
    except ProcessFailed as failed:
        if failed.where != str(own_log):  # another program of ours, such as the language model's server
            raise
        hint = failed.hint or "no score was made of it; the answers so far are kept, run it again"
        raise Missing(f"the search service ended: {failed.what}", where=failed.where, hint=hint) from None


def check_operators(recipe: Rewarded, prompts: Mapping[str, Any] | None) -> None:
    """Stop where the prompts want AND, OR and NOT, and what is searched takes those for words.

    `prompts`: name and digest of the template that the queries are asked with; None: nobody knows. Of a server that is
    only named by its address nobody knows what it parses either.

    Raises:
        ContractError: so it is.
    """
    if prompts is None:
        return
    facts = {"boolean": template.writes_operators(prompts["digest"]), **prompts}
    if recipe.engine:
        template.refuse_operators(facts, recipe.engine.deaf, recipe.engine.url)
    elif recipe.index:
        template.refuse_operators(facts, ["an index of ours"], str(recipe.index))


def check_ids(recipe: Rewarded, samples: Sequence[Sample]) -> dict[str, Any] | None:
    """How many documents the ground truths name, and how many of them the index lacks; None: nobody can tell.

    Raises:
        ContractError: it lacks more than the recipe allows.
    """
    if not any(isinstance(part, RecallTiers | Recall | Ndcg) for part in recipe.reward.parts):
        return None
    if recipe.engine:
        log.warning("whether %s has the documents of the ground truth is not checked", recipe.engine.service)
        return None
    index = recipe.index or _index_of(recipe.reward.retriever)
    if index is None:
        log.warning("nobody tells which index is behind %s: whether it has the documents of the ground truth is not "
                    "checked (`index:` names it)", recipe.reward.retriever.url)  # fmt: skip
        return None
    store = DocumentStore(index / "documents")
    known = [sample for sample in samples if not truth.is_empty(sample)]
    named = {id_: sample for sample in known for id_ in truth.documents(sample)}
    missing = [id_ for id_ in named if store.number(id_) is None]
    share = len(missing) / len(named) if named else 0.0
    if share > recipe.most_missing_ids:
        shown = ", ".join(repr(id_) for id_ in missing[:3])
        raise ContractError(
            f"the index lacks {len(missing):,} of {len(named):,} documents of the ground truth ({share:.1%}): {shown}",
            where=str(index),
            hint="is it the index of this data? no rewriting finds them; most_missing_ids=0.01 allows one in a hundred",
        )
    return {"index": str(index), "named": len(named), "missing": len(missing)}


def _service(recipe: Rewarded, retriever: Retriever, port: int) -> dict[str, Any]:
    """The recipe of our own server: it takes whatever the reward and the tool ask."""
    deepest = max([part.k for part in recipe.reward.parts if isinstance(part, Ranking)], default=1)
    most = max(deepest, LEAST_TOP_K)
    searched: dict[str, Any] = {"index": str(recipe.index.absolute())} if recipe.index else {}
    if recipe.engine:
        searched = {"engine": recipe.engine.model_dump(mode="json")}
        most = min(most, recipe.engine.deepest or most)
    return {
        "stage": "serve",
        **searched,
        "host": HOST,
        "port": port,
        "max_top_k": most,
        "max_queries": retriever.max_queries,
        "max_queue": max(retriever.max_queries, MAX_QUEUE),
        "query_max_characters": retriever.query_max_characters,
    }


def _patient(reward: Reward, engine: AnyEngine) -> Reward:
    """The reward with as much patience as an engine of others needs."""
    seconds = 60 / engine.rate if engine.rate else engine.timeout_seconds / engine.concurrency
    # Twice: texts may be a request of their own.
    longest = engine.give_up_seconds + 2 * seconds * ENGINE_QUERIES * ENGINE_QUEUE
    retriever = reward.retriever
    update = {
        "max_queries": min(retriever.max_queries, ENGINE_QUERIES),
        "timeout_seconds": max(retriever.timeout_seconds, longest),
        "give_up_seconds": max(retriever.give_up_seconds, 2 * longest),
        "retries": min(retriever.retries, ENGINE_RETRIES),
    }
    return reward.model_copy(update={"retriever": retriever.model_copy(update=update)})


def _index_of(retriever: Retriever) -> Path | None:
    """The index behind a running `dr serve`, where it tells and it lies on this machine; None otherwise."""
    parts = urlsplit(retriever.url)
    tokens = [value for name in retriever.token_env if (value := os.environ.get(name, "").strip())]
    headers = {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}
    try:
        asked = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/health", headers=headers)  # noqa: S310 - http, by the scorer
        with _DIRECT.open(asked, timeout=retriever.timeout_seconds) as reply:
            told = json.load(reply)["index"]
        path, documents = Path(told["path"]), int(told["documents"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None  # another protocol; one that is not there is told when it is asked
    there = (path / "documents" / "ids.txt").is_file()
    return path if there and len(DocumentStore(path / "documents")) == documents else None
