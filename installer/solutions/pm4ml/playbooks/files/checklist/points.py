"""Section 6.3 of the guide, point by point: what a repository says of each.

Each judgement is a function of what was read and of what the site is to be. It names places, and
never a value that might be a secret.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .repository import Document, Repository

HOLDS: Final = 0
DENIED: Final = 1
ASK: Final = 2
"""What a program cannot judge, a person must."""

PLACEHOLDER = re.compile(
    r"(?i)^<[^<>]+>$|\b(change[-_ ]?me|change[-_ ]?it|replace[-_ ]?(me|this)|fill[-_ ]?me|"
    r"to[-_ ]?be[-_ ]?(replaced|defined|filled|decided)|your[-_](\w|-)+|"
    # INSERT_FIRST and its like are what Istio does with a filter.
    r"insert[-_](?!(?:first|before|after)\b)\w+|"
    r"place[-_ ]?holder|fixme|tbd|todo|x{4,})\b|\b(example|your-?domain)\.(com|org|net)\b"
)
ENVIRONMENTS = {
    "production": {"prod", "production", "prd", "live"},
    "staging": {"stg", "staging", "stage", "uat"},
}
OTHER_ENVIRONMENTS = {"dev", "development", "test", "testing", "qa", "sandbox", "local"}
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet"}
STORES = {"SecretStore", "ClusterSecretStore"}


@dataclass(frozen=True)
class Site:
    """What the site is to be, from its settings."""

    domain: str
    pm4ml_id: str
    environment: str
    classes: tuple[str, ...]
    ceph_class: str
    default_classes: tuple[str, ...] = ()
    """The classes of what names none."""
    local_class: str = ""
    accepted_by: str = ""
    """Who accepted that databases lie on Ceph; empty where nobody did."""
    applications: tuple[str, ...] = ()
    """What is deployed from it, in order; empty where a playbook of the site's own does it."""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """What was found about one line of the checklist."""

    verdict: int
    said: tuple[str, ...]


def judged(wrong: list[str], right: list[str], nothing: str) -> Point:
    """Denied where something is wrong, held where something is right, else a person's."""
    if wrong:
        return Point(DENIED, tuple(wrong))
    return Point(HOLDS, tuple(right)) if right else Point(ASK, (nothing,))


def applications(repository: Repository, site: Site) -> Point:
    """Every application that is deployed has its folder, and what else is there is told."""
    folders, wanted = repository.folders, site.applications
    if not wanted:
        return Point(ASK, ("which applications your own playbook names is not known here",))
    wrong = [f"{name} has no folder" for name in wanted if name not in folders]
    wrong += [
        f"the folder of {name} holds nothing at its top that Argo CD can deploy"
        for name in wanted
        if folders.get(name) == 0
    ]
    further = [
        f"{name} is in the repository and none of the applications: it is not deployed"
        for name in folders
        if name not in {*wanted, *site.left_out}
    ]
    if wrong:
        return Point(DENIED, (*wrong, *further))
    return Point(ASK, tuple(further)) if further else Point(HOLDS, (f"{len(wanted)} folders",))


def environment(repository: Repository, site: Site) -> Point:
    """Environment values updated."""
    good = ENVIRONMENTS.get(site.environment, {site.environment})
    known = OTHER_ENVIRONMENTS.union(*ENVIRONMENTS.values())
    told = [
        leaf
        for leaf in repository.leaves
        if leaf.path
        and re.fullmatch(r"(?i)(.*[-_.])?(env|environment|stage)", leaf.path[-1])
        and leaf.value.lower() in known
    ]
    return judged(
        [f'{leaf.place} says "{leaf.value}"' for leaf in told if leaf.value.lower() not in good],
        [f'{leaf.place} says "{leaf.value}"' for leaf in told],
        "no file of the repository names its environment",
    )


def _hosts(documents: list[Document]) -> list[tuple[str, str]]:
    """Names that Gateways and VirtualServices answer to, and where they stand."""
    found = []
    for each in documents:
        lists = [each.at("spec", "hosts")]
        servers = each.at("spec", "servers")
        lists += [s.get("hosts") for s in servers or [] if isinstance(s, dict)]
        for hosts in lists:
            for host in hosts if isinstance(hosts, list) else []:
                found.append((str(host).rpartition("/")[2], each.place))
    return found


