import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from pydantic import ValidationError

from core.errors import DataError
from core.tracking import Tracking, open_tracker
from core.tracking.backend import refused
from core.tracking.record import read, series

ROOT = Path(__file__).parents[3]

RECIPE = {"stage": "embed", "train": {"batch_size": 8}}


def follow(folder, *rows, backends=()):
    """One session that logs `rows` of (step, values)."""
    with open_tracker(Tracking(backends=backends), folder, RECIPE) as tracker:
        for step, values in rows:
            tracker.log(values, step)


def losses(folder):
    return series(read(folder / "metrics.jsonl")).get("loss", {})


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# the record


def test_rows_hold_step_time_and_values(tmp_path):
    before = time.time()
    follow(tmp_path, (1, {"train/loss": 0.5}), (2, {"train/loss": 0.25, "lr": 1e-5}))
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert (first["step"], first["values"]) == (1, {"train/loss": 0.5})
    assert (second["step"], second["values"]) == (2, {"train/loss": 0.25, "lr": 1e-5})
    assert before - 1 < first["time"] <= second["time"] < time.time() + 1


def test_what_is_not_finite_is_kept_in_strict_json(tmp_path):
    follow(tmp_path, (1, {"a": math.nan, "b": math.inf, "c": -math.inf}))

    def refuse(word):
        pytest.fail(f"{word} is no JSON")

    row = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert row["values"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}
    (kept,) = read(tmp_path / "metrics.jsonl")
    assert math.isnan(kept.values["a"])
    assert (kept.values["b"], kept.values["c"]) == (math.inf, -math.inf)


def test_numbers_of_numpy_are_numbers(tmp_path):
    follow(tmp_path, (np.int64(1).item(), {"loss": np.float32(0.5), "steps": np.int64(3)}))
    assert losses(tmp_path) == {1: 0.5}


def test_what_is_no_number_is_a_bug_and_not_dropped(tmp_path):
    with pytest.raises(ValueError, match="could not convert"):
        follow(tmp_path, (1, {"loss": "low"}))


def test_a_resumed_session_supersedes_the_steps_it_does_again(tmp_path):
    follow(tmp_path, *[(step, {"loss": 1.0}) for step in (10, 20, 30, 40)])
    follow(tmp_path, (30, {"loss": 2.0}))  # resumed from a checkpoint at 20, and stopped after 30
    assert losses(tmp_path) == {10: 1.0, 20: 1.0, 30: 2.0}
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 5  # nothing is rewritten


def test_a_third_session_may_go_back_before_the_second(tmp_path):
    for value, steps in ((1.0, (10, 20, 30)), (2.0, (30, 40)), (3.0, (20,))):
        follow(tmp_path, *[(step, {"loss": value}) for step in steps])
    assert losses(tmp_path) == {10: 1.0, 20: 3.0}


def test_a_session_that_logs_nothing_supersedes_nothing(tmp_path):
    follow(tmp_path, (1, {"loss": 1.0}))
    follow(tmp_path)
    follow(tmp_path, (2, {"loss": 2.0}))
    assert losses(tmp_path) == {1: 1.0, 2: 2.0}


def test_two_rows_of_one_step_and_session_join(tmp_path):
    follow(tmp_path, (1, {"loss": 1.0}), (2, {"loss": 2.0}), (1, {"mrr": 0.5}))
    assert series(read(tmp_path / "metrics.jsonl")) == {"loss": {1: 1.0, 2: 2.0}, "mrr": {1: 0.5}}


@pytest.mark.parametrize(
    "torn", ['{"session": 1, "st', '{"session": 1, "step": 2, "time": 1.0, "values": {"loss": 9}}']
)
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    follow(tmp_path, (1, {"loss": 1.0}))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    assert losses(tmp_path) == {1: 1.0}
    follow(tmp_path, (2, {"loss": 2.0}))
    assert losses(tmp_path) == {1: 1.0, 2: 2.0}


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"step": 1}', '{"session": 1, "step": 1, "time": 1, "values": {"a": "x"}}']
)
def test_a_damaged_line_is_told_with_its_place(tmp_path, line):
    follow(tmp_path, (1, {"loss": 1.0}))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match="not a row of metrics") as caught:
        follow(tmp_path)
    assert caught.value.where == f"{tmp_path / 'metrics.jsonl'}:2"


