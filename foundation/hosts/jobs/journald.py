"""Journal entries as lines: `journalctl -o json` parsed as hostile, split lines put together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from foundation.hosts.jobs.jobs_model import JobLine
from foundation.hosts.jobs.output_lines import LINE_LIMIT, clean_line

ENTRY_LIMIT: Final = 1024 * 1024
"""Bytes of one entry's JSON; journald itself splits standard output at 48 KiB."""
_HELD_LIMIT: Final = 2000
"""Entries of others that wait for the rest of a long line before it is given up."""
_WARNING: Final = 4
_PLAIN_FAILURE: Final = b"Failed with result 'exit-code'."
_CURSOR: Final = re.compile(r"[a-z]=[0-9a-f]+(;[a-z]=[0-9a-f]+)*")


def is_cursor(text: str) -> bool:
    """Whether a text has the form of journald's cursors."""
    return len(text) < 512 and _CURSOR.fullmatch(text) is not None


@dataclass(slots=True)
class _Entry:
    message: bytes
    cursor: str
    time: float
    unit: str
    stream: str
    split: bool
    from_init: bool
    transport: str
    priority: int


def _parse(raw: bytes) -> _Entry | None:
    """One entry; None for what is none."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None

    def text(key: str) -> str:
        found = value.get(key)
        # A field may be given more than once; the last is journald's own.
        if isinstance(found, list) and found and isinstance(found[-1], str):
            found = found[-1]
        return found if isinstance(found, str) else ""

    cursor = text("__CURSOR")
    if not is_cursor(cursor):
        return None
    stamp = text("__REALTIME_TIMESTAMP")
    priority = text("PRIORITY")
    from_init = text("_PID") == "1"
    return _Entry(
        message=_message(value.get("MESSAGE")),
        cursor=cursor,
        time=int(stamp) / 1e6 if stamp.isdecimal() and len(stamp) < 20 else 0.0,
        unit=(text("UNIT") if from_init else "") or text("_SYSTEMD_UNIT"),
        stream=text("_STREAM_ID"),
        split=text("_LINE_BREAK") == "line-max",
        from_init=from_init,
        transport=text("_TRANSPORT"),
        priority=int(priority) if priority.isdecimal() and len(priority) == 1 else 6,
    )


def _message(found: Any) -> bytes:
    """A message's bytes: journalctl gives text, or numbers where it is not printable UTF-8."""
    if isinstance(found, str):
        return found.encode("utf-8", "replace")
    if isinstance(found, list):
        try:
            return bytes(found)
        except (ValueError, TypeError):
            return b"\n".join(_message(part) for part in found if isinstance(part, str | list))
    return b""


@dataclass(slots=True)
class _Pending:
    """A line that journald split, as far as it was read."""

    first: _Entry
    message: bytearray = field(default_factory=bytearray)
    left_out: int = 0
    cursor: str = ""

    def join(self, entry: _Entry) -> None:
        room = LINE_LIMIT - len(self.message)
        self.message += entry.message[:room]
        self.left_out += max(len(entry.message) - room, 0)
        self.cursor = entry.cursor


@dataclass(slots=True)
class JournalReader:
    """Makes lines of entries, in order; each line's cursor is the place after which to go on.

    While the rest of a long line is awaited, later entries of others wait behind it, so that no
    cursor is given out that would skip its beginning.
    """

    job: str = ""
    """The job's unit, whose standard output it is; "" where only services are followed."""
    end: str = ""
    """The text that ends the job's output."""
    ended: bool = False
    """Whether that text was met."""
    read: str = ""
    """The cursor of the last entry that was dealt with, shown or not; that entry is passed over
    where it comes again."""
    _pending: _Pending | None = None
    _held: list[_Entry] = field(default_factory=list)

    def feed(self, raw: bytes) -> Iterator[JobLine]:
        """Take one entry's JSON; the lines that it completes."""
        entry = _parse(raw)
        if entry is None or entry.cursor == self.read:
            return
        pending = self._pending
        if pending is None:
            if entry.split and entry.stream:
                self._pending = _Pending(entry)
                self._pending.join(entry)
            else:
                yield from self._lines(entry, entry.message)
        elif entry.stream == pending.first.stream:
            pending.join(entry)
            if not entry.split:
                yield from self._complete(pending, entry.cursor)
        else:
            self._held.append(entry)
            if len(self._held) >= _HELD_LIMIT:
                yield from self.flush()

    def _complete(self, pending: _Pending, cursor: str) -> Iterator[JobLine]:
        self._pending = None
        held, self._held = self._held, []
        # What others wrote between the pieces goes first, with the place before the long line:
        # to go on from there reads them twice, and never skips the beginning of the long line.
        before = self.read
        for waiting in held:
            yield from self._lines(waiting, waiting.message, cursor=before)
        yield from self._lines(
            pending.first, bytes(pending.message), left_out=pending.left_out, cursor=cursor
        )

    def forget_pending(self) -> None:
        """Drop what waits for the rest of a long line; it is read again after `read`."""
        self._pending = None
        self._held.clear()

    def flush(self) -> Iterator[JobLine]:
        """Give out what waits for the rest of a long line, as far as it is known."""
        pending, self._pending = self._pending, None
        held, self._held = self._held, []
        if pending is not None:
            yield from self._lines(
                pending.first,
                bytes(pending.message),
                left_out=pending.left_out,
                cursor=pending.cursor,
            )
        for waiting in held:
            yield from self._lines(waiting, waiting.message)

    def _lines(
        self, entry: _Entry, message: bytes, *, left_out: int = 0, cursor: str | None = None
    ) -> Iterator[JobLine]:
        before = self.read
        self.read = after = entry.cursor if cursor is None else cursor
        mine = bool(self.job) and entry.unit == self.job
        written = mine and entry.transport == "stdout"
        # That the unit was started, or that its command failed, is not the command's word.
        quiet = entry.priority > _WARNING or message.endswith(_PLAIN_FAILURE)
        if mine and entry.from_init and quiet:
            return
        if written and self.end and message == self.end.encode():
            self.ended = True
            return
        stream: Literal["stdout", "journal"] = "stdout" if written else "journal"
        unit = "" if mine else clean_line(entry.unit[:256])
        kept = message[:LINE_LIMIT]
        left_out += len(message) - len(kept)
        # A service may write a message of several lines; the place after it is the last one's.
        *parts, final = kept.split(b"\n")
        for part in parts:
            yield JobLine(clean_line(part), stream, before, entry.time, unit)
        yield JobLine(clean_line(final, left_out=left_out), stream, after, entry.time, unit)
