"""Arrays on disk, opened by memory map."""

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ContractError


def open_array(path: Path) -> Any:
    """The array in a .npy file, read-only, loaded as it is touched.

    Raises:
        ContractError: the file is damaged.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        hint = "`dr data check --verify` finds what was changed; build the index again with --force"
        raise ContractError(f"the array is damaged: {error}", where=str(path), hint=hint) from None
