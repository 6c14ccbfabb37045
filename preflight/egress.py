"""Egress: whether the machines, and this one, get to what an installation fetches.

Judged before anything starts: names, TCP, TLS and who issued the certificate, the answer of HTTP,
through the proxy that is set. `judge_egress` is pure; `preflight.egress_ways` acts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from foundation.wording import listed, shortened
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say
from preflight.checks.wording import word
from preflight.findings import Finding, Severity
from preflight.needs import InternetKind, SolutionNeeds

_PORTS: Final = {"https": 443, "http": 80, "ssh": 22}

HERE: Final = "here"
"""What stands for this machine, from which the installation is run."""

_NOUNS: Final[Mapping[InternetKind, str]] = {
    "packages": "package sources",
    "snaps": "snap store",
    "registry": "container registries",
    "charts": "chart repositories",
    "git": "Git hosts",
    "downloads": "places of downloads",
}
SOURCE: Final = "Sitewright: what the stages of the installation fetch (solution.yaml, internet)"


@dataclass(frozen=True, slots=True)
class Destination:
    """One place that an installation fetches from."""

    kind: InternetKind
    url: str
    soft: bool = False
    """Whether an installation may do without it, so that it only warns."""
    roles: tuple[str, ...] = ()
    """Roles whose machines fetch from it; empty means every machine."""
    machines: tuple[str, ...] = ()
    """The machines that fetch from it; empty means by roles."""
    own: bool = False
    """Whether it is a source of these machines' own configuration."""

    @property
    def host(self) -> str:
        """Its name."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its port; 0 where its address names one that cannot be, as a machine's own may."""
        parts = urlsplit(self.url)
        try:
            return parts.port or _PORTS.get(parts.scheme, 80)
        except ValueError:
            return 0

    @property
    def tls(self) -> bool:
        """Whether it is asked over TLS."""
        return self.url.startswith("https:")

    @property
    def shown(self) -> str:
        """Its name for a person, with the port where that is an unusual one."""
        usual = self.port == _PORTS.get(urlsplit(self.url).scheme, 80)
        if not self.port or not self.host:
            return urlsplit(self.url).netloc.rpartition("@")[2] or self.url
        return self.host if usual else f"{self.host}:{self.port}"

    @property
    def scheme(self) -> str:
        """How it is fetched from: https, http, ssh."""
        return urlsplit(self.url).scheme


class Met(StrEnum):
    """What an attempt met; the first thing that went wrong, or that it was answered."""

    ANSWERED = "answered"
    NO_NAME = "no-name"
    REFUSED = "refused"
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    NO_TLS = "no-tls"
    ISSUER = "issuer"
    """TLS stands, and its certificate is from somebody whom this machine does not trust."""
    NO_AUTHORITIES = "no-authorities"
    """It answers, and the machine has no authorities by which it could know that."""
    PROXY = "proxy"
    """The proxy did not let it through."""
    HTTP = "http"
    """An answer that is none of the place itself: a portal, a gateway's error."""
    NOT_TOLD = "not-told"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt from one machine."""

    machine: str
    destination: Destination
    met: Met
    detail: str = ""
    proxy: str = ""
    """The proxy it went through, without its login."""


@dataclass(frozen=True, slots=True)
class Egress:
    """All attempts, or why there were none."""

    attempts: tuple[Attempt, ...] = ()
    skipped: str = ""
    """A sentence where nothing, or not all, was tried because a bundle brings it."""
    untried: str = ""
    """A sentence where what is fetched could not be told, or a person did not want it tried."""


def is_loopback(name: str) -> bool:
    """Whether a name means the machine itself that asks."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def destinations(needs: SolutionNeeds) -> tuple[Destination, ...]:
    """What a solution fetches from, each place once."""
    platform = needs.platform
    return tuple(
        dict.fromkeys(
            Destination(kind, url, roles=platform.internet_roles.get(kind, ()))
            for kind, urls in platform.internet.items()
            for url in urls
        )
    )


