"""The benchmarks still run, once and on tiny data; their times are nobody's concern here."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The tiny collection, packed as the real ones are."""
    path = tmp_path_factory.mktemp("bench") / "tiny.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(ROOT / "tests/data/tiny", arcname="tiny")
    return path


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("bm25", ["ARCHIVE", "english", "1"]),
        ("serve", ["ARCHIVE", "20", "1"]),
        ("command_line", ["1"]),
        ("convert", ["0.2", "1"]),
        ("mine", ["300", "40", "1"]),
        ("llm", ["20", "8", "0.01", "0.2", "0.5"]),
        ("distill", ["10", "8", "0.01", "0.2", "0.5"]),
        ("reward", ["300", "40", "1", "40", "0.01", "8"]),
        pytest.param("embed", ["2", "2", "1", "4", "2"], marks=pytest.mark.slow),
    ],
)
def test_a_benchmark_prints_one_report(archive, name, arguments):
    argv = [str(archive) if argument == "ARCHIVE" else argument for argument in arguments]
    command = [sys.executable, "-m", f"tests.bench.{name}", *argv]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
