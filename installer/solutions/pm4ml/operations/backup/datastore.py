"""The cluster's datastore: saved by `microk8s dbctl`, and never believed.

dbctl has written archives of nothing with exit status 0 (canonical/microk8s#4259, #4308), and its
restore only logs the entries that it could not write. So a canary object is written right before,
and an archive counts only where it holds that canary, every namespace, and entries enough.
"""

from __future__ import annotations

import contextlib
import gzip
import resource
import subprocess
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .told import BACKEND, Objection, Untold, kubectl, objects

NAME = "datastore"
"""dbctl finds the folder in an archive by the archive's own name."""
CANARY = "sitewright-canary-"
CANARY_NAMESPACE = "kube-system"
FEWEST = 50
"""Entries; a MicroK8s with nothing in it has some hundreds."""
_DBCTL_SECONDS = 1800
_LONGEST_KEY = 4096
_FILES = 1 << 20
"""Files that dbctl may hold open: it opens two for each object and closes them at its end."""


@dataclass
class Proof:
    """What was found in an archive of the datastore."""

    entries: int = 0
    canaries: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)

    def against(self, canary: str, namespaces: set[str]) -> str:
        """What stands against it as the archive of a moment; empty where nothing does."""
        if self.entries < FEWEST:
            return (
                f"microk8s dbctl wrote an archive with {self.entries} entries and said that all "
                "was well (canonical/microk8s#4259)"
            )
        if canary not in self.canaries:
            return f"the object {canary}, written right before, is not in it"
        if missing := sorted(namespaces - self.namespaces):
            return f"namespaces of the cluster are not in it: {', '.join(missing[:5])}"
        return ""


def write_canary(stamp: str) -> tuple[str, float]:
    """Write the object by which an archive proves its age; its name, and when it was written."""
    name = CANARY + stamp.lower()
    kubectl("create", "configmap", name, "-n", CANARY_NAMESPACE, f"--from-literal=made={stamp}")
    return name, time.time()


def canaries() -> set[str]:
    """The canaries that the cluster has."""
    found = (str(one["metadata"]["name"]) for one in objects("configmaps", "-n", CANARY_NAMESPACE))
    return {name for name in found if name.startswith(CANARY)}


def forget_canaries(names: set[str]) -> None:
    """Take canaries away that no backup of the future needs."""
    for name in sorted(names):
        if name.startswith(CANARY):
            kubectl("delete", "configmap", name, "-n", CANARY_NAMESPACE, "--ignore-not-found")


def namespaces() -> set[str]:
    """Every namespace of the cluster."""
    return {str(one["metadata"]["name"]) for one in objects("namespaces")}


def backend_bytes() -> int:
    """How much the datastore has on the disk, for the room that a copy of it wants."""
    if not BACKEND.is_dir():
        raise Objection(f"there is no datastore in {BACKEND}: this machine is no master")
    return sum(one.stat().st_size for one in BACKEND.rglob("*") if one.is_file())


def save(folder: Path) -> Path:
    """Have dbctl write its archive into a folder; what it says of itself is not believed."""
    _dbctl("backup", "-o", str(folder / NAME))
    archive = folder / f"{NAME}.tar.gz"
    if not archive.is_file():
        raise Objection("microk8s dbctl backup wrote no archive")
    return archive


def restore(archive: Path) -> None:
    """Have dbctl write the entries of an archive into the datastore that runs here."""
    _dbctl("restore", str(archive))


def _dbctl(*words: str) -> None:
    command = ["microk8s", "dbctl", *words]
    with _many_files():
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                timeout=_DBCTL_SECONDS, stdin=subprocess.DEVNULL, errors="replace", cwd="/",
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise Objection(f"{' '.join(command[:3])} came to no end in half an hour") from error
        except OSError as error:
            raise Untold(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or ["nothing"]
        raise Objection(f"{' '.join(command[:3])} ended with {done.returncode}: {lines[-1]}")


@contextlib.contextmanager
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, more), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def prove(archive: IO[bytes]) -> Proof:
    """Read an archive to its end as a stream, nothing of it on a disk; raises Objection."""
    proof = Proof()
    try:
        # By gzip itself, which tells a cut file; tarfile would take it for a shorter one.
        with gzip.GzipFile(fileobj=archive) as clear:
            with tarfile.open(fileobj=clear, mode="r|") as tar:
                for member in tar:
                    if not member.isfile() or not member.name.endswith(".key"):
                        continue
                    proof.entries += 1
                    content = tar.extractfile(member)
                    if content is not None and member.size <= _LONGEST_KEY:
                        _count(content.read(_LONGEST_KEY).decode("utf-8", "replace"), proof)
            while clear.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise Objection(f"the archive of the datastore cannot be read: {error}") from error
    return proof


def _count(key: str, proof: Proof) -> None:
    words = key.split("/")
    if words[:3] == ["", "registry", "namespaces"] and len(words) == 4:
        proof.namespaces.add(words[3])
    elif key.startswith(f"/registry/configmaps/{CANARY_NAMESPACE}/{CANARY}"):
        proof.canaries.add(words[4])
