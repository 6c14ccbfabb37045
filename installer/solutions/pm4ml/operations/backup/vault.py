"""Vault's own snapshot: taken by a login that may do this alone, proven, and put back.

It is what Raft keeps, encrypted by Vault itself: what is put back is opened by the shares of the
Vault that it was taken of. After hashicorp/vault 1.21 (api-docs/system/storage/raft), and the
archive of hashicorp/raft-snapshot: a gzipped tar with meta.json, state.bin and their SHA256SUMS.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .told import Json, Objection, Untold

if TYPE_CHECKING:
    from installer.solutions.pm4ml.operations import vaults
else:
    import vaults

NAME = "vault.snap"
ACCOUNT = "sitewright-backup"
"""The service account, Vault's role and its policy: they may read a snapshot, and nothing else."""
CHUNK = 1 << 20
_LONGEST_SUMS = 64 << 10
_SEAL_SECONDS = 180
_BY_HAND = 'docs/vault.md, "Its part of the backup", has the commands'


@dataclass(frozen=True)
class Snapshot:
    """What was found in a snapshot that is whole."""

    index: int
    """Raft's count of what was written."""
    bytes: int

    def told(self) -> Json:
        """It, as the list of a backup has it."""
        return {"index": self.index, "bytes": self.bytes}


def _namespace(config: Json) -> str:
    return str((config.get("vault") or {}).get("namespace") or "")


@contextlib.contextmanager
def _words() -> Iterator[None]:
    """What the program of Vault's raises, in the words of the backup's."""
    try:
        yield
    except vaults.Untold as problem:
        raise Untold(f"Vault: {problem}") from problem
    except vaults.Refused as problem:
        raise Objection(f"Vault refuses: {problem}") from problem
    except (KeyError, TypeError, ValueError, RecursionError) as problem:
        # Neither value nor place: an answer may hold a token.
        raise Untold(
            f"Vault: an answer is not as it should be ({type(problem).__name__})"
        ) from None


def save(config: Json, folder: Path) -> tuple[Path, Snapshot] | str:
    """Take a snapshot into a folder; else why there is none to take. Raises Objection, Untold."""
    namespace = _namespace(config)
    if not namespace:
        return "the site file leaves it to another backup"
    with _words():
        if not vaults.pods_of(namespace) and vaults.wanted_of(namespace) == 0:
            return f"there is no Vault in the namespace {namespace}"
        pods = vaults.state(namespace)["pods"]
        if not any(pod["said"] in ("active", "standby") for pod in pods):
            how = ", ".join(f"{pod['pod']} {pod['why'] or 'is ' + pod['said']}" for pod in pods)
            raise Objection(f"no Vault is open ({how or 'it has no pods'})")
        login = _login(namespace)
        path = folder / NAME
        with vaults.way_to(namespace, vaults.active(namespace)) as vault:
            token = _token(vault, login)
            try:
                with vault.streamed("GET", "sys/storage/raft/snapshot", token) as answer:
                    _write(answer, path)
            except vaults.Refused as problem:
                raise Objection(
                    f"Vault gives no snapshot ({problem}): it keeps its data elsewhere than in "
                    f"Raft, or the policy {ACCOUNT} is another than ours; {_BY_HAND}"
                ) from problem
            finally:
                # It ends by itself ten minutes after it began.
                with contextlib.suppress(vaults.Refused, vaults.Untold):
                    vault.ask("POST", "auth/token/revoke-self", {}, token)
    with path.open("rb") as file:
        return path, prove(file)


def _login(namespace: str) -> str:
    """A token of Kubernetes by which Vault gives one of its own."""
    try:
        vaults.kubectl("-n", namespace, "create", "serviceaccount", ACCOUNT)
    except vaults.Untold as problem:
        if "already exists" not in str(problem):
            raise
    words = ("create", "token", ACCOUNT, "--duration=10m")
    return vaults.kubectl("-n", namespace, *words).strip()


def _token(vault: vaults.Vault, login: str) -> str:
    try:
        body = {"role": ACCOUNT, "jwt": login}
        answer = vault.ask("POST", "auth/kubernetes/login", body)
    except vaults.Refused as problem:
        raise Objection(
            f"Vault lets the backup's account not in ({problem}): it has no role {ACCOUNT}, where "
            f"it was initialised by hand or before Sitewright gave one; {_BY_HAND}"
        ) from problem
    return str(answer["auth"]["client_token"])


