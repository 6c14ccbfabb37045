"""Making a backup: what is saved, proven, listed, sealed and sent, and which old ones go."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import re
import shutil
import socket
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from . import datastore, vault
from .sealed import sealed
from .target import PART, Folder, Ssh, small, sum_of, target_of
from .told import (
    BACKEND,
    FORMAT,
    LAST,
    RECORD,
    SNAP,
    STATE,
    Json,
    Objection,
    Untold,
    ago,
    asked,
    last,
    note,
    size,
    stamped,
    when,
)

LIST = "list.json"
SEALED, LISTED = ".gpg", ".json"
_SMALL_FILE = 4 << 20
_SMALL_FILES = 64 << 20
_OWN = ("certs", "args", "credentials")
"""Folders of MicroK8s without which old tokens and kubeconfigs die, and no node can join."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
NOT_IN_IT = (
    "databases and what else lies in volumes (MySQL, MongoDB: their operators' own backups)",
    "Kafka and Redis, which nothing backs up: they are made anew",
    "Ceph (its pools, its own database, its keys)",
    "the Git repository of the site",
    "container images",
)
"""Who restores a site has these from elsewhere, or not at all."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One backup at a time on this machine; raises Objection where another is under way."""
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Objection("another backup is under way on this machine") from error
        yield


def fit(config: Json) -> list[str]:
    """What stands against a backup now, all of it; each question that got no answer is there."""
    against: list[str] = []
    need = 0

    def ask(question: Any) -> Any:
        try:
            return question()
        except (Objection, Untold) as problem:
            against.append(str(problem))
            return None

    if not config["people"]:
        against.append("nobody is named who could open it")
    ask(lambda: asked(["gpg", "--version"]))
    need = ask(datastore.backend_bytes) or 0
    if ask(datastore.namespaces) == set():
        against.append("the API has no namespaces")
    if not against and (free := shutil.disk_usage("/var/lib").free) < 2 * need:
        against.append(f"/var/lib has room for {size(free)}; the archive may need {size(2 * need)}")
    target = ask(lambda: target_of(config))
    if target is not None:
        before = len(against)
        ask(target.check)
        if len(against) == before:
            free = ask(target.free)
            if free is not None and free < need:
                against.append(f"the target has room for {size(free)}, and {size(need)} may come")
    return against


def make(config: Json) -> str:
    """Make one backup; the name it has. Raises Objection and Untold, and leaves nothing half.

    One that lacks what Vault keeps is better than none: it is sent, and then told as a failure.
    """
    with alone():
        began = time.time()
        try:
            name, lacks = _make(config, began)
            if lacks:
                raise Objection(
                    f"the backup {name} lies at the target without what Vault keeps: {lacks}. No "
                    "older one was removed"
                )
        except (Objection, Untold, OSError) as error:
            note({"tried": began, "failed": str(error)})
            raise
        note({"tried": began, "failed": ""})
        return name


