"""Receives blobs on a machine into a store named by their SHA-256, and goes on where it was cut.

Runs as root. Standard input begins with a request (its length, then JSON); the answer's first line
says what is missing and from which byte on, and exactly those bytes follow on standard input, one
blob after the other. Each blob is hashed as it comes, written to the disk for good, and only then
given its name, so that a name always stands for whole and right bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import queue
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
FLUSH = 1 << 27
"""Bytes after which writing to the disk is begun, so that it is not all left to the end."""
QUIET = 60.0
"""Seconds without a byte after which another delivery counts as dead."""
STEADY = time.CLOCK_BOOTTIME
"""The clock that nobody sets: a machine's time of day may jump while a delivery is under way."""
PIPE_SIZE = 1031  # F_SETPIPE_SZ
MARK = b"sitewright-receive"
LENGTH = 12
"""Digits that say how long the request is, bytes."""
FLUSHED, WRONG = "", "-"
"""Instead of a name: begin to write to the disk; let go of what is not right."""
FULL = (errno.ENOSPC, errno.EDQUOT)
HEX = re.compile(r"[0-9a-f]{64}")


def say(**words: Any) -> None:
    """One line of the answer."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class Store:
    """The blobs of one machine."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.blobs = self.folder / "blobs" / "sha256"
        self.incoming = self.folder / "incoming"
        self.lock = -1

    def beat(self) -> None:
        """Say that this delivery is at work: the time of its lock is that of the steady clock."""
        if self.lock >= 0:
            now = time.clock_gettime_ns(STEADY)
            os.utime(self.lock, ns=(now, now))

    def prepare(self) -> None:
        """Make the folders; a blob is root's alone until it is put where others need it."""
        os.umask(0o022)
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.incoming.mkdir(exist_ok=True)
        self.incoming.chmod(0o700)
        # apt reads a local source as a user of its own, so it must get through to here; what else
        # lies in the folder above cannot be listed by that.
        above = self.folder.parent
        above.chmod(above.stat().st_mode | 0o011)

    def part(self, name: str) -> Path:
        """Where a blob lies while it is not whole."""
        return self.incoming / (name + ".part")

    def missing(self, wanted: list[tuple[str, int]]) -> list[tuple[str, int, int]]:
        """What is not there: name, size in bytes, and how many of them are."""
        there = sizes(self.blobs)
        parts = sizes(self.incoming)
        lacking = []
        for name, size in wanted:
            if there.get(name) != size:
                begun = parts.get(name + ".part", 0)
                lacking.append((name, size, begun if begun <= size else 0))
        return lacking

    def room(self) -> int:
        """Bytes that root may still write; what is reserved for root is not counted."""
        folder = self.folder
        while not folder.is_dir():
            folder = folder.parent
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize


def sizes(folder: Path) -> dict[str, int]:
    """Names and sizes of the files in a folder; none where it is not there."""
    found = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                found[entry.name] = entry.stat(follow_symlinks=False).st_size
    return found


def take_lock(store: Store, who: str, dead: str) -> int | None:
    """Be the only one who writes here; None where another delivery is alive.

    One whose sender is gone may wait for bytes for long: it is ended where nothing has come for a
    while, or where the one who asks knows that sender (`dead`) to be gone.
    """
    lock = os.open(store.incoming / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + 10.0
    asked = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 4096, 0).split(b"\n")
            name = holder[1].decode("utf-8", "replace") if len(holder) > 1 else ""
            if not asked and not (dead and name == dead) and not quiet(store, lock):
                say(busy=name)
                return None
            if not asked:
                asked = True
                end(holder[0])
            if time.monotonic() > until:
                say(busy="a process that does not end")
                return None
            time.sleep(0.02)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n%s\n" % (os.getpid(), who.encode()), 0)
            store.lock = lock
            store.beat()
            return lock


def quiet(store: Store, lock: int) -> bool:
    """Whether nothing has come in for a while."""
    now, last = time.clock_gettime(STEADY), os.fstat(lock).st_mtime
    if last <= now:
        return now - last > QUIET
    # An earlier version left its lock's time alone, so the time of day is all there is.
    newest = 0.0
    with os.scandir(store.incoming) as entries:
        for entry in entries:
            newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
    return time.time() - newest > QUIET


def end(pid: bytes) -> None:
    """End a process that holds the lock, if it is what it should be."""
    try:
        if MARK in Path(f"/proc/{int(pid)}/cmdline").read_bytes():
            os.kill(int(pid), signal.SIGKILL)
    except (OSError, ValueError):
        pass  # it has ended meanwhile


