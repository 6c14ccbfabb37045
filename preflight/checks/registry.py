"""The registry: every check, in the order in which a report shows them."""

from __future__ import annotations

from typing import Final

from preflight.checks import cpu, disk, filesystem, machine, memory, nic, port, system
from preflight.checks.case import Case, SiteCase
from preflight.checks.check import Check

CHECKS: Final[tuple[Check[Case], ...]] = (
    machine.kind,
    machine.container,
    machine.conditions,
    cpu.count,
    cpu.level,
    cpu.virtualization,
    memory.size,
    memory.swap,
    disk.devices,
    disk.in_use,
    disk.mirrored,
    disk.arrays_whole,
    disk.wear,
    filesystem.space,
    filesystem.usage,
    filesystem.read_only,
    filesystem.ftype,
    nic.count,
    nic.speed,
    nic.mtu,
    nic.duplex,
    port.free,
    system.release,
    system.architecture,
    system.kernel,
    system.init,
)
"""Checks of one machine."""

SHAPE_CHECKS: Final[tuple[Check[Case], ...]] = (
    machine.kind,
    cpu.count,
    memory.size,
    disk.devices,
    nic.count,
    nic.speed,
)
"""Those that choose between the alternatives of a role."""

SITE_CHECKS: Final[tuple[Check[SiteCase], ...]] = ()
"""Checks between machines."""


def find_check(finding_id: str) -> Check[Case] | Check[SiteCase] | None:
    """The check that a finding's id belongs to, or None for one made outside the registry."""
    if finding_id not in _BY_ID:
        every: tuple[Check[Case] | Check[SiteCase], ...] = (*CHECKS, *SITE_CHECKS)
        _BY_ID[finding_id] = next((c for c in every if c.covers(finding_id)), None)
    return _BY_ID[finding_id]


_BY_ID: dict[str, Check[Case] | Check[SiteCase] | None] = {}
