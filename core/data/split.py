"""Judged queries dealt out to train, dev and test."""

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from core.data.recipe import Split
from core.errors import DataError
from core.types import Qrels


def deal(qrels: Qrels, how: Split, seed: int, alike: Mapping[str, str] = MappingProxyType({})) -> dict[str, Qrels]:
    """The judgements of every split; queries in their given order. The same for the same queries, shares and seed.

    alike: document -> the one that stands for it and all its near-duplicates.

    Raises:
        DataError: a split gets no query.
    """
    groups = [[query] for query in qrels] if how.by == "query" else bound_together(qrels, alike)
    split_of = _deal_groups(groups, how.shares(), seed)
    dealt: dict[str, dict[str, dict[str, int]]] = {name: {} for name in how.shares()}
    for query, judged in qrels.items():
        dealt[split_of[query]][query] = dict(judged)
    for name, of_split in dealt.items():
        if not of_split:
            largest = max(map(len, groups), default=0)
            raise DataError(
                f"the split `{name}` gets no query: {len(qrels)} are judged, {largest} of them hang together",
                where=f"split.{name}",
                hint=f"give more judged queries, set `split.{name}` to 0, or split by query",
            )
    return dict(dealt)


def bound_together(qrels: Qrels, alike: Mapping[str, str] = MappingProxyType({})) -> list[list[str]]:
    """Queries in groups: two are in one when a document that is relevant to some query is judged for both.

    So no document that is relevant in one group is judged, with any grade, in another; nor is one that is `alike`.
    """
    one = {document: alike.get(document, document) for judged in qrels.values() for document in judged}
    relevant = {one[document] for judged in qrels.values() for document, grade in judged.items() if grade > 0}
    parent = {query: query for query in qrels}

    def root(query: str) -> str:
        while parent[query] != query:
            parent[query] = query = parent[parent[query]]  # path halving
        return query

    first: dict[str, str] = {}
    for query, judged in qrels.items():
        for document in relevant.intersection(one[document] for document in judged):
            parent[root(query)] = root(first.setdefault(document, query))
    groups: dict[str, list[str]] = {}
    for query in qrels:
        groups.setdefault(root(query), []).append(query)
    return list(groups.values())


def _deal_groups(groups: Sequence[Sequence[str]], shares: dict[str, float], seed: int) -> dict[str, str]:
    """Largest groups first, each to the split that lacks most of its share."""
    order = sorted(groups, key=min)
    random.Random(seed).shuffle(order)  # noqa: S311 - a shuffle, not a secret
    order.sort(key=len, reverse=True)
    total = sum(map(len, groups))
    lacks = {name: share * total for name, share in shares.items()}
    split_of: dict[str, str] = {}
    for group in order:
        name = max(lacks, key=lambda name: lacks[name])
        lacks[name] -= len(group)
        split_of |= dict.fromkeys(group, name)
    return split_of