def test_a_killed_session_loses_no_row_that_log_has_taken(tmp_path):
    code = f"""
        import os
        from pathlib import Path
        from core.tracking import Tracking, open_tracker
        with open_tracker(Tracking(), Path({str(tmp_path)!r}), {{}}) as tracker:
            for step in range(100):
                tracker.log({{"loss": 1.0}}, step)
            os.kill(os.getpid(), {signal.SIGKILL:d})
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(losses(tmp_path)) == 100


# the run


def test_the_run_id_survives_a_resume(tmp_path):
    follow(tmp_path)
    first = json.loads((tmp_path / "run.json").read_text())["id"]
    follow(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["id"] == first
    follow(tmp_path / "other")
    assert json.loads((tmp_path / "other" / "run.json").read_text())["id"] != first


@pytest.mark.parametrize("text", ["", "[1]", "{}"])
def test_a_damaged_run_file_is_a_sentence(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError):
        follow(tmp_path)


def test_a_summary_is_kept_over_a_resume(tmp_path):
    for values in ({"best": 0.5, "seconds": 1.0}, {"best": math.nan}):
        with open_tracker(Tracking(), tmp_path, RECIPE) as tracker:
            tracker.summary(values)
    assert json.loads((tmp_path / "summary.json").read_text()) == {"best": "NaN", "seconds": 1.0}


@pytest.mark.parametrize(
    "spec",
    [
        {"backends": [{"type": "swanlab"}, {"type": "swanlab", "mode": "local"}]},
        {"backends": [{"type": "mlflow"}]},
        {"backends": [{"type": "wandb", "mode": "cloud"}]},
        {"backends": [{"type": "wandb", "api_key": "s"}]},
        {"project": "a b"},
    ],
)
def test_a_wrong_choice_is_refused_by_the_recipe(spec):
    with pytest.raises(ValidationError):
        Tracking.model_validate(spec)


def test_the_spec_and_the_tracker_are_light():
    code = """
        import sys
        import core.tracking
        print([name for name in ("matplotlib", "torch", "numpy", "swanlab", "wandb") if name in sys.modules])
    """
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert asked.stdout == "[]\n"


@pytest.mark.parametrize(
    ("package", "backend"),
    [
        ("swanlab", "{'type': 'swanlab'}"),
        ("swanboard", "{'type': 'swanlab', 'mode': 'local'}"),
        ("wandb", "{'type': 'wandb'}"),
        ("tensorboard", "{'type': 'tensorboard'}"),
    ],
)
def test_a_missing_package_is_told_before_anything_is_trained(tmp_path, package, backend):
    code = f"""
        import sys
        from pathlib import Path
        from core.errors import Missing
        from core.tracking import Tracking, open_tracker
        sys.modules[{package!r}] = None  # Python's own way to say that a package is not there
        try:
            with open_tracker(Tracking(backends=[{backend}]), Path({str(tmp_path)!r}), {{}}):
                print("training")
        except Missing as error:
            print(error.what, error.hint)
    """
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"`{package}`" in asked.stdout
    assert "pip install" in asked.stdout
    assert "training" not in asked.stdout


def test_a_disabled_tracker_needs_no_package_and_writes_nothing(tmp_path):
    sessions = [{"type": "swanlab", "mode": "disabled"}, {"type": "wandb", "mode": "disabled"}]
    follow(tmp_path, (1, {"loss": 1.0}), backends=sessions)
    assert files(tmp_path) == ["metrics.jsonl", "plots/loss.png", "run.json"]


# the trackers of others: each in a process of its own, with a home of its own, warnings as errors

SESSION = """
    import os, sys
    from pathlib import Path
    import psutil
    from core.errors import Missing
    from core.tracking import Tracking, open_tracker
    folder, backend, first, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    tracking = Tracking.model_validate({"name": "a run", "project": "tests", "backends": [eval(backend)]})
    try:
        with open_tracker(tracking, folder, {"stage": "embed", "train": {"batch_size": 8}}) as tracker:
            for step in range(first, last):
                tracker.log({"train/loss": 1 / (step + 1), "eval/mrr": float("nan")}, step)
            tracker.summary({"best": 0.5})
    except Missing as error:
        print(error.render())
        sys.exit(error.exit_code)
    left = psutil.Process().children(recursive=True)
    if left:
        sys.exit(f"processes that may still write: {left}")
    print("the result")
