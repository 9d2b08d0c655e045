"""BM25 over an inverted index of precomputed impacts, memory-mapped.

score(q, d) = sum over the terms t of q of  count(t, q) · w(t) · idf(t) · tf / (tf + k1 · (1 − b + b · |d| / mean |d|))
idf(t) = ln(1 + (N − n + 0.5) / (n + 0.5)),  tf = min(occurrences, tf_cap),  w(t) = lexicon_weight for a lexicon word

Source: Robertson and Zaragoza 2009 (doi:10.1561/1500000019), idf and missing (k1 + 1) as in Lucene's BM25Similarity.

    index.json      the options, the analyzer's contract, counts
    terms.npy       [T] 64-bit hashes of the terms, ascending: a term's number is its rank
    indptr.npy      [T + 1] where a term's postings begin
    postings.npy    [P] document numbers, ascending inside a term
    impacts.npy     [P] what each posting adds to the score
"""

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from core import artifact, progress
from core.errors import DataError, DrError
from core.retrieval.arrays import open_array
from core.retrieval.spec import Bm25, Scored
from core.retrieval.store import DocumentStore
from core.text import analyzer as analyzers

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]

QUERIES_A_THREAD = 8
"""Fewer queries than this are not worth a second thread."""


def build(store: DocumentStore, spec: Bm25, path: Path) -> dict[str, Any]:
    """Write the index of all documents in `store`; return its counts.

    Raises:
        DataError: no document has a term under this analyzer.
    """
    path.mkdir(parents=True, exist_ok=True)
    analyzer = analyzers.from_spec(spec.analyzer)
    counts = _Counts()
    for document in progress.track(store, "bm25: count terms", len(store)):
        counts.add(analyzer.terms(document.contents))
    if not counts.vocabulary:
        raise DataError(f"no document has a term under the analyzer `{spec.analyzer.type}`", hint="choose another one")
    stats = {
        "documents": len(store),
        "terms": len(counts.vocabulary),
        "postings": len(counts.terms),
        "mean_length": sum(counts.lengths) / len(counts.lengths),
        "documents_without_terms": sum(length == 0 for length in counts.lengths),
    }
    _write_postings(counts, spec, analyzer.lexicon, path)
    options = spec.model_dump(mode="json", exclude={"analyzer"})
    artifact.write_json(path / "index.json", {"options": options, "analyzer": analyzer.contract, "stats": stats})
    return stats


class _Counts:
    """Term frequencies of documents in the order they are added."""

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}
        self.terms, self.frequencies = array("i"), array("i")
        self.sizes, self.lengths = array("i"), array("i")
        """Distinct terms and all terms of each document."""

    def add(self, terms: list[str]) -> None:
        counted = Counter(terms)
        vocabulary = self.vocabulary
        self.terms.extend([vocabulary.setdefault(term, len(vocabulary)) for term in counted])
        self.frequencies.extend(counted.values())
        self.sizes.append(len(counted))
        self.lengths.append(len(terms))


def _write_postings(counts: _Counts, spec: Bm25, lexicon: frozenset[str], path: Path) -> None:
    hashes = np.fromiter(map(_hash, counts.vocabulary), np.uint64, len(counts.vocabulary))
    order = np.argsort(hashes)
    if (hashes[order][1:] == hashes[order][:-1]).any():
        raise DrError("two terms of this corpus share a 64-bit hash", hint="report it: nobody has seen this yet")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    terms = rank[np.frombuffer(counts.terms, np.int32)]
    weights = np.where([word in lexicon for word in counts.vocabulary], spec.lexicon_weight, 1.0)[order]
    frequency = np.bincount(terms, minlength=len(order))
    indptr = np.concatenate([[0], np.cumsum(frequency)]).astype(np.int64)
    documents = np.repeat(np.arange(len(counts.sizes), dtype=np.int32), np.frombuffer(counts.sizes, np.int32))
    values = _impacts(counts, spec, terms, documents, frequency, weights)
    postings, impacts = np.empty_like(documents), np.empty_like(values)
    _kernel().scatter(terms, indptr[:-1].copy(), documents, values, postings, impacts)
    np.save(path / "terms.npy", hashes[order])
    np.save(path / "indptr.npy", indptr)
    np.save(path / "postings.npy", postings)
    np.save(path / "impacts.npy", impacts)


