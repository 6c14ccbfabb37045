"""The lines of a journal: how an event is written as one, and how a chain of them is read.

Reading streams: a journal of millions of lines takes no more memory than its longest line.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, BinaryIO, Final

from foundation import bounded_files
from foundation.problems import ExitCode, Problem
from installer.events import KINDS, Event, Json, Kind, Outcome

FIRST: Final = "0" * 64
"""What the first line says in place of a hash."""
LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes; a longer line was not written by us."""

_BLOCK: Final = 256 * 1024
"""Bytes read at a time."""
_BEGIN: Final = b'{"prev":"'
_BEGIN_TEXT: Final = _BEGIN.decode()
_HEAD: Final = len(_BEGIN) + 64
"""Bytes at the start of a line in which the hash of the line before stands."""
_KIND_AT: Final = _HEAD + len('","kind":"')
_LINE_START: Final = b'line","stage":'
_PLAIN: Final = r'"([^"\\\x00-\x1f]*)"'
_PLAIN_LINE: Final = re.compile(
    r'\{"prev":"[0-9a-f]{64}","kind":"line",'
    rf'"stage":{_PLAIN},"step":{_PLAIN},"host":{_PLAIN},"time":((?:0|[1-9][0-9]{{0,11}})\.[0-9]{{1,9}}),'
    rf'"data":\{{"text":{_PLAIN},"stream":{_PLAIN},"cursor":{_PLAIN},"unit":{_PLAIN}\}}\}}'
)
"""A line of output as `encode` writes it, where no word has an escape in it: nearly all of them."""
_LATEST: Final = sys.float_info.max
"""Seconds; a clock may tell a time that no calendar has, and none that is no number."""
_LARGEST: Final = 1e18
"""Bytes, or seconds, that an event counts at most."""
_ENDS: Final = frozenset({Kind.RUN_FINISHED, Kind.STAGE_FINISHED, Kind.STEP_FINISHED})
_FIELDS: Final = {"prev", "kind", "stage", "step", "host", "time", "data"}

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class BrokenJournal(Problem):
    """A journal whose lines do not follow from one another."""

    code = "journal-broken"
    exit_code = ExitCode.REFUSED
    title = "The journal is broken"
    default_remedy = (
        "It was changed after it was written, or the disk is failing. Keep the file as it is, and "
        "start a new run: every step is asked whether it is done before anything is done again."
    )


def is_output(raw: bytes) -> bool:
    """Whether a line of a journal is a line of output, told without parsing it."""
    return raw.startswith(_LINE_START, _KIND_AT)


