"""One read of a cluster: at most fifteen questions, each bounded, and facts of what came back.

What one question does not bring is unknown with the reason, and the rest is asked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from foundation.clusters.api import Api
from foundation.clusters.problems import ApiRefused, ClusterLoginRefused, ClusterProblem
from foundation.wording import counted
from preflight.cluster import gather, objects
from preflight.cluster.facts import (
    ABSENT,
    ApiService,
    Claims,
    ClusterFacts,
    Fact,
    Namespace,
    Unknown,
    Webhook,
    known,
    why_unknown,
)
from preflight.cluster.pages import NoList, read_page
from preflight.parse.text import plain

CALLS: Final = 15
"""Questions of one read."""
ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one answer; 2,500 ordinary pods have 20 MB."""
_PAGE: Final = 1_000
_POD_PAGE: Final = 2_500
"""Pods of one answer: few enough for little memory, many enough for few questions."""
_POD_PAGE_LAST: Final = 5_000
_KEPT: Final = 5_000
"""Objects of a list that are kept where more came than were asked for."""
_ITEMS: Final = 2_000
"""Things of one kind that are kept."""
_SILENCES: Final = 2
"""After so many questions in a row that nobody answered, nobody is asked any more."""

Item = TypeVar("Item")


class _NotAnswered(Exception):
    """A question without an answer that can be used; the text is the reason."""


