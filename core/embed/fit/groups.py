"""How the texts of a step, sorted by length, are cut into groups that go through the model together.

A group is padded to its longest text, and every group costs something besides its tokens: the calls into the kernels,
and the gradient of the token embeddings, which is written anew for the whole vocabulary. Measured in tokens, forward
and backward of all-MiniLM-L6-v2 on one CPU core: an empty step takes as long as 50 of the tokens in groups of 256 and
more (43 ms beside 0.75 ms each). A GPU takes 5 to 15 ms to be told of such a step, in which it could compute ten
thousand tokens of that model; the number for it is an estimate by that arithmetic.
"""

from collections.abc import Sequence

import numpy as np

CPU_OVERHEAD, GPU_OVERHEAD = 64, 8192
"""Tokens that a group more costs."""


def sizes(lengths: Sequence[int], *, overhead: int, most: int | None = None) -> list[int]:
    """Sizes of successive groups of texts whose `lengths` fall.

    Those with the least cost, where a group costs `overhead` and the length of its longest text for every text.
    `most` bounds what is held in memory at a time: a group is of so many texts at most, and, padding counted, of no
    more tokens than so many texts have on average, or else the group of the longest ones would need a multiple of it.
    """
    longest_T = np.asarray(lengths)
    tokens = longest_T.mean() * most if most is not None and len(lengths) else np.inf
    costs, starts = np.zeros(len(lengths) + 1), np.zeros(len(lengths) + 1, int)
    for end in range(1, len(lengths) + 1):
        first = max(0, end - most) if most is not None else 0
        padded = (end - np.arange(first, end)) * longest_T[first:end]
        cost = costs[first:end] + overhead + padded
        cost[:-1][padded[:-1] > tokens] = np.inf  # a text alone may have more
        best = int(cost.argmin())
        costs[end], starts[end] = cost[best], first + best
    found, end = [], len(lengths)
    while end:
        found.append(end - int(starts[end]))
        end = int(starts[end])
    return found[::-1]
