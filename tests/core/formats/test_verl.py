import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import DataError, UsageError
from core.formats import verl
from core.formats.messages import Message
from core.formats.rows import BadRow

PROMPT = (Message("system", "改写"), Message("user", "问"))


def rl(index=0, truth='{"d1":2}', **more):
    return verl.rl_row(PROMPT, data_source="s", ability="a", ground_truth=truth, split="train", index=index,
                       question="问", **more)  # fmt: skip


def written(path, rows, schema):
    writer = verl.Writer(path, schema)
    for row in rows:
        writer.write(row)
    writer.close()
    return path


def test_rl_rows_come_back_as_they_were_written(tmp_path):
    rows = [rl(number, json.dumps({f"d{number}": 1})) for number in range(2500)]
    path = written(tmp_path / "train.parquet", rows, verl.rl_schema())
    assert pq.read_table(path).to_pylist() == rows
    assert verl.check(path) == {"rl": 2500}


def test_a_truth_as_a_dict_would_get_the_keys_of_other_rows_and_as_text_does_not(tmp_path):
    # Why ground_truth is text: the struct column unites the keys of all rows.
    pq.write_table(pa.Table.from_pylist([{"t": {"d1": 1}}, {"t": {"d7": 2}}]), tmp_path / "dict.parquet")
    assert pq.read_table(tmp_path / "dict.parquet").to_pylist()[0] == {"t": {"d1": 1, "d7": None}}
    path = written(tmp_path / "text.parquet", [rl(0, '{"d1":1}'), rl(1, '{"d7":2}')], verl.rl_schema())
    truths = [row["reward_model"]["ground_truth"] for row in pq.read_table(path).to_pylist()]
    assert [json.loads(truth) for truth in truths] == [{"d1": 1}, {"d7": 2}]


def test_rows_for_an_agent_name_its_loop_and_tell_its_tools_the_truth(tmp_path):
    row = rl(agent="tool_agent", tools=("search",))
    path = written(tmp_path / "a.parquet", [row], verl.rl_schema(agent=True, tools=("search",)))
    (back,) = pq.read_table(path).to_pylist()
    assert back == row
    assert back["agent_name"] == "tool_agent"
    assert back["extra_info"]["need_tools_kwargs"] is True
    assert back["extra_info"]["tools_kwargs"] == {
        "search": {"create_kwargs": {"ground_truth": '{"d1":2}', "question": "问", "data_source": "s"}}
    }
    assert verl.check(path) == {"rl": 1}


@pytest.mark.parametrize("kind", ["sft", "question_answer"])
def test_both_forms_of_sft_rows_pass_the_check(tmp_path, kind):
    messages = [{"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}]
    row = {"messages": messages} if kind == "sft" else {"question": "问", "answer": "答"}
    assert verl.check(written(tmp_path / "a.parquet", [row], verl.sft_schema(kind))) == {kind: 1}


def changed(**columns):
    return {**rl(), **columns}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (changed(data_source=""), "`data_source` is empty"),
        (changed(prompt=[]), "`prompt` is empty"),
        (changed(prompt=[{"role": "User", "content": "a"}]), "`prompt[0].role` is 'User', one of system, user"),
        (changed(prompt=[{"role": "user", "content": " "}]), "`prompt[0].content` is no text, or an empty one"),
        (changed(prompt=[{"role": "assistant", "content": "a"}]), "`prompt` ends with the assistant, user or tool"),
        (changed(reward_model={"style": "rule"}), "`reward_model.ground_truth` is null, not text"),
        (
            changed(reward_model={"style": "rule", "ground_truth": {"d1": 1}}),
            "`reward_model.ground_truth` is an object",
        ),
        (changed(reward_model=None), "`reward_model.style` is null, not text"),
        (changed(extra_info={"index": "0"}), "`extra_info.index` is no integer"),
        (changed(extra_info={"index": 0, "need_tools_kwargs": True}), "`extra_info.tools_kwargs` is empty, and"),
        (changed(agent_name=None), "`agent_name` is null, not text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_check_names_row_and_column_of_what_a_trainer_would_trip_over(tmp_path, row, told):
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    with pytest.raises(BadRow) as caught:
        verl.check(tmp_path / "a.parquet")
    assert told in caught.value.what
    assert caught.value.where == f"{tmp_path / 'a.parquet'}: row 1"


def test_the_check_goes_on_where_it_may_and_counts_all_rows(tmp_path):
    rows = [rl(0), changed(data_source=""), rl(2, truth="")]
    bad = []
    assert verl.check(written(tmp_path / "a.parquet", rows, verl.rl_schema()), bad.append) == {"rl": 3}
    assert [found.where.rpartition(": ")[2] for found in bad] == ["row 2", "row 3"]


def test_columns_of_no_kind_and_missing_ones_are_told(tmp_path):
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="neither RL nor SFT rows: the file has the columns `text`"):
        verl.check(tmp_path / "a.parquet")
    pq.write_table(pa.table({"prompt": ["a"], "data_source": ["b"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="RL rows lack `reward_model`, `extra_info`"):
        verl.check(tmp_path / "b.parquet")


def test_what_is_no_parquet_file_is_told(tmp_path):
    (tmp_path / "a.parquet").write_text("{}\n")
    with pytest.raises(DataError, match="no parquet file"):
        verl.check(tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="there is no such file"):
        verl.check(tmp_path / "b.parquet")
