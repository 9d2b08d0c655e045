"""Rewritten queries on disk.

rewrites.jsonl     {"query_id", "query", "rewritten", "fallback", "sample"}, in the order of the queries; `fallback`
                   says why the query stands as it was, null: it is rewritten
prompts/           the template, without which the model cannot be asked the same again
"""

import logging
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from core.llm.rewriting import template as templates
from core.llm.rewriting.asking import ask_all
from core.llm.rewriting.rewrite import Rewritten
from core.llm.rewriting.spec import Rewriter
from core.llm.usage import Usage
from core.types import Query

REWRITES = "rewrites.jsonl"
PROMPTS = "prompts"

log = logging.getLogger(__name__)


def make(rewriter: Rewriter, queries: Sequence[Query], folder: Path, logs: Path, *, samples: int = 1) -> dict[str, Any]:
    """Rewrite `queries` into `folder`; goes on with the answers in `logs`. Facts of what was done, for a manifest.

    Raises:
        Missing: the service is not there, or its response is none; what it answered before is kept.
        BudgetReached: a cap is met; likewise.
    """
    facts: dict[str, Any] = {}

    def told(usage: Usage) -> None:
        log.info("%s", usage)
        facts["llm"] = usage.stats()

    template = templates.load(rewriter.prompts)
    texts = [query.text for query in queries]
    rewrites = ask_all(rewriter, template, texts, logs, samples=samples, told=told)
    with (folder / REWRITES).open("wb") as file:
        for number, done in enumerate(rewrites):
            made = row(queries[number // samples], done) | {"sample": number % samples}
            file.write(orjson.dumps(made, option=orjson.OPT_APPEND_NEWLINE))
    shutil.rmtree(folder / PROMPTS, ignore_errors=True)  # of a run that was stopped
    template.prompts.write(folder / PROMPTS)
    facts |= {"queries": len(queries), "prompts": template.facts(), **_counted(rewrites)}
    _tell(facts)
    return facts


def row(query: Query, done: Rewritten) -> dict[str, object]:
    """A line of rewrites.jsonl."""
    return {"query_id": query.id, "query": done.query, "rewritten": done.rewritten, "fallback": done.fallback}


def _counted(rewrites: Sequence[Rewritten]) -> dict[str, object]:
    fallbacks = Counter(done.fallback for done in rewrites if done.fallback)
    return {
        "rewrites": len(rewrites),
        "changed": sum(done.rewritten != done.query for done in rewrites),
        "fallbacks": dict(sorted(fallbacks.items())),
        "fallback_share": fallbacks.total() / len(rewrites),
    }


def _tell(facts: dict[str, Any]) -> None:
    """Say how many queries stand as they were because the answer could not be used."""
    log.info("%d of %d rewrites differ from their query", facts["changed"], facts["rewrites"])
    if facts["fallbacks"]:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in facts["fallbacks"].items())
        log.warning("%.1f %% of the answers could not be used (%s): the original query stands there, see `fallback` in "
                    "%s", 100 * facts["fallback_share"], reasons, REWRITES)  # fmt: skip
