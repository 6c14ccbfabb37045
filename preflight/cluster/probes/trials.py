"""Trials: pods of ours try what no read tells, and everything that was made is removed again.

What is made lies in one namespace; see `objects` for what becomes of it should we die. A trial that
came to nothing is unknown with the reason, and the others go on.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from foundation.clusters.api import ChangingApi
from foundation.clusters.problems import ApiRefused, ClusterProblem
from preflight.cluster import gather
from preflight.cluster.facts import Outcome, Trial, TrialOf
from preflight.cluster.objects import (
    BoundClaim,
    EventObject,
    MadeObject,
    NamespaceObject,
    OwnPod,
    VolumeObject,
)
from preflight.cluster.pages import NoList, read_page
from preflight.cluster.probes import objects
from preflight.cluster.probes.objects import Image, Object
from preflight.cluster.probes.states import Became, became
from preflight.parse.text import plain

_WHOLE_SECONDS: Final = 200.0
"""For all trials together, less than a pod may live."""
_REMOVAL_SECONDS: Final = 90.0
_PAUSE: Final = 1.0
_ANSWER: Final = 4 << 20
NODES: Final = 5
"""Nodes on which an image is pulled."""
_CORE: Final = "/api/v1/namespaces"
_VOLUMES: Final = "/api/v1/persistentvolumes"
_DIGITS: Final = len("sha256:") + 12
"""Of a digest in a heading; what was seen of it names it whole."""
_NOT_ENDED: Final = "it had not ended when the time was up"
_SURELY_LEFT: Final = timedelta(seconds=2 * objects.LONGEST)
"""After so long no run of probes is still at it."""

Item = TypeVar("Item")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be tried."""

    image: Image
    """With which the pods are made."""
    pull: tuple[Image, ...] = ()
    """More images that nodes are to pull; nothing of them is started."""
    nodes: tuple[str, ...] = ()
    """The nodes that take pods."""
    classes: tuple[str, ...] = ()
    """Storage classes that make volumes by themselves."""


@dataclass
class _Probes:
    api: ChangingApi
    asked: Asked
    tell: Callable[[str], None]
    pause: float
    name: str = field(default_factory=objects.new_name)
    uids: dict[str, str] = field(default_factory=dict)
    pods: dict[str, Became] = field(default_factory=dict)
    """By the job's name."""
    volumes: set[str] = field(default_factory=set)
    """Those that go with their claim."""
    kept: dict[str, str] = field(default_factory=dict)
    """Those of which that is not sure, and why."""
    ends: float = 0.0

    @property
    def at(self) -> str:
        return f"{_CORE}/{self.name}"

    @property
    def image(self) -> str:
        return self.asked.image.name

    async def make(self, path: str, thing: Object) -> MadeObject:
        answer = await self.api.send("POST", path, json.dumps(thing).encode())
        return _read(answer, MadeObject)

    async def job(self, made: Object) -> None:
        """Have a job of the namespace made; its name is that of its trial."""
        answer = await self.make(f"/apis/batch/v1/namespaces/{self.name}/jobs", made)
        self.uids[made["metadata"]["name"]] = answer.metadata.uid

    async def look(self) -> None:
        """See what became of the pods; an answer that did not come is asked for again."""
        found: list[OwnPod] = []
        read_page(await self.api.get(f"{self.at}/pods", limit=_ANSWER), OwnPod, found.append)
        for pod in found:
            name = pod.metadata.labels.get("sitewright/probe", "")
            before = self.pods.get(name)
            if before is None or not before.settled:
                self.pods[name] = became(pod, before)

    async def until(self, enough: Callable[[], bool]) -> bool:
        """Look until it is so; False where the time was up."""
        silent: ClusterProblem | None = None
        while not enough():
            if time.monotonic() >= self.ends:
                if silent is not None:
                    raise silent
                return False
            try:
                await self.look()
                silent = None
            except ClusterProblem as problem:
                silent = problem
            if not enough():
                await asyncio.sleep(self.pause)
        return True

    def state(self, name: str) -> Became:
        return self.pods.get(name, Became())


