"""Pulling: what `docker pull` says while an image comes, and what its refusals mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_PART: Final = re.compile(r"^([0-9a-f]{12}): (.+)$")
_HERE: Final = ("Pull complete", "Already exists")


@dataclass(slots=True)
class Pulling:
    """How far one image is, by its layers; Docker tells no bytes where there is no terminal."""

    image: str
    layers: dict[str, bool] = field(default_factory=dict)
    """Whether each layer is here whole."""
    said: list[str] = field(default_factory=list)
    """What was said that is not about a layer."""

    def take(self, line: str) -> bool:
        """Take a line; whether it tells of progress."""
        found = _PART.match(line)
        if found is None:
            if line.strip():
                self.said.append(line.strip())
            return False
        self.layers[found[1]] = found[2].startswith(_HERE)
        return True

    @property
    def share(self) -> float:
        """The share of its layers that are here, from 0 to 1."""
        return sum(self.layers.values()) / len(self.layers) if self.layers else 0.0

    @property
    def words(self) -> str:
        """How far it is: "mongo:8.0.6, 3 of 8 layers"."""
        if not self.layers:
            return self.image
        return f"{self.image}, {sum(self.layers.values())} of {len(self.layers)} layers"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an image did not come, and what to do."""

    cause: str
    remedy: str
    again: bool = False
    """Whether trying again may help."""


_REFUSALS: Final[tuple[tuple[re.Pattern[str], Refusal], ...]] = (
    (
        re.compile(r"toomanyrequests|too many requests|rate limit|\b429\b", re.IGNORECASE),
        Refusal(
            "the registry limits how much may be pulled, and the limit is reached",
            "Log in there on the machine (docker login), which raises the limit; or wait, Docker "
            "Hub counts over six hours; or take the images from a mirror or a bundle.",
        ),
    ),
    (
        re.compile(r"no matching manifest|does not match the specified platform", re.IGNORECASE),
        Refusal(
            "the image is not published for this machine's kind of processor",
            "Use a machine with an x86-64 processor (uname -m says x86_64).",
        ),
    ),
    (
        re.compile(r"no space left on device|not enough space", re.IGNORECASE),
        Refusal(
            "the disk is full",
            "See what takes the space: docker system df; df -h. Make room there, or put Docker's "
            'data on a larger disk ("data-root" in /etc/docker/daemon.json).',
        ),
    ),
    (
        re.compile(r"unauthorized|authentication required|denied|forbidden|\b40[13]\b",
                   re.IGNORECASE),
        Refusal(
            "the registry refuses to give it",
            "The name may be wrong or private: log in there on the machine (docker login), or "
            "take the image from a mirror or a bundle.",
        ),
    ),
    (
        re.compile(r"manifest unknown|not found|name unknown", re.IGNORECASE),
        Refusal(
            "the registry has no such image",
            "It may have been withdrawn. Take it from a bundle, or pin a release whose images "
            "are there.",
        ),
    ),
    (
        re.compile(r"x509|certificate|tls", re.IGNORECASE),
        Refusal(
            "the registry's certificate is not trusted there",
            "Put the certificate of its authority to /etc/docker/certs.d/HOST:PORT/ca.crt on the "
            "machine. A proxy that opens connections needs the same.",
        ),
    ),
    (
        re.compile(r"cannot connect to the docker daemon", re.IGNORECASE),
        Refusal(
            "the Docker daemon does not answer",
            "See why with: systemctl status docker; journalctl -u docker -n 50.",
        ),
    ),
    (
        re.compile(r"permission denied.*docker\.sock|docker\.sock.*permission", re.IGNORECASE),
        Refusal(
            "there is no right to Docker's socket",
            "Log in as a user with sudo, or put the user into the group docker.",
        ),
    ),
    (
        re.compile(r"no such host|i/o timeout|connection refused|unreachable|timeout|eof|reset",
                   re.IGNORECASE),
        Refusal(
            "the registry cannot be reached",
            "Check the machine's way to the internet: its DNS, its route, a proxy (Docker's own: "
            "systemctl edit docker). Without the internet, use a bundle.",
            again=True,
        ),
    ),
)  # fmt: skip


def refusal(image: str, said: str) -> Refusal:
    """What the last words of a failed pull mean."""
    for pattern, meaning in _REFUSALS:
        if pattern.search(said):
            return Refusal(f"{image}: {meaning.cause}", meaning.remedy, meaning.again)
    return Refusal(f"{image} could not be pulled", "Read what Docker said.", again=True)
