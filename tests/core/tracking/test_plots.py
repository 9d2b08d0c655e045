import json
import math
import struct

import pytest

from core.tracking import plots


def write(path, rows):
    lines = [
        json.dumps({"session": 1, "step": step, "time": 0, "values": values}, ensure_ascii=False)
        for step, values in rows
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def size(picture):
    """Width and height in the header of a PNG."""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def test_metrics_that_measure_one_thing_share_a_picture(tmp_path):
    rows = [(step, {"train/loss": 1 / step, "eval/loss": 2 / step, "eval/ndcg@10": 0.5, "lr": 0.1}) for step in (1, 2)]
    drawn = plots.draw(write(tmp_path / "metrics.jsonl", rows), tmp_path / "plots")
    assert [path.name for path in drawn] == ["loss.png", "lr.png", "ndcg@10.png"]
    assert sorted((tmp_path / "plots").iterdir()) == drawn
    assert all(size(path) == (770, 440) for path in drawn)  # 7 x 4 inches, 110 dots each


def test_a_name_that_is_no_file_name_is_made_one(tmp_path):
    rows = [(1, {"train/准 确 率": 0.5, "a/b:c*d": 1.0, "..": 2.0})]
    drawn = plots.draw(write(tmp_path / "metrics.jsonl", rows), tmp_path / "plots")
    assert [path.name for path in drawn] == ["...png", "b_c_d.png", "准_确_率.png"]


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_values_that_are_not_finite_are_counted_in_the_title(tmp_path, value):
    rows = [(1, {"loss": 1.0}), (2, {"loss": value}), (3, {"loss": value})]
    write(tmp_path / "metrics.jsonl", rows)
    assert len(plots.draw(tmp_path / "metrics.jsonl", tmp_path / "plots")) == 1
    assert plots._title("loss", {"loss": {1: 1.0, 2: float(value), 3: math.nan}}) == "loss (2 not finite)"


def test_nothing_measured_draws_nothing(tmp_path):
    assert plots.draw(tmp_path / "metrics.jsonl", tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()
