"""Journal: the append-only record of a run, one JSON line an event, each chained to the one before.

A line is `{"prev":…,"kind":…,"stage":…,"step":…,"host":…,"time":…,"data":…}` in this order, UTF-8,
without spaces; `prev` is the SHA-256 of the line before (without its line break), 64 zeros in the
first. The order lets a reader pass over lines of output without parsing them.

Lines of output are kept back for at most a twentieth of a second; what decides is fsynced. What
is written is redacted, and subscribers get what was written, after it is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from foundation.paths import file_problem
from foundation.problems import Problem, Refused
from foundation.secrets import redact
from installer.events import Event, Kind
from installer.record.journal_lines import (
    FIRST,
    BrokenJournal,
    Record,
    digest,
    encode,
    read,
    records,
    verify,
)

__all__ = [
    "BrokenJournal",
    "Journal",
    "JournalProblem",
    "Record",
    "read",
    "records",
    "verify",
]

log = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 0.05
FLUSH_BYTES: Final = 256 * 1024
UNSYNCED_BYTES: Final = 8 * 1024 * 1024
"""Bytes written after which the disk is made to take them: whoever then needs an fsync waits for
no more than these, and so does what is kept for subscribers meanwhile."""
BATCH: Final = 500
"""Events that subscribers get at a time; between two, others on the event loop have a turn."""
SYNCED: Final = frozenset(
    {
        Kind.RUN_STARTED,
        Kind.RUN_RESUMED,
        Kind.RUN_FINISHED,
        Kind.STEP_STARTED,
        Kind.JOB_STARTED,
        Kind.STEP_FINISHED,
        Kind.ANSWER,
        Kind.CONTROL,
    }
)
"""Events that must outlive a power cut from the moment at which anybody acts on them."""

Subscriber = Callable[[Sequence[Event]], None]
"""Called on the event loop with the events of one flush, in order; must not block."""


class JournalProblem(Problem):
    """A journal that cannot be written: nothing may be done that it would not record."""

    code = "journal"
    title = "The journal cannot be written"
    default_remedy = "Make room on the disk of this machine, then go on: sitewright resume."


class Journal:
    """A run's journal, open for writing by this process alone.

    Made and used on one thread. `append` may be called with or without a running event loop;
    without one, lines of output are written when there are enough of them, or at `flush`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = 0
        """Bytes of a torn last record that were cut off when the journal was opened."""
        self._subscribers: list[Subscriber] = []
        self._lines: list[bytes] = []
        self._bytes = 0
        self._events: list[Event] = []
        """Events that no subscriber has had yet."""
        self._written = self._synced = self._delivered = 0
        """How many events were written, are surely on the disk, and went to subscribers."""
        self._delivering = False
        """Whether the next batch for subscribers has its place on the event loop."""
        self._added = 0
        self._waiting = 0
        """How many wait for an fsync."""
        self._unsynced = 0
        """Bytes written since the disk was last made to take them."""
        self._pressing: asyncio.Future[None] | None = None
        self._sync_lock = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._failure: JournalProblem | None = None
        self._file = self._open()
        try:
            self._last, self._size = self._recover()
        except BaseException:
            os.close(self._file)
            raise
        self._closed = False

    @property
    def number(self) -> int:
        """How many lines were added since it was opened."""
        return self._added

    @property
    def last(self) -> str:
        """The hash of the last line, which stands for them all."""
        return self._last

    # -- opening ------------------------------------------------------------------------------

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            try:
                file = os.open(self.path, flags)
            except FileNotFoundError:
                file = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o600)
                _sync_folder(self.path.parent)
        except OSError as error:
            link = " (it is a link, which is not followed)" if error.errno == errno.ELOOP else ""
            raise JournalProblem(
                f"it cannot be opened: {error.strerror}{link}",
                where=str(self.path),
                remedy="Check the rights of the run's folder and that the disk is not full.",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise Refused(
                "another Sitewright is writing this journal",
                where=str(self.path),
                remedy="Wait until it has ended, or end it there.",
            ) from error
        return file

    def _recover(self) -> tuple[str, int]:
        """The hash of the last whole record and where it ends; a torn one is cut off."""
        size = os.fstat(self._file).st_size
        end, last = _last_line(self._file, size)
        if end < size:
            self.cut = size - end
            os.ftruncate(self._file, end)
            os.fsync(self._file)
            log.warning("cut %d bytes of a torn last record off %s", self.cut, self.path)
        return (digest(last) if last is not None else FIRST), end

    # -- writing ------------------------------------------------------------------------------

    def append(self, event: Event, *, sync: bool = False) -> None:
        """Add an event; with `sync`, or where its kind asks for it, it is on the disk on return.

        Raises JournalProblem where it cannot be written.
        """
        self._add(event)
        if sync or event.kind in SYNCED:
            self.flush(sync=True)
        elif self._bytes >= FLUSH_BYTES:
            self.flush()
        elif self._timer is None:
            with contextlib.suppress(RuntimeError):  # no event loop: `flush` or `close` writes
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(FLUSH_SECONDS, self._flush_in_time)

    async def record(self, event: Event) -> None:
        """Add an event and return when it is on the disk, without holding up the event loop.

        Many that wait at the same time share one fsync. Raises JournalProblem.
        """
        self._add(event)
        self._write()
        mine = self._written
        self._waiting += 1
        try:
            async with self._sync_lock:
                if self._synced < mine:
                    mark = self._written
                    await asyncio.to_thread(self._fsync)
                    self._synced = max(self._synced, mark)
        finally:
            self._waiting -= 1
        while self._deliver(BATCH) and self._delivered < mine:  # noqa: ASYNC110 - a turn, no poll
            await asyncio.sleep(0)
        self._deliver_soon()

    def flush(self, *, sync: bool = False) -> None:
        """Write what waits; with `sync`, return when it is on the disk."""
        self._write()
        if sync:
            self._fsync()
            self._synced = self._written
            self._deliver()
        else:
            self._deliver(BATCH)
            self._deliver_soon()

    def settle(self) -> None:
        """Have all that was added on the disk, where it is open still; raises JournalProblem."""
        if not self._closed:
            self.flush(sync=True)

    def _flush_in_time(self) -> None:
        self._timer = None
        with contextlib.suppress(JournalProblem):  # raised again by the next one who writes
            self.flush()

    def _add(self, event: Event) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise JournalProblem("it was closed already", where=str(self.path))
        event = redacted(event)
        line = encode(event, self._last)
        self._last = hashlib.sha256(line[:-1]).hexdigest()
        self._added += 1
        self._lines.append(line)
        self._bytes += len(line)
        self._events.append(event)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._failure is not None:
            raise self._failure
        if not self._lines:
            return
        data = memoryview(b"".join(self._lines))
        try:
            done = 0
            while done < len(data):
                done += os.write(self._file, data[done:])
        except OSError as error:
            # Half a line must not stand in the middle of the file once there is room again.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise self._failed(error) from error
        self._size += len(data)
        self._written += len(self._lines)
        self._lines.clear()
        self._bytes = 0
        self._unsynced += len(data)
        if self._unsynced >= UNSYNCED_BYTES and (self._pressing is None or self._pressing.done()):
            self._press()

    def _press(self) -> None:
        """Make the disk take what was written, in a thread; nobody waits for it."""
        # Without an event loop nobody waits, and without a descriptor of its own, since the journal
        # may be closed before the disk is done, it is taken when somebody asks.
        with contextlib.suppress(RuntimeError, OSError):
            loop = asyncio.get_running_loop()
            self._pressing = loop.run_in_executor(None, self._press_out, os.dup(self._file))
            self._unsynced = 0

    def _press_out(self, file: int) -> None:
        try:
            os.fsync(file)
        except OSError as error:
            self._failed(error)  # raised by the next one who writes
        finally:
            os.close(file)

    def _fsync(self) -> None:
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> JournalProblem:
        known = file_problem(error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        self._failure = JournalProblem(
            f"{error.strerror}: {known.cause}" if error.strerror else known.cause,
            where=str(self.path),
            remedy=None if full else f"{known.remedy} Then go on: sitewright resume.",
        )
        return self._failure

    # -- reading along ------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have every event from now on, in batches, after it is on the disk; call to end it."""
        self._subscribers.append(subscriber)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers.remove(subscriber)

        return end

    def _deliver(self, most: int | None = None) -> bool:
        """Give subscribers what they may have, at most so many; whether any was left to give."""
        # While somebody waits for an fsync, nothing newer than the last one may be shown.
        ready = (self._synced if self._waiting else self._written) - self._delivered
        if ready <= 0:
            return False
        ready = ready if most is None else min(ready, most)
        batch, self._events = self._events[:ready], self._events[ready:]
        self._delivered += ready
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(batch)
            except Exception:
                # A view that fails must not end the installation that it shows.
                log.exception("a subscriber of the journal failed")
        return True

    def _deliver_soon(self) -> None:
        """Give subscribers the rest, batch by batch, in the turns of the event loop."""
        if self._delivered == self._written or self._delivering:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._deliver()
            return
        self._delivering = True
        loop.call_soon(self._deliver_rest)

    def _deliver_rest(self) -> None:
        self._delivering = False
        if self._deliver(BATCH):
            self._deliver_soon()

    def close(self) -> None:
        """Write and fsync what waits, and end; safe to call twice. Raises JournalProblem."""
        if self._closed:
            return
        try:
            if self._failure is None:
                self.flush(sync=True)
        finally:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            fcntl.flock(self._file, fcntl.LOCK_UN)  # a copy of it may still be with a thread
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def redacted(event: Event) -> Event:
    """The event with every known secret masked; the same one where there was none in it."""
    data = event.data
    if event.kind is Kind.LINE:
        text = data.get("text")
        others = "\0".join(str(value) for name, value in data.items() if name != "text")
        if isinstance(text, str) and redact(text) is text and redact(others) is others:
            return event
    clean = _clean(data)
    return event if clean == data else replace(event, data=clean)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(name)): _clean(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(part) for part in value]
    return value


def _last_line(file: int, size: int) -> tuple[int, bytes | None]:
    """Where the last whole line ends, and that line without its break; None where there is none."""
    block = 64 * 1024
    tail = b""
    start = size
    end = -1
    while start > 0:
        length = min(block, start)
        start -= length
        tail = os.pread(file, length, start) + tail
        if end < 0:
            found = tail.rfind(b"\n")
            if found < 0:
                continue
            end = start + found + 1
        before = tail.rfind(b"\n", 0, end - start - 1)
        if before >= 0:
            return end, tail[before + 1 : end - start - 1]
    if end < 0:
        return 0, None
    return end, tail[: end - 1]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
