"""`dr data convert` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.data.convert.names import NAMES

ROOT = Path(__file__).parents[2]

ROW = {"query": "q", "positives": [{"id": "d", "title": "T", "text": "a"}], "negatives": [{"text": "b"}]}


def start(home, *argv):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "cli.main", "data", "convert", *map(str, argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=home, env=environment, text=True, **pipes)


def convert(home, *argv, status=0):
    with start(home, *argv) as child:
        out, err = child.communicate(timeout=120)
    assert child.returncode == status, f"exit {child.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return out, err


@pytest.fixture
def home(tmp_path):
    (tmp_path / "in.jsonl").write_text(json.dumps(ROW) + "\n")
    return tmp_path


def test_the_path_is_the_result_and_the_losses_are_told(home):
    out, err = convert(home, "in.jsonl", "out.jsonl", "--to", "ms-swift")
    assert out == "out.jsonl\n"
    assert "in.jsonl: taken as examples" in err
    assert "out.jsonl: 1 rows as ms-swift" in err
    assert "warning: lost: 1 titles" in err
    assert "warning: lost: 1 document ids" in err


def test_the_one_object_has_the_losses_too(home):
    out, err = convert(home, "in.jsonl", "out.json", "--from", "examples", "--to", "triples", "--json", "-q")
    assert json.loads(out) == {
        "schema_version": 1,
        "input": "in.jsonl",
        "from": "examples",
        "guessed": False,
        "output": "out.json",
        "to": "triples",
        "written": {"rows": 2},
        "lost": {"title": 1, "document_id": 1},
    }
    assert "taken as" not in err
    assert "warning: lost: 1 titles" in err  # told even when quiet
    assert isinstance(json.loads((home / "out.json").read_text()), list)


def test_an_output_in_the_way_needs_force(home):
    convert(home, "in.jsonl", "out", "--to", "beir")
    _, err = convert(home, "in.jsonl", "out", "--to", "beir", status=2)
    assert "--force" in err
    convert(home, "in.jsonl", "out", "--to", "tevatron", "--force")
    assert (home / "out.previous/queries.jsonl").exists()
    assert (home / "out/train.jsonl").exists()


def test_a_bad_row_is_told_with_file_line_and_field(home):
    with (home / "in.jsonl").open("a") as file:
        file.write('{"query": "q", "positives": [{"text": 3}]}\n')
    _, err = convert(home, "in.jsonl", "out.jsonl", "--to", "ms-swift", status=1)
    assert "`positives[0].text` is a number" in err
    assert "at in.jsonl:2" in err
    assert sorted(path.name for path in home.iterdir()) == ["in.jsonl"]


def test_the_help_names_every_format(home):
    out, _ = convert(home, "--help")
    assert all(f"{name}:" in out for name in NAMES)


def test_a_stopped_conversion_leaves_nothing(home):
    row = json.dumps({"id": "d", "contents": "the price of a bond " * 40}) + "\n"
    (home / "big.jsonl").write_text(row * 100_000)
    with start(home, "big.jsonl", "out", "--to", "beir") as child:
        while not list(home.glob("out.*.partial/result/corpus.jsonl")):
            assert child.poll() is None
            time.sleep(0.005)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
    assert (child.returncode, err.splitlines()[-1]) == (
        143,
        "interrupted: what is whole is kept, the same command goes on",
    )
    assert sorted(path.name for path in home.iterdir()) == ["big.jsonl", "in.jsonl"]


def test_a_place_where_nothing_can_be_made_is_told(home):
    _, err = convert(home, "in.jsonl", "in.jsonl/out", "--to", "beir", status=2)
    assert "cannot write the output" in err


def test_a_full_disk_is_told_and_leaves_nothing(home, small_disk):
    (home / "big.jsonl").write_text((json.dumps({"id": "d", "contents": "bond " * 400}) + "\n") * 1000)
    _, err = convert(home, "big.jsonl", small_disk / "out", "--to", "beir", status=1)
    assert "the disk is full" in err
    assert list(small_disk.iterdir()) == []
