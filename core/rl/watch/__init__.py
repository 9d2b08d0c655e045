"""Whether a training by rewards goes wrong, told from the rows that it logs. Imports nothing heavy.

    wires = Wires(recipe)
    seen(wires, record.read(metrics))             after a resume: what tripped is known, and not told again
    for tripped in wires.see(step, values): ...   what is logged at a step, by the names of logs/metrics.jsonl

`str(tripped)` is what is logged and kept in `stats["warnings"]`; `tripped.action` says whether to stop. `knobs` is what
to make smaller when memory runs out (see `core.memory.advise`).
"""

from core.rl.watch.advice import knobs
from core.rl.watch.wires import Wires
from core.tuning.watch.tripped import Tripped, seen

__all__ = ["Tripped", "Wires", "knobs", "seen"]
