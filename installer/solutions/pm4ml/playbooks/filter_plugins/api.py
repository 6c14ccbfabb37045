"""What kubectl says when the API of a cluster gives no answer, as filters for Ansible.

The words are those of kubectl 1.31 against an API 1.31 that was stopped, whose certificate had
ended, and that did not know who asked. It runs under the control host's own Python, beside
Ansible, and imports nothing of Sitewright.
"""

from __future__ import annotations

import re
from typing import Any

_LOGGED = re.compile(r"^[EWIF]\d{4} [\d:.]+ ")
"""A line of kubectl's own log, before its sentence."""

_LOCKED = re.compile(
    r"x509: |must be logged in|has asked for the client to provide credentials|\bUnauthorized\b",
    re.IGNORECASE,
)
"""A certificate or a login that does not hold: no waiting changes it."""

_AWAY = re.compile(
    r'(Get|Head|Post|Put|Patch|Delete) "https?:|connection to the server|unable to connect'
    r"|connection (refused|reset|lost)|i/o timeout|TLS handshake|no route to host|unexpected EOF"
    r"|etcdserver:|deadline exceeded|server is currently unable|timed out|apiserver not ready",
    re.IGNORECASE,
)
"""A master is restarted or busy, or another takes over: it passes."""

_WEBHOOK = re.compile("calling webhook", re.IGNORECASE)
"""A webhook that cannot be reached is told at once: nothing here brings one."""

UNREAD = 32
"""Ansible's status, EPIPE, of a program that ended before it had read what it was given.

Its words are lost with it: Ansible keeps none. Asked again it reads, or says why it does not.
"""

_ENDED = re.compile(r"x509: certificate has expired or is not yet valid", re.IGNORECASE)


def locked(stderr: str) -> bool:
    """Whether the API, or kubectl, does not take the other's certificate or login."""
    return bool(_LOCKED.search(stderr)) and not _WEBHOOK.search(stderr)


def away(stderr: str, status: int = 1) -> bool:
    """Whether the API did not answer, and may answer the next time, or its words were lost."""
    if status == UNREAD and not stderr:
        return True
    found = _AWAY.search(stderr)
    return bool(found) and not _WEBHOOK.search(stderr) and not locked(stderr)


def words(stderr: str) -> str:
    """What kubectl said, each line once and without its log; "" if it said nothing."""
    lines = (line.strip() for line in stderr.splitlines() if not _LOGGED.match(line.strip()))
    return " ".join(dict.fromkeys(line for line in lines if line))


def told(stderr: str, refused: str = "The cluster refused it", status: int = 1) -> str:
    """Why a call of kubectl failed: whose word it is, the word, and what mends it."""
    said = words(stderr) or (
        "kubectl ended before it had read what it was given, and said nothing"
        if status == UNREAD
        else f"kubectl ended with {status}"
    )
    if away(stderr):
        return f"The API of the cluster does not answer: {said}"
    if not locked(stderr):
        return f"{refused}: {said}"
    said = said.rstrip(".")
    if _ENDED.search(stderr):
        return (
            f"The certificate that the cluster's API shows does not hold today: {said}. If the"
            " clock is right (timedatectl), renew it: sitewright renew --site FILE"
        )
    if "x509: " in stderr:
        return (
            f"The certificate that the cluster's API shows is not believed: {said}. Look at what"
            " MicroK8s itself says: sudo microk8s inspect"
        )
    return (
        f"The cluster's API does not accept this machine's login: {said}. It has ended, or is of"
        " another cluster: /var/snap/microk8s/current/credentials/client.config"
    )


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Any]:
        """The filters by their names."""
        return {"api_away": away, "api_locked": locked, "api_words": words, "api_told": told}
