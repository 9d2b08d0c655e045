"""The trip-wires of a training by rewards: what is seen at a step, against what was seen before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.recipe.remedies import Line
from core.reward.parts.spec import Format
from core.rl.probe.extent import of_reward
from core.rl.recipe import Recipe
from core.rl.watch import advice
from core.tuning.watch.loss import no_number
from core.tuning.watch.series import Series, Window
from core.tuning.watch.tripped import Action, Tripped

REWARD = "train/reward"
ZERO_VARIANCE = "train/zero_variance"
IN_FORM = "train/in_form"
TRUNCATED = "train/truncated"
NUMBERS = ("train/loss", "train/grad_norm", REWARD, "train/kl", "train/entropy", "eval/reward")

ERRORS = 5.0
"""Standard errors that a window must differ by before anything is stopped: windows are looked at at every step."""
SURE = 2.0
"""Standard errors above the first window that are a rise."""
SMALL = 0.05
"""Share of the reward's range (or, where that is not known, of its size) that is no change worth a word."""
HALF = 0.5
SAME = 0.9
"""Share of groups without variance that teaches nothing."""
AT_THE_TOP = 0.95
"""Share of the reward's range above which there is nothing left to rise to."""
FLAT_AFTER = 3
"""Windows after which a reward should have risen."""


class Wires:
    """Sees what is logged, step by step; each wire trips once in a training."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._wires = recipe, recipe.wires
        self._extent = of_reward(recipe.reward)
        self._series = {name: Series(recipe.wires.window) for name in (REWARD, IN_FORM, ZERO_VARIANCE)}
        self._truncated = 0.0
        self._rose, self._looked = False, 0
        self.tripped: dict[str, Tripped] = {}
        """By kind, what has tripped so far, in earlier sessions too."""

    @property
    def stopped(self) -> Tripped | None:
        """What ended the training, or ended it in an earlier session; None: it may go on."""
        return next((tripped for tripped in self.tripped.values() if tripped.action == "stop"), None)

    def see(self, step: int, values: Mapping[str, float]) -> list[Tripped]:
        """What trips over the values that were logged at `step`; steps count from 1, and rise."""
        found: list[Tripped] = []
        if bad := no_number(values, NUMBERS):
            found += self._trip("nan", step, f"`{bad[0]}` is {bad[1]}", advice.no_number(self._recipe))
        else:
            for name, series in self._series.items():
                if name in values:
                    series.add(step, values[name])
            self._truncated = values.get(TRUNCATED, self._truncated)
            found += [*self._of_reward(step, values), *self._of_form(step, values), *self._of_variance(step, values)]
        return found

    def end(self, step: int) -> Sequence[Tripped]:  # noqa: ARG002 - as `core.tuning.watch.loss` has it
        """What the whole training shows: nothing that its steps have not shown."""
        return ()

    def _of_reward(self, step: int, values: Mapping[str, float]) -> Iterator[Tripped]:
        series = self._series[REWARD]
        first, last, best = series.first, series.last, series.best
        if REWARD not in values or first is None or last is None or best is None or series.windows < 2:
            return
        if self._has_collapsed(series, first, best, last):
            what = (
                f"the mean reward of {self._wires.window} steps fell to {last.mean:.4g}, after {best.mean:.4g} at step"
            )
            told = f"{what} {best.step} and {first.mean:.4g} at first"
            yield from self._trip("collapse", step, told, advice.collapsed(self._recipe))
        if self._is_flat(series, first, last):
            told = f"the reward has not risen: {first.mean:.4g} at first, {last.mean:.4g} at last"
            yield from self._trip("flat", step, told, advice.flat(self._recipe))

    def _has_collapsed(self, series: Series, first: Window, best: Window, last: Window) -> bool:
        """Half of the way up is lost; where there was no way up, half of the way down from what it had."""
        size = self._extent[1] - self._extent[0] if self._extent else abs(best.mean)
        fall, way = best.mean - last.mean, best.mean - first.mean
        if fall <= max(HALF * way, SMALL * size):
            return False
        noise = ERRORS * series.lasting_error(best, last)
        if way <= noise:
            way = best.mean - self._extent[0] if self._extent else abs(best.mean)
        return fall > max(HALF * way, noise)

    def _is_flat(self, series: Series, first: Window, last: Window) -> bool:
        """Once a window, so that no lucky one among many counts; what once rose is not flat, whatever comes."""
        if series.windows == self._looked or self._rose:
            return False
        self._looked = series.windows
        rise, error = last.mean - first.mean, series.error(first, last)
        self._rose = rise > SURE * error
        return series.windows >= FLAT_AFTER and rise <= error and not self._is_at_the_top(first)

    def _of_form(self, step: int, values: Mapping[str, float]) -> Iterator[Tripped]:
        series = self._series[IN_FORM]
        best, last = series.best, series.last
        counts = any(isinstance(part, Format) for part in self._recipe.reward.parts)
        if IN_FORM not in values or not counts or best is None or last is None:
            return
        fall = best.mean - last.mean
        if last.mean < HALF * best.mean and fall > max(ERRORS * series.error(best, last), SMALL):
            told = f"{last.mean:.1%} of the answers are in form, after {best.mean:.1%} at step {best.step}"
            yield from self._trip("format_lost", step, told, advice.format_lost(self._recipe, self._truncated))

    def _of_variance(self, step: int, values: Mapping[str, float]) -> Iterator[Tripped]:
        last = self._series[ZERO_VARIANCE].last
        if (
            ZERO_VARIANCE in values
            and last is not None
            and last.lowest >= SAME
            and self._recipe.algorithm.group_size > 1
        ):
            told = f"in {last.mean:.0%} of the groups all answers earned the same, for {self._wires.window} steps"
            yield from self._trip("no_variance", step, told, advice.no_variance(self._recipe))

    def _trip(self, kind: str, step: int, sentence: str, lines: Iterable[Line]) -> Sequence[Tripped]:
        action: Action | None = getattr(self._wires, kind)
        if action is None or kind in self.tripped:
            return ()
        more = advice.warm_up(self._recipe) if kind in {"flat", "format_lost"} else advice.reward(self._recipe)
        self.tripped[kind] = Tripped(kind, action, step, sentence, tuple(lines), more)
        return (self.tripped[kind],)

    def _is_at_the_top(self, window: Window) -> bool:
        if self._extent is None:
            return False
        low, high = self._extent
        return window.mean >= low + AT_THE_TOP * (high - low)
