import subprocess
import sys
from pathlib import Path

from core.tuning.spec import Verl
from core.tuning.verl.session import Session, ray

CPU = Verl(type="verl", device="cpu")
GPU = Verl(type="verl")


def test_each_session_has_a_folder_of_its_own(tmp_path):
    first, second = Session.begin(tmp_path), Session.begin(tmp_path)

    assert (first.number, second.number) == (1, 2)
    assert first.env(GPU)["VERL_FILE_LOGGER_PATH"] != second.env(GPU)["VERL_FILE_LOGGER_PATH"]  # verl empties its file


def test_our_package_and_nothing_else_of_ours_is_on_the_path_of_verl(tmp_path):
    session = Session.begin(tmp_path)

    assert [path.name for path in session.guest.iterdir()] == ["core"]
    told = "import core.tuning.verl.guest.reward as r; print(r.__file__)"
    found = subprocess.run(
        [sys.executable, "-S", "-c", told],
        env=session.env(GPU),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )  # -S: without site-packages, so what verl imports there is the standard library and ours alone
    assert Path(found.stdout.strip()).is_relative_to(session.guest)


def test_a_session_takes_its_scratch_away(tmp_path):
    session = Session.begin(tmp_path)
    session.close()

    assert list(tmp_path.iterdir()) == []


def test_without_a_gpu_verl_is_told_of_our_platform(tmp_path):
    session = Session.begin(tmp_path)

    assert session.env(CPU)["VERL_PLATFORM"] == "cpu"
    assert not [name for name in session.env(GPU) if name.startswith("VERL_PLATFORM")]


def test_this_machine_gets_a_ray_of_its_own_whatever_runs_here():
    assert ray(GPU, {})["+ray_kwargs.ray_init.address"] == "local"
    assert ray(CPU, {})["+ray_kwargs.ray_init.num_gpus"] == 1


def test_a_cluster_is_joined_and_told_of_the_environment():
    keys = ray(Verl(type="verl", ray_address="10.0.0.1:6379"), {"DR_REWARD": "/r.json"})

    assert keys == {
        "+ray_kwargs.ray_init.address": "10.0.0.1:6379",
        "+ray_kwargs.ray_init.runtime_env.env_vars.DR_REWARD": "/r.json",
    }
