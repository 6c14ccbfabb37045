"""Tries and host keys in words, for both faces."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from preflight.needs import MachineKind
from preflight.sizing import count_words

if TYPE_CHECKING:
    from foundation.hosts.model import Host
    from foundation.hosts.openssh.hostkeys import HostKeyOffer
    from preflight.needs import SolutionNeeds
    from screens.services.services import Tried


def tried_words(tried: Tried) -> tuple[str, str]:
    """What a try met, and its tone."""
    if tried.problem is not None:
        return f"no: {tried.problem.cause}", "warn"
    if tried.offer is None:
        return "yes, it is this one", "pass"
    state = {
        "trusted": "its key is trusted",
        "unknown": "its key is new",
        "changed": "its key has CHANGED",
    }[tried.offer.state]
    noted = "; a note below" if tried.notes else ""
    return f"yes, {state}{noted}", "warn" if tried.offer.state == "changed" else "pass"


def asked_machines(needs: SolutionNeeds) -> str:
    """Which machines a goal asks for, and whose need not be named, as sentences."""
    rows = [
        row
        for row in needs.sizing.roles
        if not row.may_lack and any(s.machine is not MachineKind.EXTERNAL for s in row.shapes)
    ]
    asked = ", ".join(f"{count_words(row.count)} {row.role}" for row in rows)
    of_cluster = "; the nodes of a cluster that stands need not be named"
    return f"Asked for: {asked}{of_cluster if needs.sizing.standing_clusters else ''}."


def is_unfilled(host: Host) -> bool:
    """Whether a new site file left the address to a person, who has not given it yet."""
    from installer.sites.site import FILL_IN

    return FILL_IN in host.address


def removal_command(host: Host, offer: HostKeyOffer) -> str:
    """What takes the old key of a machine out of the file in which it stands."""
    name = offer.known_as or (host.address if host.port == 22 else f"[{host.address}]:{host.port}")
    file, colon, line = (offer.known_in or "").rpartition(":")
    if not colon or not line.isdigit():
        file = offer.known_in or "~/.ssh/known_hosts"
    return f"ssh-keygen -R {quote(name)} -f {quote(file)}"
