"""`dr data` and `dr data check` as a user calls them, on the newer sources and on training files."""

import json
import subprocess
import sys


def dr(*argv, cwd):
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *argv], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_a_shipped_recipe_with_overrides_builds_a_corpus_from_a_table(tmp_path):
    (tmp_path / "d.csv").write_text("编号,标题,正文\nd1,基金,净值。\nd2,,第二篇。\n", encoding="utf-8-sig")
    done = dr("data", "data/csv", "source.documents=d.csv", "~source.queries", "~source.qrels", "out=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "out"
    rows = [json.loads(line) for line in (tmp_path / "out" / "corpus.jsonl").read_text().splitlines()]
    assert rows == [{"_id": "d1", "title": "基金", "text": "净值。"}, {"_id": "d2", "title": "", "text": "第二篇。"}]


def test_a_reader_that_fails_is_told_without_a_traceback(tmp_path):
    (tmp_path / "my_reader.py").write_text("def read():\n    return 1 / 0\n")
    done = dr("data", "data/python", "source.path=null", "out=out", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: the reader failed: ZeroDivisionError: division by zero\n  at my_reader.py:2" in done.stderr
    assert "Traceback" not in done.stderr


def test_checking_a_training_file_shows_its_labels_and_fails_on_a_conflict(tmp_path):
    rows = [{"query": "q", "document": "d", "rel": rel, "weight": 1.0} for rel in (1.0, 0.0)]
    (tmp_path / "triples.json").write_text(json.dumps(rows))
    done = dr("data", "check", "triples.json", cwd=tmp_path)
    assert done.returncode == 4
    assert "labels (rel)" in done.stdout
    assert "conflicting label of the same query and document, first at triples.json: row 2" in done.stderr
    found = json.loads(dr("data", "check", "triples.json", "--json", cwd=tmp_path).stdout)
    assert found["labels"] == {"counts": {"0": 1, "1": 1}}
    assert found["exit_code"] == 4
