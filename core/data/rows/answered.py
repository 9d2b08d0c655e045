"""Questions with answers in words as items, for whoever answers them, and for whoever searches their evidence."""

from typing import Any

import orjson

from core.data.rows.choice import CONTEXT, EXPLANATION, QUESTION, first_text
from core.data.rows.item import Item, tagged
from core.formats import values
from core.formats.fields import find_text
from core.formats.prompts import Prompts
from core.formats.rows import BadRow, Row

NAMES = ("question",)
"""What a template must have."""
MORE_NAMES = ("context",)
"""What it may have."""

ANSWERS = ("golden_answers", "answers", "answer", "target", "label")


def answer_item(row: Row, prompts: Prompts) -> Item:
    """The item of a row whose question is to be answered; the first answer is the one to imitate.

    Raises:
        BadRow: it has no question or no answer.
    """
    question, answers, context = values.query(row, find_text(row, QUESTION)), _answers(row), first_text(row, CONTEXT)
    return Item(
        where=row.where,
        question=question,
        prompt=prompts.fill(question=question, context=context),
        answer=tagged(first_text(row, EXPLANATION), answers[0]),
        truth=_truth(answers),
        kin=tuple(filter(None, (f"{context}\n{question}".strip(), context))),
    )


def evidence_item(row: Row, prompts: Prompts) -> Item:
    """The item of a row whose question is to be rewritten, so that a passage with an answer is found early.

    Raises:
        BadRow: it has no question or no answer.
    """
    question = values.query(row, find_text(row, QUESTION))
    return Item(
        where=row.where,
        question=question,
        prompt=prompts.fill(query=question),
        answer="",
        truth=_truth(_answers(row)),
        kin=(question,),
    )


def _truth(answers: list[str]) -> str:
    return orjson.dumps({"target": answers}).decode()


def _answers(row: Row) -> list[str]:
    """The answers, each of them right: a text, a number, a list, SQuAD's `{"text": […]}`, TriviaQA's aliases."""
    name = find_text(row, ANSWERS)
    answers = list(dict.fromkeys(text.strip() for text in _texts(row.fields[name]) if text.strip()))
    if not answers:
        what = f"`{name}` is {str(row.fields[name])[:80]!r}: no answer in words"
        hint = f"a text, or a list of texts, each of them right; the field may be named {', '.join(ANSWERS)}"
        raise BadRow("bad answer", what, where=row.where, row=row.fields, hint=hint)
    return answers


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case bool() | None:
            return []
        case int() | float():
            return [str(value)]
        case list():
            return [text for item in value for text in _texts(item)]
        case {"value": str(first), "aliases": list(others)}:
            return [first, *_texts(others)]
        case {"text": inner} | {"target": inner}:
            return _texts(inner)
    return []
