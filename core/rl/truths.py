"""Whether what is known to be right can be compared with; asked before anything is paid for."""

from collections.abc import Sequence

from core.errors import ContractError
from core.reward.sample import Sample
from core.reward.scorer import Scorer


def check(scorer: Scorer, samples: Sequence[Sample]) -> None:
    """Ask nobody when a ground truth is of no use.

    Raises:
        ContractError: some are empty or do not fit the reward; names the share and the first.
    """
    if faults := scorer.check(samples):
        share = f"{len(faults):,} of {len(samples):,} ground truths ({len(faults) / len(samples):.1%}) cannot be used"
        raise ContractError(f"{share}; the first: {faults[0].what}", where=faults[0].where, hint=faults[0].hint)
