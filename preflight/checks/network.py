"""Checks of one machine's network: default route, resolver, own name, pod and service networks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from foundation.wording import listed, shortened
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.nic import real_nics
from preflight.checks.wording import word
from preflight.facts import ABSENT, Facts, Unknown, known, why_unknown
from preflight.findings import Finding

_CLOUD_HOSTS = "/etc/cloud/templates/hosts.debian.tmpl"
_CLOUD_HOSTS_BEFORE = "/etc/cloud/templates/hosts.debian.tmpl.before-sitewright"
NETPLAN = "/etc/netplan (Ubuntu) or /etc/network/interfaces (Debian)"


def is_loopback(address: str) -> bool:
    """Whether an address is one of the machine's loopback."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def own_addresses(facts: Facts) -> tuple[str, ...]:
    """The addresses by which others can reach the machine, of global scope."""
    return tuple(
        address.address
        for nic in real_nics(facts)
        for address in nic.addresses
        if address.scope == "global"
    )


@check("network.default-route", title="Default route", severities=(PASS, WARN, FAIL, UNKNOWN))
def default_route(case: Case, say: Say) -> Iterator[Finding]:
    """Kubernetes finds its own address by the default route, even if that leads nowhere."""
    demanded = case.platform.default_route_source
    source = demanded or "Sitewright: programs find their own address by it"
    evidence = "ip route show default; ip -6 route show default"
    routes = known(case.facts.network.routes)
    if routes is None and case.facts.network.routes is not ABSENT:
        yield say.unknown(
            f"It could not be told whether {case.name} has a default route.",
            expected="a default route",
            reason=why_unknown(case.facts.network.routes),
            source=source,
            evidence=evidence,
        )
        return
    defaults = [r for r in routes or () if r.destination in ("default", "0.0.0.0/0", "::/0")]
    shown = listed(f"{r.gateway or 'link'} on {r.device or '?'}" for r in defaults)
    yield say.at(
        PASS if defaults else FAIL if demanded else WARN,
        f"{case.name} has a default route by {shown}."
        if defaults
        else f"{case.name} has no default route.",
        expected="a default route",
        actual=shown or "none",
        source=source,
        evidence=evidence,
        remedy="Add the gateway of the site; where there is none (no way out), a route that leads"
        " nowhere does: `sudo ip route add default via GATEWAY dev NIC`, and the same in"
        f" {NETPLAN}.",
        undo="sudo ip route del default via GATEWAY dev NIC, and take the line out again.",
    )


@check("network.resolver", title="Name resolution", severities=(PASS, WARN, FAIL, UNKNOWN))
def resolver(case: Case, say: Say) -> Iterator[Finding]:
    """At least one name server, and for Kubernetes one that pods can reach too."""
    source = "Sitewright: names of registries, machines and portals must resolve"
    evidence = "cat /etc/resolv.conf; resolvectl dns"
    fact = case.facts.network.nameservers
    servers = known(fact)
    if servers is None and fact is not ABSENT:
        yield say.unknown(
            f"It could not be told which name servers {case.name} uses.",
            expected="at least one name server",
            reason=why_unknown(fact),
            source=source,
            evidence=evidence,
        )
        return
    reachable = [server for server in servers or () if not is_loopback(server)]
    local_only = bool(servers) and not reachable and case.kubernetes
    if not servers:
        title = f"{case.name} has no name server."
    elif local_only:
        title = f"{case.name} asks only itself for names ({listed(servers)}); pods cannot."
    else:
        title = f"{case.name} asks {shortened(servers)} for names."
    yield say.at(
        FAIL if not servers else WARN if local_only else PASS,
        title,
        expected="at least one name server, not only on the loopback",
        actual=shortened(servers or ()) or "none",
        source=source,
        evidence=evidence,
        remedy="Name the site's servers: `nameservers: {addresses: [ADDRESS]}` of the interface in"
        " /etc/netplan, then `sudo netplan apply`. Without netplan, where what writes"
        " /etc/resolv.conf is told (its first lines name it; a line of yours is gone with the next"
        " lease): DNS=ADDRESS in /etc/systemd/resolved.conf, `nmcli connection modify NAME ipv4.dns"
        " ADDRESS`, or `supersede domain-name-servers ADDRESS;` in /etc/dhcp/dhclient.conf. Where"
        " nothing writes it, a line `nameserver ADDRESS` in it.",
        undo="Take out again what was added, and `sudo netplan apply`.",
    )


