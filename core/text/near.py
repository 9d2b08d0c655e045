"""Near-duplicates: texts that share most of their words in the same order, found by MinHash.

Shingles of three units (Chinese characters, words) of the normal form without punctuation; Broder 1997. The library
is datasketch.
"""

import re
from collections.abc import Iterable, Iterator

import xxhash
from datasketch import MinHash, MinHashLSH

from core.text.normal import normalise
from core.text.units import units

SHINGLE = 3
"""Units in a shingle; a shorter text is one shingle."""

PERMUTATIONS = 128
"""The Jaccard similarity is estimated to about ±0.04 at 0.8."""

_MARKS = re.compile(r"[^\w]+|_+")


class Near:
    """Texts that further ones can be compared with; about 1 kB each, whatever their length."""

    def __init__(self, threshold: float) -> None:
        """`threshold`: Jaccard similarity of the shingles from which two texts are near-duplicates."""
        self._threshold = threshold
        # Missing a pair is worse than looking at one too many: each candidate's similarity is estimated anyway.
        self._tables = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, weights=(0.2, 0.8))
        self._hashes: dict[str, MinHash] = {}

    def add(self, key: str, text: str) -> None:
        """Take in a text; one without letters and digits is like no other."""
        if (hashed := _minhash(text)) is not None:
            self._hashes[key] = hashed
            self._tables.insert(key, hashed, check_duplication=False)

    def like(self, text: str) -> list[str]:
        """Keys of the texts that `text` is a near-duplicate of, in alphabetical order."""
        if (hashed := _minhash(text)) is None:
            return []
        found = self._tables.query(hashed)
        return sorted(key for key in found if self._hashes[key].jaccard(hashed) >= self._threshold)


def pairs(texts: Iterable[tuple[str, str]], threshold: float) -> Iterator[tuple[str, str]]:
    """Keys of near-duplicates among `texts` (key, text), each with every like one that came before it."""
    seen = Near(threshold)
    for key, text in texts:
        for other in seen.like(text):
            yield other, key
        seen.add(key, text)


def exact(text: str) -> int:
    """A number that texts share when they differ in case, width, punctuation and white space only.

    A text of punctuation alone shares it with its like only.
    """
    return xxhash.xxh3_64_intdigest("\0".join(_words(text) or text.split()).encode())


def _minhash(text: str) -> MinHash | None:
    words = _words(text)
    if not words:
        return None
    count = max(1, len(words) - SHINGLE + 1)
    shingles = {" ".join(words[start : start + SHINGLE]).encode() for start in range(count)}
    hashed = MinHash(num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)
    hashed.update_batch(sorted(shingles))
    return hashed


def _words(text: str) -> list[str]:
    """Chinese characters and words of the normal form, without punctuation."""
    return [unit.strip() for unit in units(_MARKS.sub(" ", normalise(text)))]
