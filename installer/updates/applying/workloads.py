"""Workloads to be changed: read once more, with what stands against each and what it risks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from bundles.format.reference import is_digest
from foundation.clusters.api import Api
from foundation.clusters.problems import ApiRefused
from foundation.terminal import clean_line
from foundation.wording import counted
from installer.steps.on_machine.kube import digest, owned
from installer.updates.owners import Applications, By, Owner, owner_of
from installer.updates.review import Judged, Review
from installer.updates.running import Place
from installer.updates.steps import against_step, migration_of, said_of_release

_PATHS: Final = {
    "deployment": "/apis/apps/v1/namespaces/{}/deployments/{}",
    "statefulset": "/apis/apps/v1/namespaces/{}/statefulsets/{}",
    "daemonset": "/apis/apps/v1/namespaces/{}/daemonsets/{}",
    "cronjob": "/apis/batch/v1/namespaces/{}/cronjobs/{}",
}
_ANSWER_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Change:
    """One container, its image before and after, and why."""

    container: str
    init: bool
    before: str
    after: str
    """With the digest that was looked at, so that no other bytes can come."""
    tag: str
    """What it becomes, for a person."""
    why: str


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload with its changes, as it was when it was read."""

    kind: str
    namespace: str
    name: str
    changes: tuple[Change, ...]
    uid: str = ""
    template: str = ""
    """What tells its pod template from every other."""
    marks: tuple[tuple[str, str], ...] = ()
    owner: Owner | None = None
    risks: tuple[str, ...] = ()
    migrates: str = ""
    """What changes its data as it begins; "" where nothing says that anything does."""
    against: str = ""
    """Why it cannot be changed as it is; "" where nothing stands against it."""

    @property
    def words(self) -> str:
        """The workload for a person."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def by_commit(self) -> bool:
        """Whether it is changed by a commit, in the repository that its owner deploys from."""
        return self.owner is not None and self.owner.by in (By.ARGO, By.FLUX)

    @property
    def left(self) -> str:
        """Why it is left as it is; "" for one that is changed."""
        if self.owner is not None and self.owner.by is not By.HELM:
            where = f", from {self.owner.source}" if self.owner.source else ""
            return f"{self.owner.words} owns it{where}; it is changed by a commit there"
        return self.against


async def read_workloads(
    api: Api, review: Review, applications: Applications, chosen: Sequence[str] = ()
) -> tuple[Workload, ...]:
    """Every workload that runs what has something newer; `chosen` are [NAMESPACE/]NAME, or all.

    Raises ClusterProblem where the cluster does not answer.
    """
    changes: dict[tuple[str, str, str], list[tuple[Place, Judged]]] = {}
    for one in review.newer:
        for place in one.running.places:
            if place.kind in _PATHS and place.namespace:
                key = (place.kind, place.namespace, place.name)
                changes.setdefault(key, []).append((place, one))
    return tuple(
        [
            await _read(api, key, found, applications)
            for key, found in sorted(changes.items())
            if not chosen or key[2] in chosen or f"{key[1]}/{key[2]}" in chosen
        ]
    )


async def _read(
    api: Api,
    key: tuple[str, str, str],
    found: Sequence[tuple[Place, Judged]],
    applications: Applications,
) -> Workload:
    kind, namespace, name = key
    changes = tuple(change_of(place, judged) for place, judged in found)
    bare = Workload(kind, namespace, name, changes)
    path = _PATHS[kind].format(quote(namespace, safe=""), quote(name, safe=""))
    try:
        thing = json.loads(await api.get(path, limit=_ANSWER_BYTES))
        return _judged(bare, thing, applications)
    except ApiRefused as error:
        why = clean_line(f"it could not be read: {error.reason}: {error.message}")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        why = "what the cluster says of it was not understood"
    return Workload(kind, namespace, name, changes, against=why)


def change_of(place: Place, judged: Judged) -> Change:
    """What one place of an image becomes that has something newer."""
    update = judged.update
    if update is None:
        raise ValueError("what has something newer has an answer")
    before = judged.running.image
    name = before.partition("@")[0]
    if ":" in name.rpartition("/")[2]:
        name = name.rpartition(":")[0]
    after = f"{name}:{update.tag}"
    if update.digest is not None and is_digest(update.digest):
        after += f"@{update.digest}"
    why = "built again under the same tag" if update.rebuilt else f"{update.tag} is newer"
    return Change(place.container, place.init, before, after, update.tag, why)


def _judged(bare: Workload, thing: Mapping[str, Any], applications: Applications) -> Workload:
    meta, spec = thing["metadata"], thing["spec"]
    template = (spec["jobTemplate"]["spec"] if bare.kind == "cronjob" else spec)["template"]
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    owner = owner_of((bare.kind, bare.namespace, bare.name), labels, notes, applications)
    return Workload(
        bare.kind,
        bare.namespace,
        bare.name,
        bare.changes,
        str(meta["uid"]),
        digest(template),
        tuple(owned(dict(thing)).items()),
        owner,
        _risks(bare, spec, template),
        _migrates(template) or _new_form(bare.changes),
        _against(bare, meta, spec, template),
    )


def _against(
    bare: Workload, meta: Mapping[str, Any], spec: Mapping[str, Any], template: Mapping[str, Any]
) -> str:
    if any(one.get("controller") for one in meta.get("ownerReferences") or ()):
        return "another object made it, and would take a change back"
    if spec.get("paused"):
        return "its rollout is paused: kubectl rollout resume"
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return "its pods are only replaced where somebody ends them (OnDelete)"
    for change in bare.changes:
        key = "initContainers" if change.init else "containers"
        there = {one.get("name"): one.get("image") for one in template["spec"].get(key) or ()}
        if there.get(change.container) != change.before:
            return f"its container {change.container} was changed meanwhile"
        if "@" not in change.after:
            return f"which bytes {change.tag} leads to is not known"
        if why := against_step(change.before, change.after):
            return why
    return ""


def _migrates(template: Mapping[str, Any]) -> str:
    """The init container that brings a database to a new version, as Mojaloop's charts have it."""
    for one in template["spec"].get("initContainers") or ():
        words = [one.get("name"), *(one.get("command") or ()), *(one.get("args") or ())]
        if any("migrat" in str(word).lower() for word in words):
            return clean_line(f"the init container {one.get('name')}")
    return ""


