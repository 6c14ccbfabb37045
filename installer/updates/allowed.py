"""Who may be asked: the registries that were named, their namespaces, and where these lead.

Whoever can reach the watcher could else have it ask any host that it reaches, and whoever runs a
registry could send it on to one (a token's realm, a redirect, a next page).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundles.format.problems import SourceProblem
from bundles.format.reference import DOCKER_HUB, Reference
from foundation.problems import ExitCode, InputProblem, Problem

if TYPE_CHECKING:
    import httpx

_NAMED: Final = re.compile(
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?P<port>:[0-9]{1,5})?"
    r"(?P<path>(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)/?"
)
_HUB_HOST: Final = "registry-1.docker.io"
_COMPANIONS: Final = {
    DOCKER_HUB: ("auth.docker.io", "production.cloudflare.docker.com", ".r2.cloudflarestorage.com"),
    "ghcr.io": ("pkg-containers.githubusercontent.com",),
    "quay.io": (".quay.io",),
    "registry.k8s.io": (".pkg.dev",),
    "registry.gitlab.com": ("gitlab.com",),
}
"""Where registries have their logins and blobs; a name that begins with a dot is all below it."""


class NotNamed(Problem):
    """An image of a registry, or a namespace, that the watcher was not told to ask."""

    code = "registry-not-named"
    title = "This registry is not asked"
    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class Named:
    """A registry, or a part of one: docker.io, quay.io/team, registry.example.org:5000."""

    registry: str
    namespace: str = ""

    def has(self, reference: Reference) -> bool:
        """Whether an image lies in it."""
        inside = f"{reference.repository}/".startswith(f"{self.namespace}/")
        return reference.registry == self.registry and (inside or not self.namespace)

    def __str__(self) -> str:
        return f"{self.registry}/{self.namespace}" if self.namespace else self.registry


def read_named(text: str) -> Named:
    """HOST[:PORT][/NAMESPACE] as it is typed; raises InputProblem."""
    found = _NAMED.fullmatch(text)
    if found is None:
        raise InputProblem(
            f"{text[:200]!r} is no registry",
            where="--registry",
            remedy="Write it as HOST[:PORT][/NAMESPACE], such as docker.io/mojaloop.",
        )
    host = found["host"].lower() + (found["port"] or "")
    aliases = (DOCKER_HUB, "index.docker.io", _HUB_HOST)
    return Named(DOCKER_HUB if host in aliases else host, found["path"].strip("/"))


class Allowed:
    """The registries that may be asked, and the hosts that they may lead to."""

    def __init__(
        self, named: Iterable[Named], *, mirrors: Iterable[str] = (), also: Iterable[str] = ()
    ) -> None:
        self.named = tuple(named)
        self._hosts = {one.registry for one in self.named} | {*also}
        self._hosts |= {mirror.rpartition("://")[2].partition("/")[0] for mirror in mirrors}
        for one in self.named:
            self._hosts |= {*_COMPANIONS.get(one.registry, ())}
        if DOCKER_HUB in self._hosts:
            self._hosts.add(_HUB_HOST)

    def check(self, reference: Reference) -> None:
        """Raise NotNamed for an image that lies in none of them."""
        if any(one.has(reference) for one in self.named):
            return
        place = f"{reference.registry}/{reference.repository}"
        raise NotNamed(
            f"it lies in no registry that was named ({', '.join(map(str, self.named))})",
            where=place,
            remedy=f"Name it too, if it may be asked: --registry {reference.registry}",
        )

    def check_address(self, url: httpx.URL) -> None:
        """Raise SourceProblem for an address that a server leads to and nobody named."""
        host = url.host.lower()
        if ":" in host:
            host = f"[{host}]"
        place = f"{host}:{url.port}" if url.port is not None else host
        default = url.port is None or url.port == 443
        for one in self._hosts:
            if one == place or (one == host and default):
                return
            if one.startswith(".") and host.endswith(one) and url.scheme == "https" and default:
                return
        raise SourceProblem(
            f"it leads to {place}, which nobody named",
            where=place,
            remedy=f"If that is right, name it too: --also {place}",
        )
