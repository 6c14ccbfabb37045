"""When a workload stands, and how it is seen early that it never will; a part of `rollout`.

It stands as `kubectl rollout status` has it (kubectl 1.31, pkg/polymorphichelpers). Pods that
cannot begin, or crash again and again, are not waited for until the end.
"""

from __future__ import annotations

import time

from installer.steps.on_machine.kube import (
    EVERY,
    LEFT,
    LOG_LINES,
    ODD,
    Ended,
    Json,
    Silent,
    Workload,
    clean,
    say,
)

HOPELESS_SECONDS = 15.0
"""For which a pod may say that it cannot begin, before it is believed."""
HOPELESS = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
            "CreateContainerConfigError", "CreateContainerError", "RunContainerError")  # fmt: skip
MOST_RESTARTS = 3
BACKING_OFF = 2
"""Restarts from which on a pod that backs off is not waited for."""


def rollout(kind: str, thing: Json) -> tuple[bool, str, str]:
    """Whether it stands, in words how far it is, and why it never will where the API says so."""
    spec, status = thing["spec"], thing.get("status") or {}
    if kind == "cronjob":
        return True, "its next run has it", ""

    def number(key: str) -> int:
        return int(status.get(key) or 0)

    seen = number("observedGeneration")
    if seen < int(thing["metadata"].get("generation") or 0) or (kind == "statefulset" and not seen):
        return False, "its controller has not seen the change yet", ""
    if kind == "daemonset":
        wanted = number("desiredNumberScheduled")
        if number("updatedNumberScheduled") < wanted:
            return False, f"{number('updatedNumberScheduled')} of {wanted} pods are new", ""
        ready = number("numberAvailable")
        return ready >= wanted, f"{ready} of {wanted} new pods are available", ""
    wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
    updated = number("updatedReplicas")
    if kind == "statefulset":
        partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition")
        if number("readyReplicas") < wanted:
            return False, f"{number('readyReplicas')} of {wanted} pods are ready", ""
        if partition:
            enough = updated >= wanted - int(partition)
            return enough, f"{updated} of {wanted - int(partition)} pods are new", ""
        whole = status.get("updateRevision") == status.get("currentRevision")
        return whole, f"{updated} of {wanted} pods are new", ""
    late = ""
    for one in status.get("conditions") or ():
        if one.get("type") == "Progressing" and one.get("reason") == "ProgressDeadlineExceeded":
            late = f"its progress deadline is over: {clean(one.get('message'))}"
    if updated < wanted:
        return False, f"{updated} of {wanted} pods are new", late
    if number("replicas") > updated:
        return False, f"{number('replicas') - updated} old pods are still to end", late
    ready = number("availableReplicas")
    return ready >= updated, f"{ready} of {updated} new pods are available", late


