"""Restoring: a backup's datastore and certificates into the fresh MicroK8s of a single master.

After scripts/wrappers/{dbctl,refresh_certs}.py of canonical/microk8s, branch 1.31. kubelite stands
still meanwhile: its garbage collector would reap objects that come before their owners.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import IO, Any

from . import datastore, vault
from .reading import chosen, read_through, unchanged
from .saving import alone, snap
from .target import Folder, Ssh, target_of
from .told import SNAP, STATE, Json, Objection, Untold, ago, asked, kubectl, objects, size, when

FRESH = {"default", "kube-system", "kube-public", "kube-node-lease"}
"""Namespaces of a MicroK8s in which nothing was made yet."""
WORK = STATE / "restore"
DONE = STATE / "restored"
"""The name of the backup that was restored here last."""
CHECKED = STATE / "checked"
"""The name and the sum of the backup that was looked through here last: what a person agreed to."""
KUBELITE = "microk8s.daemon-kubelite"
_KEPT = ("certs/ca.crt", "certs/ca.key", "certs/serviceaccount.key")
"""What makes a cluster the same to its nodes and pods; every other certificate is of a machine."""
_SAME = ("solution", "environment", "domain", "pm4ml_id")
_API_SECONDS = 300
_PART_SECONDS = 900


def _foreign() -> str:
    """What this cluster holds that a fresh one does not; empty where nothing is. Raises Untold."""
    nodes = [str(one["metadata"]["name"]) for one in objects("nodes")]
    if len(nodes) > 1:
        return f"it has {len(nodes)} nodes ({', '.join(nodes[:5])})"
    if more := sorted(datastore.namespaces() - FRESH):
        return f"it has namespaces of its own ({', '.join(more[:5])})"
    pods = objects("pods", "-n", "default")
    volumes = objects("persistentvolumes")
    if pods or volumes:
        return f"pods in default: {len(pods)}; volumes: {len(volumes)}"
    return ""


def fit(config: Json, name: str) -> list[str]:
    """What stands against a restore here, all of it; nothing is changed."""
    against: list[str] = []

    def ask(question: Any) -> Any:
        try:
            return question()
        except (Objection, Untold) as problem:
            against.append(str(problem))
            return None

    ask(lambda: asked(["gpg", "--version"]))
    # What was begun with this very backup is gone on with.
    foreign = "" if _half_done(name) else ask(_foreign)
    if foreign:
        against.append(
            f"the cluster of this machine is alive and not fresh: {foreign}. A backup is restored "
            "onto a machine whose MicroK8s holds nothing yet"
        )
    here = ask(snap)
    target = ask(lambda: target_of(config))
    if target is None:
        return against
    if isinstance(target, Ssh):
        ask(target.check)
    outer = ask(lambda: chosen(target, name))
    if outer is None:
        return against
    against += of_another_site(config, outer)
    if here is not None and _minor(str(here["version"])) != _minor(
        str(outer["microk8s"]["version"])
    ):
        against.append(
            f"it was made by MicroK8s {outer['microk8s']['version']}, and here is "
            f"{here['version']}: install {outer['microk8s']['channel']}"
        )
    need = 3 * sum(int(one["bytes"]) for one in outer["members"])
    if (free := shutil.disk_usage("/var/lib").free) < need:
        against.append(f"/var/lib has room for {size(free)}, and {size(need)} are needed")
    if not against:
        ask(lambda: unchanged(target, outer))
    return against


def of_another_site(config: Json, outer: Json) -> list[str]:
    """By what a backup is another site's; empty where it is this one's."""
    return [
        f"it is of another site: its {key} is {outer.get(key)!r}, and this site's is "
        f"{config[key]!r}"
        for key in _SAME
        if outer.get(key) != config[key]
    ]


def note_checked(outer: Json) -> None:
    """Note which backup was looked through: no other is restored."""
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    CHECKED.write_text(f"{outer['name']} {outer['sha256']}", "utf-8")


def the_checked(target: Folder | Ssh, name: str) -> Json:
    """The backup of this name that was looked through; raises Objection."""
    outer = chosen(target, name)
    checked = CHECKED.read_text("utf-8") if CHECKED.is_file() else ""
    if checked != f"{outer['name']} {outer['sha256']}":
        raise Objection(
            f"the backup {outer['name']} that lies at the target is not the one that was looked "
            "through here: look at it first (the step before), and find out who changed it"
        )
    return outer


def loss(config: Json, name: str, *, of: str = "the cluster") -> str:
    """What a person is told before the last word."""
    outer = the_checked(target_of(config), name)
    written = float(outer["canary"]["written"])
    told = (
        f"SHA-256 {outer['sha256']}: {outer['name']} of {outer['site']}, made on "
        f"{outer['master']} at {when(written)}, {outer['entries']} entries. Whoever has the public "
        "keys could have made it: only that sum, compared with the one that was told when the "
        f"backup was made, says that it is this site's. What was changed in {of} "
        f"in the last {ago(time.time() - written)} is lost"
    )
    if of != "the cluster":
        return f"{told}."
    return f"{told}. Not in it: " + "; ".join(map(str, outer["not_in_it"]))


def _minor(version: str) -> str:
    return ".".join(version.lstrip("v").split(".")[:2])


def apply(config: Json, name: str, session_key: str) -> str:
    """Restore it; one sentence about what is there now. Raises Objection and Untold."""
    target = target_of(config)
    outer = the_checked(target, name)
    with alone():
        if against := fit(config, str(outer["name"])):
            raise Objection("; ".join(against))
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(mode=0o700, parents=True)
        try:
            return _apply(target, outer, session_key)
        finally:
            # It was opened here alone, and lies open on no disk longer than it is needed.
            for each in ("datastore.tar.gz", "microk8s", vault.NAME):
                path = WORK / each
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(
                    missing_ok=True
                )


def _half_done(name: str) -> bool:
    """Whether a restore of this very backup was cut off here, so that it may begin again."""
    return DONE.is_file() and DONE.read_text("utf-8").strip() == f"{name} begun"


def _apply(target: Folder | Ssh, outer: Json, session_key: str) -> str:
    name = str(outer["name"])
    verdict = read_through(target, outer, session_key, _unpack)
    with (WORK / "datastore.tar.gz").open("rb") as file:
        proof = datastore.prove(file)
    canary = str(verdict.inner["canary"]["name"])
    if against := proof.against(canary, set()):
        raise Objection(against)
    print(f"It is whole: {proof.entries} entries, the canary is in it. The cluster is changed now.")
    DONE.write_text(f"{name} begun", "utf-8")
    before = {str(one["metadata"]["name"]) for one in objects("nodes")}
    _certificates()
    _wait_for_api()
    print("The cluster's authority and the key of its service accounts are those of the backup.")
    _service("stop")
    try:
        datastore.restore(WORK / "datastore.tar.gz")
    finally:
        _service("start")
    _wait_for_api()
    if canary not in datastore.canaries():
        raise Objection(f"dbctl restored it, and the object {canary} is not there")
    if missing := sorted(proof.namespaces - datastore.namespaces()):
        raise Objection(f"dbctl restored it without the namespaces {', '.join(missing[:5])}")
    _quiet_argo_cd()
    DONE.write_text(name, "utf-8")
    written = float(outer["canary"]["written"])
    others = sorted({str(one["metadata"]["name"]) for one in objects("nodes")} - before)
    if others:
        print(
            f"Nodes of the old site that are not there: {', '.join(others)}. A machine that joins "
            "under such a name takes its place. Before the node of one that never does is "
            "deleted, look at the volumes that lay on it."
        )
    return (
        f"The backup {name} is restored: {proof.entries} entries. Lost is what was changed in the "
        f"{ago(time.time() - written)} since {when(written)}."
    )


def _unpack(name: str, content: IO[bytes]) -> None:
    """Put one file of a backup into the private folder; its name was in the list."""
    path = WORK / name
    if not path.resolve().is_relative_to(WORK.resolve()):
        raise Objection(f"{name!r} leads out of its folder")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := content.read(1 << 20):
            file.write(chunk)


def _certificates() -> None:
    """The authority and the accounts' key of the backup; this machine's own are made by it."""
    saved = WORK / "microk8s"
    for place in _KEPT:
        if not (saved / place).is_file():
            raise Objection(f"{place} is not in the backup")
    key = SNAP / "certs/serviceaccount.key"
    shutil.copyfile(saved / "certs/serviceaccount.key", key)
    key.chmod(0o660)
    # It takes ca.crt and ca.key of the folder, and makes what hangs on them anew.
    asked(["microk8s", "refresh-certs", str(saved / "certs")], seconds=_PART_SECONDS)
    here = (SNAP / "certs/ca.crt").read_bytes()
    if here != (saved / "certs/ca.crt").read_bytes():
        raise Objection("microk8s refresh-certs did not take the authority of the backup")


def _service(verb: str) -> None:
    try:
        asked(["snap", verb, KUBELITE], seconds=_PART_SECONDS)
    except Untold as problem:
        raise Objection(str(problem)) from problem


def _wait_for_api() -> None:
    until = time.monotonic() + _API_SECONDS
    while True:
        try:
            kubectl("get", "--raw", "/readyz")
            return
        except Untold as problem:
            if time.monotonic() > until:
                raise Objection(f"the API does not come up again: {problem}") from problem
        time.sleep(1)


def _quiet_argo_cd() -> None:
    """Have Argo CD change nothing until a person says so: its Git may be older or newer."""
    name = "argocd-application-controller"
    found = [one for one in objects("statefulsets", "-n", "argocd") if
             one["metadata"]["name"] == name]  # fmt: skip
    if not found:
        return
    kubectl("-n", "argocd", "scale", f"statefulset/{name}", "--replicas=0")
    was = found[0]["spec"].get("replicas", 1)
    print("Argo CD stands still, so that nothing is synced before you have looked. To have it go "
          f"on: microk8s kubectl -n argocd scale statefulset/{name} --replicas={was}")  # fmt: skip


def record_file() -> Path | None:
    """The record of Sitewright that the backup had, unpacked here; None where it had none."""
    path = WORK / "record.tar.gz"
    return path if path.is_file() else None
