"""Start-up of the command line beside a bare interpreter; one JSON object on stdout.

python -m tests.bench.command_line [rounds]
"""

import json
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python": ["-c", "pass"],
    "dr --help": ["-m", "cli.main", "--help"],
    "dr recipe ls": ["-m", "cli.main", "recipe", "ls"],
    "dr index --dry-run": ["-m", "cli.main", "index", "recipes/index/tiny.yaml", "--dry-run"],
    "dr run --dry-run": ["-m", "cli.main", "run", "recipes/quickstart.yaml", "--dry-run"],
}


def seconds(argv):
    started = time.perf_counter()
    subprocess.run([sys.executable, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main(rounds="15"):
    times = {name: [] for name in COMMANDS}
    for _ in range(int(rounds)):
        for name, argv in COMMANDS.items():
            times[name].append(seconds(argv))
    print(json.dumps({name: round(statistics.median(values), 3) for name, values in times.items()}, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
