"""verl without a GPU.

verl imports this while it is imported itself, in every process of a run, where `VERL_USE_EXTERNAL_MODULES` names it.
"""

import verl

from core.tuning.verl.guest.release import check


def _register() -> None:
    from core.tuning.verl.guest import processor  # reaches into verl, whose release is known by now

    processor.register()


check(verl.__version__)
_register()
