import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import RecipeError
from core.retrieval.index import open_index
from core.serve.desk import Desk
from core.serve.journal import Entry
from core.serve.recipe import Recipe

QUERIES = ["基金净值", "债券收益"]


async def stays():
    return False


def served(path, body, **fields):
    """Answer and facts of a desk over the index at `path`."""

    async def run():
        index = open_index(path, task=fields.get("task_desc"))
        with ThreadPoolExecutor(1) as thread:
            desk = Desk(Recipe(stage="serve", index=path, **fields), path, index, thread)
            async with desk.engine:
                answer = await desk.answer(json.dumps(body).encode(), Entry("/retrieve"), stays)
                return json.loads(answer), desk.facts()

    return asyncio.run(run())


def test_the_recipes_defaults_are_used_and_alpha_zero_among_them(indexes):
    path = indexes["hybrid"]
    answer, health = served(path, {"queries": QUERIES}, alpha=0, top_k=2)
    wanted = open_index(path).search(QUERIES, 2, method="hybrid", alpha=0.0)
    assert [[hit["id"] for hit in row] for row in answer["data"]] == [
        [hit.document_id for hit in row] for row in wanted
    ]
    assert (answer["topk"], answer["weights"]) == (2, {"bm25": 0, "dense": 1})
    assert health["defaults"] == {"method": "hybrid", "topk": 2, "alpha": 0, "weights": {"bm25": 0, "dense": 1}}


def test_a_request_goes_before_the_recipe(indexes):
    body = {"queries": QUERIES, "topk": 1, "retrieval_type": "hybrid", "hybrid_alpha": 0}
    answer, health = served(indexes["hybrid"], body, alpha=1, top_k=2, retrieval_method="bm25")
    assert (answer["method"], answer["topk"], answer["weights"]) == ("hybrid", 1, {"bm25": 0, "dense": 1})
    assert health["defaults"]["method"] == "bm25"
    assert health["defaults"]["weights"] == {"bm25": 1, "dense": 0}


def test_a_method_that_the_index_lacks_is_refused_at_the_start(indexes):
    recipe = Recipe(stage="serve", index=indexes["bm25"], retrieval_method="hybrid")
    with pytest.raises(RecipeError, match="`retrieval_method` is hybrid, this index answers by bm25"):
        Desk(recipe, indexes["bm25"], open_index(indexes["bm25"]), ThreadPoolExecutor(1))


def test_a_task_reaches_the_model(indexes, caplog):
    with caplog.at_level(logging.WARNING):
        served(indexes["hybrid"], {"queries": QUERIES}, task_desc="根据给定的搜索查询，检索最相关的段落来回答问题")
    assert "`task_desc` has no effect" in caplog.text  # this model's prompt has no slot: said, not swallowed
