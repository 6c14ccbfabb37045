"""Names of images: registry, repository, tag and digest, as docker and podman write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from foundation.problems import InputProblem

DOCKER_HUB: Final = "docker.io"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One image in one registry."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def selector(self) -> str:
        """What is asked of the registry: the digest if there is one, else the tag."""
        return self.digest or self.tag or "latest"

    @property
    def name(self) -> str:
        """Registry, repository and tag, without the digest."""
        return f"{self.registry}/{self.repository}" + (f":{self.tag}" if self.tag else "")

    def at(self, digest: str) -> Reference:
        """The same image by digest."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        return self.name + (f"@{self.digest}" if self.digest else "")


_WAY: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|docker-archive:|oci-archive:|containers-storage:)"
)
"""What stands before a name for Helm, skopeo and browsers."""


def parse_reference(text: str) -> Reference:
    """A reference such as `haproxy:2.8` or `quay.io/a/b@sha256:…`; raises InputProblem."""
    way = _WAY.match(text)
    if way:
        raise _misfit(text, f"{way[0]} says how it is reached, and is left out here")
    rest, _, digest = text.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        raise _misfit(text, "the part after @ is no sha256 digest")
    first, slash, after = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, after
    else:
        registry, path = DOCKER_HUB, rest
    repository, _, tag = path.partition(":")
    if registry in (DOCKER_HUB, "index.docker.io"):
        registry = DOCKER_HUB
        if "/" not in repository:
            repository = f"library/{repository}"
    if not _HOST.fullmatch(registry):
        raise _misfit(text, "the registry's name is no host")
    if not _REPOSITORY.fullmatch(repository) or len(repository) > 255:
        raise _misfit(text, "the repository has capital letters or signs that registries refuse")
    if ":" in path and not _TAG.fullmatch(tag):
        raise _misfit(text, "the tag is none")
    return Reference(registry, repository, tag or (None if digest else "latest"), digest or None)


def is_tag(text: str) -> bool:
    """Whether a text can be a tag, by the signs that registries take."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether a text is a digest: sha256: and 64 digits."""
    return _DIGEST.fullmatch(text) is not None


def _misfit(text: str, why: str) -> InputProblem:
    return InputProblem(
        f"{text[:200]!r} is no image: {why}",
        remedy="Write it as REGISTRY/REPOSITORY:TAG, such as docker.io/library/haproxy:2.8.",
    )