def _within(name: str, domain: str) -> bool:
    bare = name.removeprefix("*.")
    return bare == domain or bare.endswith("." + domain)


def _names(documents: list[Document], site: Site, what: str) -> Point:
    told = [
        (host, place)
        for host, place in _hosts(documents)
        # Names inside the mesh end in the cluster's own domain or have no dot.
        if host != "*" and "." in host and not host.endswith((".local", ".svc"))
    ]
    return judged(
        [f"{place} answers to {host}" for host, place in told if not _within(host, site.domain)],
        [f"{host} ({place})" for host, place in told],
        f"no {what} of the repository names a host as plain YAML",
    )


def gateways(repository: Repository, site: Site) -> Point:
    """Istio Gateway hosts updated."""
    return _names(repository.of("Gateway"), site, "Gateway")


def virtual_services(repository: Repository, site: Site) -> Point:
    """VirtualService URLs updated."""
    return _names(repository.of("VirtualService"), site, "VirtualService")


def names_resolve(repository: Repository, site: Site) -> Point:
    """DNS hostnames updated, and found from this machine."""
    wanted = {f"argocd.{site.domain}"}
    for host, _ in _hosts(repository.of("VirtualService", "Gateway")):
        if _within(host, site.domain) and "*" not in host:
            wanted.add(host)
    wrong, right = [], []
    for host in sorted(wanted):
        try:
            addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, 443)}
        except OSError as error:
            wrong.append(f"{host}: {error.strerror or error}")
        else:
            right.append(f"{host} is {', '.join(sorted(addresses))}")
    return judged(wrong, right, "")


def endpoints(repository: Repository, site: Site) -> Point:
    """PM4ML endpoints configured: the DFSP stands in its own folder."""
    own = [leaf for leaf in repository.leaves if "pm4ml" in Path(leaf.file).parts]
    named = [f"{leaf.place}" for leaf in own if site.pm4ml_id in leaf.value]
    wrong = []
    if own and not named:
        wrong.append(f"{site.pm4ml_id} stands nowhere in the folder of pm4ml")
    return judged(wrong, named, "there is no folder pm4ml with plain values in the repository")


def issuers(repository: Repository, site: Site) -> Point:
    """An Issuer or ClusterIssuer is configured."""
    told = [each.place for each in repository.of("Issuer", "ClusterIssuer")]
    return judged([], told, "no Issuer and no ClusterIssuer stands in the repository")


def tls_secrets(repository: Repository, site: Site) -> Point:
    """TLS secrets created or generated: every one that a Gateway names."""
    made = {str(each.at("spec", "secretName")) for each in repository.of("Certificate")}
    made |= {each.name for each in repository.of("Secret", "ExternalSecret", "VaultSecret")}
    wanted = []
    for each in repository.of("Gateway"):
        for server in each.at("spec", "servers") or []:
            tls = server.get("tls") if isinstance(server, dict) else None
            if isinstance(tls, dict) and tls.get("credentialName"):
                wanted.append((str(tls["credentialName"]), each.place))
    missing = [f"{place} wants the secret {name}" for name, place in wanted if name not in made]
    if missing:
        return Point(ASK, (*missing, "and nothing in the repository makes it"))
    return judged([], [f"{n} ({p})" for n, p in wanted], "no Gateway names a TLS secret")


def dns_challenge(repository: Repository, site: Site) -> Point:
    """DNS challenge credentials, where an issuer needs them."""
    found = repository.of("Issuer", "ClusterIssuer")
    dns = [each.place for each in found if "dns01" in json.dumps(each.body)]
    if found and not dns:
        return Point(HOLDS, ("no issuer uses a DNS challenge",))
    return Point(ASK, tuple(dns) or ("no issuer stands in the repository",))


def certificate_names(repository: Repository, site: Site) -> Point:
    """Names of certificates match the domain and cover the hosts."""
    wrong, covered = [], set()
    for each in repository.of("Certificate"):
        names = each.at("spec", "dnsNames") or []
        common = each.at("spec", "commonName")
        for name in [*names, *([common] if common else [])]:
            covered.add(str(name))
            if not _within(str(name), site.domain) and not str(name).endswith((".local", ".svc")):
                wrong.append(f"{each.place} is for {name}")
    if covered:
        for host, place in _hosts(repository.of("Gateway", "VirtualService")):
            if not _within(host, site.domain) or host in covered:
                continue
            if "*." + host.partition(".")[2] not in covered:
                wrong.append(f"no certificate covers {host} of {place}")
    return judged(wrong, sorted(covered), "no Certificate stands in the repository as plain YAML")


