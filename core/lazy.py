"""Heavy and optional packages, imported at the door of the code that needs them."""

from importlib import import_module
from typing import Any

from core.errors import Missing

DISTRIBUTION = "dr-retrieval"


def require(module: str, *, extra: str | None = None) -> Any:
    """Import `module`, or say which extra of ours brings it.

    Raises:
        Missing: the package is not installed. A package that is there but broken keeps its own error.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        what = f"{DISTRIBUTION}[{extra}]" if extra else DISTRIBUTION
        raise Missing(f"the package `{module}` is not installed", hint=f"pip install '{what}'") from None