def judge_egress(egress: Egress) -> tuple[Finding, ...]:
    """One finding for each kind of destination, however many machines and places it is about."""
    found: list[Finding] = []
    if egress.skipped:
        found.append(
            Say("egress.skipped", None).at(
                PASS,
                egress.skipped,
                expected="what is fetched can be fetched",
                actual="not tried",
                source=SOURCE,
            )
        )
    if egress.untried:
        found.append(
            Say("egress.untried", None).at(
                WARN,
                egress.untried,
                expected="what is fetched can be fetched",
                actual="not tried",
                source=SOURCE,
                evidence="sitewright preflight --egress",
                remedy="Have it tried: sitewright preflight --egress, or r on the wizard's step.",
            )
        )
    by_kind: dict[InternetKind, list[Attempt]] = defaultdict(list)
    for attempt in egress.attempts:
        by_kind[attempt.destination.kind].append(attempt)
    return (*found, *(_judged(kind, attempts) for kind, attempts in by_kind.items()))


def severity_of(attempt: Attempt) -> Severity:
    """How an attempt ends; what fails from here alone only warns, for machines fetch themselves."""
    if attempt.met is Met.ANSWERED:
        return PASS
    if attempt.met is Met.NOT_TOLD:
        return UNKNOWN
    soft = attempt.destination.soft or attempt.met is Met.NO_AUTHORITIES
    return WARN if attempt.machine == HERE or soft else FAIL


_ORDER: Final = (PASS, WARN, UNKNOWN, FAIL)


def _judged(kind: InternetKind, attempts: Sequence[Attempt]) -> Finding:
    say = Say(f"egress.{kind}", None)
    noun = _NOUNS[kind]
    machines = list(dict.fromkeys(one.machine for one in attempts))
    places = list(dict.fromkeys(one.destination.shown for one in attempts))
    expected = f"an answer of {shortened(places, 12)}, from {_machines(machines)}"
    bad = [one for one in attempts if one.met is not Met.ANSWERED]
    evidence = _evidence((bad or attempts)[0])
    if not bad:
        via = sorted({one.proxy for one in attempts if one.proxy})
        return say.at(
            PASS,
            f"The {noun} answer from {_machines(machines)}"
            f"{f', through the proxy {listed(via)}' if via else ''}.",
            expected=expected,
            actual=shortened(dict.fromkeys(one.detail for one in attempts if one.detail), 6)
            or "answered",
            source=SOURCE,
            evidence=evidence,
        )
    worst = max((*map(severity_of, bad), *_left_without(kind, attempts)), key=_ORDER.index)
    lost = list(dict.fromkeys(one.destination.shown for one in bad))
    who = list(dict.fromkeys(one.machine for one in bad))
    said = _said(bad)
    if worst is UNKNOWN:
        return say.unknown(
            f"Whether the {noun} can be reached from {_machines(who)} cannot be told:"
            f" {shortened(lost)}.",
            expected=expected,
            reason=said,
            source=SOURCE,
            evidence=evidence,
        )
    return say.at(
        worst,
        f"{shortened(lost)} cannot be used from {_machines(who)}: {_why(bad)}.",
        expected=expected,
        actual=said,
        source=SOURCE,
        evidence=evidence,
        remedy=_remedy(bad),
    )


def _left_without(kind: InternetKind, attempts: Sequence[Attempt]) -> tuple[Severity, ...]:
    """FAIL where a machine is left without any package source of its own.

    One that is away among others only warns: apt goes on without it.
    """
    if kind != "packages":
        return ()
    own: dict[str, list[Met]] = defaultdict(list)
    for one in attempts:
        if one.destination.own:
            own[one.machine].append(one.met)
    dead = {Met.ANSWERED, Met.NOT_TOLD}
    return (FAIL,) if any(not dead & set(mets) for mets in own.values()) else ()


_MOST_NAMES: Final = 8


def _machines(names: Sequence[str]) -> str:
    others = [name for name in names if name != HERE]
    if len(others) > _MOST_NAMES:
        others = [*others[: _MOST_NAMES - 1], f"{len(others) - _MOST_NAMES + 1} more"]
    return listed([*others, *([HERE] if HERE in names else [])])


