"""One start of verl in an unfinished artifact: its folder, its environment, its command.

verl/guest/       on verl's path: our package and nothing else of ours
verl/<number>/    what one session wrote: metrics.jsonl, rollouts/, held_out/, scored/, failed.json

The folder `verl` is scratch and goes when the training is over.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import core
from core.process import Command
from core.reward import door
from core.tuning.spec import Verl
from core.tuning.verl.arguments import Keys
from core.tuning.verl.guest import names, reward

FOLDER = "verl"
METRICS, ROLLOUTS, HELD_OUT, SCORED, FAILED = "metrics.jsonl", "rollouts", "held_out", "scored", "failed.json"

LOGICAL_CPUS = 32
"""That Ray is told of where there is no GPU: it starts one process for each of verl's parts, however few there are."""
OBJECT_STORE_BYTES = 500_000_000


@dataclass(frozen=True)
class Session:
    """A start."""

    root: Path
    number: int

    @classmethod
    def begin(cls, folder: Path) -> "Session":
        """A new one in `folder`, with the path that verl's processes find our code by."""
        root = folder.absolute() / FOLDER
        guest = root / "guest"
        guest.mkdir(parents=True, exist_ok=True)
        package = guest / "core"
        package.unlink(missing_ok=True)
        # Not our site-packages: they would hide verl's.
        package.symlink_to(Path(core.__file__).parent.absolute(), target_is_directory=True)
        number = 1 + max((int(path.name) for path in root.iterdir() if path.name.isdigit()), default=0)
        session = cls(root, number)
        for place in (ROLLOUTS, HELD_OUT, SCORED):
            (session.folder / place).mkdir(parents=True)
        return session

    @property
    def folder(self) -> Path:
        return self.root / str(self.number)

    def earlier(self) -> list["Session"]:
        """Those that were killed before it, oldest first, with what they wrote and nobody took."""
        numbers = sorted(int(path.name) for path in self.root.iterdir() if path.name.isdigit())
        return [Session(self.root, number) for number in numbers if number < self.number]

    def drop(self) -> None:
        """Take away what it wrote."""
        shutil.rmtree(self.folder)

    @property
    def guest(self) -> Path:
        """The folder that is to be on the path of verl's processes."""
        return self.root / "guest"

    @property
    def failed(self) -> Path:
        """Where a reward or a search says that it failed."""
        return self.folder / FAILED

    def command(self, argv: tuple[str, ...], trainer: Verl, env: Mapping[str, str] | None = None) -> Command:
        """A program of verl's interpreter, in the session's folder."""
        return Command((str(trainer.python.absolute()), *argv), {**self.env(trainer), **(env or {})}, self.folder)

    def env(self, trainer: Verl) -> dict[str, str]:
        """What verl's processes find in their environment, beside ours."""
        env = {
            "PYTHONPATH": str(self.guest),
            "PYTHONUNBUFFERED": "1",
            "HYDRA_FULL_ERROR": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "RAY_USAGE_STATS_ENABLED": "0",
            "VERL_FILE_LOGGER_PATH": str(self.folder / METRICS),  # verl empties it when it starts
            door.FAILED: str(self.failed),
            reward.SCORED: str(self.folder / SCORED),
        }
        return {**env, **names.CPU, "OMP_NUM_THREADS": "1"} if trainer.device == "cpu" else env

    def close(self) -> None:
        """Take the scratch away."""
        shutil.rmtree(self.root)


def hydra(folder: Path) -> Keys:
    """Where Hydra itself writes, which is the working directory otherwise."""
    return {"hydra.run.dir": str(folder / "hydra"), "hydra.output_subdir": None}


def ray(trainer: Verl, env: Mapping[str, str]) -> Keys:
    """The Ray that verl starts, or the one that it joins.

    One of this machine's own is always new, whatever runs here already, and ends with the run. Those of a cluster were
    started by others, so they are told what their processes find in the environment; keys of services are not, since
    arguments are seen by everybody: the cluster's own environment has them. Its machines see the artifact's folder too.
    """
    init = "ray_kwargs.ray_init"
    if trainer.ray_address:
        told = {f"+{init}.runtime_env.env_vars.{name}": value for name, value in env.items()}
        return {f"+{init}.address": trainer.ray_address, **told}
    keys: Keys = {f"+{init}.address": "local", f"+{init}.include_dashboard": False}
    if trainer.device == "cpu":
        keys |= {
            f"{init}.num_cpus": LOGICAL_CPUS,
            f"+{init}.num_gpus": trainer.gpus,
            f"+{init}.object_store_memory": OBJECT_STORE_BYTES,
        }
    return keys
