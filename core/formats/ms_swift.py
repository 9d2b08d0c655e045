"""ms-swift's rows for embedding models: chats of one message for each text.

InfoNCE              {"messages": [{"role": "user", "content": q}],
                      "positive_messages": [[{"role": "user", "content": d}]],
                      "negative_messages": [[{…}], [{…}]]}
cosine, contrastive  the same with `label` and without negatives

The instruction is a system message before the query. Rows have exactly one positive when written; more are read too.
"""

from collections.abc import Iterator
from typing import Any

from core.formats import values
from core.formats.lost import Lost, of_pair, of_passages
from core.formats.rows import BadRow, Row, kind_of
from core.types import Example, Pair, Passage

_USED = frozenset({"messages", "positive_messages", "negative_messages"})


def example(row: Row) -> Example:
    """The example in a row for InfoNCE.

    Raises:
        BadRow: messages of another shape, no positive, or a label.
    """
    if "label" in row.fields:
        hint = "rows of graded pairs are the format ms-swift-pairs"
        raise BadRow("wrong columns", "there is a `label`", where=row.where, row=row.fields, hint=hint)
    instruction, query = _query(row)
    values.check_positives(row, "positive_messages")
    positives, negatives = (_chats(row, name) for name in ("positive_messages", "negative_messages"))
    metadata = values.others(row, _USED)
    return Example(query, tuple(map(Passage, positives)), tuple(map(Passage, negatives)), "", instruction, metadata)


def rows(item: Example, lost: Lost) -> Iterator[dict[str, Any]]:
    """A row for each positive of an example, each with all its negatives."""
    lost["grouping"] += len(item.positives) - 1
    lost["query_id"] += bool(item.query_id)
    lost["metadata"] += bool(item.metadata)
    of_passages(item.positives + item.negatives, lost)
    messages = [{"role": "user", "content": item.query}]
    if item.instruction:
        messages.insert(0, {"role": "system", "content": item.instruction})
    negatives = [_chat(passage.contents) for passage in item.negatives]
    for passage in item.positives:
        found = {"messages": messages, "positive_messages": [_chat(passage.contents)]}
        yield found | {"negative_messages": negatives} if negatives else found


def pair(row: Row) -> Pair:
    """The pair in a row with a label.

    Raises:
        BadRow: messages of another shape, not one positive, negatives, or a label that is not from 0 to 1.
    """
    instruction, query = _query(row)
    if instruction:
        what = "there is a system message: a graded pair has no instruction"
        raise BadRow("wrong columns", what, where=row.where, row=row.fields)
    positives = _chats(row, "positive_messages")
    if len(positives) != 1 or row.fields.get("negative_messages"):
        what = "a row with a `label` needs exactly one chat in `positive_messages` and no `negative_messages`"
        raise BadRow("wrong columns", what, where=row.where, row=row.fields)
    return Pair(query, positives[0], values.share(row, "label"))


def pair_row(item: Pair, lost: Lost) -> dict[str, Any]:
    """The row of a pair."""
    of_pair(item, lost)
    return {"messages": _chat(item.query), "positive_messages": [_chat(item.document)], "label": item.label}


def _chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _query(row: Row) -> tuple[str, str]:
    """Instruction and query."""
    if "messages" not in row.fields:
        raise values.missing(row, "messages")
    found = [_message(row, "messages", message) for message in values.items(row, "messages")]
    match found:
        case [("user", query)]:
            instruction = ""
        case [("system", instruction), ("user", query)]:
            pass
        case _:
            roles = ", ".join(role for role, _ in found) or "none"
            what = f"the roles in `messages` are {roles}; user, or system and user, are needed"
            raise BadRow("wrong columns", what, where=row.where, row=row.fields)
    if not query.strip():
        raise BadRow("empty query", "the user's message in `messages` is empty", where=row.where, row=row.fields)
    return instruction, query


def _chats(row: Row, name: str) -> list[str]:
    """The text of each chat in field `name`."""
    found = []
    for place, chat in enumerate(values.items(row, name)):
        if type(chat) is not list or len(chat) != 1:
            what = f"`{name}[{place}]` is not a list of one message"
            raise BadRow("wrong columns", what, where=row.where, row=row.fields)
        _, text = _message(row, f"{name}[{place}]", chat[0])
        if not text:
            raise BadRow("missing text", f"`{name}[{place}]` is empty", where=row.where, row=row.fields)
        found.append(text)
    return found


def _message(row: Row, name: str, value: Any) -> tuple[str, str]:
    if type(value) is dict and type(role := value.get("role")) is str and type(text := value.get("content")) is str:
        return role, text
    shown = f"fields {', '.join(map(str, value))}" if type(value) is dict else kind_of(value)
    what = f"a message in `{name}` needs `role` and `content` as texts; it is {shown}"
    raise BadRow("bad text", what, where=row.where, row=row.fields)
