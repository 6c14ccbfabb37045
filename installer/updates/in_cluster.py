"""What runs in a cluster: every container and init container of every workload, in every namespace.

Workloads say what is meant to run and where it can be changed; pods say which digest runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from foundation.clusters.api import Api
from foundation.clusters.problems import ApiRefused
from foundation.terminal import clean_line
from installer.updates.owners import APPLICATIONS, Application, Applications, owner_of
from installer.updates.running import Found, Place
from preflight.cluster.pages import NoList, read_page

_PAGE: Final = 500
_PAGES: Final = 40
"""Of one kind: 20,000 objects."""
_ANSWER_BYTES: Final = 64 << 20
_IMAGE_CHARACTERS: Final = 500
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""Of an object and of a container (RFC 1123); none begins as an option does."""
_DIGEST: Final = re.compile(r"@(sha256:[0-9a-f]{64})$", re.ASCII)
_KINDS: Final = (
    ("deployment", "/apis/apps/v1/deployments"),
    ("statefulset", "/apis/apps/v1/statefulsets"),
    ("daemonset", "/apis/apps/v1/daemonsets"),
    ("cronjob", "/apis/batch/v1/cronjobs"),
    ("job", "/apis/batch/v1/jobs"),
)
Item = TypeVar("Item")
_NONE: Final = Applications()


def _none_is_empty(value: Any) -> Any:
    return [] if value is None else value


def _none_is_no_record(value: Any) -> Any:
    return {} if value is None else value


class _Object(BaseModel):
    # What an API server adds in its next release is no fault of its answer.
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


Many = Annotated[tuple[Item, ...], BeforeValidator(_none_is_empty)]
Words = Annotated[dict[str, str], BeforeValidator(_none_is_no_record)]


class _Owner(_Object):
    kind: str = ""
    name: str = ""


class _Meta(_Object):
    name: str = ""
    namespace: str = ""
    labels: Words = {}
    annotations: Words = {}
    owners: Many[_Owner] = Field((), alias="ownerReferences")


class _Container(_Object):
    name: str = ""
    image: str = ""


class _PodSpec(_Object):
    containers: Many[_Container] = ()
    init: Many[_Container] = Field((), alias="initContainers")


class _Template(_Object):
    spec: _PodSpec = _PodSpec()


class _JobSpec(_Object):
    template: _Template = _Template()


class _JobTemplate(_Object):
    spec: _JobSpec = _JobSpec()


class _WorkloadSpec(_Object):
    template: _Template = _Template()
    job: _JobTemplate = Field(_JobTemplate(), alias="jobTemplate")


class _Workload(_Object):
    metadata: _Meta = _Meta()
    spec: _WorkloadSpec = _WorkloadSpec()


class _Status(_Object):
    name: str = ""
    image_id: str = Field("", alias="imageID")


class _PodStatus(_Object):
    phase: str = ""
    containers: Many[_Status] = Field((), alias="containerStatuses")
    init: Many[_Status] = Field((), alias="initContainerStatuses")


class _Pod(_Object):
    metadata: _Meta = _Meta()
    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()


async def read_running(api: Api) -> Found:
    """The images of a cluster's workloads; what cannot be listed is told, and the rest is read.

    Raises ClusterProblem where the cluster does not answer, or takes nothing from whoever asks.
    """
    found = Found()
    applications = await read_applications(api)
    if applications.unread:
        found.tell(f"what Argo CD owns was not seen: {applications.unread}")
    for kind, path in _KINDS:

        def workload(item: _Workload, kind: str = kind) -> None:
            _workload(found, kind, item, applications)

        await _each(api, path, _Workload, workload, f"{kind}s", found)
    known = {(one.namespace, image) for image, places in found.places.items() for one in places}
    await _each(api, "/api/v1/pods", _Pod, lambda item: _pod(found, item, known), "pods", found)
    return found


