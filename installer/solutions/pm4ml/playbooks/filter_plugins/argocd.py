"""What an application of Argo CD comes to, and why it is not well, as filters for Ansible.

Read from what Argo CD writes into the Application itself (its API's version argoproj.io/v1alpha1,
seen with 2.14), and from the pods and warnings of the cluster. It runs under the control host's
own Python, beside Ansible, and imports nothing of Sitewright.
"""

from __future__ import annotations

import calendar
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Said = Mapping[str, Any]

PATIENCE = 60
"""Seconds between two looks at a repository; Argo CD takes one every 180 by itself."""
WHOLE = 400
"""Characters of all reasons together: of a sentence that failed 600 are told, its remedy too."""
FIRST = 300
"""Characters of one reason."""

_ENDED = ("Failed", "Error")
_WRAPPED = re.compile(
    r"^.*(?:rpc error: code = \w+ desc = |Manifest generation error \(cached\): |"
    r"(?:Failed to load target state|[Ff]ailed to generate manifest for source \d+ of \d+): )"
)
_LOGGED = re.compile(r"[EWIF]\d{4} [\d:.]+ +\d+ \S+:\d+\] [^\n]*(\n|$)")
"""A line of a program's own log, in the midst of what it said."""
_REASON = re.compile(r"^one or more .*?, reason: ")
_RETRIED = re.compile(
    r"(?: due to application controller sync timeout\. Retrying attempt #\d+ at \S+?\.?"
    r"| \(retried \d+ times\)\.?)$"
)
_OWN = "argocd"
"""The namespace of the applications themselves: what else is wrong there is none of theirs."""


def standing(shown: str) -> dict[str, Any]:
    """How an application stands, from the JSON of kubectl."""
    application = _json(shown)
    state = _at(application, "status")
    metadata = _at(application, "metadata")
    sync, health = _at(state, "sync"), _at(state, "health")
    operation = _at(state, "operationState")
    phase = operation.get("phase", "")
    newest = sync.get("revision", "")
    revision = _at(operation, "syncResult").get("revision") or ""
    looked = bool(state) and "argocd.argoproj.io/refresh" not in _at(metadata, "annotations")
    works = bool(application.get("operation"))
    comes_up = sync.get("status") == "Synced" and health.get("status") == "Healthy"
    failed = phase in _ENDED and not works and (revision == newest or not revision)
    idle = looked and not works
    return {
        "found": bool(application),
        "sync": sync.get("status") or "of unknown state",
        "health": health.get("status") or "of unknown health",
        "version": metadata.get("resourceVersion", ""),
        "revision": newest,
        "looked": looked,
        "well": comes_up and idle and bool(state.get("resources")) and not failed,
        # It is there as the repository has it, whether or not it is well yet.
        "deployed": looked
        and sync.get("status") == "Synced"
        and bool(state.get("resources"))
        and not failed,
        # It holds nothing at its newest revision, and will not by itself.
        "empty": comes_up and idle and not state.get("resources"),
        # Argo CD tries no revision a second time that it failed to deploy.
        "failed": looked and failed,
        # What it cannot read it has read again since, and says the same.
        "unread": looked and any(_stands(each, state) for each in _unread(state)),
        # It cannot begin with what was pushed since: it waits for an end of what came before.
        "overtaken": looked and works and bool(revision and newest) and revision != newest,
        # What it could not read three times it does not read anew for an hour.
        "cached": any(_unread(state)),
    }


def reasons(shown: str, pods: str, warnings: str) -> str:
    """Why an application is not well, the cause before what follows from it; "" if nobody says."""
    application = _json(shown)
    state = _at(application, "status")
    resources = _things(state, "resources")
    places = {each.get("namespace", "") for each in resources} - {"", _OWN}
    told = [
        *_looks(application),
        *(_bare(each.get("message", "")) for each in _unread(state)),
        *_refused(state),
        *_of_pods(_items(pods), _items(warnings), places),
        *_of_others(_items(warnings), places),
        *_unwell(resources),
        *_remarks(state),
    ]
    return _within(told)


# -- what Argo CD says ------------------------------------------------------------------------


def _unread(state: Said) -> list[Said]:
    """What keeps Argo CD from knowing what is wanted."""
    kinds = ("ComparisonError", "InvalidSpecError", "UnknownError")
    return [each for each in _things(state, "conditions") if each.get("type") in kinds]


def _looks(application: Said) -> Iterator[str]:
    annotations = _at(_at(application, "metadata"), "annotations")
    if application and "argocd.argoproj.io/refresh" in annotations:
        yield "Argo CD did not look at the repository: its application controller does not answer"


def _refused(state: Said) -> Iterator[str]:
    """What of the last operation the cluster did not take; of one that ended well there is none."""
    operation = _at(state, "operationState")
    phase = operation.get("phase")
    found = False
    for each in _things(_at(operation, "syncResult"), "resources"):
        if each.get("status") == "SyncFailed" or each.get("hookPhase") in _ENDED:
            found = True
            name = f"{each.get('kind', '')} {each.get('name', '')}".strip()
            yield f"{name}: {each.get('message', '')}"
    if phase not in (None, "Succeeded") and not found:
        message = _RETRIED.sub("", operation.get("message", ""))
        yield _bare(_REASON.sub("", message))


def _unwell(resources: Iterable[Said]) -> Iterator[str]:
    for each in resources:
        health = _at(each, "health")
        if health.get("status", "Healthy") != "Healthy":
            more = f": {health['message']}" if health.get("message") else ""
            yield f"{each.get('kind', '')} {each.get('name', '')} is {health['status']}{more}"