class Watch:
    """Looks at a workload until it stands, or it is plain that it will not."""

    def __init__(self, workload: Workload, known: dict[str, int]) -> None:
        self.workload, self.known = workload, known
        self.first: dict[str, float] = {}
        self.last = ""

    def until_it_stands(self, stand: str, *, early: bool = True) -> tuple[str, Json | None]:
        """Why it does not stand, with the pod that shows it; "" where it does."""
        order = self.workload.order
        end, since = time.monotonic() + float(order["seconds"]), 0.0
        words, pod, silence = "nothing was seen of it", None, ""
        while time.monotonic() < end:
            time.sleep(EVERY)
            try:
                thing = self.workload.read()
                pods = self.workload.pods(thing)
                if self.workload.stand(thing) != stand:
                    raise Ended(LEFT, "somebody else changed it meanwhile, so it was left as it is")
                done, words, never = rollout(self.workload.kind, thing)
                why, pod = self.trouble(thing, pods)
            except Silent as silent:
                silence, since = str(silent), 0.0
                continue
            except ODD as odd:
                # It is watched on, and taken back where nothing better comes.
                silence, since = f"the cluster's answer is an odd one ({type(odd).__name__})", 0.0
                continue
            self.tell(words)
            if early and (why or never):
                return why or never, pod
            if not done:
                since = 0.0
            elif since == 0.0:
                since = time.monotonic()
            if done and time.monotonic() - since >= float(order["settle"]):
                return "", None
        late = f"after {order['seconds']} s it does not stand: {words}"
        return late + (f" ({silence})" if silence else ""), pod

    def tell(self, words: str) -> None:
        """Say how far it is, where that is new."""
        if words != self.last:
            say(words)
            self.last = words

    def trouble(self, thing: Json, pods: list[Json]) -> tuple[str, Json | None]:
        """What no waiting mends, with its pod; and else the first pod that is not ready."""
        unready = None
        for pod in pods:
            status = pod.get("status") or {}
            every = [*(status.get("initContainerStatuses") or ()),
                     *(status.get("containerStatuses") or ())]  # fmt: skip
            if not ready(pod):
                unready = unready or pod
            for one in every:
                if why := self.hopeless(pod, one):
                    return why, pod
        for one in (thing.get("status") or {}).get("conditions") or ():
            if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
                if self.lasts("made"):
                    return f"it may make no pod: {clean(one.get('message'))}", None
                break
        else:
            self.first.pop("made", None)
        return "", unready

    def lasts(self, what: str) -> bool:
        """Whether something was so long enough to be believed."""
        now = time.monotonic()
        return now - self.first.setdefault(what, now) >= HOPELESS_SECONDS

    def hopeless(self, pod: Json, one: Json) -> str:
        """Why a container will not begin, or crashes; "" for one that may come."""
        name, uid = clean(pod["metadata"]["name"]), pod["metadata"]["uid"]
        container = clean(one.get("name"))
        waiting = (one.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        key = f"{uid} {container}"
        restarts = int(one.get("restartCount") or 0) - self.known.get(key, 0)
        off = reason == "CrashLoopBackOff" and restarts >= BACKING_OFF
        if off or restarts >= MOST_RESTARTS:
            last = (one.get("lastState") or {}).get("terminated") or {}
            ended = f"{clean(last.get('reason'))}, exit code {last.get('exitCode', '?')}"
            return f"the container {container} of {name} crashes again and again ({ended})"
        if reason not in HOPELESS:
            self.first.pop(key, None)
            return ""
        if not self.lasts(key):
            return ""
        said = clean(waiting.get("message"))
        return f"the container {container} of {name} cannot begin ({clean(reason)}: {said})"


def ready(pod: Json) -> bool:
    """Whether a pod says that it is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def restarts_of(pods: list[Json]) -> dict[str, int]:
    """How often the containers of pods were restarted already."""
    found = {}
    for pod in pods:
        status = pod.get("status") or {}
        for one in (*(status.get("initContainerStatuses") or ()),
                    *(status.get("containerStatuses") or ())):  # fmt: skip
            found[f"{pod['metadata']['uid']} {one.get('name')}"] = int(one.get("restartCount") or 0)
    return found


def show(workload: Workload, pod: Json | None) -> None:
    """The last event and the last log lines of a pod that does not stand."""
    try:
        if pod is not None:
            _show(workload, pod)
    except ODD as odd:
        say(f"what it says of itself could not be read ({type(odd).__name__})")


def _show(workload: Workload, pod: Json) -> None:
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    try:
        events = workload.every("events", f"--field-selector=involvedObject.uid={uid}")
        events = [one for one in events if one.get("type") == "Warning"] or events
        events.sort(key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""))
        if events:
            say(f"last event of {name}: {clean(events[-1].get('message'))}")
    except Silent as silent:
        say(f"the events of {name} could not be read: {silent}")
    status = pod.get("status") or {}
    every = [*(status.get("initContainerStatuses") or ()),
             *(status.get("containerStatuses") or ())]  # fmt: skip
    for one in every:
        if one.get("ready") or (one.get("state") or {}).get("terminated", {}).get("exitCode") == 0:
            continue
        words = ("logs", name, f"--container={one.get('name')}", f"--tail={LOG_LINES}")
        for more in (("--previous",), ()):
            try:
                lines = workload.kubectl(*words, *more).splitlines()[-LOG_LINES:]
            except Silent:
                continue
            for line in lines:
                say(f"{one.get('name')}: {line}")
            if lines:
                break
