"""What a model wrote: read tolerantly for its answer, strictly for its form. Standard library only.

The contract is `<think>…</think><answer>{"query": "…"}</answer>`. `read` takes what can be used and says why there is
nothing; `form` says whether the contract was kept. Neither ever raises, whatever the text.
"""

import json
import math
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

BOX = ("<|box_start|>", "<|box_end|>")
"""Marks around a final answer: special tokens of Qwen's tokenizers, which trainers strip; `\\boxed{}` stays."""

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""In the order in which they stand."""

_SPECIAL = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|<｜[^<>｜]{1,40}｜>|</?s>|<(?:eos|bos|pad|unk|start_of_turn|end_of_turn|end_of_text)>"
)
_OPEN = re.compile(r"<\s{0,3}answer\s{0,3}>", re.IGNORECASE)
_CLOSE = re.compile(r"<\s{0,3}/\s{0,3}answer\s{0,3}>", re.IGNORECASE)
_THINK = re.compile(r"<\s{0,3}think\s{0,3}>", re.IGNORECASE)
_THOUGHT = re.compile(r"<\s{0,3}/\s{0,3}think\s{0,3}>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$|^[ \t]*```json\b|```[ \t]*$", re.MULTILINE)
_LATEX_BOX = re.compile(r"\\boxed\{([^{}]*)\}")
_QUOTES = "\"“”„＂'‘’＇"
_END = re.compile(rf"[{_QUOTES}]\s*[}}｝]")
_ESCAPES = {r"\"": '"', r"\n": "\n", r"\t": "\t", r"\\": "\\", r"\/": "/"}
_ESCAPE = re.compile(r"\\[\"nt\\/]")

_LAST_OBJECTS = 64
"""Places from the end at which an object is looked for; a text of a million braces is not read a million times."""
_DEPTH = 8
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and why the rest was not."""

    query: str | None
    """The text under the key, never blank. None: `why` says why not."""
    text: str | None
    """What stands in the last answer, as written; of an answer that is cut off, what there is. None: no answer."""
    thoughts: str
    """What stands before `</think>`, or after a `<think>` that nothing ends."""
    boxed: str | None
    """What stands in the last box of the answer, or after the thoughts. None: no box."""
    why: str
    """Empty when there is a query; else `no answer`, `cut off`, `no JSON`, `no query`, `query is no text`, …"""

    @property
    def short(self) -> str:
        """What a short true answer is compared with: the boxed text, else the query, else the whole answer."""
        return next((text for text in (self.boxed, self.query, self.text) if text), "")


@dataclass(frozen=True, slots=True)
class Form:
    """What of the contract was kept, to the letter."""

    tags: bool
    """Each tag exactly once, and in order."""
    thoughts: bool
    """`<think>` and `</think>` exactly once and in order, with something between them."""
    answer: bool
    """`<answer>` and `</answer>` exactly once and in order, with something between them."""
    query: bool
    """The last answer is nothing but a JSON object whose key holds a text that is not blank."""
    boxed: bool
    """There is a box with something in it."""
    steps: int
    """Lines that begin with `Step N:`."""


def read(text: str, *, key: str = "query", box: tuple[str, str] = BOX) -> Answer:
    """The last answer of `text`, with or without tags, fences, a prefilled `<think>` and special tokens."""
    text = without_special(_clean(text), keep=box)
    thoughts, after, open_ = _parted(text)
    found = _last_answer(after, key)
    if found is None and (open_ or _value(after, key) is _NOTHING):
        found = _last_answer(text, key)
    inner, closed = found or (None, False)
    bare = inner is None
    if inner is None:
        value = _NOTHING if open_ else _value(after, key)
        why = "cut off" if open_ or _begins_object(after, key) else "no answer"
    else:
        value = _value(inner, key)
        why = "" if closed else "cut off"
    within = after if inner is None else inner
    query, fault = _query(value, within, bare=bare)
    shown = None if inner is None else without_special(inner).strip()
    return Answer(query, shown, thoughts, boxed(within, box), "" if query is not None else why or fault)


def form(
    text: str,
    *,
    prefilled: bool = False,
    key: str = "query",
    box: tuple[str, str] = BOX,
    step_words: tuple[str, ...] = ("Step",),
) -> Form:
    """How well `text` keeps the contract. `prefilled`: the prompt already ended in `<think>`, so it is put back."""
    text = TAGS[0] + text if prefilled else text
    once = [text.count(tag) == 1 for tag in TAGS]
    places = [text.find(tag) for tag in TAGS]
    ordered = places == sorted(places)
    words = "|".join(re.escape(word) for word in step_words)
    last = _last_closed(text)
    return Form(
        tags=all(once) and ordered,
        thoughts=all(once[:2]) and bool(text[places[0] + len(TAGS[0]) : max(places[1], 0)].strip()),
        answer=all(once[2:]) and bool(text[places[2] + len(TAGS[2]) : max(places[3], 0)].strip()),
        query=last is not None and _strict_query(last, key),
        boxed=bool(boxed(text, box)),
        steps=len(
            re.findall(
                rf"^[ \t]*(?:<think>[ \t]*)?\W{{0,4}}(?:{words})\s{{0,3}}[0-9０-９]+\s{{0,3}}[:：]", text, re.MULTILINE
            )
        ),
    )


