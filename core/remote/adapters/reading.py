"""Reading the JSON of an engine: dotted paths, ids, texts and scores."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from core.remote.faults import ServiceRefused, Unreadable
from core.types import Document

Found = tuple[Document, float]
"""A document with its score."""

_SHOWN = 80


def parsed(answer: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        Unreadable: it is none: a proxy's page, half an answer.
    """
    try:
        return json.loads(answer)
    except ValueError:
        raise Unreadable(f"no JSON: {answer[:_SHOWN].decode('utf-8', 'replace')!r}") from None


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path, in which a number counts in a list; None: nothing does. Empty: the value."""
    for name in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def items(value: Any, path: str, service: str) -> list[Any]:
    """The list of documents at `path`.

    Raises:
        ServiceRefused: there is none.
    """
    found = at(value, path)
    if not isinstance(found, list):
        raise foreign(service, f"no list at `{path}`", value)
    return found


def document(item: Any, service: str, *, id_at: str, title_at: str | None, text_at: str | None) -> Document:
    """A document of the answer.

    Raises:
        ServiceRefused: it has no id.
    """
    id_ = at(item, id_at)
    if not isinstance(id_, str | int) or not (key := _words(id_)):
        raise foreign(service, f"a document without id at `{id_at}`", item)
    title, text = (_words(at(item, path)) if path else "" for path in (title_at, text_at))
    return Document(key, text, title)


def score(item: Any, path: str, service: str) -> float:
    """The score at `path`.

    Raises:
        ServiceRefused: there is no number.
    """
    found = at(item, path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise foreign(service, f"a document without number at `{path}` (`score: null` where there is none)", item)
    return float(found)


def ranked(documents: Sequence[Document], scores: Sequence[float] | None = None) -> list[Found]:
    """Documents in the engine's order with scores that fall with it, each once: its best.

    Where there is no score, or it rises (a distance), 1/rank stands for it: to us more is better.
    """
    if scores is None or any(after > before for before, after in pairwise(scores)):
        scores = [1 / rank for rank in range(1, len(documents) + 1)]
    best: dict[str, Found] = {}
    for found in zip(documents, scores, strict=True):
        best.setdefault(found[0].id, found)
    return list(best.values())


def foreign(service: str, what: str, value: Any) -> ServiceRefused:
    """For an answer of another shape than the recipe says."""
    hint = f"it begins {json.dumps(value, ensure_ascii=False)[: _SHOWN * 3]}: compare the paths in the recipe with it"
    return ServiceRefused(f"the answer of {service} has {what}", hint=hint)


def _words(value: Any) -> str:
    """A text, several as lines; what is none is empty."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(_words, value)))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "replace").decode()  # half a character in the JSON cannot be passed on
