import pytest
from pydantic import ValidationError

from core.errors import RecipeError
from core.recipe import load
from core.serve.recipe import Recipe


def recipe(**fields):
    return Recipe(stage="serve", index="artifacts/index/tiny", **fields)


def test_the_defaults_are_the_start_parameters_of_source_b():
    made = recipe()
    assert (made.host, made.port, made.top_k) == ("127.0.0.1", 8080, 5)
    # null leaves these to the index, whose alpha is 0.6 and whose kind is what was built
    assert (made.alpha, made.retrieval_method, made.task_desc, made.log_path) == (None, None, None, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "search.example"])
def test_a_host_that_others_reach_needs_a_token(tmp_path, host):
    path = tmp_path / "serve.yaml"
    path.write_text(f"stage: serve\nindex: artifacts/index/tiny\nhost: '{host}'\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="needs `token_env`"):
        load(path, Recipe)
    assert load(path, Recipe, ["token_env=SEARCH_TOKEN"]).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_loopback_host_needs_none(host):
    assert recipe(host=host).token_env is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"top_k": 11, "max_top_k": 10}, "above `max_top_k` 10"),
        ({"max_queries": 11, "max_queue": 10}, "would never fit `max_queue` 10"),
        ({"alpha": 1.5}, "less than or equal to 1"),
        ({"alpha": float("nan")}, "finite"),
        ({"port": 70000}, "less than or equal to 65535"),
        ({"retrieval_method": "splade"}, "'bm25', 'dense' or 'hybrid'"),
    ],
)
def test_what_cannot_work_is_refused(fields, sentence):
    with pytest.raises(ValidationError, match=sentence):
        recipe(**fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "there is nothing to serve: give `index`"),
        ({"model": ""}, "at least 1 character"),
        ({"model": "m", "retrieval_method": "bm25"}, "`retrieval_method` says how an index is searched"),
        ({"model": "m", "alpha": 0}, "`alpha` says how an index is searched"),
    ],
)
def test_something_must_be_served_and_what_searches_needs_an_index(fields, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Recipe(stage="serve", **fields)


def test_a_model_alone_is_a_recipe_and_a_name_on_a_hub_is_no_input(tmp_path):
    made = Recipe(stage="serve", model="Qwen/Qwen3-Embedding-0.6B")
    assert (made.index, made.inputs(), made.source_files()) == (None, [], {})
    (tmp_path / "embed.partial").mkdir()  # a training that goes on: `dr serve --dry-run` must not ask for its manifest
    assert Recipe(stage="serve", model=str(tmp_path / "embed")).inputs() == []
    (tmp_path / "embed").mkdir()
    (tmp_path / "embed/manifest.json").write_text("{}", encoding="utf-8")
    assert [item.name for item in Recipe(stage="serve", model=str(tmp_path / "embed")).inputs()] == ["model"]


def test_alpha_may_be_zero():
    assert recipe(alpha=0).alpha == 0