def _make(config: Json, began: float) -> tuple[str, str]:
    if against := fit(config):
        raise Objection("; ".join(against))
    target = target_of(config)
    stamp = stamped(began)
    _sweep(target)
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in STATE.glob("work-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=STATE) as work:
        known = datastore.namespaces()
        old = datastore.canaries()
        canary, written = datastore.write_canary(stamp)
        archive = datastore.save(Path(work))
        with archive.open("rb") as file:
            proof = datastore.prove(file)
        if against_it := proof.against(canary, known):
            datastore.forget_canaries({canary})
            raise Objection(f"{against_it}. Nothing was sent; no older backup was touched")
        print(f"The datastore: {proof.entries} entries, {size(archive.stat().st_size)}; "
              f"the canary written at {when(written)} is in it.")  # fmt: skip
        files = {"datastore.tar.gz": archive}
        if RECORD.is_file():
            files["record.tar.gz"] = RECORD
        kept_of_vault, without, lacks = _of_vault(config, Path(work))
        files |= kept_of_vault
        own = dict(_own_files())
        members = [
            *({"name": name, **_sum(path)} for name, path in files.items()),
            *({"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
              for name, data in own.items()),
        ]  # fmt: skip
        inner = {
            **{key: config[key] for key in ("site", "solution", "environment", "domain",
                                            "pm4ml_id", "sitewright")},
            "format": FORMAT, "name": stamp, "made": began, "master": socket.gethostname(),
            "canary": {"name": canary, "written": written}, "entries": proof.entries,
            "microk8s": snap(), "members": members, "not_in_it": [*NOT_IN_IT, *without],
            "opened_by": [{"name": p["name"], "fingerprint": p["fingerprint"]}
                          for p in config["people"]],
        }  # fmt: skip
        digest, count = hashlib.sha256(), 0

        def written_out() -> Iterator[bytes]:
            nonlocal count
            for chunk in sealed(config["people"], lambda into: _write(into, inner, files, own)):
                digest.update(chunk)
                count += len(chunk)
                yield chunk

        try:
            target.put(stamp + SEALED, written_out())
            if sum_of(target, stamp + SEALED + PART) != (digest.hexdigest(), count):
                raise Objection("what lies at the target is not what was sent to it")
            outer = {**inner, "sha256": digest.hexdigest(), "bytes": count}
            target.put(stamp + LISTED, [json.dumps(outer, indent=1).encode()])
            target.finish(stamp + SEALED)
            # With the list, and not before, it is a backup.
            target.finish(stamp + LISTED)
        except BaseException:
            with contextlib.suppress(Objection, OSError):
                _sweep(target)
            raise
    datastore.forget_canaries(old - {canary})
    print(f"The backup {stamp} is at the target: {size(count)}, SHA-256 {digest.hexdigest()}.")
    print("It is opened by " + ", ".join(
        f"{p['name']} ({p['fingerprint'][-16:]})" for p in config["people"]) + ".")  # fmt: skip
    doubt = _doubt(proof.entries)
    note({"good": stamp, "made": began, "canary": written, "entries": proof.entries,
          "bytes": count, "sha256": digest.hexdigest(), "without": lacks})  # fmt: skip
    if lacks:
        return stamp, lacks
    if doubt:
        print(f"Note: {doubt}. No older backup is removed.")
    else:
        _thin_out(target, int(config["keep"]), stamp)
    return stamp, ""


def _of_vault(config: Json, work: Path) -> tuple[dict[str, Path], list[str], str]:
    """Vault's snapshot as a file of the backup; what is said where it has none; what failed."""
    try:
        found = vault.save(config, work)
    except (Objection, Untold) as problem:
        # It stands in the list of the backup, and what Vault and kubectl say comes from outside.
        why = "".join(one if one.isprintable() else " " for one in str(problem))[:500]
        return {}, [f"what Vault keeps ({why})"], why
    if isinstance(found, str):
        return {}, [f"what Vault keeps ({found})"], ""
    path, proof = found
    print(f"Vault: {size(proof.bytes)}, Raft's index {proof.index}; its own shares open it.")
    return {vault.NAME: path}, [], ""


def _doubt(entries: int) -> str:
    """Why an archive that holds the canary is doubted all the same: half of it went."""
    before = last().get("entries")
    if isinstance(before, int) and entries * 2 < before:
        return f"it has {entries} entries, and the one before had {before}"
    return ""


def snap() -> Json:
    """The version, revision and channel of MicroK8s here."""
    try:
        words = asked(["snap", "list", "microk8s"]).splitlines()[1].split()
        return {"version": words[1], "revision": words[2], "channel": words[3]}
    except (Untold, IndexError) as error:
        raise Untold(f"which MicroK8s this is: {error}") from error


def _own_files() -> Iterator[tuple[str, bytes]]:
    """What MicroK8s keeps on this machine that a new one needs; bounded."""
    room = _SMALL_FILES
    places = [SNAP / name for name in _OWN]
    paths = [path for place in places for path in sorted(place.rglob("*"))]
    paths += [BACKEND / name for name in ("cluster.crt", "cluster.key", "cluster.yaml")]
    for path in paths:
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            data = file.read(_SMALL_FILE + 1)
        room -= len(data)
        if len(data) > _SMALL_FILE or room < 0:
            raise Objection(f"{path} is larger than any file that belongs there")
        yield f"microk8s/{path.relative_to(SNAP)}", data


def _sum(path: Path) -> Json:
    digest, count = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            count += len(chunk)
    return {"bytes": count, "sha256": digest.hexdigest()}


def _write(into: IO[bytes], inner: Json, files: dict[str, Path], own: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=into, mode="w|") as tar:
        told = json.dumps(inner, indent=1).encode()
        for name, data in {LIST: told, **own}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), 0o600, int(inner["made"])
            tar.addfile(member, io.BytesIO(data))
        for name, path in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = path.stat().st_size, 0o600
            with path.open("rb") as file:
                tar.addfile(member, file)


def _sweep(target: Folder | Ssh) -> None:
    """Take away what an earlier backup of this site left half; one is made at a time."""
    for name in target.sizes():
        if name.endswith(PART):
            target.remove(name)


def kept(target: Folder | Ssh) -> list[Json]:
    """The backups that lie at the target whole, the newest first; what is none is told."""
    sizes = target.sizes()
    found = []
    for name in sorted(sizes, reverse=True):
        if not name.endswith(LISTED):
            continue
        stamp = name.removesuffix(LISTED)
        try:
            told = _as_list(json.loads(small(target, name)), stamp)
        except (ValueError, KeyError, TypeError, RecursionError, Objection) as error:
            print(f"Note: {name} at the target is no list of a backup ({error}).")
            continue
        if sizes.get(stamp + SEALED) != told["bytes"]:
            print(f"Note: the backup {stamp} at the target is not whole: it has "
                  f"{sizes.get(stamp + SEALED, 0)} of {told['bytes']} bytes.")  # fmt: skip
            continue
        found.append(told)
    return found


def _as_list(told: Any, stamp: str) -> Json:
    """The list of a backup, in which everything is of its kind; raises ValueError and its kin."""
    if not isinstance(told, dict) or told["name"] != stamp:
        raise ValueError("it is not of its name")
    counts = [told["bytes"], told["entries"], told.get("format", 0)]
    counts += [one["bytes"] for one in told["members"]]
    if not all(type(count) is int and 0 <= count < 1 << 50 for count in counts):
        raise ValueError("a size in it is none")
    if not all(0 <= float(at) < 1e11 for at in (told["canary"]["written"], told["made"])):
        raise ValueError("a time in it is none")
    if not re.fullmatch("[0-9a-f]{64}", told["sha256"]):
        raise ValueError("its sum is none")
    words = [told[key] for key in ("site", "master", "sitewright")]
    words += [told["canary"]["name"], *told["not_in_it"]]
    words += [told["microk8s"][key] for key in ("version", "channel")]
    words += [one[key] for one in told["members"] for key in ("name", "sha256")]
    words += [one["name"] for one in told["opened_by"]]
    if not all(isinstance(word, str) and word.isprintable() for word in words):
        raise ValueError("a word in it is none")
    # They stand in the sentence that a person agrees to, beside the sum.
    if not all(_NAME.fullmatch(told[key]) for key in ("site", "master")):
        raise ValueError("a name in it is none")
    if told["not_in_it"] != list(NOT_IN_IT) and len(str(told["not_in_it"])) > 2000:
        raise ValueError("it says too much of what is not in it")
    return told


def _thin_out(target: Folder | Ssh, keep: int, newest: str) -> None:
    """Remove the oldest beyond those that are kept; the one just proven stays whatever happens."""
    for old in kept(target)[max(1, keep) :]:
        stamp = str(old["name"])
        if stamp == newest:
            continue
        # The list first: half a backup is none.
        target.remove(stamp + LISTED)
        target.remove(stamp + SEALED)
        print(f"The backup {stamp} was removed: {keep} are kept.")


def age(config: Json) -> tuple[bool, str]:
    """Whether the last good backup is young enough, and how old it is, in words."""
    state = last()
    hours = float(config["every_hours"])
    failed = f" The last try, {when(state['tried'])}, failed: {state['failed']}" if (
        state.get("failed")) else ""  # fmt: skip
    if "canary" not in state:
        return False, f"no backup of this site was ever made from here ({LAST}).{failed}"
    old = time.time() - float(state["canary"])
    text = f"the last good backup, {state['good']}, is {ago(old)} old; one is made each {hours:g} h"
    if state.get("without"):
        return False, f"{text}. What Vault keeps is not in it: {state['without']}.{failed}"
    if old > 2 * hours * 3600:
        return False, f"{text}. More than two were missed.{failed}"
    return True, f"{text}.{failed}"
