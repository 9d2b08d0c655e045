import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import artifact
from core.data.rows import build
from core.data.rows.recipe import Recipe
from core.errors import ArtifactError, DataError
from core.formats import verl
from core.tuning.rows.compose import compose, texts
from core.tuning.spec import Rows


def talks(start, count):
    return [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]}
        for n in range(start, start + count)
    ]


def made(folder, rows, *, dev=0.2, **more):
    """An artifact of `dr data rows`."""
    file = folder.with_suffix(".jsonl")
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = {"type": "conversations", "path": file, "train_ratio": 0.6, "dev_ratio": dev}
    recipe = Recipe.model_validate({"stage": "rows", "out": folder, "source": source, "targets": ["sft"], **more})
    artifact.make(recipe, build.run)
    return folder


@pytest.fixture
def sets(tmp_path):
    return made(tmp_path / "a", talks(0, 60)), made(tmp_path / "b", talks(1000, 60))


def of(*sets, **more):
    weights = [{"rows": rows, "weight": weight} for rows, weight in sets]
    return Rows.model_validate({"sets": weights, **more})


def questions(path):
    return [row[0]["content"] for row in pq.read_table(path)["messages"].to_pylist()]


def test_a_weight_says_how_often_rows_come(sets, tmp_path):
    first, second = (questions(rows / "sft" / "train.parquet") for rows in sets)
    found = compose(of((sets[0], 2.5), (sets[1], 0.5)), "sft", tmp_path / "rows", 1)
    mixed = questions(found.train)
    of_first, of_second = mixed[: -round(len(second) / 2)], mixed[-round(len(second) / 2) :]
    assert {of_first.count(question) for question in first} == {2, 3}
    assert len(of_first) == 2 * len(first) + round(len(first) / 2)
    assert set(of_second) < set(second)
    assert len(of_second) == len(set(of_second))
    assert found.count == len(mixed)


def test_the_same_seed_gives_the_same_files(sets, tmp_path):
    data = of((sets[0], 0.5), (sets[1], 1), max_held_out=7)
    first, again, other = (compose(data, "sft", tmp_path / name, seed) for name, seed in [("1", 1), ("2", 1), ("3", 2)])
    assert first.train.read_bytes() == again.train.read_bytes() != other.train.read_bytes()
    assert first.held_out.read_bytes() == again.held_out.read_bytes() != other.held_out.read_bytes()


def test_what_is_held_out_is_of_all_sets_and_no_more_than_asked(sets, tmp_path):
    whole = compose(of((sets[0], 1), (sets[1], 5)), "sft", tmp_path / "1", 1)
    some = compose(of((sets[0], 1), (sets[1], 5), max_held_out=3), "sft", tmp_path / "2", 1)
    both = [question for rows in sets for question in questions(rows / "sft" / "dev.parquet")]
    assert questions(whole.held_out) == both
    assert (some.held_out_count, whole.held_out_count) == (3, len(both))
    assert set(questions(some.held_out)) < set(both)


def test_nothing_is_held_out_when_nothing_shall_be(sets, tmp_path):
    found = compose(of((sets[0], 1), held_out=None), "sft", tmp_path / "rows", 1)
    assert (found.held_out, found.held_out_count) == (None, 0)


def test_rows_of_one_template_carry_its_facts_and_rows_of_several_none(tmp_path):
    rows = [{"question": f"q{n}", "options": ["x", "y"], "answer": "A"} for n in range(20)]
    file = tmp_path / "choice.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("choice_zh", "choice_en"):
        source = {"type": "choice", "path": file, "prompts": name, "train_ratio": 0.8, "dev_ratio": 0.1}
        recipe = {"stage": "rows", "out": tmp_path / name, "source": source, "targets": ["sft", "rl"]}
        artifact.make(Recipe.model_validate(recipe), build.run)
    digest = artifact.read(tmp_path / "choice_zh")["stats"]["prompts"]["digest"]
    one = compose(of((tmp_path / "choice_zh", 1)), "rl", tmp_path / "1", 1)
    both = compose(of((tmp_path / "choice_zh", 1), (tmp_path / "choice_en", 1)), "rl", tmp_path / "2", 1)
    assert one.prompts["digest"] == digest
    assert both.prompts is None


def test_the_texts_are_the_contents_of_what_is_trained_on(sets, tmp_path):
    found = compose(of((sets[0], 1)), "sft", tmp_path / "rows", 1)
    numbers = {question[1:] for question in questions(found.train)}
    assert set(texts(found)) == {f"{letter}{number}" for number in numbers for letter in "qa"}


def test_question_and_answer_columns_become_messages(tmp_path):
    rows = made(tmp_path / "old", talks(0, 30), columns="question_answer")
    found = compose(of((rows, 1)), "sft", tmp_path / "rows", 1)
    assert verl.check(found.train) == {"sft": found.count}


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"split": "test2"}, "sft", "no sft rows of the split `test2`"),
        ({"held_out": "val"}, "sft", "no set has sft rows of the split `val`"),
        ({}, "rl", "no rl rows of the split `train`"),
    ],
)
def test_a_split_or_kind_that_is_not_there_is_told(sets, tmp_path, more, kind, said):
    with pytest.raises(DataError, match=said):
        compose(of((sets[0], 1), **more), kind, tmp_path / "rows", 1)


def test_a_split_that_is_not_there_comes_with_those_that_are(sets, tmp_path):
    with pytest.raises(DataError) as told:
        compose(of((sets[0], 1), held_out="val"), "sft", tmp_path / "rows", 1)
    assert told.value.hint.startswith("there are `dev`, `test`, `train`")


def test_a_row_that_no_trainer_can_take_is_named(sets, tmp_path):
    schema = verl.sft_schema("sft")
    bad = [{"messages": [{"role": "user", "content": "q"}]}]
    other = tmp_path / "bad"
    made(other, talks(0, 20))
    pq.write_table(pa.Table.from_pylist(bad, schema), other / "sft" / "train.parquet")
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["files"]["sft/train.parquet"]["bytes"] = (other / "sft" / "train.parquet").stat().st_size
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="ends with the user"):
        compose(of((other, 1)), "sft", tmp_path / "rows", 1)


def test_sets_with_other_columns_are_not_mixed(tmp_path):
    rows = [{"question": f"q{n}", "options": ["x", "y"], "answer": "A"} for n in range(20)]
    file = tmp_path / "choice.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, agent in [("plain", None), ("agent", {})]:
        source = {"type": "choice", "path": file, "train_ratio": 0.8, "dev_ratio": 0.1}
        recipe = {"stage": "rows", "out": tmp_path / name, "source": source, "targets": ["rl"], "agent": agent}
        artifact.make(Recipe.model_validate(recipe), build.run)
    with pytest.raises(DataError, match=r"other columns .* `agent_name`"):
        compose(of((tmp_path / "plain", 1), (tmp_path / "agent", 1)), "rl", tmp_path / "rows", 1)


def test_a_folder_that_is_no_artifact_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        compose(of((tmp_path / "nothing", 1)), "sft", tmp_path / "rows", 1)
