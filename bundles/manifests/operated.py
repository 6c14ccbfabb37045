"""Objects from which an operator makes pods, whose images it chooses itself.

A Kafka at version 3.9.0 names no image, and needs some: its operator alone knows which. Kubernetes'
own kinds are read whole; of any other kind nobody here can say what is started for it, unless it
names its images or is known to start nothing. So the table is of those that start nothing, and what
stands in no table is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bundles.manifests.yaml_documents import helm_text

_ALL: Final = frozenset[str]()
_STARTS: Final[Mapping[str, frozenset[str]]] = {
    "argoproj.io": frozenset({"ArgoCD", "EventBus"}),
    "ceph.rook.io": frozenset({"CephCluster", "CephNFS"}),
    "grafana.integreatly.org": frozenset({"Grafana"}),
    "k8s.keycloak.org": frozenset({"Keycloak", "KeycloakRealmImport"}),
    "k8s.mariadb.com": frozenset({"MariaDB", "MaxScale"}),
    "kafka.strimzi.io": frozenset(
        {"Kafka", "KafkaConnect", "KafkaMirrorMaker", "KafkaMirrorMaker2", "KafkaBridge"}
    ),
    "monitoring.coreos.com": frozenset(
        {"Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler"}
    ),
    "postgresql.cnpg.io": frozenset({"Cluster", "Pooler"}),
    "rabbitmq.com": frozenset({"RabbitmqCluster"}),
    **dict.fromkeys(
        (
            *("acme.cert-manager.io", "cert-manager.io", "trust.cert-manager.io"),
            *("external-secrets.io", "generators.external-secrets.io", "bitnami.com"),
            *("secrets.hashicorp.com", "redhatcop.redhat.io", "secrets-store.csi.x-k8s.io"),
            *("networking.istio.io", "security.istio.io", "telemetry.istio.io"),
            *("extensions.istio.io", "traefik.io", "traefik.containo.us", "hub.traefik.io"),
            *("crd.projectcalico.org", "projectcalico.org", "cilium.io", "metallb.io"),
            *("kyverno.io", "wgpolicyk8s.io", "velero.io", "longhorn.io", "keda.sh"),
            *("helm.cattle.io", "fleet.cattle.io", "management.cattle.io", "k3s.cattle.io"),
            *("backstage.io", "tekton.dev", "triggers.tekton.dev", "operators.coreos.com"),
            *("content.hauler.cattle.io", "kots.io", "troubleshoot.sh", "app.k8s.io"),
            *("pkg.crossplane.io", "apiextensions.crossplane.io", "dex.coreos.com"),
        ),
        _ALL,
    ),
}
"""The kinds of a group for which something is started; no other of them starts anything."""
_START_NOTHING: Final = (".k8s.io", ".toolkit.fluxcd.io", ".openshift.io", ".upbound.io")
"""Ends of groups whose objects are Kubernetes' own, or say what is to be fetched or allowed."""
_GROUP: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,99}")
_VERSIONS: Final = ("version", "crVersion", "tag", "profile")
_API_LINE: Final = re.compile(
    r"""^apiVersion:[ \t]*["']?([a-z0-9.-]+/[a-z0-9]+)["']?[ \t\r]*$""", re.M
)
_KIND_LINE: Final = re.compile(r"""^kind:[ \t]*["']?([A-Za-z0-9]+)["']?[ \t\r]*$""", re.M)


def starts_unknown(api: str, kind: str) -> bool:
    """Whether pods may be made for objects of a kind, with images that they need not name."""
    group, slash, _ = api.partition("/")
    if not slash or not _GROUP.fullmatch(group) or not _KIND.fullmatch(kind):
        return False  # Kubernetes' own, or no object at all
    if group in _STARTS:
        return kind in _STARTS[group]
    return not group.endswith(_START_NOTHING)


@dataclass(frozen=True, slots=True)
class Operated:
    """A kind of object for which an operator starts something, at a version that was asked for."""

    kind: str
    """With its group, as the cluster names it: Kafka.kafka.strimzi.io."""
    version: str = ""

    def __str__(self) -> str:
        kind, _, group = self.kind.partition(".")
        return (
            f"which images are started for {kind} ({group}{self.version}): its operator chooses "
            f"them; name them under `images`, and `operators: [{self.kind}]` on this line of the "
            "recipe says that it is done"
        )


def operated(value: Mapping[Any, Any]) -> Operated | None:
    """Of what kind an object is whose images an operator chooses; None where it makes none."""
    api, kind = str(value.get("apiVersion", "")), str(value.get("kind", ""))
    if not starts_unknown(api, kind):
        return None
    return Operated(f"{kind}.{api.partition('/')[0]}", _version(value.get("spec")))


def operated_in_template(text: str) -> Iterator[Operated]:
    """The same for a template that nobody rendered; one that names an image is passed over."""
    for piece in re.split(r"^---.*$", text, flags=re.M):
        api, kind = _API_LINE.search(piece), _KIND_LINE.search(piece)
        if api and kind and starts_unknown(api[1], kind[1]) and "image" not in piece.lower():
            yield Operated(f"{kind[1]}.{api[1].partition('/')[0]}")


def _version(spec: Any, depth: int = 0) -> str:
    """The version that an object asks its operator for, where it stands at the top or one below."""
    if not isinstance(spec, dict):
        return ""
    for key in _VERSIONS:
        if isinstance(spec.get(key), (str, int, float)) and spec[key] != "":
            return f", {key} {helm_text(spec[key])[:50]}"
    if depth == 0:
        return next((said for one in spec.values() if (said := _version(one, 1))), "")
    return ""