def mutual_tls(repository: Repository, site: Site) -> Point:
    """mTLS, for a person to judge."""
    told = [
        f"{each.place}: {each.at('spec', 'mtls', 'mode')}"
        for each in repository.of("PeerAuthentication")
    ]
    return Point(ASK, tuple(told) or ("no PeerAuthentication stands in the repository",))


def external_secrets(repository: Repository, site: Site) -> Point:
    """External secrets take from stores that are there."""
    stores = {each.name for each in repository.of(*STORES)}
    wrong, right = [], []
    for each in repository.of("ExternalSecret", "ClusterExternalSecret"):
        store = str(each.at("spec", "secretStoreRef", "name"))
        if stores and store not in stores:
            wrong.append(f"{each.place} takes from {store}, which is not in the repository")
        right.append(each.place)
    right += [each.place for each in repository.of("VaultSecret")]
    return judged(wrong, right, "no ExternalSecret and no VaultSecret stands in the repository")


def placeholders(repository: Repository, site: Site) -> Point:
    """No placeholder is left: named by place and key, never by value."""
    wrong = []
    for leaf in repository.leaves:
        if not PLACEHOLDER.search(leaf.value):
            continue
        if _within(leaf.value, site.domain) or site.domain in leaf.value:
            continue
        key = ".".join(leaf.path[-2:])
        wrong.append(f"{leaf.place} ({key})")  # where it stands, never what
    return judged(wrong, [f"{len(repository.leaves)} values were read"], "no values were found")


def storage_classes(repository: Repository, site: Site) -> Point:
    """Every StorageClass that is named is there."""
    told = [
        leaf
        for leaf in repository.leaves
        if leaf.path
        and leaf.path[-1] in {"storageClassName", "storageClass"}
        and leaf.value not in {"", "-", "null", "~"}
    ]
    made = {each.name for each in repository.of("StorageClass")} | set(site.classes)
    return judged(
        [f"{leaf.place} wants {leaf.value}" for leaf in told if leaf.value not in made],
        [f"{leaf.value} ({leaf.place})" for leaf in told]
        or [f"the cluster has {name}" for name in site.classes],
        "the repository names no StorageClass, and the cluster has none",
    )


def volume_sizes(repository: Repository, site: Site) -> Point:
    """Sizes of volumes, for a person to review."""
    told = [
        f"{leaf.value} ({leaf.place})"
        for leaf in repository.leaves
        if re.fullmatch(r"[0-9.]+ *([KMGT]i?)B?", leaf.value)
        and leaf.path
        and leaf.path[-1] in {"storage", "size", "storageSize", "volumeSize"}
    ]
    return Point(ASK, tuple(told) or ("no size stands in the repository as plain YAML",))


WAITED_FOR: Final = re.compile(
    r"(?i)stateful|mysql|maria|percona|pxc|psmdb|mongo|postgres|pgsql|cnpg|cockroach|cassandra|"
    r"kafka|zookeeper|redis|valkey|dragonfly|rabbitmq|memcached|etcd|database|\bdb\b"
)
"""Words by which data is known that a transaction waits for (§4.1)."""
ASIDE: Final = re.compile(r"(?i)backup|archive|dump|restore|\blogs?\b|exporter")
"""Words of what stands beside such data, which may lie on Ceph (§1.4)."""


def volumes(repository: Repository, site: Site) -> Point:
    """Databases, Kafka and Redis that would lie on Ceph: denied in production (§1.4, §4.1).

    A waiver of disk.local-volumes by name lets a person decide.
    """
    slow = list(dict.fromkeys(_slow(repository, site)))
    if site.ceph_class and site.ceph_class in site.default_classes:
        slow.append(f"{site.ceph_class} is the default class, so that what names none lies on it")
    if not slow:
        on_local = sum(leaf.value == site.local_class != "" for leaf in repository.leaves)
        return Point(
            ASK,
            ("no database of the repository was seen on Ceph",)
            + ((f"{on_local} places name {site.local_class}",) if on_local else ()),
        )
    wanted = "§1.4 and §4.1 want databases, Kafka and Redis on local disks"
    if site.environment != "production":
        return Point(ASK, (*slow, wanted))
    if site.accepted_by:
        return Point(ASK, (f"accepted by {site.accepted_by} (disk.local-volumes)", *slow, wanted))
    way = "name a class of local disks; only a waiver of disk.local-volumes by name lets this by"
    return Point(DENIED, (*slow, wanted, way))