def _read(body: bytes | bytearray, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        raise ApiRefused("Unread", "its answer is no object as Kubernetes writes it") from error


async def try_out(
    api: ChangingApi,
    asked: Asked,
    *,
    tell: Callable[[str], None] = lambda _: None,
    pause: float = _PAUSE,
    seconds: float = _WHOLE_SECONDS,
) -> tuple[Trial, ...]:
    """Everything that is asked, tried with pods; what was made is gone when this returns.

    `tell` hears what is made and removed. A cluster that does not answer any more, or refuses,
    makes the trials unknown. Cancelled, it removes what it made before it ends.
    """
    probes = _Probes(api, asked, tell, pause)
    try:
        made = await probes.make(_CORE, objects.namespace(probes.name))
    except (ApiRefused, ClusterProblem) as error:
        return _unknown(asked, f"no namespace could be made for it: {_words(error)}")
    tell(f"The namespace {probes.name} was made; it is removed at the end.")
    trials: tuple[Trial, ...] = ()
    try:
        await _clear(probes, made.metadata.created)
        probes.ends = time.monotonic() + seconds
        trials = await _tried(probes)
    except (ApiRefused, ClusterProblem, NoList) as error:
        trials = _unknown(asked, _words(error))
    finally:
        left = await _removed(probes)
    return (*trials, *left)


async def _tried(probes: _Probes) -> tuple[Trial, ...]:
    asked = probes.asked
    pulls = [
        (f"pull-{number}-{place}", image, node)
        for number, image in enumerate((asked.image, *asked.pull))
        for place, node in enumerate(asked.nodes[:NODES])
    ]
    writes = {f"volume-{place}": name for place, name in enumerate(asked.classes)}
    refused: dict[str, str] = {}

    async def begin(name: str, job: Object, claimed: str = "") -> None:
        try:
            await probes.job(job)
            if claimed:
                thing = objects.claim(name, claimed, probes.uids[name])
                await probes.make(f"{probes.at}/persistentvolumeclaims", thing)
        except ApiRefused as error:
            refused[name] = _words(error)

    for name, image, node in pulls:
        await begin(name, objects.pull(name, image.name, node))
    for name, claimed in writes.items():
        await begin(name, objects.write(name, probes.image), claimed)
    await begin("inside", objects.resolve("inside", probes.image, "kubernetes.default.svc"))
    if asked.image.host:
        await begin("outside", objects.resolve("outside", probes.image, asked.image.host))
    await begin(objects.SERVER, objects.server(probes.image))
    names = [name for name, _, _ in pulls] + [*writes, "inside"]
    names += ["outside"] if asked.image.host else []
    keeping = asyncio.create_task(_keep_no_volume(probes, [n for n in writes if n not in refused]))
    try:
        between = await _between(probes, refused)
        await probes.until(
            lambda: all(probes.state(name).settled for name in names if name not in refused)
        )
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
    await _release(probes, [name for name in writes if name not in refused])
    why = await _warnings(probes)

    def unknown(name: str) -> str:
        state = probes.state(name)
        if state.settled and state.why:
            return state.why
        # Of a job without a pod the event is the job's own: a quota, an admission webhook.
        said = why.get(name) or state.why or why.get("*", "")
        return refused.get(name) or (f"{_NOT_ENDED}: {said}" if said else _NOT_ENDED)

    def ended(of: TrialOf, subject: str, name: str, well: str) -> Trial:
        state = probes.state(name)
        if state.ended is None or state.pulled is not True:
            return Trial(of, subject, Outcome.UNKNOWN, unknown(name))
        told = well if state.ended else state.why or "its program failed, and said nothing"
        where = f" on {state.node}" if state.node else ""
        return Trial(of, subject, Outcome.WELL if state.ended else Outcome.WRONG, told + where)

    trials = [
        _of_pull(probes.state(name), image, node, unknown(name)) for name, image, node in pulls
    ]
    trials += between
    trials.append(ended(TrialOf.INSIDE, "kubernetes.default.svc", "inside", "it resolves"))
    if asked.image.host:
        trials.append(ended(TrialOf.OUTSIDE, asked.image.host, "outside", "it resolves"))
    for name, claimed in writes.items():
        trial = ended(TrialOf.VOLUME, claimed, name, "a volume was bound, mounted and written to")
        if trial.outcome is Outcome.UNKNOWN and why.get(name) and name not in refused:
            # Its own warning: the volume's maker or the node said why there is none.
            trial = replace(trial, outcome=Outcome.WRONG, told=why[name])
        trials.append(trial)
    return tuple(trials)


def _of_pull(state: Became, image: Image, node: str, unknown: str) -> Trial:
    name, at, digest = image.name.partition("@")
    subject = f"{name}{at}{digest[:_DIGITS]}{'…' if digest else ''} on {node}"
    if state.pulled is None:
        return Trial(TrialOf.PULL, subject, Outcome.UNKNOWN, unknown)
    if not state.pulled:
        return Trial(TrialOf.PULL, subject, Outcome.WRONG, state.why.replace(image.name, name))
    by = f"by its digest {digest}" if digest else "by its tag, which may name another tomorrow"
    return Trial(TrialOf.PULL, subject, Outcome.WELL, f"pulled {by}")


async def _between(probes: _Probes, refused: dict[str, str]) -> list[Trial]:
    """Whether one pod reaches another, and no more once a policy denies it, and then again."""
    reach, policy = TrialOf.REACH, TrialOf.POLICY

    def unknown(why: str, *of: TrialOf) -> list[Trial]:
        return [Trial(one, "", Outcome.UNKNOWN, why) for one in of]

    server = objects.SERVER
    if server in refused:
        return unknown(refused[server], reach, policy)
    await probes.until(lambda: probes.state(server).ready or probes.state(server).settled)
    there = probes.state(server)
    if not there.ready:
        why = f"the pod to be reached is not ready: {there.why or _NOT_ENDED}"
        return unknown(why, reach, policy)

    async def tried(name: str, *, barred: bool) -> Became:
        await probes.job(objects.client(name, probes.image, there.address, barred=barred))
        await probes.until(lambda: probes.state(name).settled)
        return probes.state(name)

    policies = f"/apis/networking.k8s.io/v1/namespaces/{probes.name}/networkpolicies"
    try:
        before = await tried("before", barred=False)
        if before.ended is None:
            return unknown(before.why or _NOT_ENDED, reach, policy)
        way = f"{before.node} to {there.node}" if before.node != there.node else f"on {there.node}"
        if not before.ended:
            said = before.why or "it said nothing"
            return [
                Trial(reach, way, Outcome.WRONG, said),
                *unknown("without a policy, too, no pod reached the other", policy),
            ]
        reached = Trial(reach, way, Outcome.WELL, "one pod reaches another")
        await probes.make(policies, objects.denial(probes.uids[server]))
        during = await tried("during", barred=True)
        if during.ended is None:
            return [reached, *unknown(during.why or _NOT_ENDED, policy)]
        if not during.ended:
            told = "half a minute after a policy denied it, one pod still reached the other"
            return [reached, Trial(policy, way, Outcome.WRONG, told)]
        await probes.api.send("DELETE", f"{policies}/deny")
        after = await tried("after", barred=False)
    except ApiRefused as error:
        return unknown(_words(error), reach, policy)
    if after.ended:
        told = "a policy that denied it was enforced, and no more once it was gone"
        return [reached, Trial(policy, way, Outcome.WELL, told)]
    why = "once the policy was gone, too, no pod reached the other: what barred it is not told"
    return [reached, *unknown(why, policy)]


async def _keep_no_volume(probes: _Probes, names: Sequence[str]) -> None:
    """As soon as a volume is bound, have it go with its claim, whatever its class says."""
    while True:
        await _release(probes, names)
        await asyncio.sleep(2 * probes.pause)


async def _release(probes: _Probes, names: Sequence[str]) -> None:
    """A volume that was made for our claim alone would else outlive it, where its class retains."""
    for name in names:
        path = f"{probes.at}/persistentvolumeclaims/{name}"
        volume = ""
        try:
            claim = _read(await probes.api.get(path, limit=_ANSWER), BoundClaim)
            volume = claim.spec.volume
            if claim.status.phase == "Bound" and volume and volume not in probes.volumes:
                await _let_go(probes, volume, claim.metadata.uid)
        except (ApiRefused, ClusterProblem) as error:
            if volume:
                probes.kept[volume] = (
                    f"that it goes with its claim could not be seen to: {_words(error)}"
                )


async def _let_go(probes: _Probes, volume: str, claim: str) -> None:
    body = await probes.api.get(f"{_VOLUMES}/{volume}", limit=_ANSWER)
    seen = _read(body, VolumeObject)
    made = "pv.kubernetes.io/provisioned-by" in seen.metadata.annotations
    if not made or seen.spec.claim.uid != claim:
        probes.kept[volume] = "it was not made for the probe, and waits to be given free"
        return
    if seen.spec.reclaim != "Delete":
        # Whole, with its resourceVersion: had anybody changed it meanwhile, it is refused.
        try:
            whole: dict[str, Any] = json.loads(bytes(body))
        except RecursionError:
            probes.kept[volume] = "what the cluster says of it goes too deep"
            return
        whole["spec"]["persistentVolumeReclaimPolicy"] = "Delete"
        await probes.api.send("PUT", f"{_VOLUMES}/{volume}", json.dumps(whole).encode())
    probes.volumes.add(volume)


async def _warnings(probes: _Probes) -> dict[str, str]:
    """The last warning about each trial, by its job's name; "*" for one about something else."""
    found: list[EventObject] = []
    with suppress(ApiRefused, ClusterProblem, NoList):
        path = f"{probes.at}/events?{urlencode({'fieldSelector': 'type=Warning', 'limit': 500})}"
        read_page(await probes.api.get(path, limit=_ANSWER), EventObject, found.append)
    told: dict[str, str] = {}
    for event in found:
        about = event.about.name
        # A pod is named after its job, with five letters more.
        name = about if about in probes.uids else about.rpartition("-")[0]
        told[name if name in probes.uids else "*"] = plain(
            f"{event.reason}: {event.message}", gather.MESSAGE
        )
    return told


async def _clear(probes: _Probes, now: str) -> None:
    """Remove what a run before left behind: namespaces of ours, so old that none is still at it."""
    found: list[NamespaceObject] = []
    path = f"{_CORE}?{urlencode({'labelSelector': objects.SELECTOR, 'limit': 100})}"
    try:
        read_page(await probes.api.get(path, limit=_ANSWER), NamespaceObject, found.append)
        present = datetime.fromisoformat(now)
        for one in found:
            name = one.metadata.name
            if not name.startswith(objects.PREFIX) or name == probes.name:
                continue
            if one.status.phase != "Active" or one.metadata.created is None:
                continue
            if present - datetime.fromisoformat(one.metadata.created) > _SURELY_LEFT:
                await probes.api.send("DELETE", f"{_CORE}/{name}")
                probes.tell(f"The namespace {plain(name)} of an earlier run was removed.")
    except (ApiRefused, NoList, ValueError, TypeError) as error:
        probes.tell(f"Whether an earlier run left something is not told: {_words(error)}")


async def _removed(probes: _Probes) -> tuple[Trial, ...]:
    """Remove the namespace and wait until it and its volumes are gone; else what is left."""
    ends = time.monotonic() + _REMOVAL_SECONDS
    trials = []
    for path in (probes.at, *(f"{_VOLUMES}/{name}" for name in sorted(probes.volumes))):
        why = await _gone(probes, path, ends, remove=path == probes.at)
        if why:
            name = path.rpartition("/")[2]
            trials.append(Trial(TrialOf.REMOVAL, name, Outcome.WRONG, why))
    trials += [
        Trial(TrialOf.REMOVAL, volume, Outcome.WRONG, why)
        for volume, why in probes.kept.items()
        if volume not in probes.volumes
    ]
    if not trials:
        probes.tell(f"The namespace {probes.name} is gone, and all that was in it.")
    return tuple(trials)


async def _gone(probes: _Probes, path: str, ends: float, *, remove: bool) -> str:
    """Wait until something is gone; else why it is not."""
    while True:
        try:
            if remove:
                await probes.api.send("DELETE", path)
                remove = False
            await probes.api.get(path, limit=_ANSWER)
            why = "it is still there"
        except ApiRefused as error:
            if error.reason == "NotFound":
                return ""
            why = _words(error)
        except ClusterProblem as problem:
            why = _words(problem)
        if time.monotonic() >= ends:
            return why
        await asyncio.sleep(probes.pause)


def _words(error: Exception) -> str:
    if isinstance(error, ApiRefused):
        return plain(f"{error.reason}: {error.message}", gather.MESSAGE)
    return plain(error.cause if isinstance(error, ClusterProblem) else str(error), gather.MESSAGE)


def _unknown(asked: Asked, why: str) -> tuple[Trial, ...]:
    """Every trial without an answer, and the reason."""
    of = [
        *((TrialOf.PULL, image.name) for image in (asked.image, *asked.pull)),
        (TrialOf.REACH, ""),
        (TrialOf.POLICY, ""),
        (TrialOf.INSIDE, "kubernetes.default.svc"),
        *([(TrialOf.OUTSIDE, asked.image.host)] if asked.image.host else []),
        *((TrialOf.VOLUME, name) for name in asked.classes),
    ]
    return tuple(Trial(one, subject, Outcome.UNKNOWN, why) for one, subject in of)
