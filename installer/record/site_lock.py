"""The lock of a site: one run at a time, held by a named person, taken over only knowingly."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import hashlib
import json
import logging
import os
import re
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from foundation import bounded_files
from foundation.hosts.jobs.output_lines import clean_line
from foundation.paths import data_folder, make_private, write_private
from foundation.problems import Refused
from installer.record.runs import runs_folder

log = logging.getLogger(__name__)

_SIZE_LIMIT: Final = 64 * 1024
_LAPTOP: Final = re.compile(r"[0-9a-f]{32}")


TAKE_OVER: Final = (
    "Speak with them. If they cannot end it, take the site over knowingly: sitewright resume "
    "--take-over. Theirs then stops before its next step."
)


class Locked(Refused):
    """A site on which another Sitewright works."""

    code = "locked"
    title = "Somebody else is working on this site"

    def __init__(
        self,
        holder: Holder | None,
        where: Path | str,
        *,
        silence: str = "",
        remedy: str = TAKE_OVER,
    ) -> None:
        said = holder.sentence() if holder else "The lock does not say who holds it"
        super().__init__(f"{said}. {silence}".rstrip(), where=str(where), remedy=remedy)
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    user: str
    host: str
    """The machine on which their Sitewright runs."""
    pid: int
    since: str
    """UTC, ISO 8601."""
    by: str = ""
    """The person's name, where it is known."""
    taken_from: str = ""
    """Whom it was taken over from, if anybody."""
    laptop: str = ""
    """What tells their home from every other; two laptops may have the same name."""
    site: str = ""
    """The key of the site, in a lock that lies on a machine."""

    def sentence(self) -> str:
        """Who, where and since when, without a full stop."""
        name = f"{self.by} ({self.user})" if self.by and self.by != self.user else self.user
        return f"{name} on {self.host}, process {self.pid}, has held it since {self.since}"


class Lock:
    """The lock of one site; a context manager.

    It is a lock of the operating system, which ends with its process, on a file that names the
    holder. To take it over, the file is replaced: whoever held the old one sees that it is `lost`
    and stops before the next step. Raises Locked.
    """

    def __init__(self, site_key: str, *, by: str = "", take_over: bool = False) -> None:
        self.path = runs_folder() / site_key / "lock"
        self.key = site_key
        self.by = by
        self.take_over = take_over
        self.stale: Holder | None = None
        """Whose lock was found left behind by a process that is gone."""
        self.taken_from: Holder | None = None
        self._file = -1

    def acquire(self) -> Self:
        """Take the lock or raise Locked."""
        make_private(self.path.parent)
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = _read(file)
                os.close(file)
                if not self.take_over:
                    raise Locked(holder, self.path) from None
                self.taken_from = holder
                with contextlib.suppress(FileNotFoundError):
                    self.path.unlink()
                continue
            if not _is_at(file, self.path):
                os.close(file)  # it was replaced or removed while we took it
                continue
            self._found(file)
            self._file = file
            self._write()
            return self

    def _found(self, file: int) -> None:
        """Judge what a free lock file says: nothing, somebody gone, or somebody far away."""
        holder = _read(file)
        if holder is None:
            return
        if holder.host != socket.gethostname() and not self.take_over:
            # On a shared home another machine's lock may not be seen as one.
            os.close(file)
            raise Locked(holder, self.path)
        if holder.host != socket.gethostname():
            self.taken_from = holder
        else:
            self.stale = holder

    def _write(self) -> None:
        taken_from = self.taken_from.sentence() if self.taken_from else ""
        holder = this_holder(self.by, taken_from=taken_from)
        data = (json.dumps(asdict(holder)) + "\n").encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)
        os.fsync(self._file)

    @property
    def lost(self) -> bool:
        """Whether somebody has taken the site over, so that nothing more may be begun."""
        return self._file >= 0 and not _is_at(self._file, self.path)

    def taker(self) -> Holder | None:
        """Who holds the lock now."""
        return holder_of(self.path.parent.name)

    def release(self) -> None:
        """Give the lock back; safe to call twice."""
        if self._file < 0:
            return
        try:
            if not self.lost:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            # The lock ends with the file all the same; what ended the run is what counts.
            log.warning("the lock file stays where it is: %s", error)
        finally:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def holder_of(site_key: str) -> Holder | None:
    """Who works on a site now, or None; for `status`."""
    path = runs_folder() / site_key / "lock"
    try:
        # A record that was copied here may hold a pipe of this name, which nobody writes to.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(path, flags)
    except OSError:
        return None
    try:
        holder = _read(file)
        if holder is not None and holder.host == socket.gethostname():
            try:
                os.kill(holder.pid, 0)
            except ProcessLookupError:
                return None  # left behind by a process that is gone
            except PermissionError:
                pass  # another user's
        return holder
    finally:
        os.close(file)


def this_holder(by: str, *, taken_from: str = "") -> Holder:
    """This process as the holder of a lock, from now on."""
    return Holder(
        user=_user(),
        host=socket.gethostname(),
        pid=os.getpid(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        by=by,
        taken_from=taken_from,
        laptop=laptop(),
    )


_MACHINE_ID: Final = Path("/etc/machine-id")
_MOST_MACHINES: Final = 100
"""Machines that share a home, whose words are kept."""


def laptop() -> str:
    """What tells this home on this laptop from every other: a random word, made once.

    The word is bound to the machine, where that has an id: of a home that was copied to another
    laptop both would else take the lock of the other for one of their own that was left behind.
    A home that several machines share keeps a word for each of them.
    Raises OSError where the data folder cannot be written to.
    """
    path = data_folder() / "laptop"
    here = _machine()
    words: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
        lines = bounded_files.read_text(path, _SIZE_LIMIT, encoding="ascii").splitlines()
        for word, of in zip_longest(lines[::2], lines[1::2], fillvalue=""):
            if _LAPTOP.fullmatch(word.strip()):
                words.setdefault(of.strip(), word.strip())
    if here == "" and words:
        return next(iter(words.values()))
    if here not in words:
        # One that is bound to no machine is of an earlier version, and becomes this one's.
        words[here] = words.pop("", "") or secrets.token_hex(16)
        kept = list(words.items())[-_MOST_MACHINES:]
        write_private(path, "".join(f"{word}\n{of}\n" for of, word in kept))
    return words[here]


def _machine() -> str:
    """A digest of what tells this machine from every other; "" where it has no such thing."""
    try:
        text = bounded_files.read_text(_MACHINE_ID, _SIZE_LIMIT, encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return hashlib.sha256(f"sitewright {text}".encode()).hexdigest()[:32] if text else ""


def holder_from_json(text: str | bytes) -> Holder | None:
    """What a lock says of its holder; None for what is no such thing."""
    try:
        value = json.loads(text)
        return Holder(
            user=clean_line(str(value["user"])[:100]),
            host=clean_line(str(value["host"])[:255]),
            pid=int(value["pid"]),
            since=clean_line(str(value["since"])[:40]),
            by=clean_line(str(value.get("by", ""))[:100]),
            taken_from=clean_line(str(value.get("taken_from", ""))[:600]),
            laptop=clean_line(str(value.get("laptop", ""))[:64]),
            site=clean_line(str(value.get("site", ""))[:200]),
        )
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError, OverflowError):
        return None


def _read(file: int) -> Holder | None:
    try:
        return holder_from_json(os.pread(file, _SIZE_LIMIT, 0))
    except OSError:
        return None


def _is_at(file: int, path: Path) -> bool:
    try:
        there = path.stat(follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # a disk that fails is nobody who took it over
    ours = os.fstat(file)
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.geteuid())
