"""Where `dr` begins and ends: the whole tree, signals, and failures as one message and an exit code."""

import signal
import sys
from typing import Annotated, Any, NoReturn

import typer

import cli.commands  # noqa: F401 - puts them on the tree
from cli import console
from cli.tree import app
from core.errors import DrError, Missing
from core.lazy import DISTRIBUTION


def _version(wanted: bool) -> None:
    if wanted:
        from core.versions import installed

        console.emit(f"dr {installed(DISTRIBUTION) or 'from source'}")
        raise typer.Exit


@app.callback()
def dr(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and end.")
    ] = False,
) -> None:
    """From a domain's documents to a measured, served retrieval system."""


def main() -> None:
    """Run the app; turn expected failures into one message and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _unwind)
    try:
        app()
    except DrError as error:
        _end(error)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in {"cli", "core"}:
            raise
        hint = f"pip install '{DISTRIBUTION}'; `dr doctor` shows what else is missing"
        _end(Missing(f"the package `{error.name}` is not installed", hint=hint))


def _end(error: DrError) -> NoReturn:
    if "--json" in sys.argv:
        console.emit_json(**error.as_dict())
    print(error.render(), file=sys.stderr)  # noqa: T201 - the last word
    raise SystemExit(error.exit_code) from None


def _unwind(number: int, _frame: Any) -> None:
    """End by unwinding, so that programs we started end with us and unfinished work is kept."""
    print("interrupted: what is whole is kept, the same command goes on", file=sys.stderr)  # noqa: T201 - said even when quiet
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
