"""Git over HTTP: the smart protocol through `git upload-pack`, and the files of the dumb one.

Argo CD's own client speaks the smart protocol alone, so `git` must be on this machine where a
bundle has repositories. Each is unpacked once into a private folder; only reading is offered.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from bundles.format import budgets
from bundles.format.layout import Item
from bundles.format.problems import HostileBundle
from bundles.read.opened import BlobReader
from bundles.serve.resources import TEXT, Local, is_file_name
from bundles.sources.workshop import run_program
from foundation.isolation import child_environment

SERVICE: Final = "git-upload-pack"
ADVERTISEMENT: Final = f"application/x-{SERVICE}-advertisement"
REQUEST: Final = f"application/x-{SERVICE}-request"
RESULT: Final = f"application/x-{SERVICE}-result"
REQUEST_LIMIT: Final = budgets.FETCH_REQUEST_BYTES
"""Bytes of what a client says that it has, unpacked."""
_PROTOCOL: Final = re.compile(r"[a-z0-9=:.-]{1,100}")
_BRANCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_PIECE: Final = 1 << 16
_AT_ONCE: Final = 8
_PATIENCE: Final = 60.0
"""Seconds that a request waits for its turn."""


@dataclass(frozen=True, slots=True)
class GitRepository:
    """One repository of the bundle, unpacked."""

    name: str
    folder: Path
    item: str


class GitServer:
    """The repositories of a bundle, answering fetches; use `close` at the end."""

    def __init__(self, repositories: Sequence[GitRepository]) -> None:
        self._by_name = {one.name: one for one in repositories}
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def find(self, path: str) -> tuple[GitRepository, str] | None:
        """The repository that a path (git/NAME.git/REST, without the first slash) is in."""
        parts = path.split("/", 2)
        if len(parts) < 3 or parts[0] != "git":
            return None
        found = self._by_name.get(parts[1].removesuffix(".git"))
        return (found, parts[2]) if found else None

    def advertisement(self, repository: GitRepository, protocol: str | None) -> bytes:
        """What it has, as the smart protocol begins."""
        head = f"# service={SERVICE}\n"
        with tempfile.TemporaryFile() as nothing:
            said = b"".join(self._upload_pack(repository, protocol, nothing, ("--advertise-refs",)))
        return f"{len(head) + 4:04x}{head}0000".encode() + said

    def result(
        self, repository: GitRepository, protocol: str | None, asked: IO[bytes]
    ) -> Iterator[bytes]:
        """The answer to a fetch, in pieces; raises OSError where it cannot be given."""
        asked.seek(0)
        return self._upload_pack(repository, protocol, asked, ())

    def close(self) -> None:
        """End every fetch."""
        self._closed = True
        for process in tuple(self._running):
            process.kill()

    def _upload_pack(
        self,
        repository: GitRepository,
        protocol: str | None,
        asked: IO[bytes],
        more: tuple[str, ...],
    ) -> Iterator[bytes]:
        if not self._turns.acquire(timeout=_PATIENCE):
            raise TimeoutError("too many fetches at once")
        process = None
        try:
            process = subprocess.Popen(
                [
                    "git",
                    "upload-pack",
                    "--stateless-rpc",
                    "--strict",
                    *more,
                    str(repository.folder),
                ],
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(protocol),
            )
            self._running.add(process)
            if self._closed:
                process.kill()
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            while piece := os.read(process.stdout.fileno(), _PIECE):
                yield piece
            if process.wait():
                raise OSError(f"git upload-pack ended with {process.returncode}")
        finally:
            if process is not None:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
                self._running.discard(process)
            self._turns.release()


async def unpack_repository(item: Item, reader: BlobReader, root: Path, *, where: str) -> Path:
    """A bare repository from an item's Git bundle, below a private folder; raises SourceProblem.

    Its HEAD is the branch that was asked for when the bundle was made.
    """
    if not is_file_name(item.name):
        raise HostileBundle(f"{item.name!r} is no name for a repository", where=where)
    folder = root / f"{item.name}.git"
    packed = root / f"{item.name}.bundle"
    await asyncio.to_thread(_copy, reader, packed)
    what = f"git {item.name}"
    commit = item.pins.get("commit", "")
    ref = item.pins.get("ref", "HEAD")
    branch = ref if _BRANCH.fullmatch(ref) and ref != "HEAD" else "bundle"

    async def git(*words: str) -> str:
        return await run_program(
            ["git", "--git-dir", str(folder), *words],
            what=what,
            surroundings=_environment(None),
            cwd=root,
        )

    await git("init", "-q", "--bare")
    await git(
        *("-c", "transfer.fsckObjects=true", "fetch", "-q", "--no-auto-gc", "--", str(packed)),
        "+refs/heads/bundle:refs/heads/bundle",
    )
    found = (await git("rev-parse", "refs/heads/bundle")).strip()
    if found != commit:
        raise HostileBundle(f"it holds {found}, and the index says {commit}", where=what)
    if branch != "bundle":
        await git("update-ref", f"refs/heads/{branch}", found)
    await git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    # Argo CD and shallow clones ask for a commit by its name.
    await git("config", "uploadpack.allowReachableSHA1InWant", "true")
    await git("repack", "-adq")
    await git("update-server-info")
    packed.unlink()
    return folder


def dumb_file(repository: GitRepository, rest: str) -> Local | None:
    """A file of the dumb protocol, or None: only those names that a client of it asks for."""
    if not _DUMB.fullmatch(rest):
        return None
    path = repository.folder / rest
    if not path.is_file():
        return None
    media_type = "application/octet-stream" if "pack-" in rest else TEXT
    return Local(path, path.stat().st_size, repository.item, media_type)


_DUMB: Final = re.compile(
    r"HEAD|info/refs|objects/info/packs|objects/pack/pack-[0-9a-f]{40}\.(?:pack|idx)"
)


def _copy(reader: BlobReader, path: Path) -> None:
    with path.open("xb") as file:
        for chunk in reader.chunks():
            file.write(chunk)


def _settings() -> dict[str, str]:
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file",
    }


def _environment(protocol: str | None) -> dict[str, str]:
    own = child_environment("git upload-pack", _settings())
    if protocol and _PROTOCOL.fullmatch(protocol):
        own["GIT_PROTOCOL"] = protocol
    return own
