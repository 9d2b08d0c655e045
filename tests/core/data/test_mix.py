"""Several sets as one."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import artifact
from core.data.mix import build, shares
from core.data.mix.recipe import MixedSet, Recipe
from core.errors import DataError, UsageError
from core.formats import beir
from core.index.recipe import Recipe as IndexRecipe
from core.retrieval.spec import Bm25
from core.types import Document, Query

SIZES = st.lists(st.tuples(st.integers(1, 500), st.floats(0.1, 10)), min_size=1, max_size=5)


@given(SIZES, st.sampled_from(["proportional", "uniform"]), st.integers(1, 400))
def test_counts_add_up_and_are_less_than_one_row_away_from_their_shares(sets, strategy, size):
    sizes, weights = zip(*sets, strict=True)
    taken = shares.counts(sizes, weights, strategy, size)
    wanted = [w * (n if strategy == "proportional" else 1) for n, w in sets]
    assert sum(taken) == size
    assert all(abs(got - size * share / sum(wanted)) < 1 for got, share in zip(taken, wanted, strict=True))


@given(SIZES, st.sampled_from(["proportional", "uniform"]))
def test_without_a_size_one_set_is_used_up_and_none_is_exceeded(sets, strategy):
    sizes, weights = zip(*sets, strict=True)
    taken = shares.counts(sizes, weights, strategy, None)
    assert all(got <= there for got, there in zip(taken, sizes, strict=True))
    assert any(got == there for got, there in zip(taken, sizes, strict=True))


def test_equal_weights_in_proportion_take_every_row():
    assert shares.counts([30, 10, 1], [1, 1, 1], "proportional", None) == [30, 10, 1]
    assert shares.counts([30, 10, 1], [1, 1, 1], "uniform", None) == [1, 1, 1]
    # 30·0.5 : 10 = 15 : 10; the second is used up at 10, the first gives 15
    assert shares.counts([30, 10], [0.5, 1], "proportional", None) == [15, 10]


def lines(path, name, count):
    path.write_text("".join(json.dumps({"query": f"{name}{n}", "positives": []}) + "\n" for n in range(count)))
    return path


def recipe(tmp_path, *sets, out="out", **more):
    parts = tuple(MixedSet(path=path, **fields) for path, fields in sets)
    return Recipe(stage="mix", out=tmp_path / out, sets=parts, **more)


def test_rows_are_mixed_by_weight_shuffled_and_the_same_by_seed(tmp_path):
    a, b = lines(tmp_path / "a.jsonl", "a", 40), lines(tmp_path / "b.jsonl", "b", 10)
    sets = ((a, {"weight": 0.5}), (b, {}))
    artifact.make(recipe(tmp_path, *sets), build.run)
    mixed = [json.loads(line)["query"] for line in (tmp_path / "out/train.jsonl").read_text().splitlines()]
    assert Counter(query[0] for query in mixed) == {"a": 20, "b": 10}
    assert len(set(mixed)) == 30
    assert [query[0] for query in mixed] != sorted(query[0] for query in mixed)
    artifact.make(recipe(tmp_path, *sets, out="again"), build.run)
    artifact.make(recipe(tmp_path, *sets, out="other", seed=1), build.run)
    digests = [artifact.read(tmp_path / name)["digest"] for name in ("out", "again", "other")]
    assert digests[0] == digests[1] != digests[2]


def test_a_small_set_is_repeated_only_when_the_recipe_says_so(tmp_path):
    a, b = lines(tmp_path / "a.jsonl", "a", 40), lines(tmp_path / "b.jsonl", "b", 10)
    fields = {"sampling_strategy": "uniform", "size": 50}
    with pytest.raises(DataError, match="25 rows of `b` are wanted, it has 10"):
        artifact.make(recipe(tmp_path, (a, {}), (b, {}), **fields), build.run)
    artifact.make(recipe(tmp_path, (a, {}), (b, {}), repeat=True, **fields), build.run)
    mixed = [json.loads(line)["query"] for line in (tmp_path / "out/train.jsonl").read_text().splitlines()]
    times = Counter(query for query in mixed if query.startswith("b"))
    assert sum(times.values()) == 25 and set(times.values()) == {2, 3} and len(times) == 10


def test_parquet_files_of_one_schema_are_mixed_and_others_refused(tmp_path):
    for name, count in (("a", 6), ("b", 3)):
        rows = [{"prompt": [{"role": "user", "content": f"{name}{n}"}], "index": n} for n in range(count)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    pq.write_table(pa.table({"prompt": ["x"], "index": ["7"]}), tmp_path / "c.parquet")
    artifact.make(recipe(tmp_path, (tmp_path / "a.parquet", {}), (tmp_path / "b.parquet", {})), build.run)
    mixed = pq.read_table(tmp_path / "out/train.parquet").to_pylist()
    assert sorted(row["prompt"][0]["content"] for row in mixed) == [
        "a0",
        "a1",
        "a2",
        "a3",
        "a4",
        "a5",
        "b0",
        "b1",
        "b2",
    ]
    with pytest.raises(DataError, match="`index` is string, there int64"):
        artifact.make(recipe(tmp_path, (tmp_path / "a.parquet", {}), (tmp_path / "c.parquet", {}), out="no"), build.run)


def corpus(folder, count):
    folder.mkdir()
    beir.write_documents(folder, [Document(f"d{n}", f"text {n}", metadata={"chunk_of": "d"}) for n in range(count)])
    beir.write_queries(folder, [Query(f"q{n}", f"query {n}") for n in range(count)])
    beir.write_qrels(folder, "train", {f"q{n}": {f"d{n}": 1} for n in range(count - 2)})
    beir.write_qrels(folder, "test", {f"q{n}": {f"d{n}": 1} for n in range(count - 2, count)})
    return folder


def test_corpora_become_one_whose_ids_never_meet(tmp_path):
    sets = ((corpus(tmp_path / "a", 22), {"weight": 0.5}), (corpus(tmp_path / "b", 7), {"name": "law"}))
    artifact.make(recipe(tmp_path, *sets), build.run)
    documents = {document.id: document for document in beir.read_documents(tmp_path / "out")}
    assert len(documents) == 29 and documents["law/d3"].metadata["chunk_of"] == "law/d"
    train, test = (beir.read_qrels(tmp_path / "out", split) for split in ("train", "test"))
    # 20·0.5 : 5 training queries, and every test query
    assert Counter(query.split("/")[0] for query in train) == {"a": 10, "law": 5}
    assert sorted(test) == ["a/q20", "a/q21", "law/q5", "law/q6"]
    assert test["law/q5"] == {"law/d5": 1}
    assert {query.id for query in beir.read_queries(tmp_path / "out")} == {*train, *test}
    artifact.check_inputs(IndexRecipe(stage="index", out=tmp_path / "index", data=tmp_path / "out", backend=Bm25()))


def test_a_corpus_and_a_file_of_rows_do_not_mix(tmp_path):
    sets = ((corpus(tmp_path / "a", 5), {}), (lines(tmp_path / "b.jsonl", "b", 3), {}))
    with pytest.raises(UsageError, match="different kinds"):
        artifact.make(recipe(tmp_path, *sets), build.run)


def test_two_sets_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two sets are named `a`"):
        recipe(tmp_path, (tmp_path / "a.jsonl", {}), (tmp_path / "b/a.jsonl", {}))


def test_a_set_whose_share_is_less_than_a_row_is_told(tmp_path, caplog):
    a, b = lines(tmp_path / "a.jsonl", "a", 40), lines(tmp_path / "b.jsonl", "b", 10)
    artifact.make(recipe(tmp_path, (a, {"weight": 1e308}), (b, {"weight": 1e-320})), build.run)
    assert "`b` gives no row" in caplog.text and "`a` gives no row" not in caplog.text


def test_rows_of_different_kinds_do_not_mix(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"query": "q", "document": "d", "rel": 1}\n')
    sets = ((lines(tmp_path / "a.jsonl", "a", 3), {}), (tmp_path / "t.jsonl", {}))
    with pytest.raises(DataError, match=r"these rows have `document`, `rel`, those of .* have `positives` instead"):
        artifact.make(recipe(tmp_path, *sets), build.run)


def test_an_empty_table_is_told(tmp_path):
    pq.write_table(pa.table({"index": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="it has no row"):
        artifact.make(recipe(tmp_path, (tmp_path / "a.parquet", {})), build.run)


def test_a_name_with_white_space_goes_before_no_id(tmp_path):
    sets = ((corpus(tmp_path / "my set", 5), {}),)
    with pytest.raises(UsageError, match="which hold no white space"):
        artifact.make(recipe(tmp_path, *sets), build.run)


def test_what_a_file_of_rows_holds_counts_and_not_its_name(tmp_path):
    a, b = lines(tmp_path / "a.ndjson", "a", 3), lines(tmp_path / "b.jsonl", "b", 2)
    artifact.make(recipe(tmp_path, (a, {}), (b, {})), build.run)
    assert len((tmp_path / "out/train.jsonl").read_text().splitlines()) == 5
    (tmp_path / "c.json").write_text('[{"query": "q", "positives": []}]')
    with pytest.raises(UsageError, match="rows are lines of JSON, unpacked, or Parquet"):
        artifact.make(recipe(tmp_path, (a, {}), (tmp_path / "c.json", {}), out="no"), build.run)


def test_a_mixture_of_rows_is_mixed_again(tmp_path):
    artifact.make(recipe(tmp_path, (lines(tmp_path / "a.jsonl", "a", 3), {})), build.run)
    artifact.make(recipe(tmp_path, (tmp_path / "out", {}), out="again"), build.run)
    assert len((tmp_path / "again/train.jsonl").read_text().splitlines()) == 3
