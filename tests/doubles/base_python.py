"""Stands in for a Python that makes environments: `-m venv`, `-m pip install`, and the questions that `dr` asks.

Copied to `<folder>/bin/python` with a first line that names a real Python. Beside it, `python.json` says what it is:
`version`, `package` (the version its packages have), `unknown` (pip fails when an argument holds this and no other
index is named), `broken` (imports fail), `waits` (pip never ends). Every environment it makes has a copy of it, and
notes in `asked.jsonl` what pip was asked for.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).parent
CONFIG = json.loads((HERE / "python.json").read_text())


def venv(folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    for name in ("python", "python.json"):
        shutil.copy(HERE / name, folder / "bin" / name)


def pip(arguments):
    told = {"arguments": arguments, "PYTHONPATH": os.environ.get("PYTHONPATH")}
    with (HERE.parent / "asked.jsonl").open("a") as file:
        file.write(json.dumps(told) + "\n")
    if CONFIG.get("waits"):
        time.sleep(60)
    unknown = CONFIG.get("unknown")
    if unknown and any(unknown in a for a in arguments) and "--extra-index-url" not in arguments:
        raise SystemExit(f"ERROR: No matching distribution found for {unknown}")


def answer(question):
    if "platform" in question:
        print(CONFIG.get("version", "3.11.7"))
    elif question.startswith("import torch"):
        raise SystemExit("ImportError: libcudart.so.12" if CONFIG.get("broken") else 0)
    else:
        print(CONFIG.get("package", "0.32.0"))


match sys.argv[1:]:
    case ["-m", "venv", "--clear", folder]:
        venv(Path(folder))
    case ["-m", "pip", *arguments]:
        pip(arguments)
    case ["-c", question]:
        answer(question)
    case other:
        raise SystemExit(f"not understood: {other}")
