"""Score a system against judgements; nothing that did not really happen becomes a number.

run.trec          the hits, best first
per_query.jsonl   {"query_id", measure: score, …}, one judged query a line
scores.json       {"measures": means, "queries": …, "missing": …}

With `rewrites` or a `rewriter` these are of the rewritten queries (or, with `fuse`, of both together), and beside them:
original/         the same three of the original queries; rewritten/ where both are fused
rewrites.json     the scores of each way, and each against the original, paired query by query
rewrites.jsonl    what a `rewriter` made of the queries, and prompts/ beside it; see core.llm.rewriting.files
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from core import artifact
from core.artifact import Work
from core.errors import ContractError, GateFailed
from core.eval import measures, rewritten
from core.eval.names import parse
from core.eval.recipe import AskEngine, Expectation, Recipe, RunFile, SearchIndex
from core.formats import beir, trec
from core.llm.rewriting import files, template
from core.retrieval.spec import Backend, Hybrid, Method
from core.types import Hit, Qrels, Query, Run

log = logging.getLogger(__name__)

SHOWN = 3


def run(recipe: Recipe, work: Work) -> None:
    """Index or run, queries and judgements -> scores."""
    qrels = beir.read_qrels(recipe.data, recipe.split)
    ways = {
        way: {query_id: _kept(query_id, hits, recipe) for query_id, hits in found.items()}
        for way, found in _ways(recipe, qrels, work).items()
    }
    everything = {id_: [hit for found in ways.values() for hit in found.get(id_, ())] for id_ in _ids(ways.values())}
    _check_queries_meet(everything, qrels)
    _check_documents_meet(everything, qrels, recipe)
    *_, own = ways
    scored = {
        way: _write(work.path if way == own else work.path / way, recipe, qrels, found) for way, found in ways.items()
    }
    work.stats |= scored[own].scores
    if "rewrites" in work.stats:
        work.stats["rewrites"] |= _compared(recipe, scored)
        artifact.write_json(work.path / "rewrites.json", work.stats["rewrites"])


class _Scored(NamedTuple):
    per_query: dict[str, dict[str, float]]
    scores: dict[str, Any]


def _write(folder: Path, recipe: Recipe, qrels: Qrels, found: Run) -> _Scored:
    """The scores of a run, written to `folder` with it."""
    names = [parse(name) for name in recipe.measured()]
    per_query = measures.per_query(names, qrels, found)
    scores = {
        "measures": {str(name): sum(row[str(name)] for row in per_query.values()) / len(per_query) for name in names},
        "queries": len(per_query),
        "missing": sum(not found.get(query_id) for query_id in qrels),
    }
    folder.mkdir(exist_ok=True)
    trec.write_run(folder / "run.trec", found, tag="dr")
    with (folder / "per_query.jsonl").open("wb") as rows:
        rows.writelines(orjson.dumps({"query_id": id_, **row}) + b"\n" for id_, row in per_query.items())
    artifact.write_json(folder / "scores.json", scores)
    return _Scored(per_query, scores)


def _compared(recipe: Recipe, scored: Mapping[str, _Scored]) -> dict[str, Any]:
    """The scores of every way to search, and whether they differ by more than luck."""
    found = rewritten.contrasts({way: each.per_query for way, each in scored.items()}, recipe.seed)
    return {
        "scores": {way: each.scores["measures"] for way, each in scored.items()},
        "contrasts": {way: {name: c.as_dict() for name, c in row.items()} for way, row in found.items()},
    }


def _ids(runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(query_id for run in runs for query_id in run))


def gate(recipe: Recipe) -> None:
    """Hold the finished scores against `expect`.

    Raises:
        GateFailed: a score misses.
    """
    scores = read_scores(recipe.out)["measures"]
    misses = [text for name, wanted in recipe.expect.items() if (text := _miss(name, scores[name], wanted))]
    if misses:
        raise GateFailed(
            "; ".join(misses),
            where=str(recipe.out / "scores.json"),
            hint="`diff` this manifest.json with the last good one: recipe, inputs, versions",
        )


def read_scores(folder: Path) -> dict[str, Any]:
    """The scores of a finished evaluation."""
    scores: dict[str, Any] = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return scores


def _miss(name: str, score: float, wanted: float | Expectation) -> str | None:
    match wanted:
        case Expectation(value=value, tolerance=tolerance):
            if abs(score - value) > tolerance:
                return f"{name} is {score:.4f}, the recipe expects {value} (tolerance {tolerance})"
        case floor:
            if score < floor:
                return f"{name} is {score:.4f}, the recipe expects at least {floor}"
    return None


def _kept(query_id: str, hits: list[Hit], recipe: Recipe) -> list[Hit]:
    if recipe.ignore_identical_ids:
        hits = [hit for hit in hits if hit.document_id != query_id]
    return hits[: recipe.depth]


def _ways(recipe: Recipe, qrels: Qrels, work: Work) -> dict[str, dict[str, list[Hit]]]:
    """All hits by the way they were found, the evaluation's own last; at least one more than `depth` of each query
    where its own document may be taken out."""
    match recipe.system:
        case RunFile(path=path):
            return {"": trec.read_run(path)}
        case AskEngine(engine=spec):
            from core.remote.engine import RemoteEngine

            queries = _queries(recipe, qrels)
            with RemoteEngine(spec) as engine:
                engine.check()  # before a rewriter is paid
                asked = _asked(recipe, queries, spec.deaf, work)
                found = engine.search(list(chain(*asked.values())), recipe.depth + recipe.ignore_identical_ids)
                work.stats["engine"] = engine.facts()
            return _by_way(recipe, queries, asked, [[Hit(d.id, score) for d, score in row] for row in found])
        case SearchIndex() as system:
            from core.retrieval.index import open_index

            queries = _queries(recipe, qrels)
            _check_corpus(recipe.data, system.path)
            opened = open_index(system.path, task=system.task)
            method = system.method or opened.methods[0]
            _warn_of_shallow_fusion(recipe, opened.spec, method)
            asked = _asked(recipe, queries, [method], work)
            texts, depth = list(chain(*asked.values())), recipe.depth + recipe.ignore_identical_ids
            return _by_way(
                recipe, queries, asked, opened.search(texts, depth, method=system.method, alpha=system.alpha)
            )


def _queries(recipe: Recipe, qrels: Qrels) -> list[Query]:
    """Those that are judged."""
    return [query for query in beir.read_queries(recipe.data) if query.id in qrels]


def _by_way(
    recipe: Recipe, queries: Sequence[Query], ways: Iterable[str], rows: Iterable[list[Hit]]
) -> dict[str, dict[str, list[Hit]]]:
    """The hits of all queries one way, then of all of them the next, by way; and fused."""
    hits = iter(rows)
    found = {way: {query.id: next(hits) for query in queries} for way in ways}
    if recipe.fuse:
        before, after = found.values()
        depth = recipe.depth + recipe.ignore_identical_ids
        found[rewritten.FUSED] = rewritten.together_by_rank(before, after, depth)
    return found


def _asked(recipe: Recipe, queries: Sequence[Query], deaf: Sequence[str], work: Work) -> dict[str, list[str]]:
    """What is searched with: the queries, and what they were rewritten to; `work` gets facts of these.

    `deaf` names who takes operators for words.

    Raises:
        ContractError: other queries were rewritten, or they hold operators that are words to the engine.
        Missing: the rewriter's model is not there; what it answered before is kept.
    """
    original = [query.text for query in queries]
    if recipe.rewrites is not None:
        folder = recipe.rewrites
        work.stats["rewrites"] = facts = rewritten.facts(folder)
        template.refuse_operators(facts["prompts"], deaf, str(folder))
    elif recipe.rewriter is not None:
        folder, prompts = work.path, recipe.rewriter.prompts
        template.refuse_operators(template.load(prompts).facts(), deaf, prompts)
        work.stats["rewrites"] = files.make(recipe.rewriter, queries, folder, work.logs)
    else:
        return {"": original}
    return {rewritten.ORIGINAL: original, rewritten.REWRITTEN: rewritten.texts(folder, queries)}


def _warn_of_shallow_fusion(recipe: Recipe, spec: Backend, method: Method) -> None:
    deepest = max(parse(name).cutoff or recipe.depth for name in recipe.measured())
    if method == "hybrid" and isinstance(spec, Hybrid) and deepest > spec.depth:
        log.warning(
            "a measure looks at %d hits, the hybrid index fuses %d candidates of each leg: `backend.depth` says more",
            deepest,
            spec.depth,
        )


def _check_corpus(data: Path, index: Path) -> None:
    """Judgements of one corpus say nothing of another, even where ids happen to be the same."""
    mine, its = (artifact.read(path) for path in (data, index))
    if mine["files"][beir.CORPUS]["sha256"] != its["stats"]["corpus"]:
        raise ContractError(
            "the index was built from another corpus than the judgements are for",
            where=str(index),
            hint=f"it was built from {its['inputs']['data']['path']} as it was then; build it again from {data}",
        )


def _check_queries_meet(found: Run, qrels: Qrels) -> None:
    if not any(grade > 0 for judged in qrels.values() for grade in judged.values()):
        raise GateFailed("no judgement has a grade above 0: every score would be a silent zero")
    if not found.keys() & qrels.keys():
        raise GateFailed(
            "no judged query is among those that were answered: every score would be a silent zero",
            hint=f"judged: {_some(qrels)}; answered: {_some(found)}. Are these the same set and split?",
        )


def _check_documents_meet(found: Run, qrels: Qrels, recipe: Recipe) -> None:
    """Stop when no returned id is in the corpus: then the index and the judgements are of different collections."""
    returned = {hit.document_id for hits in found.values() for hit in hits}
    if not returned:
        raise GateFailed("no query has a single hit: every score would be a silent zero", hint="is it the right index?")
    if any(document_id in returned for judged in qrels.values() for document_id in judged):
        return
    corpus = (document.id for document in beir.read_documents(recipe.data))
    seen: list[str] = []
    for document_id in corpus:
        if document_id in returned:
            return
        seen += [document_id] if len(seen) < SHOWN else []
    raise GateFailed(
        "no returned document is in the corpus: every score would be a silent zero",
        hint=f"corpus: {_some(seen)}; returned: {_some(returned)}. Was the index built from this data?",
    )


def _some(ids: Any) -> str:
    return ", ".join(repr(id_) for id_ in sorted(ids)[:SHOWN])