def _write(answer: IO[bytes], path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := answer.read(CHUNK):
            file.write(chunk)


def prove(source: IO[bytes]) -> Snapshot:
    """Read a snapshot to its end, each part against its sum in it; raises Objection."""
    sums: dict[str, str] = {}
    listed, meta, count = "", b"{}", 0
    try:
        with gzip.GzipFile(fileobj=source) as clear:
            with tarfile.open(fileobj=clear, mode="r|") as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isfile() else None
                    if content is None:
                        continue
                    if member.name == "SHA256SUMS":
                        listed = content.read(_LONGEST_SUMS).decode("utf-8", "replace")
                        continue
                    digest = hashlib.sha256()
                    while chunk := content.read(CHUNK):
                        if member.name == "meta.json" and len(meta) < _LONGEST_SUMS:
                            meta = chunk
                        digest.update(chunk)
                        count += len(chunk) if member.name == "state.bin" else 0
                    sums[member.name] = digest.hexdigest()
            while clear.read(CHUNK):
                pass
        index = int(json.loads(meta)["Index"])
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise Objection(f"Vault's snapshot cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Objection("Vault's snapshot does not say what it is") from error
    wanted = {words[1]: words[0] for line in listed.splitlines() if len(words := line.split()) == 2}
    for name in ("meta.json", "state.bin"):
        if sums.get(name) is None or sums[name] != wanted.get(name):
            raise Objection(f"Vault's snapshot is not whole: {name} is not what its sum says")
    if index < 1 or count < 1:
        raise Objection("Vault's snapshot holds nothing")
    return Snapshot(index, count)


# ---- back into a Vault that holds nothing


def against(config: Json, begun: Path) -> str:
    """Why nothing may be put into the Vaults that are here; empty where it may."""
    namespace = _namespace(config)
    if not namespace:
        return "the site file leaves Vault to another backup"
    with _words():
        standing = vaults.state(namespace)
    pods = standing["pods"]
    if not pods or len(pods) < standing["wanted"]:
        return (
            f"{len(pods)} of Vault's {standing['wanted']} pods are there in the namespace "
            f"{namespace}: they come up first, each on an empty volume"
        )
    fit = (
        ("uninitialised", "sealed", "active", "standby") if begun.is_file() else ("uninitialised",)
    )
    for pod in pods:
        if pod["said"] not in fit:
            how = pod["why"] or f"is {pod['said']}"
            return (
                f"{pod['pod']} {how}: a snapshot is put into Vaults that hold nothing, never over "
                "what one holds"
            )
    return ""


def restore(config: Json, source: Path, begun: Path) -> str:
    """Put a snapshot back; one sentence about what is there now. Raises Objection and Untold.

    To take a snapshot a Vault must be open: it is initialised with one share, which opens a Vault
    with nothing in it, lies in `begun` and is worth nothing once the snapshot is there.
    """
    with source.open("rb") as file:
        proof = prove(file)
    if no := against(config, begun):
        raise Objection(no)
    namespace = _namespace(config)
    with _words():
        if begun.is_file():
            made = _made(begun)
            pod = str(made["pod"])
            _restarted(namespace, pod)
        else:
            pod = str(vaults.pods_of(namespace)[0]["metadata"]["name"])
            made = vaults.init(namespace, {"pod": pod, "shares": 1, "threshold": 1})
            if "refused" in made:
                raise Objection(f"Vault refuses: {made['refused']}")
            new = begun.with_suffix(".new")
            new.touch(0o600)
            new.write_text(json.dumps({**made, "pod": pod}), "utf-8")
            new.replace(begun)
        with vaults.way_to(namespace, pod) as vault:
            if _opens(vault, str(made["shares"][0])):
                _put(vault, str(made["root"]), source)
        now = _restarted(namespace, pod)
    begun.unlink()
    return (
        f"Vault's snapshot (Raft's index {proof.index}) is back in {pod}. It is sealed, and opened "
        f"by the shares of the Vault that it was taken of, {now['threshold']} of {now['shares']}: "
        "sitewright unseal"
    )


def _made(begun: Path) -> Json:
    """What an earlier try initialised Vault with; raises Objection where it is cut."""
    try:
        made: Json = json.loads(begun.read_text("utf-8"))
        return {"pod": str(made["pod"]), "shares": made["shares"], "root": str(made["root"])}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Objection(
            f"{begun}, by which Vault was begun, was written by something else: find out by what"
        ) from error


def _opens(vault: vaults.Vault, share: str) -> bool:
    """Open the Vault that holds nothing; no where its share opens nothing any more.

    Then it was cut off behind the snapshot, whose Vault has shares of its own.
    """
    now = vault.state()
    if now["said"] == "sealed":
        if now["shares"] != 1:
            return False
        try:
            vault.ask("PUT", "sys/unseal", {"key": share})
        except vaults.Refused:
            return False
    _until(vault, "active")
    return True


def _put(vault: vaults.Vault, token: str, source: Path) -> None:
    """Have an open Vault take the snapshot, which seals it."""
    size = source.stat().st_size
    with (
        source.open("rb") as file,
        vault.streamed("PUT", "sys/storage/raft/snapshot-force", token, file, size) as answer,
    ):
        answer.read(CHUNK)
    _until(vault, "sealed")


def _restarted(namespace: str, pod: str) -> Json:
    """How a Vault stands after its pod was made anew.

    Until then it counts shares as the Vault of before did (hashicorp/vault#13416, #24975).
    """
    vaults.kubectl(
        "-n", namespace, "delete", "pod", pod, "--wait=true", "--timeout=120s", seconds=150
    )
    until = time.monotonic() + _SEAL_SECONDS
    while True:
        for one in vaults.state(namespace)["pods"]:
            if one["pod"] == pod and one["said"] != "unknown":
                return dict(one)
        if time.monotonic() > until:
            raise Untold(f"{pod} does not come back within {_SEAL_SECONDS} s")
        time.sleep(0.5)


def _until(vault: vaults.Vault, wanted: str) -> None:
    until = time.monotonic() + _SEAL_SECONDS
    while (now := vault.state()["said"]) != wanted:
        if time.monotonic() > until:
            raise Untold(f"Vault is {now} and not {wanted} after {_SEAL_SECONDS} s")
        time.sleep(0.5)
