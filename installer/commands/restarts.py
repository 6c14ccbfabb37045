"""Restarts: which machines of a site wait to be restarted, and in which order that is done.

By the operation's order of roles; of the load balancers the one that has the virtual address comes
last, and of the masters the one that leads the cluster's database: it hands over once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from foundation.hosts.connection import Become
from foundation.problems import Problem
from installer.planning.each_machine import in_order
from installer.planning.groups import machines_of
from preflight.checks.system import due_for
from preflight.facts import known
from preflight.survey import SurveyOptions, survey

if TYPE_CHECKING:
    from foundation.hosts.pool import Pool
    from installer.sites.site import Site
    from installer.steps.stage_files import EachMachine
    from preflight.assessment import Seen

_BACKEND: Final = "/var/snap/microk8s/current/var/kubernetes/backend"
_LEADER: Final = (
    "/snap/microk8s/current/bin/dqlite", "-s", f"file://{_BACKEND}/cluster.yaml",
    "-c", f"{_BACKEND}/cluster.crt", "-k", f"{_BACKEND}/cluster.key", "k8s", ".leader",
)  # fmt: skip
"""As MicroK8s asks its database (scripts/wrappers/leave.py): the address of the leader."""
_ADDRESS: Final = re.compile(r"\[?([0-9A-Fa-f.:]{2,45})\]?:\d{1,5}")
_VIRTUAL: Final = ("vip_internal", "vip_external")
"""Settings with addresses that one of the load balancers has."""


@dataclass(frozen=True, slots=True)
class Restart:
    """A machine that can be restarted."""

    name: str
    due: str
    """For what it waits, in words; "" where it does not."""
    local: bool = False
    problem: Problem | None = None
    """Why it could not be asked."""


async def looked_at(pool: Pool, site: Site, each: EachMachine) -> list[Restart]:
    """Every machine that the operation is for, in the order in which they are taken."""
    names = in_order(each, machines_of(site, ()))
    hosts = [host for host in pool.inventory if host.name in names]
    options = SurveyOptions(become=Become.IF_ALLOWED)
    seen = {one.host.name: one async for one in survey(pool, hosts, options)}
    masters = [host.name for host in site.hosts if "master" in host.roles]
    leader = await _leader(pool, [seen[name] for name in masters if name in seen])
    last = {name for name, one in seen.items() if _has_address(one, site) or name == leader}
    ordered = in_turn(site, each, names, last)
    return [
        Restart(
            name,
            due_for(facts.os) if (facts := seen[name].facts) is not None else "",
            seen[name].host.local,
            seen[name].problem,
        )
        for name in ordered
        if name in seen
    ]


def in_turn(
    site: Site, each: EachMachine, names: Iterable[str], last: Collection[str]
) -> list[str]:
    """These machines by the operation's order of roles, `last` behind the others of their kind."""
    place = {role: number for number, role in enumerate(each.roles)}
    kind = {
        host.name: max((place[role] for role in host.roles if role in place), default=0)
        for host in site.hosts
    }
    return sorted(names, key=lambda name: (kind[name], name in last, name))


def _has_address(one: Seen, site: Site) -> bool:
    """Whether a machine has a virtual address now."""
    virtual = {str(site.settings.get(name) or "").partition("/")[0] for name in _VIRTUAL} - {""}
    nics = known(one.facts.network.nics) if one.facts is not None else None
    return any(a.address in virtual for nic in nics or () for a in nic.addresses)


async def _leader(pool: Pool, masters: Sequence[Seen]) -> str:
    """The master that leads the cluster's database; "" where none of them tells."""
    by_address = {one.host.address: one.host.name for one in masters}
    for one in masters:
        if one.facts is None:
            continue
        for nic in known(one.facts.network.nics) or ():
            by_address |= {a.address: one.host.name for a in nic.addresses}
    for one in masters:
        if one.facts is None:
            continue
        try:
            connection = await pool.connect(one.host)
            done = await connection.run(_LEADER, become=Become.IF_ALLOWED, timeout=20, limit=4096)
        except Problem:
            continue
        found = _ADDRESS.search(done.stdout.decode("utf-8", "replace"))
        if done.status == 0 and found:
            return by_address.get(found[1], "")
    return ""
