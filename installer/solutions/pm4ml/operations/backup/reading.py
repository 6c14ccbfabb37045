"""Reading a backup: every byte decrypted, hashed and looked into as a stream, nothing unpacked."""

from __future__ import annotations

import hashlib
import json
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from . import datastore, vault
from .saving import LIST, SEALED, kept
from .sealed import opened
from .target import Folder, Ssh, sum_of
from .told import FORMAT, Json, Objection, ago, size, when

CHUNK = 1 << 20
_LONGEST_LIST = 4 << 20


@dataclass(frozen=True)
class Verdict:
    """What was found in a backup that is whole."""

    inner: Json
    entries: int
    bytes: int
    seconds: float
    snapshot: vault.Snapshot | None = None
    """What Vault keeps, where it was looked into."""

    def text(self) -> str:
        """The verdict with its figures."""
        of_vault = "what Vault keeps is not in it."
        if self.snapshot is not None:
            of_vault = f"what Vault keeps is in it, to Raft's index {self.snapshot.index}."
        written = float(self.inner["canary"]["written"])
        return (
            f"The backup {self.inner['name']} is whole: files: {len(self.inner['members'])}, "
            f"{size(self.bytes)} in {self.seconds:.1f} s, each as its list says; the datastore has "
            f"{self.entries} entries, and the canary written at {when(written)} is in it; "
            f"{of_vault} Restored now, the last {ago(time.time() - written)} would be lost."
        )


class _Hashed:
    """A file object that hashes what is read through it."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._digest, self.count, self._most = file, hashlib.sha256(), 0, most

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(count if count >= 0 else CHUNK)
        self._digest.update(data)
        self.count += len(data)
        if self.count > self._most:
            raise Objection("a file in it is larger than its list says")
        return data

    def to_its_end(self) -> str:
        """Read what is left; the sum of all."""
        while self.read(CHUNK):
            pass
        return self._digest.hexdigest()


Take = Callable[[str, IO[bytes]], None]


def chosen(target: Folder | Ssh, name: str) -> Json:
    """A backup by its name, or the newest; raises Objection."""
    found = kept(target)
    if not found:
        raise Objection("no whole backup of this site lies at the target")
    if name in ("", "latest"):
        return found[0]
    for one in found:
        if one["name"] == name:
            return one
    names = ", ".join(str(one["name"]) for one in found[:10])
    raise Objection(f"no whole backup {name} of this site lies at the target; there are {names}")


def unchanged(target: Folder | Ssh, outer: Json) -> None:
    """That the sealed bytes are those of the list; needs no key. Raises Objection."""
    if int(outer.get("format", 0)) > FORMAT:
        raise Objection(
            f"the backup {outer['name']} was made by Sitewright {outer.get('sitewright')}, which "
            "is newer than this one: use that version or a later one"
        )
    found, count = sum_of(target, str(outer["name"]) + SEALED)
    if count != outer["bytes"] or found != outer["sha256"]:
        raise Objection(
            f"the backup {outer['name']} is not what was sent: {count} bytes with SHA-256 {found}, "
            f"and its list says {outer['bytes']} and {outer['sha256']}. Take another"
        )


def read_through(
    target: Folder | Ssh, outer: Json, session_key: str, take: Take | None = None
) -> Verdict:
    """Read a backup to its end and judge it; `take` is given each file. Raises Objection.

    What `take` was given counts only when this returned.
    """
    began, total = time.monotonic(), 0
    proof: datastore.Proof | None = None
    snapshot: vault.Snapshot | None = None
    name = str(outer["name"]) + SEALED
    sha256 = str(outer["sha256"])
    with target.reading(name) as source, opened(source, session_key, sha256) as clear:
        try:
            with tarfile.open(fileobj=clear, mode="r|") as tar:
                inner = _list(tar, outer)
                left = {str(one["name"]): one for one in inner["members"]}
                while (member := tar.next()) is not None:
                    told = left.pop(member.name, None)
                    content = tar.extractfile(member) if member.isfile() else None
                    if told is None or content is None:
                        raise Objection(f"{member.name!r} is in it and not in its list")
                    hashed = _Hashed(content, int(told["bytes"]))
                    if member.name == "datastore.tar.gz" and take is None:
                        proof = datastore.prove(hashed)  # type: ignore[arg-type]  # it reads alone
                    elif member.name == vault.NAME and take is None:
                        snapshot = vault.prove(hashed)  # type: ignore[arg-type]  # the same
                    elif take is not None:
                        take(member.name, hashed)  # type: ignore[arg-type]  # the same
                    if hashed.to_its_end() != told["sha256"] or hashed.count != told["bytes"]:
                        raise Objection(f"{member.name} is not what its list says")
                    total += hashed.count
        except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError,
                RecursionError) as error:  # fmt: skip
            raise Objection(f"what was sealed cannot be read: {error}") from error
        if left:
            raise Objection(f"{', '.join(sorted(left)[:5])} is in its list and not in it")
    if take is None:
        if proof is None:
            raise Objection("it has no archive of the datastore")
        if against := proof.against(str(inner["canary"]["name"]), set()):
            raise Objection(against)
    entries = proof.entries if proof is not None else int(inner["entries"])
    return Verdict(inner, entries, total, time.monotonic() - began, snapshot)


def _list(tar: tarfile.TarFile, outer: Json) -> Json:
    """The list inside, which is the one beside it; raises Objection.

    Both can be written by anybody who has the public keys: whether a backup is of this site, its
    sum alone tells, compared by a person.
    """
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.name == LIST else None
    if first is None or content is None or first.size > _LONGEST_LIST:
        raise Objection("what was sealed is no backup")
    try:
        inner: Json = json.loads(content.read())
    except (ValueError, RecursionError) as error:
        raise Objection(f"the list inside of it cannot be read: {error}") from error
    if inner != {key: value for key, value in outer.items() if key not in ("sha256", "bytes")}:
        raise Objection("the list beside the backup is another than the one inside of it")
    return inner
