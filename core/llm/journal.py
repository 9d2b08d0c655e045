"""Answers on disk, by digest of their request: one JSON line each, written before anybody sees the answer.

In memory is where each line lies (about 200 bytes an answer), never its text.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import orjson

from core.errors import DataError, DrError
from core.llm.chat import Answer

BLOCK_BYTES = 1 << 22


@dataclass
class Spent:
    """Tokens that the answers of a journal took, those that came out of a shared cache left out."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Journal:
    """An open file of answers. A torn last line, left by a kill, is cut off: it is work owed.

    A line is handed to the system before `add` returns: a killed process loses nothing; a power cut may lose the
    last seconds. `shared`: other processes may write to the same file at the same time, and what they add is found.

    Raises:
        DrError: the file cannot be opened.
        DataError: a line that is not the last one is broken.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self.path = path
        self.spent = Spent()
        self._places: dict[bytes, tuple[int, int]] = {}
        self._read_bytes = self._read_lines = 0
        self._shared, self._claims = shared, -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DrError(f"the journal of answers cannot be opened: {error.strerror}", where=str(path)) from None
        try:
            with self._alone():
                self._mend()
        except DrError:
            self.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Answers in it."""
        return len(self._places)

    def __contains__(self, digest: str) -> bool:
        return bytes.fromhex(digest) in self._places

    def get(self, digest: str) -> Answer | None:
        """The answer to a request, marked as remembered; None when there is none yet."""
        key = bytes.fromhex(digest)
        if self._shared and key not in self._places and os.fstat(self._file).st_size > self._read_bytes:
            self._read_on()
        place = self._places.get(key)
        return None if place is None else _answer(orjson.loads(os.pread(self._file, place[1], place[0])))

    def add(self, digest: str, answer: Answer, *, paid: bool = True) -> None:
        """Keep an answer. `paid`: it was asked for here, and not copied out of a cache.

        Raises:
            DrError: the disk is full, or gone; the file is left as it was.
        """
        row = {
            "digest": digest,
            "text": answer.text,
            "reasoning": answer.reasoning,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "finish_reason": answer.finish_reason,
        }
        line = orjson.dumps(row if paid else {**row, "paid": False}) + b"\n"
        with self._alone():
            if self._shared:
                self._mend()
                if digest in self:  # another process was faster
                    return
            self._append(line)
        self._remember(digest, self._read_bytes, len(line), answer, paid=paid)
        self._read_bytes += len(line)
        self._read_lines += 1

    def claim(self, digest: str) -> bool:
        """Whether nobody else is asking this just now; from here on we are, until `release` or our end, even a kill.

        Between processes alone: a lock on the byte, in an empty file beside this one, whose number stands for the
        digest. A file system without locks lets everybody ask.
        """
        try:
            if self._claims < 0:
                self._claims = os.open(f"{self.path}.claims", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(digest))
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def release(self, digest: str) -> None:
        """Give a claim back."""
        with contextlib.suppress(OSError):
            fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, _byte(digest))

    def close(self) -> None:
        """Write what the system still holds to the disk, and let go of the file."""
        if self._file >= 0:
            with contextlib.suppress(OSError):  # a pipe or a special file has nothing to sync
                os.fsync(self._file)
            os.close(self._file)
        if self._claims >= 0:
            os.close(self._claims)
        self._file = self._claims = -1

    def _append(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as error:
            os.ftruncate(self._file, self._read_bytes)
            raise DrError(f"an answer cannot be kept: {error.strerror}", where=str(self.path)) from None

    def _mend(self) -> None:
        """Read to the end and cut off a torn line."""
        self._read_on()
        os.ftruncate(self._file, self._read_bytes)

    def _read_on(self) -> None:
        """Take in the whole lines from where reading stopped; what follows the last line end stays unread."""
        rest = b""
        while block := os.pread(self._file, BLOCK_BYTES, self._read_bytes + len(rest)):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._take(line)
                self._read_bytes += len(line) + 1
                self._read_lines += 1

    def _take(self, line: bytes) -> None:
        try:
            row = orjson.loads(line)
            self._remember(row["digest"], self._read_bytes, len(line) + 1, _answer(row), paid=row.get("paid", True))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(
                f"a line of the journal of answers is broken: {line[:80]!r}",
                where=f"{self.path}:{self._read_lines + 1}",
                hint="take the line out: what it held is asked for again",
            ) from None

    def _remember(self, digest: str, start: int, length: int, answer: Answer, *, paid: bool) -> None:
        key = bytes.fromhex(digest)
        if paid:
            self.spent.prompt_tokens += answer.prompt_tokens
            self.spent.completion_tokens += answer.completion_tokens
        self._places.setdefault(key, (start, length))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._shared:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def _byte(digest: str) -> int:
    return int(digest[:15], 16)


def _answer(row: dict[str, object]) -> Answer:
    text, reasoning, finish = row["text"], row["reasoning"], row["finish_reason"]
    prompt, completion = row["prompt_tokens"], row["completion_tokens"]
    if not (isinstance(text, str) and isinstance(reasoning, str) and isinstance(finish, str)):
        raise TypeError("text, reasoning and finish_reason are texts")
    if not (isinstance(prompt, int) and isinstance(completion, int)):
        raise TypeError("counts of tokens are whole numbers")
    return Answer(text, reasoning, prompt, completion, finish, from_journal=True)
