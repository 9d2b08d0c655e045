"""The conversion: look at the place, read, write whole, and tell what was lost."""

import contextlib
import difflib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.convert import guess, whole
from core.data.convert.kinds import Job
from core.data.convert.table import FORMATS, Format, check_target, write
from core.errors import DataError, UsageError
from core.formats.lost import MEANING, Lost
from core.formats.records import form_named

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What a conversion did."""

    input: Path
    source: str
    guessed: bool
    output: Path
    target: str
    written: dict[str, int]
    lost: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "input": str(self.input),
            "from": self.source,
            "guessed": self.guessed,
            "output": str(self.output),
            "to": self.target,
            "written": self.written,
            "lost": self.lost,
        }

    def told(self) -> list[str]:
        """What the target could not carry, a line each."""
        return [f"lost: {count:,} {meaning}" for name, meaning in MEANING.items() if (count := self.lost.get(name, 0))]


def convert(
    source: Path,
    out: Path,
    *,
    source_format: str | None,
    target_format: str,
    split: str | None = None,
    corpus: Path | None = None,
    threshold: float = 0.5,
    negatives: int | None = None,
    force: bool = False,
) -> Report:
    """Make `out` of `source`.

    Raises:
        UsageError: no such format, input or part of it; a format that is not clear; an output that is in the way.
        DataError: a bad row, or nothing that could be written.
    """
    target, form = _named(target_format), form_named(out)
    check_target(target_format, form, negatives)
    whole.check_place(source, out, force=force)
    name = source_format or guess.format_of(source)
    opened = _named(name)
    if corpus and not opened.takes_corpus:
        raise UsageError(f"--corpus adds nothing to {name}, which holds its texts itself", hint="leave it out")
    if source_format is None:
        log.info("%s: taken as %s", source, name)
    lost = Lost()
    with whole.made(out, force=force) as (result, scratch), contextlib.ExitStack() as files:
        job = Job(source, scratch, files, result, out.name, form, split, corpus, threshold, negatives)
        written = write(target.target, opened.read(job), job, lost)
        report = Report(source, name, source_format is None, out, target_format, written, _counts(lost))
        if not next(iter(written.values()), 0):
            told = "\n  ".join(["nothing is left to be written", *report.told()])
            raise DataError(told, where=str(source))
    return report


def _counts(lost: Lost) -> dict[str, int]:
    return {name: int(count) for name in MEANING if (count := lost[name])}


def _named(name: str) -> Format:
    if name in FORMATS:
        return FORMATS[name]
    near = difflib.get_close_matches(name, FORMATS, 1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise UsageError(f"there is no format `{name}`", hint=f"{hint}there are {', '.join(FORMATS)}")
