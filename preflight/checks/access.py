"""Checks of what the login may do."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import word
from preflight.facts import known, why_unknown
from preflight.findings import Finding

_WORDS = {
    "passwordless": "may become root without a password",
    "password": "may become root with the password that was given",
    "asks": "may become root only with a password, and none was given",
    "none": "may not become root",
}


def _docker_will_do(case: Case) -> bool:
    """Whether the login has all that it needs by the right to Docker's socket.

    On the machine that Sitewright runs on only: what it keeps on others is root's.
    """
    need, docker = case.platform.docker, case.facts.docker
    return (
        need is not None
        and need.suffices
        and case.host.local
        and known(docker.engine) is not None
        and known(docker.compose) is not None
    )


@check("access.sudo", title="Root's rights", severities=(PASS, WARN, FAIL, UNKNOWN))
def sudo(case: Case, say: Say) -> Iterator[Finding]:
    """Whether the login is root or may become it, where the installation needs that."""
    if not case.platform.root:
        return
    identity = case.facts.identity
    source = case.platform.root_source or "Sitewright: packages and services need root"
    user = known(identity.user) or "the login"
    way = "passwordless" if known(identity.uid) == 0 else known(identity.sudo)
    evidence = "id; sudo -n true && echo without a password"
    if way is None:
        yield say.unknown(
            f"It could not be told whether {user} may become root on {case.name}.",
            expected="root, or sudo",
            reason=why_unknown(identity.sudo),
            source=source,
            evidence=evidence,
        )
        return
    if way in ("none", "asks") and _docker_will_do(case):
        yield say.at(
            PASS,
            f"{user} may use Docker on {case.name}, which will do without root.",
            expected="root, sudo, or the right to Docker's socket where Docker is there",
            actual="the right to Docker's socket",
            source=source,
            evidence=f"{evidence}; docker version",
        )
        return
    title = f"{user} {_WORDS.get(way, way)} on {case.name}."
    if known(identity.uid) == 0:
        title = f"The login on {case.name} is root."
    yield say.at(
        {"passwordless": PASS, "password": PASS, "asks": WARN}.get(way, FAIL),
        title,
        expected="root, or sudo",
        actual=way,
        source=source,
        evidence=evidence,
        remedy="Give Sitewright the sudo password when it asks."
        if way == "asks"
        else f"As root on the machine: `usermod -aG sudo {word(user)}`, then log in anew; or"
        " log in as another user.",
        undo=f"As root: `gpasswd -d {word(user)} sudo`.",
    )