def output_of(raw: bytes) -> bytes | None:
    """Kind, stage, step and machine as they stand in a line of output, equal for the same ones.

    None for every other line; told without parsing it.
    """
    if raw.startswith(_LINE_START, _KIND_AT):
        return raw[_KIND_AT : raw.find(b',"time":', _KIND_AT)]
    return None


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a journal as read, parsed when it is asked for."""

    number: int
    """Counted from 1."""
    raw: bytes
    """Without the line break."""
    path: Path

    @property
    def is_line(self) -> bool:
        """Whether it is a line of output, told without parsing it."""
        return is_output(self.raw)

    def event(self) -> Event:
        """The event; raises BrokenJournal."""
        return _parsed(self.raw, self.path, self.number)


def encode(event: Event, previous: str) -> bytes:
    """An event as a line, with its line break, after the line that has the hash `previous`."""
    if event.kind is Kind.LINE:
        # Nearly every event is a line of output; this is the same text, made in half the time.
        data = event.data
        body = (
            f'{{"text":{encode_basestring(str(data["text"]))},'
            f'"stream":{encode_basestring(str(data["stream"]))},'
            f'"cursor":{encode_basestring(str(data["cursor"]))},'
            f'"unit":{encode_basestring(str(data["unit"]))}}}'
        )
    else:
        body = _encoder.encode(event.data)
    line = (
        f'{{"prev":"{previous}","kind":"{event.kind.value}",'
        f'"stage":{encode_basestring(event.stage)},"step":{encode_basestring(event.step)},'
        f'"host":{encode_basestring(event.host)},"time":{event.time!r},"data":{body}}}\n'
    )
    # A byte that was no UTF-8 arrives as a lone surrogate, and is an escape in JSON.
    return line.encode("utf-8", "backslashreplace")


def digest(line: bytes) -> str:
    """The hash of a line without its line break."""
    return hashlib.sha256(line).hexdigest()


def records(path: Path) -> Iterator[Record]:
    """The records of a journal, their chain checked; a torn last one is left out.

    Raises BrokenJournal that names the first line that does not follow from the one before it.
    """
    for number, raw in enumerate(chained(path), 1):
        yield Record(number, raw, path)


def chained(path: Path) -> Iterator[bytes]:
    """The lines of a journal as they stand, without their breaks; otherwise as `records`."""
    for _, lines in blocks(path):
        yield from lines


def blocks(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of a journal some hundreds at a time, each time after the number of their first.

    What is done to a million of them one by one costs more than to look at them. Otherwise as
    `records`: the lines before one that does not follow come first, then BrokenJournal.
    """
    try:
        file = bounded_files.opened(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise BrokenJournal(
            f"it cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Check the rights of the run's folder.",
        ) from error
    with file:
        yield from _blocks(file, path)


def _blocks(file: BinaryIO, path: Path) -> Iterator[tuple[int, list[bytes]]]:
    last = FIRST
    first = 1
    torn = b""
    while block := file.read(_BLOCK):
        block = torn + block
        lines = block.split(b"\n")
        torn = lines.pop()
        if lines:
            hashes = [hashlib.sha256(raw).hexdigest() for raw in lines]
            # A head that is shorter than the others makes the whole shorter.
            heads = b"".join([raw[:_HEAD] for raw in lines])
            wanted = _BEGIN_TEXT + _BEGIN_TEXT.join((last, *hashes[:-1]))
            if heads != wanted.encode() or len(block) >= LONGEST_LINE:
                good, what = _followed(lines, (last, *hashes))
                yield first, lines[:good]
                if what:
                    raise broken(path, first + good, what)
            else:
                yield first, lines
            first += len(lines)
            last = hashes[-1]
        if len(torn) >= LONGEST_LINE:
            raise broken(path, first, _TOO_LONG)
    # What is torn was being written when the power went, or is being written now.


def _followed(lines: Sequence[bytes], hashes: Sequence[str]) -> tuple[int, str]:
    """How many lines follow from one another, and what is wrong with the next, if there is one.

    `hashes` are that of the line before the first, and those of the lines.
    """
    for good, (raw, before) in enumerate(zip(lines, hashes, strict=False)):
        if len(raw) >= LONGEST_LINE:
            return good, _TOO_LONG
        if raw[:_HEAD] != _BEGIN + before.encode():
            return good, "it does not follow from the line before it"
    return len(lines), ""


_TOO_LONG: Final = "it is longer than any line we write"


def read(path: Path) -> Iterator[Event]:
    """The events of a journal, in order; see `records`."""
    for number, raw in enumerate(chained(path), 1):
        yield _parsed(raw, path, number)


def verify(path: Path) -> tuple[int, str]:
    """Check every line: how many there are, and the hash of the last, which stands for them all.

    Raises BrokenJournal. A change to the last line shows only against a hash noted elsewhere.
    """
    count, last = 0, b""
    for count, last in enumerate(chained(path), 1):
        _parsed(last, path, count)
    return count, digest(last) if count else FIRST


def of_kind(path: Path, kind: Kind) -> Iterator[Event]:
    """The events of one kind, found without parsing the others and without checking the chain.

    For estimates: what decides anything is read by `records`. Raises BrokenJournal.
    """
    head = f'"kind":"{kind.value}"'.encode()
    with bounded_files.opened(path) as file:
        torn = b""
        while block := file.read(_BLOCK):
            block = torn + block
            whole = block.rfind(b"\n") + 1
            torn = block[whole:]
            if len(torn) >= LONGEST_LINE:
                raise broken(path, 0, _TOO_LONG)
            at = block.find(head, 0, whole)
            while at >= 0:
                begin, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
                # A word in a line that is looked like one has its quotation marks escaped.
                if at - begin == _KIND_AT - len('"kind":"'):
                    yield _parsed(block[begin:end], path, 0)
                at = block.find(head, end, whole)


def _parsed(raw: bytes, path: Path, number: int) -> Event:
    """The event of a line; raises BrokenJournal."""
    try:
        found = _PLAIN_LINE.fullmatch(raw.decode())
        if found is not None:
            stage, step, host, time, text, stream, cursor, unit = found.groups()
            data: dict[str, Json] = {
                "text": text, "stream": stream, "cursor": cursor, "unit": unit
            }  # fmt: skip
            return Event(Kind.LINE, float(time), stage, step, host, data)
    except UnicodeDecodeError:
        pass  # half of a pair of surrogates is none of UTF-8, and is one of JSON
    try:
        return _event(json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise broken(path, number, f"it is not an event ({error})") from error


def _event(value: Any) -> Event:
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        raise ValueError("its fields are not those of an event")
    time, data = value["time"], value["data"]
    if not isinstance(time, (int, float)) or isinstance(time, bool) or not isinstance(data, dict):
        raise ValueError("its time or data is of the wrong type")
    if not abs(time) <= _LATEST:
        raise ValueError("its time is no time")
    for name in ("stage", "step", "host"):
        if not isinstance(value[name], str):
            raise ValueError(f"its {name} is no text")
    kind = Kind(value["kind"])
    _check_data(kind, data)
    return Event(
        kind=kind,
        time=float(time),
        stage=value["stage"],
        step=value["step"],
        host=value["host"],
        data=data,
    )


def _check_data(kind: Kind, data: dict[str, Any]) -> None:
    """Raise ValueError for what nothing of ours writes, so that whoever reads need not look."""
    for name, value in data.items():
        if isinstance(value, (int, float)) and not abs(value) <= _LARGEST:
            raise ValueError(f"its {name} is no number that is written")
    if kind in _ENDS:
        Outcome(str(data.get("outcome")))
    if kind is Kind.JOB_STARTED and not all(isinstance(data.get(w), str) for w in KINDS[kind]):
        raise ValueError("it does not say which job")


def broken(path: Path, number: int, what: str) -> BrokenJournal:
    return BrokenJournal(f"line {number}: {what}", where=str(path))
