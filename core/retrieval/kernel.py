"""Compiled loops of BM25 search: scores summed term by term over blocks of documents, the best k kept in a heap.

Legend: Q queries, K hits kept a query, N documents, P postings, T terms.
A block's scores fit in the second-level cache; a heap keeps the worst of the kept hits on top.
"""

import numba
import numpy as np

BLOCK = 1 << 15
GROUP = 16


@numba.njit(cache=True, nogil=True)
def _worse(score_a, document_a, score_b, document_b):  # type: ignore[no-untyped-def]
    """Whether hit a ranks behind hit b: lower score, or the same score and a higher number."""
    return score_a < score_b or (score_a == score_b and document_a > document_b)


@numba.njit(cache=True, nogil=True)
def _sink(scores, documents, size, score, document):  # type: ignore[no-untyped-def]
    """Put a hit in the place of the top one and restore the heap."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and _worse(scores[child + 1], documents[child + 1], scores[child], documents[child]):
            child += 1
        if _worse(score, document, scores[child], documents[child]):
            break
        scores[at], documents[at] = scores[child], documents[child]
        at = child
    scores[at], documents[at] = score, document


@numba.njit(cache=True, nogil=True)
def _rise(scores, documents, at, score, document):  # type: ignore[no-untyped-def]
    """Add a hit at the end of the heap and restore it."""
    while at > 0:
        parent = (at - 1) // 2
        if not _worse(score, document, scores[parent], documents[parent]):
            break
        scores[at], documents[at] = scores[parent], documents[parent]
        at = parent
    scores[at], documents[at] = score, document


@numba.njit(cache=True, nogil=True)
def _sort(scores, documents, size):  # type: ignore[no-untyped-def]
    """Turn a heap into a list, best first."""
    for last in range(size - 1, 0, -1):
        score, document = scores[last], documents[last]
        scores[last], documents[last] = scores[0], documents[0]
        _sink(scores, documents, last, score, document)


@numba.njit(cache=True, nogil=True)
def _add_block(postings, impacts, cursor, ends, weights, low, high, sums):  # type: ignore[no-untyped-def]
    """Add the postings of documents in [low, high) to `sums`; moves the cursors on; whether there was any."""
    touched = False
    for term in range(len(cursor)):
        at, end, weight = cursor[term], ends[term], weights[term]
        while at < end and postings[at] < high:
            sums[postings[at] - low] += weight * impacts[at]
            at += 1
        touched |= at != cursor[term]
        cursor[term] = at
    return touched


@numba.njit(cache=True, nogil=True)
def _keep_best(sums, low, k, size, scores, documents):  # type: ignore[no-untyped-def]
    """Move the sums of a block that belong to the best k into the heap and clear the rest; the heap's new size."""
    for group in range(0, len(sums), GROUP):
        best = np.float32(0)
        for i in range(group, group + GROUP):
            best = max(best, sums[i])
        if best > 0 and (size < k or best > scores[0]):
            for i in range(group, group + GROUP):
                if sums[i] > 0 and size < k:
                    _rise(scores, documents, size, sums[i], low + i)
                    size += 1
                elif sums[i] > scores[0] and size == k:
                    _sink(scores, documents, k, sums[i], low + i)
        for i in range(group, group + GROUP):
            sums[i] = 0
    return size


@numba.njit(cache=True, nogil=True)
def search(indptr, postings, impacts, num_documents, query_indptr, terms, weights, k, scores_QK, documents_QK, found_Q):  # type: ignore[no-untyped-def]
    """Fill the best k of every query, best first; `found_Q` says how many there are.

    indptr [T+1], postings [P] ascending inside a term, impacts [P]; the terms of query q and how often it
    holds each are terms and weights [query_indptr[q] : query_indptr[q+1]].
    """
    sums = np.zeros(BLOCK, np.float32)
    for q in range(len(query_indptr) - 1):
        mine = terms[query_indptr[q] : query_indptr[q + 1]]
        cursor, ends = indptr[mine], indptr[mine + 1]
        size = 0
        for low in range(0, num_documents, BLOCK):
            if _add_block(
                postings, impacts, cursor, ends, weights[query_indptr[q] : query_indptr[q + 1]], low, low + BLOCK, sums
            ):
                size = _keep_best(sums, low, k, size, scores_QK[q], documents_QK[q])
        _sort(scores_QK[q], documents_QK[q], size)
        found_Q[q] = size


@numba.njit(cache=True, nogil=True)
def scatter(terms, starts, documents, values, out_documents, out_values):  # type: ignore[no-untyped-def]
    """Sort postings by term, keeping the order of documents: `starts` [T] is where each term's postings go next."""
    for i in range(len(terms)):
        at = starts[terms[i]]
        out_documents[at], out_values[at] = documents[i], values[i]
        starts[terms[i]] = at + 1
