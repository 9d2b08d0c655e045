import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import DataError, UsageError
from core.formats import hub
from core.formats.records import any_rows


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")


def found(folder, configuration):
    return [(split, path.relative_to(folder).as_posix()) for split, path in hub.files(folder, configuration)]


def test_shards_and_splits_are_told_from_the_names_of_files(tmp_path):
    put(tmp_path, "default/train-00000-of-00002.parquet", "default/train-00001-of-00002-0123456789abcdef.parquet")
    put(tmp_path, "default/test.jsonl.gz", "default/dev_set.tsv", "default/notes.txt", "default/state.json.bak")
    assert found(tmp_path, "default") == [
        ("dev_set", "default/dev_set.tsv"),
        ("test", "default/test.jsonl.gz"),
        ("train", "default/train-00000-of-00002.parquet"),
        ("train", "default/train-00001-of-00002-0123456789abcdef.parquet"),
    ]


def test_a_configuration_may_be_files_of_its_name(tmp_path):
    put(tmp_path, "corpus.jsonl.gz", "data/queries-00000-of-00001.parquet", "corpus-notes.md")
    assert found(tmp_path, "corpus") == [("corpus", "corpus.jsonl.gz")]
    assert found(tmp_path, "queries") == [("queries", "data/queries-00000-of-00001.parquet")]
    assert found(tmp_path, "qrels") == []


@pytest.mark.parametrize(
    "said",
    [
        'data_files: "d/a-*"',
        'data_files: ["d/a-1.jsonl", "d/a-2.jsonl"]',
        "data_files:\n  - split: default\n    path: d/a-*",
        "data_files:\n    default: [d/a-*]",
    ],
)
def test_the_head_of_the_readme_says_where_files_are(tmp_path, said):
    put(tmp_path, "d/a-1.jsonl", "d/a-2.jsonl", "default.jsonl")
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  {said}\n---\nwords\n")
    assert found(tmp_path, "default") == [("default", "d/a-1.jsonl"), ("default", "d/a-2.jsonl")]


def test_a_readme_that_says_nothing_of_files_is_no_hindrance(tmp_path):
    put(tmp_path, "corpus.jsonl")
    for head in ("# Title", "---\nlicense: mit\n---\n", "---\nwords\n---\n", "---\nconfigs:\n- words\n---\n"):
        (tmp_path / "README.md").write_text(head)
        assert found(tmp_path, "corpus") == [("corpus", "corpus.jsonl")]
    (tmp_path / "README.md").write_text("---\na: [\n---\n")
    with pytest.raises(DataError, match="its head is not valid YAML"):
        hub.files(tmp_path, "corpus")


def test_a_saved_set_that_is_not_whole_is_told(tmp_path):
    put(tmp_path, "corpus/state.json")
    with pytest.raises(DataError, match="no data set that `datasets` saved"):
        hub.files(tmp_path, "corpus")
    (tmp_path / "corpus/state.json").write_text(json.dumps({"_data_files": [{"filename": "data-0.arrow"}]}))
    with pytest.raises(DataError, match="a file is missing") as raised:
        hub.files(tmp_path, "corpus")
    assert raised.value.where.endswith("corpus/data-0.arrow")
    with pytest.raises(UsageError, match="no such folder"):
        hub.files(tmp_path / "absent", "corpus")


def test_every_kind_of_file_gives_its_rows(tmp_path):
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "a.jsonl").write_text('{"id": "1"}\n')
    for path in sorted(tmp_path.iterdir()):
        assert [row.fields for row in any_rows(path)] == [{"id": "1"}]


def test_files_about_a_set_are_no_rows_of_it(tmp_path):
    put(tmp_path, "manifest.json", "dataset_infos.json", "test.tsv")
    assert [(split, path.name) for split, path in hub.loose(tmp_path)] == [("test", "test.tsv")]


@pytest.mark.parametrize("pattern", ["/data/*.parquet", '""'])
def test_a_pattern_that_no_folder_takes_is_told(tmp_path, pattern):
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- {{config_name: corpus, data_files: {pattern}}}\n---\n")
    with pytest.raises(DataError, match="a pattern in its head fits no file"):
        hub.files(tmp_path, "corpus")


def test_a_json_file_on_a_hub_may_be_an_array(tmp_path):
    (tmp_path / "corpus.json").write_text('[\n{"id": "1"},\n{"id": "2"}\n]')
    assert [row.fields["id"] for row in any_rows(tmp_path / "corpus.json")] == ["1", "2"]
