"""`dr` as a person calls it, in a folder with the shipped recipes, and what it leaves there."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[4]


@dataclass
class Place:
    """A folder with the shipped recipes, where `dr` is called."""

    folder: Path
    python: str
    """verl's interpreter."""

    def path(self, name):
        return self.folder / "artifacts/tiny/world" / name

    def begin(self, *argv):
        """`dr` under way, in a process group of its own."""
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *map(str, argv)],
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call(self, *argv):
        """Exit code and all that it said."""
        with self.begin(*argv) as process:
            said = process.communicate()[0]
        return process.returncode, said

    def make(self, *argv):
        """A step that goes well."""
        code, said = self.call(*argv)
        assert code == 0, said
        return said

    def by_verl(self, out, *changes, batch=32):
        """Overrides that hand a shipped recipe to verl on this machine's processor."""
        trainer = f"{{type: verl, device: cpu, dtype: fp32, micro_batch_size: {batch}, python: {self.python}}}"
        return (f"trainer={trainer}", f"out={self.path(out)}", "log_every=1", *changes)


def logged(artifact):
    """name -> step -> value of an artifact's metrics, finished or not."""
    rows = {}
    for home in (artifact, artifact.with_name(f"{artifact.name}.partial")):
        if (file := home / "logs/metrics.jsonl").exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                for name, value in row["values"].items():
                    rows.setdefault(name, {})[row["step"]] = value
    return rows


def until(process, seen, seconds=600):
    """Wait until `seen()`, while `process` goes on."""
    end = time.monotonic() + seconds
    while not seen():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


def kill(process):
    """SIGKILL to `dr` alone: what it started has to notice by itself."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@contextmanager
def asleep(process):
    """`dr` stands still: what it started goes on, and nobody watches it."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)


def trainer(process):
    """The process of verl that `dr` has started."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    [line] = [line for line in found.stdout.splitlines() if "verl.trainer" in line]
    return int(line.split()[0])


def status(pid):
    """Exit status of a process that has ended and that nobody has asked yet; None while it runs."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return os.waitstatus_to_exitcode(int(fields[-1])) if fields[0] == "Z" else None


def wrote(artifact):
    """step -> what verl itself has written of it, in the first session of a training that goes on."""
    file = artifact.with_name(f"{artifact.name}.partial") / "verl/1/metrics.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return {row["step"]: row["data"] for row in rows if "actor/lr" in row["data"]}
