"""Scores responses: reads them, asks every part for the whole batch, and adds up."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import ContractError, Missing
from core.remote.faults import ServiceFailed
from core.reward.faults import BadReward, BadTruth
from core.reward.parts.build import TRUTHS, Services, build
from core.reward.parts.form import Format
from core.reward.sample import Judged, Part, Reading, Sample, Scored, Value
from core.text.answer import form, read

VERSION = 1
"""Of the JSON that is understood; see `core.reward.plain`."""


class Scorer:
    """A reward, ready to score; threads may share it. Connections stay open until `close`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        if config.get("version") != VERSION:
            what = f"the reward's JSON has version {config.get('version')!r}, this code reads {VERSION}"
            raise ContractError(what, hint="write it anew with the `dr` that runs")
        self.config = config
        self._services = Services(config)
        share = config["most_excluded"] if config["on_failure"] == "exclude" else None
        self._parts = {part["name"]: build(part, self._services, share) for part in config["parts"]}
        self._configs = {part["name"]: part for part in config["parts"]}
        self.seconds = dict.fromkeys(self._parts, 0.0)
        """Time that each part has taken so far."""
        self._format = next((name for name, part in self._parts.items() if isinstance(part, Format)), None)

    @classmethod
    def load(cls, path: Path | str) -> "Scorer":
        """A reward from its JSON file.

        Raises:
            Missing: the file cannot be read.
            ContractError: it is of another version.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise Missing(f"the reward cannot be read: {error.strerror}", where=str(path)) from None
        return cls(json.loads(text))

    @property
    def keys(self) -> list[str]:
        """The keys of every `Scored.as_numbers`, in order."""
        return ["score", *self._parts, *self._fact_keys()]

    def score(self, samples: Sequence[Sample]) -> list[Scored]:
        """What each sample earned, in order.

        Raises:
            ServiceFailed: a service is gone; or one failed at a sample, and the reward does not leave samples out.
            ContractError: a ground truth, a service or a user's function does not fit.
        """
        readings = [self._read(sample) for sample in samples]
        values: dict[str, dict[int, Judged]] = {}
        places = list(range(len(readings)))
        # The format first: what it ends alone is asked of nobody.
        for name in sorted(self._parts, key=lambda name: name != self._format):
            values[name] = self._asked(self._parts[name], name, readings, places)
            if name == self._format:
                places = [place for place in places if not self._is_ended(readings[place])]
        scored = [
            self._summed(reading, {name: values[name].get(place) for name in self._parts})
            for place, reading in enumerate(readings)
        ]
        self._check_excluded(scored, values)
        return scored

    def check(self, samples: Sequence[Sample]) -> list[BadTruth]:
        """The ground truths that a part cannot compare with; asks no service."""
        needing = [part for part in self.config["parts"] if part.get("unlabelled") != "diversity"]
        checks = [TRUTHS[part["type"]] for part in needing if part["type"] in TRUTHS]
        return [fault for sample in samples if (fault := _fault(sample, checks))]

    def close(self) -> None:
        """Close connections, end threads."""
        self._services.close()

    def __enter__(self) -> "Scorer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, sample: Sample) -> Reading:
        config, box = self.config, tuple(self.config["box"])
        return Reading(
            sample,
            read(sample.response, key=config["answer_key"], box=box),
            form(
                sample.response,
                prefilled=config["prefilled_think"],
                key=config["answer_key"],
                box=box,
                step_words=tuple(config["step_words"]),
            ),
        )

    def _asked(self, part: Part, name: str, readings: Sequence[Reading], places: Sequence[int]) -> dict[int, Judged]:
        started = time.monotonic()
        values = part.score([readings[place] for place in places]) if places else []
        self.seconds[name] += time.monotonic() - started
        for value in values:
            if isinstance(value, Value) and set(value.facts) != set(part.facts):
                raise BadReward(f"the part `{name}` tells {sorted(value.facts)}, not {sorted(part.facts)}")
        return dict(zip(places, values, strict=True))

    def _is_ended(self, reading: Reading) -> bool:
        part = self._parts[self._format] if self._format else None
        return isinstance(part, Format) and bool(self._configs[self._format or ""]["ends"] and part.fault(reading))

    def _summed(self, reading: Reading, judged: Mapping[str, Judged | None]) -> Scored:
        failed = next((value for value in judged.values() if isinstance(value, ServiceFailed)), None)
        values = {
            name: value if isinstance(value, Value) else Value(0.0, "" if failed else "not asked: bad format")
            for name, value in judged.items()
        }
        parts = {name: value.score for name, value in values.items()}
        why = {name: value.why for name, value in values.items() if value.why}
        if self._format and self._configs[self._format]["only_with_answer"] and parts[self._format] > 0:
            others = sum(self._weight(name) * score for name, score in parts.items() if name != self._format)
            if others <= 0:
                parts = {name: 0.0 if name == self._format else score for name, score in parts.items()}
                why[self._format] = "nothing for the answer, so nothing for the format"
        total = sum(self._weight(name) * score for name, score in parts.items())
        facts = dict.fromkeys(self._fact_keys(), 0.0)
        facts |= {f"{name}/{fact}": number for name, value in values.items() for fact, number in value.facts.items()}
        return Scored(
            total=None if failed else round(total, 12),
            parts=parts,
            facts=facts,
            why=why,
            query=reading.answer.query,
            excluded=failed.what if failed else "",
        )

    def _weight(self, name: str) -> float:
        return float(self._configs[name]["weight"])

    def _fact_keys(self) -> list[str]:
        return [f"{name}/{fact}" for name, part in self._parts.items() for fact in part.facts]

    def _check_excluded(self, scored: Sequence[Scored], values: Mapping[str, Mapping[int, Judged]]) -> None:
        """Raise the first failure when more samples have one than may be left out: two judges add up."""
        failures = [value for part in values.values() for value in part.values() if isinstance(value, ServiceFailed)]
        if sum(item.total is None for item in scored) > self.config["most_excluded"] * len(scored) and failures:
            raise failures[0]


def _fault(sample: Sample, checks: Sequence[Callable[[Sample], object]]) -> BadTruth | None:
    try:
        for check in checks:
            check(sample)
    except BadTruth as fault:
        return fault
    return None