class Landing(threading.Thread):
    """Puts whole blobs on the disk for good and names them, while the next one comes in."""

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self.store = store
        self.waiting: queue.Queue[tuple[int, str] | None] = queue.Queue()
        self.error: OSError | None = None

    def run(self) -> None:
        """Until None comes."""
        landed = False
        while True:
            task = self.waiting.get()
            if task is None:
                break
            descriptor, name = task
            try:
                if name == FLUSHED:
                    os.fdatasync(descriptor)
                    continue
                if name == WRONG:
                    os.close(descriptor)
                    continue
                os.fsync(descriptor)
                os.fchmod(descriptor, 0o600)
                os.close(descriptor)
                self.store.part(name).replace(self.store.blobs / name)
                landed = True
                say(landed=name)
            except OSError as error:
                self.error = self.error or error
        if landed:
            folder = os.open(self.store.blobs, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)


class Cut(Exception):
    """The bytes ended too early."""


def receive(store: Store, name: str, size: int, begun: int, landing: Landing) -> bool:
    """One blob, from the byte where it was left; whether it is what its name says."""
    flags = os.O_RDWR | os.O_CREAT | (0 if begun else os.O_TRUNC)
    descriptor = os.open(store.part(name), flags | os.O_NOFOLLOW, 0o600)
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    at = 0
    while at < begun:
        got = os.preadv(descriptor, [view[: min(CHUNK, begun - at)]], at)
        digest.update(view[:got])
        at += got
        store.beat()
    os.lseek(descriptor, begun, os.SEEK_SET)
    flushed = at
    while at < size:
        got = os.readv(0, [view[: min(CHUNK, size - at)]])
        if not got:
            os.close(descriptor)
            raise Cut
        written = 0
        while written < got:
            written += os.write(descriptor, view[written:got])
        digest.update(view[:got])
        at += got
        store.beat()
        if at - flushed > FLUSH:
            flushed = at
            landing.waiting.put((descriptor, FLUSHED))
    if digest.hexdigest() == name:
        landing.waiting.put((descriptor, name))
        return True
    store.part(name).unlink()
    landing.waiting.put((descriptor, WRONG))
    say(wrong=name, got=digest.hexdigest(), begun=begun)
    return False


def forget_old(store: Store, wanted: list[str]) -> None:
    """Remove what an earlier delivery began and nobody has gone on with for a week."""
    keep = {name + ".part" for name in wanted}
    with os.scandir(store.incoming) as entries:
        for entry in entries:
            old = time.time() - entry.stat(follow_symlinks=False).st_mtime > 7 * 86400
            if entry.name.endswith(".part") and entry.name not in keep and old:
                Path(entry.path).unlink()


def exactly(count: int) -> bytes:
    """So many bytes of standard input."""
    taken = b""
    while len(taken) < count:
        got = os.read(0, count - len(taken))
        if not got:
            raise Cut
        taken += got
    return taken


def main() -> int:
    """Answer one request."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(0, PIPE_SIZE, CHUNK)
    # The length comes first: what follows the request belongs to the blobs.
    request = json.loads(exactly(int(exactly(LENGTH))))
    wanted = [(name, size) for name, size in request["blobs"]]
    if not all(HEX.fullmatch(name) for name, _ in wanted):
        return 1
    store = Store(request["store"])
    if request["look"]:
        say(missing=store.missing(wanted), room=store.room())
        return 0
    try:
        store.prepare()
        lock = take_lock(store, request["who"], request["dead"])
    except OSError as error:
        say(failed="", error=error.strerror, full=error.errno in FULL)
        return 0
    if lock is None:
        return 0
    forget_old(store, [name for name, _ in wanted])
    missing = store.missing(wanted)
    room = store.room()
    need = sum(size - begun for _, size, begun in missing) + (request["spare"] if missing else 0)
    say(missing=missing, room=room, need=need)
    if need > room:
        return 0
    landing = Landing(store)
    landing.start()
    name = ""
    try:
        for name, size, begun in missing:
            receive(store, name, size, begun, landing)
    except Cut:
        return 1
    except OSError as error:
        if error.errno in FULL:
            # A machine whose disk is full to the brim fails elsewhere too: give the room back.
            with contextlib.suppress(OSError):
                os.truncate(store.part(name), 0)
        say(failed=name, error=error.strerror, full=error.errno in FULL)
        return 0
    finally:
        landing.waiting.put(None)
        while landing.is_alive():
            landing.join(1.0)
            store.beat()
    if landing.error is not None:
        say(failed=name, error=landing.error.strerror, full=landing.error.errno in FULL)
        return 0
    say(end=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