def _remarks(state: Said) -> Iterator[str]:
    """Conditions that are no cause by themselves; a failed sync says again what was said."""
    unread = _unread(state)
    for each in _things(state, "conditions"):
        if each not in unread and each.get("type") != "SyncError":
            yield _bare(each.get("message", ""))


# -- what the cluster says --------------------------------------------------------------------


def _of_pods(pods: list[Said], warnings: list[Said], places: set[str]) -> Iterator[str]:
    """Of each pod that is not ready what it waits for."""
    for pod in pods:
        metadata, state = _at(pod, "metadata"), _at(pod, "status")
        if metadata.get("namespace") not in places or state.get("phase") == "Succeeded":
            continue
        why = _of_pod(pod, [each for each in warnings if _is_of(each, metadata)])
        if why:
            yield f"Pod {metadata.get('name', '')}: {why}"


def _of_pod(pod: Said, warnings: list[Said]) -> str:
    state = _at(pod, "status")
    conditions = {each.get("type"): each for each in _things(state, "conditions")}
    placed, ready = conditions.get("PodScheduled", {}), conditions.get("Ready", {})
    if placed.get("status") == "False":
        return f"{placed.get('reason', 'it is not placed')}: {placed.get('message', '')}"
    last = warnings[0] if warnings else {}
    said = f"{last.get('reason', '')}: {last.get('message', '')}" if last else ""
    for each in [*_things(state, "initContainerStatuses"), *_things(state, "containerStatuses")]:
        waits, ended = _at(_at(each, "state"), "waiting"), _ended(each)
        reason = waits.get("reason", "")
        if "Image" in reason:
            pulls = (one for one in warnings if "ailed to pull image" in one.get("message", ""))
            return f"{reason}: {next(pulls, waits).get('message', '')}"
        # Between two tries it ended just now, or runs for a moment: the back-off is told then too.
        if not reason and "restarting failed container" in said and ready.get("status") != "True":
            reason = "CrashLoopBackOff"
        if ended and (reason == "CrashLoopBackOff" or state.get("phase") == "Failed"):
            return f"{reason or 'it failed'}: its container {each.get('name', '')} {ended}"
        if reason and reason not in ("PodInitializing", "ContainerCreating"):
            return f"{reason}: {waits.get('message', '')}"
    if ready.get("status") == "True":
        return ""
    return said or (f"{state['reason']}: {state.get('message', '')}" if state.get("reason") else "")


def _ended(container: Said) -> str:
    """How a container ended the last time; "" if it did not."""
    for when in ("state", "lastState"):
        ended = _at(_at(container, when), "terminated")
        if ended:
            more = f": {ended['message']}" if ended.get("message") else ""
            why = ended.get("reason", "")
            said = f" ({why})" if why not in ("", "Error", "Completed") else ""
            return f"ended with status {ended.get('exitCode', '?')}{said}{more}"
    return ""


def _of_others(warnings: list[Said], places: set[str]) -> Iterator[str]:
    """The last warning of each thing that is no pod: a quota is told of a ReplicaSet."""
    seen = set()
    for each in warnings:
        thing = _at(each, "involvedObject")
        name = (thing.get("kind"), thing.get("namespace"), thing.get("name"))
        if thing.get("kind") != "Pod" and thing.get("namespace") in places and name not in seen:
            seen.add(name)
            yield f"{name[0]} {name[2]}: {each.get('reason', '')}: {each.get('message', '')}"


def _is_of(warning: Said, metadata: Said) -> bool:
    thing = _at(warning, "involvedObject")
    uid = thing.get("uid")
    same = thing.get("name") == metadata.get("name")
    return bool(
        thing.get("kind") == "Pod"
        and thing.get("namespace") == metadata.get("namespace")
        and (uid == metadata.get("uid") if uid else same)
    )


# -- reading and telling ----------------------------------------------------------------------


def _json(text: str) -> Said:
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _items(text: str) -> list[Said]:
    """The items of a list of kubectl's, those of events with the newest first."""
    found = _things(_json(text), "items")
    return sorted(found, key=_when, reverse=True) if "involvedObject" in text else found


def _when(event: Said) -> str:
    series = _at(event, "series")
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    made = _at(event, "metadata").get("creationTimestamp")
    return str(next((each for each in (*times, made) if each), ""))


def _at(thing: Said, name: str) -> Said:
    found = thing.get(name)
    return found if isinstance(found, Mapping) else {}


def _things(thing: Said, name: str) -> list[Said]:
    found = thing.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _stands(condition: Said, state: Said) -> bool:
    """Whether the last look found what an earlier one had found; not where that cannot be told."""
    try:
        since, last = (
            calendar.timegm(time.strptime(said, "%Y-%m-%dT%H:%M:%SZ"))
            for said in (condition["lastTransitionTime"], state["reconciledAt"])
        )
    except (KeyError, TypeError, ValueError):
        return False
    return last - since >= PATIENCE


def _bare(message: str) -> str:
    """A sentence without the layers of those who handed it on, which would fill the line."""
    return _WRAPPED.sub("", " ".join(_LOGGED.sub(" ", message).split()))


def _within(told: Iterable[str]) -> str:
    """As many as there is room for, each once; the first is there in any case."""
    said: list[str] = []
    left = WHOLE
    for each in dict.fromkeys(" ".join(one.split()).rstrip(".") for one in told):
        if not each.strip(": "):
            continue
        text = each if len(each) <= FIRST else each[: FIRST - 1] + "…"
        if said and len(text) + 2 > left:
            break
        said.append(text)
        left -= len(text) + 2
    return "; ".join(said)


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Any]:
        """The filters by their names."""
        return {"argocd_standing": standing, "argocd_reasons": reasons}
