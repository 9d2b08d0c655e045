"""What may go wrong with a reward, and is no score."""

from core.errors import ContractError


class BadTruth(ContractError):
    """The ground truth of a sample is not what a part compares with."""


class BadReward(ContractError):
    """A user's function gave no number, or failed."""
