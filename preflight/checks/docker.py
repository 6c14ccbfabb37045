"""Checks of Docker: there and new enough, or lacking where the installation can bring it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.facts import Absent, Fact, Unknown, known, why_unknown
from preflight.findings import Finding
from preflight.needs import DockerNeed

_ENGINE_EVIDENCE: Final = "docker version; systemctl status docker --no-pager"
_COMPOSE_EVIDENCE: Final = "docker compose version"
_SLOW_DRIVERS: Final = frozenset({"vfs", "devicemapper"})


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part[:9]) for part in re.findall(r"[0-9]+", version.partition("-")[0])[:4])


def _brings(case: Case, need: DockerNeed) -> bool:
    """Whether the installation brings Docker on this system."""
    os_id, version = known(case.facts.os.id), known(case.facts.os.version)
    return any(
        one.id == os_id and (not one.versions or version in one.versions)
        for one in need.installed_on
    )


def _systems(need: DockerNeed) -> str:
    return ", ".join(f"{one.id} {' and '.join(one.versions)}".strip() for one in need.installed_on)


def _no_docker(case: Case) -> bool:
    return isinstance(case.facts.docker.compose, Absent) and isinstance(
        case.facts.docker.rootless, Absent
    )


@check("docker.engine", title="Docker Engine", severities=(PASS, FAIL, UNKNOWN))
def engine(case: Case, say: Say) -> Iterator[Finding]:
    """Docker Engine: there, run by root, new enough; or to be brought."""
    need = case.platform.docker
    if need is None:
        return
    facts = case.facts.docker
    expected = f"Docker Engine {need.engine_min} or newer, run by root"
    if known(facts.rootless):
        yield say.at(
            FAIL,
            f"Docker on {case.name} runs without root.",
            expected=expected,
            actual="rootless",
            source="Docker documentation, rootless mode: known limitations",
            evidence=_ENGINE_EVIDENCE,
            remedy="Rootless Docker limits networks and files of containers. Use the system's: "
            "`dockerd-rootless-setuptool.sh uninstall`, then `sudo apt-get update && sudo apt-get"
            " install docker.io`.",
            undo="dockerd-rootless-setuptool.sh install",
        )
        return
    version = known(facts.engine)
    if version is not None:
        old = _numbers(version) < _numbers(need.engine_min)
        yield say.at(
            FAIL if old else PASS,
            f"Docker Engine on {case.name} is {version}"
            + (f"; {need.engine_min} is needed." if old else "."),
            expected=expected,
            actual=version,
            source=need.source,
            evidence=_ENGINE_EVIDENCE,
            remedy="Bring the system's newer package: `sudo apt-get update && sudo apt-get install"
            " docker.io`. Containers are stopped for a moment.",
            undo="sudo apt-get install docker.io=VERSION (see apt-cache policy docker.io)",
        )
    elif isinstance(facts.engine, Unknown):
        yield _unknown(case, say, facts.engine, expected, need, _ENGINE_EVIDENCE)
    elif _no_docker(case):
        yield _to_be_brought(case, say, need, "Docker", expected, _ENGINE_EVIDENCE)
    else:
        yield say.at(
            PASS,
            f"Docker is on {case.name} and does not run; the installation starts it.",
            expected=expected,
            actual="installed, not running",
            source=need.source,
            evidence=_ENGINE_EVIDENCE,
        )


@check("docker.compose", title="Docker Compose", severities=(PASS, FAIL, UNKNOWN))
def compose(case: Case, say: Say) -> Iterator[Finding]:
    """Compose 2, which is `docker compose`; `docker-compose` of version 1 is something else."""
    need = case.platform.docker
    if need is None or _no_docker(case):
        return
    expected = f"Docker Compose {need.compose_min} or newer"
    version = known(case.facts.docker.compose)
    if version is not None:
        old = _numbers(version) < _numbers(need.compose_min)
        yield say.at(
            FAIL if old else PASS,
            f"Docker Compose on {case.name} is {version}"
            + (f"; {need.compose_min} is needed." if old else "."),
            expected=expected,
            actual=version,
            source=need.source,
            evidence=_COMPOSE_EVIDENCE,
            remedy="Bring a newer one: `sudo apt-get update && sudo apt-get install"
            " docker-compose-v2` (Ubuntu), `docker-compose` (Debian 13) or `docker-compose-plugin`"
            " (Docker's own packages).",
            undo="Install the package's version of before: apt-cache policy shows it.",
        )
    elif isinstance(case.facts.docker.compose, Unknown):
        why = case.facts.docker.compose
        yield _unknown(case, say, why, expected, need, _COMPOSE_EVIDENCE)
    else:
        yield _to_be_brought(case, say, need, "Docker Compose 2", expected, _COMPOSE_EVIDENCE)


@check("docker.storage", title="Docker's storage", severities=(PASS, WARN))
def storage(case: Case, say: Say) -> Iterator[Finding]:
    """A storage driver that copies whole images for each container is slow and needs much room."""
    driver = known(case.facts.docker.driver)
    if case.platform.docker is None or driver is None:
        return
    slow = driver in _SLOW_DRIVERS
    yield say.at(
        WARN if slow else PASS,
        f"Docker on {case.name} stores with {driver}"
        + (", which copies each image whole for each container." if slow else "."),
        expected="overlay2",
        actual=driver,
        source="Docker documentation, storage drivers",
        evidence="docker info --format '{{.Driver}}'",
        remedy='Put Docker\'s folder on an ext4 or xfs file system, and take "storage-driver" out '
        "of /etc/docker/daemon.json. Images must be pulled again then.",
        undo="Put the line back into /etc/docker/daemon.json and restart Docker.",
    )


def _to_be_brought(
    case: Case, say: Say, need: DockerNeed, what: str, expected: str, evidence: str
) -> Finding:
    brings = _brings(case, need)
    return say.at(
        PASS if brings else FAIL,
        f"{what} is not on {case.name}"
        + ("; the installation brings it." if brings else ", and cannot be brought there."),
        expected=expected,
        actual="not there",
        source=need.source,
        evidence=evidence,
        remedy=f"The installation brings it on {_systems(need)}. Elsewhere install Docker Engine "
        "and Compose 2 as docs.docker.com/engine/install says.",
        undo="Remove the packages again.",
    )


def _unknown(
    case: Case, say: Say, fact: Fact[str], expected: str, need: DockerNeed, evidence: str
) -> Finding:
    return say.unknown(
        f"It could not be told which Docker {case.name} has.",
        expected=expected,
        reason=why_unknown(fact),
        source=need.source,
        evidence=evidence,
        remedy="Let the login use sudo, or put it into the group docker: `sudo usermod -aG docker"
        " USER`, then log in again. Who is in that group has root's rights there."
        if "socket" in why_unknown(fact)
        else "",
    )
