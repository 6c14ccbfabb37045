"""What is read of the objects of a Kubernetes API: the few fields that matter here."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _none_is_empty(value: Any) -> Any:
    return [] if value is None else value


def _none_is_no_record(value: Any) -> Any:
    return {} if value is None else value


class _Object(BaseModel):
    # What an API server adds in its next release is no fault of its answer.
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


Item = TypeVar("Item")
# Go writes null for a list or a map that is empty.
Many = Annotated[tuple[Item, ...], BeforeValidator(_none_is_empty)]
Words = Annotated[dict[str, str], BeforeValidator(_none_is_no_record)]


class Meta(_Object):
    name: str = ""
    namespace: str = ""
    labels: Words = {}
    annotations: Words = {}
    created: str | None = Field(None, alias="creationTimestamp")
    deletion: str | None = Field(None, alias="deletionTimestamp")


class ListMeta(_Object):
    more: str = Field("", alias="continue")
    remaining: int | None = Field(None, alias="remainingItemCount")


class Version(_Object):
    git: str = Field(alias="gitVersion")


class Condition(_Object):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    since: str | None = Field(None, alias="lastTransitionTime")


class Taint(_Object):
    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(_Object):
    unschedulable: bool = False
    taints: Many[Taint] = ()


class NodeInfo(_Object):
    kubelet: str = Field("", alias="kubeletVersion")
    architecture: str = ""
    runtime: str = Field("", alias="containerRuntimeVersion")
    system: str = Field("", alias="osImage")


class NodeStatus(_Object):
    conditions: Many[Condition] = ()
    allocatable: Words = {}
    info: NodeInfo = Field(NodeInfo(), alias="nodeInfo")


class NodeObject(_Object):
    metadata: Meta = Meta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Resources(_Object):
    requests: Words = {}


class Container(_Object):
    resources: Resources = Resources()
    restart: str = Field("", alias="restartPolicy")
    """Always for a sidecar among the init containers."""


class PodSpec(_Object):
    node: str = Field("", alias="nodeName")
    containers: Many[Container] = ()
    init: Many[Container] = Field((), alias="initContainers")
    overhead: Words = {}
    resources: Resources = Resources()
    """Of the pod as a whole, which stand before those of its containers."""
    on_host: bool = Field(False, alias="hostNetwork")


class Waiting(_Object):
    reason: str = ""
    message: str = ""


class Terminated(_Object):
    reason: str = ""
    message: str = ""
    code: int = Field(0, alias="exitCode")


class State(_Object):
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Object):
    name: str = ""
    ready: bool = False
    restarts: int = Field(0, alias="restartCount")
    state: State = State()
    last: State = Field(State(), alias="lastState")


class PodStatus(_Object):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: Many[Condition] = ()
    containers: Many[ContainerStatus] = Field((), alias="containerStatuses")
    init: Many[ContainerStatus] = Field((), alias="initContainerStatuses")


class PodMeta(_Object):
    """Without annotations, which some controllers fill with whole documents."""

    name: str = ""
    namespace: str = ""
    labels: Words = {}
    created: str | None = Field(None, alias="creationTimestamp")
    deletion: str | None = Field(None, alias="deletionTimestamp")


class PodObject(_Object):
    metadata: PodMeta = PodMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class StorageClassObject(_Object):
    metadata: Meta = Meta()
    provisioner: str = ""
    reclaim: str = Field("Delete", alias="reclaimPolicy")
    binding: str = Field("Immediate", alias="volumeBindingMode")
    expands: bool = Field(False, alias="allowVolumeExpansion")


class ClaimSpec(_Object):
    storage_class: str | None = Field(None, alias="storageClassName")


class Phase(_Object):
    phase: str = ""


class ClaimObject(_Object):
    metadata: Meta = Meta()
    spec: ClaimSpec = ClaimSpec()
    status: Phase = Phase()


class OwnStatus(ContainerStatus):
    image: str = Field("", alias="imageID")


class OwnPodStatus(_Object):
    phase: str = ""
    reason: str = ""
    message: str = ""
    address: str = Field("", alias="podIP")
    conditions: Many[Condition] = ()
    containers: Many[OwnStatus] = Field((), alias="containerStatuses")


class OwnPod(_Object):
    """A pod of a probe, with more than is read of all the others."""

    metadata: PodMeta = PodMeta()
    spec: PodSpec = PodSpec()
    status: OwnPodStatus = OwnPodStatus()


class Made(_Object):
    """What the server says of an object that was made."""

    uid: str = ""
    name: str = ""
    created: str = Field("", alias="creationTimestamp")
    annotations: Words = {}


class MadeObject(_Object):
    metadata: Made = Made()


class BoundSpec(_Object):
    volume: str = Field("", alias="volumeName")


class BoundClaim(_Object):
    metadata: Made = Made()
    spec: BoundSpec = BoundSpec()
    status: Phase = Phase()


class ClaimReference(_Object):
    uid: str = ""


class VolumeSpec(_Object):
    reclaim: str = Field("", alias="persistentVolumeReclaimPolicy")
    claim: ClaimReference = Field(ClaimReference(), alias="claimRef")


class VolumeObject(_Object):
    metadata: Made = Made()
    spec: VolumeSpec = VolumeSpec()


class NamespaceObject(_Object):
    metadata: Meta = Meta()
    status: Phase = Phase()


class QuotaStatus(_Object):
    hard: Words = {}
    used: Words = {}


class QuotaObject(_Object):
    metadata: Meta = Meta()
    status: QuotaStatus = QuotaStatus()


class Named(_Object):
    metadata: Meta = Meta()


class ServiceReference(_Object):
    namespace: str = ""
    name: str = ""


class ClientConfig(_Object):
    service: ServiceReference | None = None


class Selector(_Object):
    labels: Words = Field({}, alias="matchLabels")
    expressions: Many[dict[str, Any]] = Field((), alias="matchExpressions")


class HookObject(_Object):
    name: str = ""
    client: ClientConfig = Field(ClientConfig(), alias="clientConfig")
    failure: str = Field("Fail", alias="failurePolicy")
    namespaces: Selector = Field(Selector(), alias="namespaceSelector")


class HookConfiguration(_Object):
    metadata: Meta = Meta()
    webhooks: Many[HookObject] = ()


class Reachable(_Object):
    ready: bool | None = None


class Endpoint(_Object):
    addresses: Many[str] = ()
    conditions: Reachable = Reachable()


class EndpointSlice(_Object):
    metadata: Meta = Meta()
    endpoints: Many[Endpoint] = ()


class ControllerSpec(_Object):
    controller: str = ""
    controller_name: str = Field("", alias="controllerName")


class ControllerClass(_Object):
    metadata: Meta = Meta()
    spec: ControllerSpec = ControllerSpec()


class ApiServiceSpec(_Object):
    service: ServiceReference | None = None


class Conditions(_Object):
    conditions: Many[Condition] = ()


class ApiServiceObject(_Object):
    metadata: Meta = Meta()
    spec: ApiServiceSpec = ApiServiceSpec()
    status: Conditions = Conditions()


class Concerned(_Object):
    kind: str = ""
    namespace: str = ""
    name: str = ""


class EventObject(_Object):
    about: Concerned = Field(Concerned(), alias="involvedObject")
    reason: str = ""
    message: str = ""
    last: str | None = Field(None, alias="lastTimestamp")
    at: str | None = Field(None, alias="eventTime")
    metadata: Meta = Meta()