class _Asking:
    """Asks, counts, and stops where the cluster has gone silent."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.calls = 0
        self.left_out: list[str] = []
        """What was not read whole, one phrase each."""
        self._silent = 0

    @property
    def left(self) -> int:
        return CALLS - self.calls

    async def body(self, path: str) -> bytes | bytearray:
        if self._silent >= _SILENCES:
            raise _NotAnswered("it was not asked: the cluster had stopped answering")
        if self.left < 1:
            raise _NotAnswered(f"it was not asked: a read has {CALLS} questions")
        self.calls += 1
        try:
            body = await self._api.get(path, limit=ANSWER_LIMIT)
        except ApiRefused as error:
            self._silent = 0
            raise _NotAnswered(plain(f"{error.reason}: {error.message}", 500)) from error
        except ClusterLoginRefused:
            raise
        except ClusterProblem as problem:
            self._silent += 1
            raise _NotAnswered(plain(problem.cause, 500)) from problem
        self._silent = 0
        return body

    async def page(
        self,
        path: str,
        kind: type[Item],
        take: Callable[[Item], None],
        *,
        limit: int,
        more: str = "",
        selector: str = "",
    ) -> objects.ListMeta:
        """One page of a list, object by object."""
        words = {"limit": str(limit), **({"continue": more} if more else {})}
        if selector:
            words["fieldSelector"] = selector
        body = await self.body(f"{path}?{urlencode(words, quote_via=quote)}")
        try:
            return read_page(body, kind, take)
        except NoList as error:
            raise _NotAnswered(
                plain(f"its answer is no list as Kubernetes writes it: {error}")
            ) from error

    async def all_of(self, what: str, path: str, kind: type[Item]) -> tuple[Item, ...]:
        """The first page of a list; that there is more is told."""
        items: list[Item] = []
        number = 0

        def take(item: Item) -> None:
            nonlocal number
            number += 1
            if number <= _KEPT:
                items.append(item)

        meta = await self.page(path, kind, take, limit=_PAGE)
        if number > len(items):
            self.left_out.append(f"{what}: the first {len(items)} of {number} were kept")
        elif meta.more:
            total = f"of {len(items) + meta.remaining}" if meta.remaining else "and no more"
            self.left_out.append(f"{what}: the first {len(items)} {total} were read")
        return tuple(items)

    def kept(self, what: str, items: Sequence[Item]) -> tuple[Item, ...]:
        """As many as are kept; that there are more is told."""
        if len(items) > _ITEMS:
            self.left_out.append(f"{what}: the first {_ITEMS} of {len(items)} were kept")
        return tuple(items[:_ITEMS])


async def read_cluster(api: Api) -> ClusterFacts:
    """What a cluster tells of itself.

    Raises ClusterProblem where it does not answer, knows nobody, or is no Kubernetes.
    """
    ask = _Asking(api)
    version = await _version(ask, api)
    facts = ClusterFacts(version=version, way=api.way)
    facts = await _of_the_whole(ask, facts)
    nodes: Fact[tuple[objects.NodeObject, ...]] = await _fact(
        ask.all_of("nodes", "/api/v1/nodes", objects.NodeObject)
    )
    seen_nodes = known(nodes) or ()
    named = gather.distribution(known(version) or "", seen_nodes)
    facts = replace(
        facts,
        distribution=named or (nodes if isinstance(nodes, Unknown) else ABSENT),
        nodes=nodes if isinstance(nodes, Unknown) else tuple(map(gather.of_node, seen_nodes)),
    )
    del nodes, seen_nodes
    facts = await _of_storage_and_workloads(ask, facts)
    return replace(
        facts,
        serving_ends=api.serving_ends or Unknown("it is not seen through a machine's kubectl"),
        client_ends=api.client_ends or ABSENT,
        calls=ask.calls,
        notes=tuple(ask.left_out),
    )


async def _version(ask: _Asking, api: Api) -> Fact[str]:
    ask.calls += 1
    try:
        body = await api.get("/version", limit=1 << 20)
    except ApiRefused as error:
        return Unknown(plain(f"{error.reason}: {error.message}", 500))
    try:
        return plain(objects.Version.model_validate_json(body).git)
    except ValidationError as error:
        raise ClusterProblem(
            "what answers there is no Kubernetes API: it tells no version",
            where=api.where,
            remedy="Check the server's address in the kubeconfig.",
        ) from error


async def _fact(asked: Any) -> Any:
    try:
        return await asked
    except _NotAnswered as error:
        return Unknown(str(error))


async def _of_the_whole(ask: _Asking, facts: ClusterFacts) -> ClusterFacts:
    """What holds for the cluster as a whole: APIs, namespaces, classes, admission."""
    services = await _fact(
        ask.all_of("APIs", "/apis/apiregistration.k8s.io/v1/apiservices", objects.ApiServiceObject)
    )
    gateways = "gateway.networking.k8s.io"
    has_gateways = not isinstance(services, Unknown) and any(
        one.metadata.name.endswith(f".{gateways}") for one in services
    )
    spaces = await _fact(ask.all_of("namespaces", "/api/v1/namespaces", objects.NamespaceObject))
    ingresses = await _fact(
        ask.all_of(
            "ingress classes", "/apis/networking.k8s.io/v1/ingressclasses", objects.ControllerClass
        )
    )
    gateway_classes: Any = ABSENT if not isinstance(services, Unknown) else services
    if has_gateways and not known(ingresses):
        gateway_classes = _classes(
            await _fact(
                ask.all_of(
                    "gateway classes", f"/apis/{gateways}/v1/gatewayclasses",
                    objects.ControllerClass,
                )
            )
        )  # fmt: skip
    quotas = await _fact(ask.all_of("quotas", "/api/v1/resourcequotas", objects.QuotaObject))
    ranges = await _fact(ask.all_of("limit ranges", "/api/v1/limitranges", objects.Named))
    return replace(
        facts,
        api_services=services if isinstance(services, Unknown) else _others(ask, services),
        namespaces=spaces
        if isinstance(spaces, Unknown)
        else tuple(
            Namespace(
                plain(one.metadata.name), plain(one.status.phase),
                gather.level_of(one.metadata.labels),
            )
            for one in spaces
        ),
        ingress_classes=_classes(ingresses),
        gateway_classes=gateway_classes,
        quotas=quotas
        if isinstance(quotas, Unknown)
        else ask.kept(
            "lines of quotas", [line for one in quotas for line in gather.of_quota(one)]
        ),
        limit_ranges=ranges
        if isinstance(ranges, Unknown)
        else tuple(dict.fromkeys(plain(one.metadata.namespace) for one in ranges)),
        webhooks=await _webhooks(ask),
    )  # fmt: skip


def _others(ask: _Asking, services: Sequence[objects.ApiServiceObject]) -> tuple[ApiService, ...]:
    found = [one for one in map(gather.of_api_service, services) if one is not None]
    return ask.kept("APIs", found)


def _classes(found: Any) -> Any:
    if isinstance(found, Unknown):
        return found
    return tuple(
        plain(f"{one.metadata.name} ({one.spec.controller or one.spec.controller_name})")
        for one in found
    )


async def _webhooks(ask: _Asking) -> Fact[tuple[Webhook, ...]]:
    hooks: list[Webhook] = []
    for word, validating in (("validating", True), ("mutating", False)):
        path = f"/apis/admissionregistration.k8s.io/v1/{word}webhookconfigurations"
        found = await _fact(ask.all_of(f"{word} webhooks", path, objects.HookConfiguration))
        if isinstance(found, Unknown):
            return found
        hooks += gather.of_hooks(found, validating=validating)
    hooks = [*ask.kept("webhooks", hooks)]
    services = {hook.service for hook in hooks if hook.fails_closed and hook.service}
    if not services:
        return tuple(hooks)
    names = {service.partition("/")[0] for service in services}
    # One question, whatever the number of namespaces.
    inside = f"/namespaces/{quote(next(iter(names)), safe='')}" if len(names) == 1 else ""
    path = f"/apis/discovery.k8s.io/v1{inside}/endpointslices"
    told = len(ask.left_out)
    found = await _fact(ask.all_of("endpoints of services", path, objects.EndpointSlice))
    if isinstance(found, Unknown):
        return tuple(replace(hook, endpoints=found) for hook in hooks)
    counts = dict.fromkeys(services, 0)
    for piece in found:
        name = piece.metadata.labels.get("kubernetes.io/service-name", "")
        service = plain(f"{piece.metadata.namespace}/{name}")
        if service in counts:
            counts[service] += sum(
                len(one.addresses) for one in piece.endpoints if one.conditions.ready is not False
            )
    # Of a list that goes on, what was not in it may be in the rest.
    none: Fact[int] = 0
    if len(ask.left_out) > told:
        none = Unknown("not all endpoints were read, and these may be among the rest")
    return tuple(
        replace(hook, endpoints=counts[hook.service] or none) if hook.service in counts else hook
        for hook in hooks
    )


async def _of_storage_and_workloads(ask: _Asking, facts: ClusterFacts) -> ClusterFacts:
    """Classes, claims and pods, with the last warning about each that is not well."""
    classes = await _fact(
        ask.all_of(
            "storage classes", "/apis/storage.k8s.io/v1/storageclasses",
            objects.StorageClassObject,
        )
    )  # fmt: skip
    events = gather.Events()
    heard = await _fact(
        ask.page(
            "/api/v1/events", objects.EventObject, events.add, limit=_PAGE, selector="type=Warning"
        )
    )
    if isinstance(heard, Unknown):
        # A claim that waits for a pod, and one for which a volume failed, differ by them alone.
        ask.left_out.append(f"warnings of pods and claims: {why_unknown(heard)}")
    elif heard.more:
        ask.left_out.append(f"warnings of pods and claims: the first {len(events.of)} were read")
    claims = await _fact(
        ask.all_of("claims", "/api/v1/persistentvolumeclaims", objects.ClaimObject)
    )
    facts = replace(
        facts,
        storage_classes=classes
        if isinstance(classes, Unknown)
        else tuple(map(gather.of_storage_class, classes)),
        claims=claims
        if isinstance(claims, Unknown)
        else Claims(
            len(claims),
            ask.kept(
                "claims that are not bound",
                [gather.of_claim(one, events) for one in claims if one.status.phase != "Bound"],
            ),
        ),
    )
    del claims
    count = gather.PodCount(events, datetime.now(UTC))
    whole = await _fact(_pods(ask, count))
    if isinstance(whole, Unknown):
        return replace(facts, pods=whole, dns=whole, network=whole)
    seen = known(facts.nodes)
    rest = Unknown("not all pods were read, and these may be among the rest")
    return replace(
        facts,
        pods=count.pods(),
        dns=tuple(count.dns) if whole or len(count.dns) > 1 else rest,
        network=count.network
        or ("flannel" if facts.distribution == "k3s" else ABSENT if whole else rest),
        nodes=facts.nodes if seen is None else count.loaded(seen),
    )


async def _pods(ask: _Asking, count: gather.PodCount) -> bool:
    """All pods page by page, as many as the questions that are left bring; whether it was all."""
    more, size = "", _POD_PAGE if ask.left > 1 else _POD_PAGE_LAST
    while True:
        try:
            page = await ask.page(
                "/api/v1/pods", objects.PodObject, count.add, limit=size, more=more
            )
        except _NotAnswered as error:
            if not more:
                raise
            ask.left_out.append(f"pods: after the first {counted(count.total, 'pod')}, {error}")
            return False
        more = page.more
        if not more:
            return True
        rest = page.remaining
        if ask.left < 1:
            total = f" of {count.total + rest}" if rest is not None else ""
            ask.left_out.append(f"pods: the first {count.total}{total} were read")
            return False
        # Few questions are left, so each brings its share of the rest.
        share = -(-rest // ask.left) if rest is not None else _POD_PAGE_LAST
        size = min(max(share, _POD_PAGE), _POD_PAGE_LAST)