def _said(attempts: Sequence[Attempt]) -> str:
    """What was met, each thing once with the machines and places that it is about."""
    groups: dict[tuple[Met, str], list[Attempt]] = defaultdict(list)
    for one in attempts:
        groups[one.met, one.detail].append(one)
    told = []
    for (met, detail), ones in groups.items():
        places = shortened(dict.fromkeys(one.destination.shown for one in ones), 6)
        names = _machines(list(dict.fromkeys(one.machine for one in ones)))
        told.append(f"{places} from {names}: {_WORDS[met]}{f' ({detail})' if detail else ''}")
    return "; ".join(told)


_WORDS: Final[Mapping[Met, str]] = {
    Met.ANSWERED: "answered",
    Met.NO_NAME: "the name does not resolve",
    Met.REFUSED: "the connection is refused",
    Met.SILENT: "nothing comes back",
    Met.UNREACHABLE: "there is no way to it",
    Met.NO_TLS: "TLS does not come about",
    Met.ISSUER: "its certificate is from somebody who is not trusted",
    Met.NO_AUTHORITIES: "the machine has no authorities to believe",
    Met.PROXY: "the proxy does not let it through",
    Met.HTTP: "another than the place itself answers",
    Met.NOT_TOLD: "it cannot be told",
}

_REMEDIES: Final[Mapping[Met, str]] = {
    Met.NO_NAME: "Give the machines a name server that knows public names, or a proxy that resolves"
    " for them (`proxy:` in the site file).",
    Met.REFUSED: "Have the firewall or the proxy let these places through.",
    Met.SILENT: "A firewall drops it: have these places and their ports let through, or name the"
    " proxy of the site (`proxy:` in the site file).",
    Met.UNREACHABLE: "Give the machines a route to the outside, or name the proxy of the site"
    " (`proxy:` in the site file).",
    Met.NO_TLS: "Something between cuts TLS: have whoever runs the firewall let it pass untouched.",
    Met.ISSUER: "A proxy opens TLS and signs with an authority of its own, the one that is named:"
    " have these places excepted from that, or give its authority to the site (`authorities:` in"
    " the site file), from which every machine is given it.",
    Met.NO_AUTHORITIES: "Give the machine the public authorities: `sudo apt-get update && sudo"
    " apt-get install ca-certificates`.",
    Met.PROXY: "Have the proxy let these places through, and look at its login.",
    Met.HTTP: "Look at what answers: it is a portal, a gateway, or another service.",
}


_PLAIN_REGISTRY: Final = (
    "A registry of the site's own that speaks plain HTTP is named to Docker on each machine that"
    " pulls: `insecure-registries` in /etc/docker/daemon.json."
)


def _may_be_plain(place: Destination) -> bool:
    return place.kind == "registry" and place.soft


def _why(bad: Sequence[Attempt]) -> str:
    kinds = dict.fromkeys(one.met for one in bad if one.met is not Met.NOT_TOLD)
    issuers = dict.fromkeys(one.detail for one in bad if one.met is Met.ISSUER and one.detail)
    words = [_WORDS[met] for met in kinds]
    return f"{listed(words)}{f' ({listed(issuers)})' if issuers else ''}"


def _remedy(bad: Sequence[Attempt]) -> str:
    texts = [_REMEDIES[met] for met in dict.fromkeys(one.met for one in bad) if met in _REMEDIES]
    if any(one.met is Met.NO_TLS and _may_be_plain(one.destination) for one in bad):
        texts.append(_PLAIN_REGISTRY)
    return (
        f"{' '.join(texts)} Where a site has no way out, a bundle brings everything: sitewright"
        " bundle create."
    )


def _evidence(attempt: Attempt) -> str:
    if attempt.destination.scheme == "ssh":
        place = attempt.destination
        return f"ssh-keyscan -T 10 -p {place.port} {word(place.host)}"
    through = f" --proxy {word(f'http://{attempt.proxy}')}" if attempt.proxy else ""
    return f"curl -sSI --max-time 10{through} {word(attempt.destination.url)}"
