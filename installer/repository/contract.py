"""Contract: what HAProxy and the gateways of the mesh must agree on, judged from the repository.

HAProxy sends to fixed NodePorts, says in front of each external connection to port 443 who the
client is (where the site wants it), and nothing on port 80; a browser that comes without TLS is
sent on to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from foundation.wording import listed

PORTS: Final[Mapping[str, Mapping[int, int]]] = {
    "external": {15021: 32081, 80: 32080, 443: 32443},
    "internal": {15021: 31081, 80: 31080, 443: 31443},
}
"""PM4ML on-premise guide, §1.3.2: the NodePort of each port of a gateway."""
_ARGO_CD: Final = "argocd-server"


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence about the contract, and whether it holds."""

    holds: bool
    sentence: str


def contract(
    documents: Mapping[str, list[Mapping[str, Any]]], *, internal: bool, proxy_protocol: bool
) -> tuple[Told, ...]:
    """What is said of the contract; `documents` by their files, values of charts among them."""
    every = [(file, one) for file, found in documents.items() for one in found]
    names = ("external", "internal") if internal else ("external",)
    told = [_node_ports(every, name) for name in names]
    told += [_redirect(every, name) for name in names]
    told.append(_proxy(every, wanted=proxy_protocol))
    told.append(_no_circle(every))
    return tuple(told)


_Found = list[tuple[str, Mapping[str, Any]]]


def _node_ports(every: _Found, name: str) -> Told:
    wanted = PORTS[name]
    seen: dict[int, tuple[int, str]] = {}
    for file, one in every:
        for port, node in _services(one):
            for other in wanted:
                if node == wanted[other]:
                    seen[node] = (port, file)
    missing = [f"{node} for {port}" for port, node in wanted.items() if node not in seen]
    wrong = [
        f"{node} is for {seen[node][0]} in {seen[node][1]}, and HAProxy means {port}"
        for port, node in wanted.items()
        if node in seen and seen[node][0] != port
    ]
    if missing or wrong:
        said = [f"no gateway has the NodePort {listed(missing)}"] if missing else []
        return Told(False, f"{name} gateway: {'; '.join([*said, *wrong])}")
    return Told(True, f"{name} gateway: NodePorts {listed([str(n) for n in wanted.values()])}")


def _services(one: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Port and NodePort of a Service, or of the values of a gateway's chart."""
    spec = one.get("spec") if one.get("kind") == "Service" else one.get("service")
    ports = spec.get("ports") if isinstance(spec, Mapping) else None
    for each in ports if isinstance(ports, list) else []:
        if isinstance(each, Mapping):
            port, node = each.get("port"), each.get("nodePort")
            if isinstance(port, int) and isinstance(node, int):
                yield port, node


def _of(every: _Found, *kinds: str) -> _Found:
    return [(file, one) for file, one in every if one.get("kind") in kinds]


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _lists(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _redirect(every: _Found, name: str) -> Told:
    for file, one in _of(every, "Gateway"):
        if name not in str(_at(one, "spec", "selector")):
            continue
        for server in _lists(_at(one, "spec", "servers")):
            if _at(server, "port", "number") == 80:
                if _at(server, "tls", "httpsRedirect") is True:
                    return Told(True, f"{name} gateway: port 80 redirects to HTTPS ({file})")
                return Told(False, f"{name} gateway: port 80 answers without a redirect ({file})")
    return Told(False, f"{name} gateway: nothing listens on port 80, where HAProxy sends to")


def _proxy(every: _Found, *, wanted: bool) -> Told:
    found = []
    for file, one in _of(every, "EnvoyFilter"):
        for patch in _lists(_at(one, "spec", "configPatches")):
            if "proxy_protocol" in str(_at(patch, "patch", "value")):
                found.append((file, _at(patch, "match", "listener", "portNumber"), one))
    if not wanted:
        wrong = [file for file, _, _ in found]
        return Told(
            not wrong,
            f"PROXY protocol is expected in {listed(wrong)}, and HAProxy sends none"
            if wrong
            else "no PROXY protocol, as the site has it",
        )
    if not found:
        return Told(
            False, "no EnvoyFilter expects the PROXY protocol that HAProxy sends to port 443"
        )
    file, port, one = found[0]
    if port != 443:
        return Told(
            False,
            f"{file} expects the PROXY protocol on {port or 'every port'}; HAProxy sends it to 443"
            " only, and neither to 80 nor in its checks of 15021",
        )
    selector = str(_at(one, "spec", "workloadSelector"))
    if "external" not in selector:
        return Told(False, f"{file} is not for the external gateway alone, and HAProxy sends the"
                    " PROXY protocol to no other")  # fmt: skip
    return Told(True, f"external gateway: PROXY protocol on port 443 alone ({file})")


def _no_circle(every: _Found) -> Told:
    """Argo CD's own route reaches it by TLS, since it sends anybody else to HTTPS again."""
    secured = {
        str(_at(one, "spec", "host")).partition(".")[0]
        for _, one in _of(every, "DestinationRule")
        if _at(one, "spec", "trafficPolicy", "tls", "mode") in ("SIMPLE", "MUTUAL")
    }
    for file, one in _of(every, "VirtualService"):
        for route in _lists(_at(one, "spec", "http")):
            for to in _lists(_at(route, "route")):
                host = str(_at(to, "destination", "host")).partition(".")[0]
                if host == _ARGO_CD:
                    if _ARGO_CD in secured:
                        return Told(True, f"Argo CD is reached by TLS ({file})")
                    return Told(False, f"{file} leads to Argo CD without TLS, and it answers with a"
                                " redirect to itself without end")  # fmt: skip
    return Told(False, "no VirtualService leads to Argo CD, whose login page §6.6 asks for")
