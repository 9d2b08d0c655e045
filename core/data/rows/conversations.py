"""Conversations as items: the last answer is what a model should write, and perhaps holds a ground truth."""

import re

from core.data.rows.item import Item
from core.formats.messages import USER, conversation
from core.formats.rows import Row


def item(row: Row, truth: re.Pattern[str] | None) -> Item:
    """The item of a row.

    Raises:
        BadRow: it holds no conversation that ends in an answer.
    """
    messages = conversation(row)
    *prompt, answer = messages
    first = next(message.content for message in prompt if message.role == USER)
    found = truth.findall(answer.content) if truth else []
    return Item(
        where=row.where,
        question=prompt[-1].content,
        prompt=tuple(prompt),
        answer=answer.content,
        truth=found[-1].strip() if found else "",
        kin=(first,),
    )
