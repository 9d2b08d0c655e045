"""A recipe with the meaning of every field above it, from the docstrings in the code that defines it."""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any

import yaml
from pydantic import BaseModel


def annotated(part: BaseModel, indent: int = 0) -> str:
    """`part` as YAML, each field under a comment that says what it means; loads back to an equal recipe."""
    lines: list[str] = []
    meanings = field_docs(type(part))
    for name in type(part).model_fields:
        lines += [f"# {line}" for line in textwrap.wrap(meanings.get(name, ""), 110 - indent)]
        lines += _field(name, getattr(part, name))
    return textwrap.indent("\n".join(lines), " " * indent)


def _field(name: str, value: Any) -> list[str]:
    if isinstance(value, BaseModel):
        return [f"{name}:", annotated(value, 2)] if type(value).model_fields else [f"{name}: {{}}"]
    if isinstance(value, (list, tuple)) and any(isinstance(item, BaseModel) for item in value):
        return [f"{name}:", *(_item(item) for item in value)]
    # In a list of one, because YAML ends a lone scalar with a document mark.
    flow = yaml.safe_dump([_plain(value)], allow_unicode=True, default_flow_style=True, width=1 << 16, sort_keys=False)
    return [f"{name}: {flow.strip()[1:-1]}"]


def _item(part: BaseModel) -> str:
    return "- " + textwrap.indent(annotated(part), "  ").lstrip()


def _plain(value: Any) -> Any:
    """`value` as plain data."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


@cache
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstring below each field of `model`, inherited fields included."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            found |= _docs_in(owner)
    return found


def _docs_in(owner: type[BaseModel]) -> dict[str, str]:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    statements = body.body if isinstance(body, ast.ClassDef) else []
    docs = {}
    for field, doc in pairwise(statements):
        match field, doc:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.split())
    return docs