def _slow(repository: Repository, site: Site) -> Iterator[str]:
    """Each place that puts such data on Ceph, by its own words or by those of its object."""
    if not site.ceph_class:
        return
    owners = sorted(
        (each.file, each.line, f"{each.kind} {each.name}") for each in repository.documents
    )
    for leaf in repository.leaves:
        if leaf.value != site.ceph_class or (leaf.path and leaf.path[0] == "metadata"):
            continue
        owner = ""
        for file, line, what in owners:
            if file == leaf.file and line <= leaf.line:
                owner = what
        words = f"{leaf.file} {'.'.join(leaf.path)} {owner}".replace("_", " ").replace("-", " ")
        own = f"{'.'.join(leaf.path)} {owner}".replace("_", " ").replace("-", " ")
        if WAITED_FOR.search(words) and not ASIDE.search(own):
            yield f"{leaf.place} puts its data on {leaf.value}" + (
                f" ({'.'.join(leaf.path)})" if leaf.path else ""
            )


def _containers(repository: Repository) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in repository.of(*WORKLOADS):
        for one in each.at("spec", "template", "spec", "containers") or []:
            if isinstance(one, dict):
                yield f"{each.place}, container {one.get('name', '?')}", one


def _resources(repository: Repository, what: str) -> Point:
    wrong, right = [], []
    for place, one in _containers(repository):
        resources = one.get("resources")
        given = resources if isinstance(resources, dict) else {}
        for part in ("requests", "limits"):
            amounts = given.get(part)
            if not isinstance(amounts, dict) or what not in amounts:
                wrong.append(f"{place} has no {what} in its {part}")
            else:
                right.append(place)
    for each in repository.documents:
        for path in _empty_resources(each.body, ()):
            wrong.append(f"{each.file}: {'.'.join(path)} is empty")
    counted = [f"{len(right)} requests and limits were read"] if right else []
    return judged(
        wrong, counted, "no workload of the repository is plain YAML; charts have their own values"
    )


def _empty_resources(body: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(body, dict):
        for key, value in body.items():
            if key == "resources" and value == {}:
                yield (*path, key)
            yield from _empty_resources(value, (*path, key))
    elif isinstance(body, list):
        for value in body:
            yield from _empty_resources(value, path)


def cpu(repository: Repository, site: Site) -> Point:
    """CPU requests and limits."""
    return _resources(repository, "cpu")


def memory(repository: Repository, site: Site) -> Point:
    """Memory requests and limits."""
    return _resources(repository, "memory")


def autoscalers(repository: Repository, site: Site) -> Point:
    """Autoscalers scale something that is there, within a range."""
    wrong, right = [], []
    known = {(each.kind, each.name) for each in repository.of(*WORKLOADS)}
    for each in repository.of("HorizontalPodAutoscaler"):
        least, most = each.at("spec", "minReplicas") or "1", each.at("spec", "maxReplicas")
        if not str(most).isdigit() or int(str(most)) < int(str(least)):
            wrong.append(f"{each.place} scales from {least} to {most}")
        target = (
            str(each.at("spec", "scaleTargetRef", "kind")),
            str(each.at("spec", "scaleTargetRef", "name")),
        )
        if known and target not in known:
            wrong.append(f"{each.place} scales {' '.join(target)}, which is not in the repository")
        right.append(each.place)
    return judged(wrong, right or ["no autoscaler is used"], "")


POINTS = {
    "applications": applications,
    "environment": environment,
    "names": names_resolve,
    "gateways": gateways,
    "virtual-services": virtual_services,
    "endpoints": endpoints,
    "issuers": issuers,
    "tls-secrets": tls_secrets,
    "dns-challenge": dns_challenge,
    "certificate-names": certificate_names,
    "mutual-tls": mutual_tls,
    "external-secrets": external_secrets,
    "placeholders": placeholders,
    "storage-classes": storage_classes,
    "volume-sizes": volume_sizes,
    "volumes": volumes,
    "cpu": cpu,
    "memory": memory,
    "autoscalers": autoscalers,
}
