import pytest

from core.errors import RecipeError
from core.tuning.verl.arguments import merged, rendered, value_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "True"),
        (4, "4"),
        (1e-6, "1e-06"),
        ("grpo", "grpo"),
        ("/data/rows.parquet", "/data/rows.parquet"),
        ("null", "'null'"),  # a text, not nothing
        ("1e-6", "'1e-6'"),
        ("it's", r"'it\'s'"),
        ("a\\", r"'a\\'"),
        ("", "''"),
        (["q_proj", "v proj"], "[q_proj,'v proj']"),
        ({"a": 1, "b": None}, "{a:1,b:null}"),
    ],
)
def test_a_value_is_written_as_hydra_reads_it(value, text):
    assert value_of(value) == text


def test_an_override_takes_the_place_of_our_value():
    assert merged({"a.b": 1, "c": 2}, {"a.b": 3}, {}) == {"a.b": 3, "c": 2}


def test_an_override_of_a_key_that_we_add_adds_it_too():
    assert merged({"+a.b": 1}, {"a.b": 3}, {}) == {"+a.b": 3}
    assert merged({"a.b": 1}, {"+a.b": 3}, {}) == {"a.b": 3}


def test_a_new_override_comes_last_as_it_is_written():
    keys = merged({"a": 1}, {"+b.c": [1, 2]}, {})

    assert rendered(keys) == ("a=1", "+b.c=[1,2]")


@pytest.mark.parametrize("name", ["a.b", "+a.b", "++a.b", "~a.b", "a.b.c", "a"])
def test_what_is_ours_is_no_override(name):
    with pytest.raises(RecipeError, match=r"`a\.b` is not to be changed there") as told:
        merged({}, {name: 1}, {"a.b": "b=N"})
    assert told.value.hint == "b=N"


def test_what_only_begins_like_ours_may_be_set():
    assert merged({}, {"a.bc": 1, "a.c": 2}, {"a.b": "b=N"}) == {"a.bc": 1, "a.c": 2}