def _new_form(changes: Sequence[Change]) -> str:
    """The database among the containers that goes from one release line to the next."""
    return next((said for one in changes if (said := migration_of(one.before, one.after))), "")


def _risks(bare: Workload, spec: Mapping[str, Any], template: Mapping[str, Any]) -> tuple[str, ...]:
    risks = []
    replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
    if bare.kind == "cronjob":
        risks.append("whether it works is first seen at its next run")
    elif bare.kind == "daemonset":
        risks.append("what it does rests on each node while its pod is replaced")
    elif replicas == 0:
        risks.append("no pod of it runs, so nothing shows whether it works")
    elif bare.kind == "statefulset" and replicas == 1:
        risks.append("its one pod is replaced, and what it does rests meanwhile")
    elif bare.kind == "statefulset":
        risks.append(f"its {counted(replicas, 'pod')} are replaced one after another")
    elif (spec.get("strategy") or {}).get("type") == "Recreate":
        risks.append("all its pods end before new ones begin: what it does rests meanwhile")
    probed = {
        one.get("name") for one in template["spec"].get("containers") or ()
        if one.get("readinessProbe")
    }  # fmt: skip
    blind = [one.container for one in bare.changes if not one.init and one.container not in probed]
    if blind and bare.kind != "cronjob" and replicas:
        risks.append(f"{blind[0]} has no readiness probe, and is taken for ready as it begins")
    said = (said_of_release(one.before) for one in bare.changes)
    risks += [one for one in dict.fromkeys(said) if one]
    return tuple(clean_line(one) for one in risks)
