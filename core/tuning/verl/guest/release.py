"""Which verl its platform without a GPU fits. Standard library only."""

from core.errors import ContractError
from core.tuning.verl.guest.names import RELEASE


def check(version: str) -> None:
    """Refuse another release than the one that was tried.

    Raises:
        ContractError: the platform reaches into verl, and another release may be another inside.
    """
    if version != RELEASE:
        what = f"verl {version} is installed, and training on a CPU is made for verl {RELEASE}: it reaches inside"
        raise ContractError(what, hint="`dr env create verl` makes an interpreter with that release")