"""

SECRET = "s3cret0123456789s3cret0123456789s3cret00"


def session(tmp_path, backend, first=0, last=3, **variables):
    """Run one session; its stdout and what it wrote outside of its folder."""
    for name in ("home", "cwd"):
        (tmp_path / name).mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SWANLAB", "WANDB"))}
    env = {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "HOME": str(tmp_path / "home"),
        "MPLCONFIGDIR": matplotlib.get_configdir(),
        **variables,
    }
    arguments = (str(tmp_path / "logs"), str(backend), str(first), str(last))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SESSION), *arguments],
        cwd=tmp_path / "cwd",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, files(tmp_path / "home") + files(tmp_path / "cwd")


def check_two_sessions(tmp_path, backend, key):
    """Two sessions of one run write below their folder only, and keep results and secrets to themselves."""
    for first, last in ((0, 3), (2, 5)):
        done, strays = session(tmp_path, backend, first, last, **{key: SECRET})
        assert (done.returncode, done.stdout) == (0, "the result\n"), done.stderr
        assert strays == []
        assert SECRET not in done.stderr
    after = {name: (tmp_path / "logs" / name).stat().st_size for name in files(tmp_path / "logs")}
    time.sleep(0.3)
    assert {name: (tmp_path / "logs" / name).stat().st_size for name in files(tmp_path / "logs")} == after
    for name in after:
        assert SECRET.encode() not in (tmp_path / "logs" / name).read_bytes(), name
    steps = series(read(tmp_path / "logs" / "metrics.jsonl"))["train/loss"]
    assert list(steps) == [0, 1, 2, 3, 4]
    return json.loads((tmp_path / "logs" / "run.json").read_text())["id"]


def test_swanlab_offline_keeps_the_run_in_its_folder(tmp_path):
    number = check_two_sessions(tmp_path, {"type": "swanlab", "mode": "offline"}, "SWANLAB_API_KEY")
    records = list((tmp_path / "logs" / "swanlog").glob(f"run-*/run-{number}.swanlab"))
    assert len(records) == 2
    assert all(b"train/loss" in record.read_bytes() for record in records)


def test_swanlab_local_feeds_its_board(tmp_path):
    check_two_sessions(tmp_path, {"type": "swanlab", "mode": "local"}, "SWANLAB_API_KEY")
    assert (tmp_path / "logs" / "swanlog" / "runs.swanlab").exists()


def test_wandb_offline_keeps_the_run_in_its_folder(tmp_path):
    number = check_two_sessions(tmp_path, {"type": "wandb", "mode": "offline"}, "WANDB_API_KEY")
    records = list((tmp_path / "logs" / "wandb").glob(f"offline-run-*-{number}/run-{number}.wandb"))
    assert len(records) == 2
    assert all(b"train/loss" in record.read_bytes() for record in records)


def test_tensorboard_shows_each_step_once_after_a_resume(tmp_path):
    check_two_sessions(tmp_path, {"type": "tensorboard"}, "WANDB_API_KEY")
    code = f"""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        events = EventAccumulator({str(tmp_path / "logs" / "tensorboard")!r}).Reload()
        print([(event.step, round(event.value, 3)) for event in events.Scalars("train/loss")])
        print([event.value for event in events.Scalars("eval/mrr")], events.Scalars("summary/best")[-1].value)
    """
    shown = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines() == [
        "[(0, 1.0), (1, 0.5), (2, 0.333), (3, 0.25), (4, 0.2)]",
        "[nan, nan, nan, nan, nan] 0.5",
    ]


@pytest.mark.parametrize(
    ("backend", "key"),
    [({"type": "swanlab", "mode": "cloud"}, "SWANLAB_API_KEY"), ({"type": "wandb", "mode": "online"}, "WANDB_API_KEY")],
)
def test_a_service_without_a_key_is_a_sentence_before_training(tmp_path, backend, key):
    done, _ = session(tmp_path, backend)
    assert done.returncode == 3, done.stderr
    assert f"{backend['type']} does not start" in done.stdout
    assert f"set {key}" in done.stdout


class Refusing(BaseHTTPRequestHandler):
    """A service that answers every request with 401, and with the secret it was shown."""

    def do_POST(self):
        body = json.dumps({"code": "401", "message": f"the key {SECRET} is wrong"}).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST

    def log_message(self, *arguments):
        pass


@pytest.fixture
def refusing_service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_that_refuses_is_a_sentence_that_does_not_tell_the_key(tmp_path, refusing_service):
    variables = {"SWANLAB_API_KEY": SECRET, "SWANLAB_API_HOST": refusing_service, "NO_PROXY": "127.0.0.1"}
    done, strays = session(tmp_path, {"type": "swanlab", "mode": "cloud"}, **variables)
    assert done.returncode == 3, done.stderr
    assert "swanlab does not start" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert strays == []


def test_the_reason_of_a_refusal_is_told_without_the_secret():
    # the environment variable PATH stands for a secret that is set
    told = refused("wandb", RuntimeError(f"the key {os.environ['PATH']}\n is wrong"), "PATH")
    assert told.what == "wandb does not start: the key $PATH is wrong"


def test_a_failed_training_still_leaves_its_record_and_pictures(tmp_path):
    with pytest.raises(KeyError), open_tracker(Tracking(), tmp_path, RECIPE) as tracker:
        tracker.log({"loss": 1.0}, 1)
        raise KeyError
    assert files(tmp_path) == ["metrics.jsonl", "plots/loss.png", "run.json"]


def test_nothing_is_drawn_where_memory_ran_out_and_the_record_stays(tmp_path):
    with pytest.raises(MemoryError), open_tracker(Tracking(), tmp_path, {}) as tracker:
        tracker.log({"loss": 1.0}, 1)
        raise MemoryError
    assert (tmp_path / "metrics.jsonl").read_text()
    assert not (tmp_path / "plots").exists()
