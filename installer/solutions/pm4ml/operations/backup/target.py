"""Where backups are kept: a folder of this machine, or one of another that is reached by SSH.

A file has another name while it is written, and its own only when every byte of it lies there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from .told import KEY, SNAP, Objection, Untold

CHUNK = 1 << 20
PART = ".part"
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,80}")
_SECONDS = 60
_TRANSFER_SECONDS = 6 * 3600
_SMALL = 256 * 1024


class Folder:
    """A folder of this machine, on a disk that is not the machine's own.

    Who has that disk elsewhere, or serves it, may have laid links there: what is written and read
    is a file of this very folder, and no link is followed to it.
    """

    def __init__(self, path: str, site: str) -> None:
        self.root, self.path = Path(path), Path(path) / site

    def check(self) -> None:
        """That it is there, is another disk, and lets itself be written; raises Objection."""
        if not self.root.is_dir():
            raise Objection(f"there is no folder {self.root}: mount the backup disk there")
        own = {place.stat().st_dev for place in (Path("/"), SNAP) if place.exists()}
        if self.root.stat().st_dev in own:
            raise Objection(
                f"{self.root} lies on this machine's own disk, with which a backup would be lost: "
                "mount the backup disk there"
            )
        self.try_it()

    def try_it(self) -> None:
        """Write a file there and take it away; raises Objection."""
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            with self._inside() as folder:
                with self._new(folder, f"trial{PART}") as file:
                    file.write(b"x")
                os.unlink(f"trial{PART}", dir_fd=folder)
        except OSError as error:
            raise Objection(f"{self.path} cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def _inside(self) -> Iterator[int]:
        """The folder itself, which is no link and on the same disk; raises Objection, OSError."""
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            if self.path.is_symlink():
                raise Objection(f"{self.path} is a link, and backups follow none") from error
            raise
        try:
            if os.fstat(folder).st_dev != self.root.stat().st_dev:
                raise Objection(f"{self.path} lies on another disk than {self.root}")
            yield folder
        finally:
            os.close(folder)

    @staticmethod
    def _new(folder: int, name: str) -> IO[bytes]:
        """A file that was not there: what lay under its name goes, and is not written to."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        return os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb")

    def free(self) -> int:
        """Bytes that there is room for."""
        return shutil.disk_usage(self.root).free

    def sizes(self) -> dict[str, int]:
        """The files that lie there, and their sizes."""
        if not self.root.is_dir():
            raise Objection(f"there is no folder {self.root}: mount the backup disk there")
        try:
            with self._inside() as folder, os.scandir(folder) as found:
                return {
                    one.name: one.stat(follow_symlinks=False).st_size
                    for one in found
                    if one.is_file(follow_symlinks=False) and _NAME.fullmatch(one.name)
                }
        except FileNotFoundError:
            return {}

    def put(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file under its other name, to the disk; raises Objection."""
        try:
            with self._inside() as folder, self._new(folder, name + PART) as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Objection(f"{self.path} took no more: {error.strerror}") from error

    def finish(self, name: str) -> None:
        """Give a file its own name."""
        with self._inside() as folder:
            os.rename(name + PART, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def remove(self, name: str) -> None:
        """Take a file away that may be gone already."""
        with self._inside() as folder, contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """The bytes of a file."""
        try:
            with self._inside() as folder:
                # A pipe that nobody writes to would be waited for.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                file = os.fdopen(os.open(name, flags, dir_fd=folder), "rb")
        except OSError as error:
            raise Objection(f"{self.path / name}: {error.strerror}") from error
        with file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Objection(f"{self.path / name} is no file")
            yield file


class Ssh:
    """A folder of a machine that this one logs in to, by a key of its own and a known host key."""

    def __init__(self, told: str, host_key: str, site: str) -> None:
        parts = urlsplit(told)
        self.where = f"{parts.username}@{parts.hostname}"
        self.path = f"{parts.path.rstrip('/')}/{site}"
        self.known = KEY.with_name("target-known-hosts")
        self.known.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.known.write_text(f"target {host_key}\n", "utf-8")
        self._command = [
            "ssh", "-F", "none", "-i", str(KEY), "-p", str(parts.port or 22),
            "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
            "-o", f"UserKnownHostsFile={self.known}", "-o", "GlobalKnownHostsFile=none",
            "-o", "HostKeyAlias=target", "-o", "ConnectTimeout=20",
            "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4", self.where,
        ]  # fmt: skip

    def _says(self, script: str, *, seconds: int = _SECONDS) -> str:
        """What a command there says; raises Objection where it fails."""
        try:
            done = subprocess.run(
                [*self._command, script], capture_output=True, text=True, check=False,
                timeout=seconds, stdin=subprocess.DEVNULL, errors="replace",
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Objection(f"{self.where} does not answer: {error}") from error
        if done.returncode != 0:
            raise Objection(f"{self.where}: {_reason(done.stderr)}")
        return done.stdout

    def _in(self, script: str) -> str:
        return f"cd {shlex.quote(self.path)} && {script}"

    def check(self) -> None:
        """That it lets this machine in and lets itself be written; raises Objection."""
        make_key()
        folder = shlex.quote(self.path)
        try:
            self._says(
                f"umask 077; mkdir -p {folder} && cd {folder} && : > trial{PART} && rm trial{PART}"
            )
        except Objection as problem:
            if "Permission denied (" not in str(problem):
                raise
            raise Objection(
                f"{self.where} does not let this machine in yet; put this line into "
                f"authorized_keys of that account: restrict {public_key()}"
            ) from problem

    def free(self) -> int:
        """Bytes that there is room for."""
        lines = self._says(self._in("df -Pk .")).splitlines()
        try:
            return int(lines[-1].split()[3]) * 1024
        except (IndexError, ValueError) as error:
            raise Untold(f"{self.where}: df answers something else") from error

    def sizes(self) -> dict[str, int]:
        """The files that lie there, and their sizes."""
        folder = shlex.quote(self.path)
        lines = self._says(
            f'[ -d {folder} ] || exit 0; cd {folder}; for f in *; do [ ! -f "$f" ] || '
            '[ -L "$f" ] || printf "%s %s\\n" "$(wc -c < "$f")" "$f"; done'
        ).splitlines()
        found = [line.split(None, 1) for line in lines]
        return {
            words[1]: int(words[0])
            for words in found
            if len(words) == 2 and words[0].isdigit() and _NAME.fullmatch(words[1])
        }

    def put(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file under its other name, to the disk; raises Objection."""
        part = shlex.quote(name + PART)
        script = self._in(f"umask 077 && cat > {part} && sync {part}")
        process = subprocess.Popen(
            [*self._command, script], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert process.stderr is not None  # noqa: S101 - the same
        try:
            for chunk in chunks:
                process.stdin.write(chunk)
            process.stdin.close()
            process.wait(timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            process.kill()
            said = process.stderr.read(4096).decode("utf-8", "replace")
            raise Objection(f"{self.where} took no more: {_reason(said) or error}") from error
        finally:
            if process.poll() is None:
                process.kill()
        if process.returncode != 0:
            said = process.stderr.read(4096).decode("utf-8", "replace")
            raise Objection(f"{self.where} took no more: {_reason(said)}")

    def finish(self, name: str) -> None:
        """Give a file its own name."""
        part, own = shlex.quote(name + PART), shlex.quote(name)
        self._says(self._in(f"mv {part} {own} && sync ."))

    def remove(self, name: str) -> None:
        """Take a file away that may be gone already."""
        self._says(self._in(f"rm -f {shlex.quote(name)}"))

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """The bytes of a file."""
        process = subprocess.Popen(
            [*self._command, self._in(f"cat {shlex.quote(name)}")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            yield process.stdout
        finally:
            process.kill()
            process.wait(timeout=_SECONDS)


def _reason(errors: str) -> str:
    """Why ssh or what it ran failed: what is known of a few sentences, else the last line."""
    if "Host key verification failed" in errors or "HOST IDENTIFICATION HAS CHANGED" in errors:
        return (
            "it shows another host key than host_key under `backup` in the site file; nothing was "
            "sent. Find out why before anything else"
        )
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it ended without a word"


def make_key() -> None:
    """Make this machine's own key for the target, where it has none yet."""
    if KEY.exists():
        return
    KEY.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"backup@{os.uname().nodename}",
         "-f", str(KEY)],
        check=True, timeout=_SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def public_key() -> str:
    """The line by which a target knows this machine."""
    return KEY.with_name(KEY.name + ".pub").read_text("utf-8").strip()


def target_of(config: dict[str, Any]) -> Folder | Ssh:
    """Where the backups of a site are kept."""
    told = str(config["target"])
    if told.startswith("ssh://"):
        return Ssh(told, str(config["host_key"]), str(config["site"]))
    return Folder(told, str(config["site"]))


def small(target: Folder | Ssh, name: str) -> bytes:
    """A short file as a whole; raises Objection for one that is long."""
    with target.reading(name) as file:
        found = file.read(_SMALL + 1)
    if len(found) > _SMALL:
        raise Objection(f"{name} is no list of a backup: it is too long")
    return found


def sum_of(target: Folder | Ssh, name: str) -> tuple[str, int]:
    """SHA-256 and size of a file as it lies there, every byte read back."""
    digest, count = hashlib.sha256(), 0
    with target.reading(name) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            count += len(chunk)
    return digest.hexdigest(), count
