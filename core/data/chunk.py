"""Long documents in pieces, cut between sentences."""

from collections.abc import Iterator
from dataclasses import replace

from core.data.recipe import Chunk
from core.text.sentences import sentences
from core.types import Document


def pieces(document: Document, how: Chunk) -> list[Document]:
    """The document itself when it fits, else its pieces `id#1`, `id#2`, …, with its id in their metadata."""
    if len(document.text.strip()) <= how.max_characters:
        return [document]
    return [
        replace(
            document,
            id=f"{document.id}#{number}",
            text=text,
            metadata={**document.metadata, "chunk_of": document.id, "chunk": number},
        )
        for number, text in enumerate(filter(None, _packed(document.text, how)), 1)
    ]


def _packed(text: str, how: Chunk) -> Iterator[str]:
    """As many whole sentences as fit, again and again, each time beginning with the last ones of before."""
    held: list[str] = []
    for sentence in _short_enough(text, how.max_characters):
        if held and _length(held) + len(sentence) > how.max_characters:
            yield "".join(held).strip()
            held = _overlap(held, how.overlap_sentences, how.max_characters - len(sentence))
        held.append(sentence)
    yield "".join(held).strip()


def _short_enough(text: str, most: int) -> Iterator[str]:
    for sentence in sentences(text):
        if len(sentence) <= most:
            yield sentence
            continue
        body = sentence.rstrip()
        yield from filter(str.strip, (body[start : start + most] for start in range(0, len(body), most)))


def _overlap(held: list[str], count: int, room: int) -> list[str]:
    tail = held[len(held) - count :] if count < len(held) else held[:]
    while tail and _length(tail) > room:
        tail.pop(0)
    return tail


def _length(parts: list[str]) -> int:
    return sum(map(len, parts))