async def read_applications(api: Api) -> Applications:
    """What Argo CD says that it owns; empty where it is not there.

    Raises ClusterProblem as `read_running` does.
    """
    applications, told = Applications(), Found()
    try:
        await api.get(f"{APPLICATIONS}?limit=1", limit=_ANSWER_BYTES)
    except ApiRefused as error:
        if error.reason != "NotFound":
            applications.unread = clean_line(f"{error.reason}: {error.message}")
        return applications
    await _each(api, APPLICATIONS, Application, applications.take, "applications", told)
    applications.unread = "; ".join(told.untold)
    return applications


async def _each(
    api: Api,
    path: str,
    kind: type[Item],
    take: Callable[[Item], None],
    what: str,
    found: Found,
) -> None:
    more = ""
    for _ in range(_PAGES):
        words = {"limit": str(_PAGE), **({"continue": more} if more else {})}
        try:
            body = await api.get(f"{path}?{urlencode(words, quote_via=quote)}", limit=_ANSWER_BYTES)
            more = read_page(body, kind, take).more
        except ApiRefused as error:
            reason = clean_line(f"{error.reason}: {error.message}")
            found.tell(f"{what} of the cluster were not read whole: {reason}")
            return
        except NoList as error:
            found.tell(f"{what} of the cluster were not read whole: {clean_line(str(error))}")
            return
        if not more:
            return
    found.tell(f"the first {_PAGE * _PAGES} {what} of the cluster were read, and there are more")


def _workload(found: Found, kind: str, item: _Workload, applications: Applications) -> None:
    # What a Helm or Argo job began, or a cronjob, is its owner's to change.
    if item.metadata.owners:
        return
    spec = item.spec.job.spec.template.spec if kind == "cronjob" else item.spec.template.spec
    _containers(found, kind, item.metadata, spec, applications)


def _containers(
    found: Found,
    kind: str,
    meta: _Meta,
    spec: _PodSpec,
    applications: Applications = _NONE,
) -> None:
    owner = owner_of((kind, meta.namespace, meta.name), meta.labels, meta.annotations, applications)
    for init, containers in ((False, spec.containers), (True, spec.init)):
        for one in containers:
            if not one.image or len(one.image) > _IMAGE_CHARACTERS or not one.image.isprintable():
                where = clean_line(f"{kind} {meta.namespace}/{meta.name}")
                found.tell(f"{where}: a container without an image's name")
                continue
            # What is named so is told to kubectl as a word, by us or by whoever copies a command.
            if not all(map(_NAME.fullmatch, (meta.name, meta.namespace, one.name))):
                where = clean_line(f"{kind} {meta.namespace}/{meta.name}, {one.name}")
                found.tell(f"{where}: a name that no object of Kubernetes can have")
                continue
            place = Place(
                kind,
                clean_line(meta.name),
                clean_line(meta.namespace),
                clean_line(one.name),
                init,
                owner.words if owner is not None else "",
            )
            found.add(one.image, place)


def _pod(found: Found, item: _Pod, known: set[tuple[str, str]]) -> None:
    meta = item.metadata
    if item.status.phase in ("Succeeded", "Failed"):
        return
    statuses = {one.name: one.image_id for one in (*item.status.containers, *item.status.init)}
    for one in (*item.spec.containers, *item.spec.init):
        digest = _DIGEST.search(statuses.get(one.name, ""))
        if digest is not None:
            found.runs(one.image, digest[1])
    if not meta.owners:
        _containers(found, "pod", meta, item.spec)
        return
    # What no workload above asks for: of another kind, or on its way out. Said once an owner.
    owner = meta.owners[0]
    whose = clean_line(f"{owner.kind} {owner.name}")
    for init, containers in ((False, item.spec.containers), (True, item.spec.init)):
        for one in containers:
            if one.image and (meta.namespace, one.image) not in known:
                known.add((meta.namespace, one.image))
                name, namespace = clean_line(meta.name), clean_line(meta.namespace)
                place = Place("pod", name, namespace, clean_line(one.name), init, whose)
                found.add(one.image, place)
