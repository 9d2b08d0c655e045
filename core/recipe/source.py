"""Reading YAML into plain data, with the place of every field and the overrides of the command line applied."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from core.errors import RecipeError

Loc: TypeAlias = tuple[str | int, ...]
"""Where a value sits in a recipe, e.g. ("backend", "k1")."""

Places: TypeAlias = dict[Loc, str]
"""The file and line, or the override, that gave each value."""


def read(path: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], Places]:
    """The recipe's data with overrides applied, and the place of each field.

    Raises:
        RecipeError: unreadable file, bad YAML, a key given twice, no mapping, a bad override.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        places: Places = {(): f"{path}:1"}
        data = _plain(root, (), path, places, {})
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RecipeError("the recipe is not UTF-8", where=f"{path}:{line}") from None
    except OSError as error:
        raise RecipeError(
            f"cannot read the recipe: {error.strerror}", where=str(path), hint="`dr recipe ls` lists the shipped ones"
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise RecipeError(f"not valid YAML: {what}", where=f"{path}:{line}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"not valid YAML: {error}", where=str(path)) from None
    except RecursionError:
        raise RecipeError("the recipe is nested too deeply", where=str(path)) from None
    if not isinstance(data, dict):
        raise RecipeError("a recipe is a mapping of fields", where=str(path))
    for text in overrides:
        _override(data, text, places)
    return data, places


def _plain(node: yaml.Node | None, loc: Loc, path: Path, places: Places, known: dict[int, str]) -> Any:
    """Plain data of a YAML node; notes the place of each field; refuses a key given twice, and aliases."""
    if node is None:
        return None
    places[loc] = f"{path}:{node.start_mark.line + 1}"
    _refuse_tag(node, places[loc])
    if id(node) in known:
        raise RecipeError("an alias (`*name`) repeats a part: recipes say it in full", where=known[id(node)])
    known[id(node)] = places[loc]
    if isinstance(node, yaml.MappingNode):
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = f"{path}:{key_node.start_mark.line + 1}"
            if key in out:
                raise RecipeError(f"`{key}` is given twice", where=place, hint="keep one of them")
            out[key] = _plain(value_node, (*loc, key), path, places, known)
            places[(*loc, key)] = place
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*loc, i), path, places, known) for i, item in enumerate(node.value)]
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except ValueError as error:  # 2024-13-45 looks like a date
        raise RecipeError(f"`{node.value}`: {error}", where=places[loc], hint="quote it if it is a text") from None


def _refuse_tag(node: yaml.Node, place: str) -> None:
    """A recipe is plain data: `!!python/...`, `!!set` and the like have no meaning in it."""
    if isinstance(node, yaml.ScalarNode):
        known = node.tag in yaml.SafeLoader.yaml_constructors
    else:
        known = node.tag in {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
    if not known:
        raise RecipeError(f"the tag `{node.tag}` has no meaning here", where=place, hint="a recipe is plain data")


def _override(data: dict[str, Any], text: str, places: Places) -> None:
    """Apply `a.b=value` or `~a.b` to `data`."""
    if text.startswith("~"):
        keys = text[1:].split(".")
        holder = _descend(data, keys, text)
        if not _has(holder, keys[-1]):
            raise RecipeError(f"`{text}`: the recipe file does not set `{text[1:]}`", hint="~key removes a key it sets")
        del holder[_key(holder, keys[-1])]
        _note(places, keys, text)
        return
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RecipeError(f"`{text}` is not an override", hint="write key.sub=value, or ~key.sub to remove a field")
    keys = name.split(".")
    holder = _descend(data, keys, text)
    try:
        new = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError(
            f"`{text[:80]}`: the value is not valid YAML", hint="quote it: key='\"text: with colon\"'"
        ) from None
    if isinstance(holder, list) and not _has(holder, keys[-1]):
        raise RecipeError(f"`{text}`: the list has {len(holder)} entries, counted from 0")
    holder[_key(holder, keys[-1])] = new
    _note(places, keys, text)


def _note(places: Places, keys: list[str], text: str) -> None:
    """The value at `keys`, with all that was below it, is now as the override `text` says."""
    loc: Loc = tuple(int(key) if key.isdecimal() else key for key in keys)
    for known in [known for known in places if known[: len(loc)] == loc]:
        del places[known]
    for length in range(1, len(loc) + 1):  # mappings on the way may be the override's too
        places.setdefault(loc[:length], f"override `{text}`")


def _descend(data: Any, keys: list[str], text: str) -> Any:
    """The mapping or list that holds the last of `keys`; mappings on the way are made."""
    for key in keys[:-1]:
        if isinstance(data, dict) and data.get(key) is None:
            data[key] = {}
        if not _has(data, key):
            raise RecipeError(f"`{text}`: nothing to descend into at `{key}`")
        data = data[_key(data, key)]
    if not isinstance(data, (dict, list)):
        raise RecipeError(f"`{text}`: `{'.'.join(keys[:-1])}` holds {data!r}, which has no fields")
    return data


def _has(holder: Any, key: str) -> bool:
    if isinstance(holder, list):
        return key.isdecimal() and int(key) < len(holder)
    return isinstance(holder, dict) and key in holder


def _key(holder: Any, key: str) -> str | int:
    return int(key) if isinstance(holder, list) else key
