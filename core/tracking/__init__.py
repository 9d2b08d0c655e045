"""What a training measures while it runs: a local record always, services of others by choice.

`tracker` opens a run, `record` keeps its rows, `plots` draws them; `swanlab`, `wandb` and `tensorboard` pass them on.
"""

from core.tracking.spec import Tracking
from core.tracking.tracker import Tracker, open_tracker

__all__ = ["Tracker", "Tracking", "open_tracker"]
