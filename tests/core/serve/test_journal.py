import json
from pathlib import Path

import pytest

from core.errors import UsageError
from core.serve.journal import Entry, Journal
from core.serve.searching import How

ENTRY = Entry("/retrieve", queries=["机密"], how=How("hybrid", 5, 0.0), queued_seconds=0.0125)


def write(path, entry=ENTRY, status=200, *, with_queries=False):
    journal = Journal(path, with_queries=with_queries)
    journal.write(entry, status)
    journal.close()


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("name", "file"), [("logs", "logs/requests.jsonl"), ("a/b.jsonl", "a/b.jsonl")])
def test_a_folder_or_a_file_gets_a_line_for_each_request(tmp_path, name, file):
    for _ in range(2):  # a second server adds to the first one's lines
        write(tmp_path / name)
    first, second = lines(tmp_path / file)
    assert first.pop("time") == second["time"]
    assert first.pop("total_milliseconds") >= 0
    assert first == {
        "route": "/retrieve",
        "status": 200,
        "num_queries": 1,
        "k": 5,
        "method": "hybrid",
        "alpha": 0.0,
        "queued_milliseconds": 12.5,
    }


def test_an_existing_folder_with_a_dot_in_its_name_stays_a_folder(tmp_path):
    (tmp_path / "logs.d").mkdir()
    write(tmp_path / "logs.d")
    assert len(lines(tmp_path / "logs.d" / "requests.jsonl")) == 1


def test_queries_are_written_only_when_asked_for(tmp_path):
    write(tmp_path / "with.jsonl", with_queries=True)
    write(tmp_path / "without.jsonl")
    assert lines(tmp_path / "with.jsonl")[0]["queries"] == ["机密"]
    assert "机密" not in (tmp_path / "without.jsonl").read_text(encoding="utf-8")


def test_a_request_that_came_to_nothing_has_nulls(tmp_path):
    write(tmp_path / "log.jsonl", Entry("/retrieve"), 401)
    (row,) = lines(tmp_path / "log.jsonl")
    assert (row["status"], row["num_queries"], row["method"], row["queued_milliseconds"]) == (401, None, None, None)


def test_a_log_that_cannot_be_written_is_told_at_the_start(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="`log_path` cannot be written"):
        Journal(tmp_path / "file" / "log.jsonl", with_queries=False)


def test_a_full_disk_ends_the_log_and_not_the_server(caplog):
    full = Path("/dev/full")  # refuses every write as a full disk does
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    journal = Journal(full, with_queries=False)
    journal.write(ENTRY, 200)
    journal.write(ENTRY, 200)
    assert caplog.text.count("the log of requests ends here: No space left on device") == 1