@check("network.own-name", title="The machine's own name", severities=(PASS, WARN, FAIL, UNKNOWN))
def own_name(case: Case, say: Say) -> Iterator[Finding]:
    """A node joins a cluster by its name: it must lead to an address that others can reach."""
    network, name = case.facts.network, known(case.facts.identity.hostname) or "its name"
    source = "MicroK8s: joining fails where a name does not lead to its address (microk8s#2967)"
    evidence = 'getent ahosts "$(hostname)"; grep "$(hostname)" /etc/hosts'
    resolves = known(network.resolves_itself)
    strict = case.kubernetes and not case.needs.single_machine
    expected = "an address of the machine" if strict else "any address"
    if resolves is None:
        yield say.unknown(
            f"It could not be told whether {case.name} resolves its own name.",
            expected=expected,
            reason=why_unknown(network.resolves_itself),
            source=source,
            evidence=evidence,
        )
        return
    address, mine = known(network.own_address), own_addresses(case.facts)
    severity, title = PASS, f"{name} resolves to {address or 'an address'} on {case.name}."
    if not resolves:
        severity = FAIL if strict else WARN
        title = f"{case.name} does not resolve its own name, {name}."
    elif strict and address and is_loopback(address):
        severity = WARN
        title = f"{name} leads to {address} on {case.name}, which no other machine can use."
    elif strict and address and mine and address not in mine:
        severity = FAIL
        title = f"{name} leads to {address} on {case.name}, which is not an address of it."
    goal = mine[0] if mine else "ADDRESS"
    # In a pattern quoting does not help, so a name that is none stands as the word NAME.
    safe = name if re.fullmatch(r"[A-Za-z0-9._-]+", name) else "NAME"
    yield say.at(
        severity,
        title,
        expected=expected,
        actual=address or ("resolves" if resolves else "does not resolve"),
        source=source,
        evidence=evidence,
        remedy=f"Put the right line into /etc/hosts in place of 127.0.1.1, on every machine of the"
        f" cluster: `{without_name(safe)} && echo {word(f'{goal} {safe}')} | sudo tee -a"
        " /etc/hosts`. Where cloud-init writes that file at every start (its first"
        " lines say so), do the same in what it writes it from:"
        f" `sudo sed -i.before-sitewright '/^127[.]0[.]1[.]1/d' {_CLOUD_HOSTS} && echo"
        f" {word(f'{goal} {safe}')} | sudo tee -a {_CLOUD_HOSTS}`.",
        undo="sudo mv /etc/hosts.before-sitewright /etc/hosts; and where that was changed, sudo mv"
        f" {_CLOUD_HOSTS_BEFORE} {_CLOUD_HOSTS}",
    )


@check(
    "network.cluster-networks", title="Pod and service networks", severities=(PASS, FAIL, UNKNOWN)
)
def cluster_networks(case: Case, say: Say) -> Iterator[Finding]:
    """No address or route of the machine may lie inside the networks of pods and services."""
    if not case.kubernetes:
        return
    source = (
        case.platform.cluster_networks_source
        or "Sitewright: what lies inside the pod network cannot be reached from pods"
    )
    evidence = "ip -brief address; ip route"
    for text in case.platform.cluster_networks:
        for fact in (case.facts.network.nics, case.facts.network.routes):
            if isinstance(fact, Unknown):
                yield say.unknown(
                    f"It could not be told whether {case.name} uses addresses inside {text}.",
                    subject=text,
                    expected=f"nothing inside {text}",
                    reason=fact.reason,
                    source=source,
                    evidence=evidence,
                )
                break
        else:
            yield _cluster_network(case, say, text, source, evidence)


def _cluster_network(case: Case, say: Say, text: str, source: str, evidence: str) -> Finding:
    cluster = ip_network(text, strict=False)
    devices = {nic.name for nic in real_nics(case.facts)}
    hits = [address for address in own_addresses(case.facts) if _inside(address, cluster)]
    # Routes by interfaces of a pod network are those of a Kubernetes that is there already.
    hits += [
        f"the route to {route.destination}"
        for route in known(case.facts.network.routes) or ()
        if (not devices or route.device in devices) and _inside(route.destination, cluster)
    ]
    return say.at(
        FAIL if hits else PASS,
        f"{listed(hits)} on {case.name} lies inside {text}, which the cluster uses for itself."
        if hits
        else f"No address or route of {case.name} lies inside {text}.",
        subject=text,
        expected=f"nothing inside {text}",
        actual=listed(hits) or "nothing",
        source=source,
        evidence=evidence,
        remedy="Choose other pod and service networks for the cluster before it is installed"
        " (MicroK8s: `--cluster-cidr` of kube-proxy and the controller manager,"
        " CALICO_IPV4POOL_CIDR in cni.yaml, `--service-cluster-ip-range`), or give the machine"
        f" addresses outside {text}.",
        undo="Put the default networks back in the same files before the first start.",
    )


def without_name(name: str) -> str:
    """The command that takes a name out of /etc/hosts, and leaves the other names of its line.

    A line of 127.0.1.1 is the name's own and goes whole; "127.0.0.1 localhost NAME" keeps
    localhost, without which much does not work. Names count in either case, as for the resolver.
    """
    one = f"{name.replace('.', '[.]')}([[:space:]]|$)"
    own = f"/^127[.]0[.]1[.]1[[:space:]](.*[[:space:]])?{one}/Id"
    return (
        f"sudo sed -i.before-sitewright -E -e '{own}' -e '/^[^#]/s/[[:space:]]+{one}/\\1/I'"
        " -e '/^[0-9a-fA-F.:]+[[:space:]]*$/d' /etc/hosts"
    )


def _inside(address: str, network: IPv4Network | IPv6Network) -> bool:
    """Whether an address or a whole network lies inside another; a wider route that only covers
    it does not, since the pods' own routes are narrower and win."""
    try:
        inner = ip_network(address.partition("%")[0], strict=False)
    except ValueError:
        return False
    if isinstance(inner, IPv4Network) and isinstance(network, IPv4Network):
        return inner.subnet_of(network)
    if isinstance(inner, IPv6Network) and isinstance(network, IPv6Network):
        return inner.subnet_of(network)
    return False