def _impacts(
    counts: _Counts,
    spec: Bm25,
    terms: Numbers,
    documents: Numbers,
    frequency: Integers,
    weights: npt.NDArray[np.float64],
) -> Floats:
    """[P] what each posting adds to a score, in the order the postings were counted."""
    lengths = np.frombuffer(counts.lengths, np.int32).astype(np.float64)
    tf = np.frombuffer(counts.frequencies, np.int32).astype(np.float64)
    if spec.tf_cap is not None:
        tf = np.minimum(tf, spec.tf_cap)
    saturation = spec.k1 * (1 - spec.b + spec.b * lengths / lengths.mean())
    idf = np.log(1 + (len(lengths) - frequency + 0.5) / (frequency + 0.5))
    impacts: Floats = ((weights * idf)[terms] * tf / (tf + saturation[documents])).astype(np.float32)
    return impacts


def load(path: Path) -> "Bm25Leg":
    """Open what `build` wrote."""
    return Bm25Leg(path)


class Bm25Leg:
    """An opened BM25 index."""

    def __init__(self, path: Path) -> None:
        self.facts: dict[str, Any] = json.loads((path / "index.json").read_text(encoding="utf-8"))
        self.analyzer = analyzers.from_contract(self.facts["analyzer"])
        self._hashes: npt.NDArray[np.uint64] = open_array(path / "terms.npy")
        self._indptr: Integers = open_array(path / "indptr.npy")
        self._postings: Numbers = open_array(path / "postings.npy")
        self._impacts: Floats = open_array(path / "impacts.npy")

    @property
    def contract(self) -> dict[str, Any]:
        """The analyzer's."""
        return dict(self.facts["analyzer"])

    def set_task(self, task: str) -> None:
        """Terms are the same whatever the task is."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Scored]]:
        """The best `k` documents of each query with a score above 0, best first, ties by document number."""
        if not queries:
            return []
        k = min(k, self.facts["stats"]["documents"])
        indptr, terms, weights = self._parse(queries)
        scores = np.zeros((len(queries), k), np.float32)
        documents = np.zeros((len(queries), k), np.int32)
        found = np.zeros(len(queries), np.int64)

        search = _kernel().search

        def part(first: int, last: int) -> None:
            search(
                self._indptr,
                self._postings,
                self._impacts,
                self.facts["stats"]["documents"],
                indptr[first : last + 1],
                terms,
                weights,
                k,
                scores[first:last],
                documents[first:last],
                found[first:last],
            )

        _in_parts(part, len(queries))
        return [
            list(zip(row_d[:n].tolist(), row_s[:n].tolist(), strict=True))
            for row_d, row_s, n in zip(documents, scores, found, strict=True)
        ]

    def _parse(self, queries: Sequence[str]) -> tuple[Integers, Integers, Floats]:
        """The known terms of all queries, how often each occurs, and where each query's begin."""
        counted = [Counter(self.analyzer.terms(query)) for query in queries]
        hashes = np.array([_hash(term) for terms in counted for term in terms], np.uint64)
        ranks = np.searchsorted(self._hashes, hashes)
        known = self._hashes[np.minimum(ranks, len(self._hashes) - 1)] == hashes
        weights = np.array([count for terms in counted for count in terms.values()], np.float32)
        lengths = np.array([len(terms) for terms in counted], np.int64)
        owner = np.repeat(np.arange(len(queries)), lengths)[known]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(queries)))])
        return indptr.astype(np.int64), ranks[known].astype(np.int64), weights[known]


def _kernel() -> Any:
    """The compiled loops; imported with the first use, because numba takes five times as long as opening an index."""
    from core.retrieval import kernel

    return kernel


def _hash(term: str) -> int:
    return xxhash.xxh3_64_intdigest(term.encode())


def _in_parts(work: Callable[[int, int], None], size: int) -> None:
    """Call `work(first, last)` over [0, size) in as many threads as there are processors and enough queries."""
    threads = max(1, min(_processors(), size // QUERIES_A_THREAD))
    edges = [size * i // threads for i in range(threads + 1)]
    if threads == 1:
        return work(0, size)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))
    return None


def _processors() -> int:
    """How many this process may use; macOS cannot tell more than how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