def without_special(text: str, *, keep: tuple[str, ...] = ()) -> str:
    """`text` without the tokens that end or part turns, in the spellings of common models."""
    return _SPECIAL.sub(lambda found: found[0] if found[0] in keep else "", text)


def boxed(text: str, box: tuple[str, str] = BOX) -> str | None:
    """What stands in the last box, stripped: between the two marks, or in `\\boxed{}`; None when there is none."""
    end = text.rfind(box[1])
    start = text.rfind(box[0], 0, end) if end >= 0 else -1
    if start >= 0:
        return text[start + len(box[0]) : end].strip() or None
    found = _LATEX_BOX.findall(text)
    return found[-1].strip() or None if found else None


def _clean(text: str) -> str:
    """`text` without what no request can carry: lone surrogates and zero bytes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _parted(text: str) -> tuple[str, str, bool]:
    """Thoughts, what comes after them, and whether they never end."""
    begun, ends = _THINK.search(text), list(_THOUGHT.finditer(text))
    if ends:
        start = begun.end() if begun and begun.end() <= ends[-1].start() else 0
        return _THOUGHT.sub("", text[start : ends[-1].start()]).strip(), text[ends[-1].end() :], False
    if begun:
        return text[begun.end() :].strip(), text[: begun.start()], True
    return "", text, False


def _last_answer(text: str, key: str) -> tuple[str, bool] | None:
    """The last answer that is closed or holds a whole object, else the last one begun; and whether it is closed."""
    closes = [close.start() for close in _CLOSE.finditer(text)]
    begun: tuple[str, bool] | None = None
    limit = len(text)
    for number, start in enumerate(reversed(list(_OPEN.finditer(text)))):
        place = bisect_left(closes, start.end())
        closed = place < len(closes) and closes[place] < limit
        inner = text[start.end() : closes[place] if closed else limit]
        if closed or (number < _LAST_OBJECTS and _value(inner, key) is not _NOTHING):
            return inner, closed
        begun = begun or (inner, False)
        limit = start.start()
    return begun


def _last_closed(text: str) -> str | None:
    start = text.rfind(TAGS[2])
    end = text.find(TAGS[3], start)
    return text[start + len(TAGS[2]) : end] if 0 <= start < end else None


def _strict_query(inner: str, key: str) -> bool:
    value = _loaded(inner.strip())
    return isinstance(value, dict) and isinstance(value.get(key), str) and bool(value[key].strip())


def _value(text: str, key: str) -> Any:
    """What the last object with `key` holds there; `_NOTHING` when there is no such object."""
    text = _FENCE.sub("", text).strip()
    whole = _loaded(text)
    if isinstance(whole, dict):
        return whole.get(key, _NOTHING)
    decoder, place = json.JSONDecoder(strict=False), len(text)
    for _ in range(_LAST_OBJECTS):
        place = text.rfind("{", 0, place)
        if place < 0:
            break
        try:
            found, _ = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        if key in found:
            return found[key]
    return _loose(text, key)


def _loose(text: str, key: str) -> Any:
    """The text under `key` in an object that is no JSON: full-width or single quotes, quotes inside, a line end."""
    starts = list(_key(key).finditer(text))
    for start in reversed(starts[-_LAST_OBJECTS:]):
        if end := _END.search(text, start.end()):
            return _ESCAPE.sub(lambda found: _ESCAPES[found[0]], text[start.end() : end.start()])
    return _NOTHING


def _begins_object(text: str, key: str) -> bool:
    return bool(_key(key).search(text))


def _key(key: str) -> re.Pattern[str]:
    return re.compile(rf"[{{｛]\s{{0,99}}[{_QUOTES}]{re.escape(key)}[{_QUOTES}]\s{{0,9}}[:：]\s{{0,9}}[{_QUOTES}]")


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _query(value: Any, inner: str, *, bare: bool) -> tuple[str | None, str]:
    """The query that `value` means, or None and why it means none."""
    if value is _NOTHING:
        if not inner.strip():
            return None, "no answer" if bare else "empty answer"
        return None, "no query" if "{" in inner or "｛" in inner else "no JSON"
    words = _words(value, _DEPTH)
    if words is None:
        return None, "query is no text"
    query = " ".join(without_special(_clean(words)).split())
    return (query, "") if query else (None, "query is blank")


def _words(value: Any, depth: int) -> str | None:
    """A JSON value as text: the texts of a list or an object one after the other, a number as written."""
    match value:
        case str():
            return value
        case bool() | None:
            return None
        case int() | float():
            return str(value) if math.isfinite(value) and abs(value) < 1e300 else None
        case list() | dict() if depth:
            inner = value if isinstance(value, list) else value.values()
            parts = [words for item in inner if (words := _words(item, depth - 1))]
            return " ".join(parts) if parts else None
    return None
