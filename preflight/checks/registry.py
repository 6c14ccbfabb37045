"""The registry: every check, in the order in which a report shows them."""

from __future__ import annotations

from typing import Final

from preflight.checks import (
    access,
    certificates,
    clock,
    clusters,
    consistency,
    cpu,
    disk,
    docker,
    filesystem,
    firewall,
    hostname,
    kernel,
    limits,
    machine,
    memory,
    network,
    nic,
    port,
    roles,
    software,
    swap,
    system,
)
from preflight.checks.case import Case, SiteCase
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Check, Listed
from preflight.cluster.case import ClusterCase
from preflight.cluster.checks import admission, api, nodes, storage, tried, workloads
from preflight.cluster.checks import network as cluster_network

CHECKS: Final[tuple[Check[Case], ...]] = (
    roles.known_roles,
    roles.combined,
    machine.kind,
    machine.container,
    machine.conditions,
    cpu.count,
    cpu.level,
    cpu.flags,
    cpu.virtualization,
    memory.size,
    swap.swap,
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
    system.restart,
    system.init,
    kernel.modules,
    kernel.sysctls,
    kernel.cgroup,
    kernel.lsm,
    limits.aio,
    limits.login,
    network.default_route,
    network.resolver,
    network.own_name,
    network.cluster_networks,
    hostname.name,
    hostname.machine_id,
    clock.synchronized,
    clock.daemon,
    clock.offset,
    clock.sources,
    clock.zone,
    certificates.ends,
    software.conflicts,
    software.commands,
    software.unattended_upgrades,
    software.setting_up,
    software.multipath,
    software.docker_snap,
    docker.engine,
    docker.compose,
    docker.storage,
    access.sudo,
    firewall.forward,
    firewall.let_in,
    firewall.pods,
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

SITE_CHECKS: Final[tuple[Check[SiteCase], ...]] = (
    roles.counts,
    clusters.clusters,
    consistency.unique,
    consistency.alike,
    consistency.subnet,
    clock.skew,
    clock.here,
)
"""Checks between machines."""

CLUSTER_CHECKS: Final[tuple[Check[ClusterCase], ...]] = (
    api.version,
    api.distribution,
    api.certificate,
    api.aggregated,
    api.metrics,
    api.complete,
    nodes.ready,
    nodes.pressure,
    nodes.schedulable,
    api.skew,
    nodes.architecture,
    nodes.zones,
    nodes.sizes,
    nodes.left,
    nodes.room,
    tried.pulled,
    cluster_network.pods,
    tried.inside,
    tried.outside,
    cluster_network.policy,
    tried.reach,
    tried.enforced,
    cluster_network.ingress,
    storage.default,
    storage.reclaim,
    storage.binding,
    storage.claims,
    tried.mounts,
    admission.webhooks,
    admission.quota,
    admission.security,
    admission.terminating,
    workloads.well,
    tried.removed,
)
"""Checks of a cluster, layer by layer: what fails first explains what comes after it."""

_ANY: Final = frozenset((PASS, WARN, FAIL, UNKNOWN))
ELSEWHERE: Final[tuple[Listed, ...]] = (
    Listed(("disk.by-serial",), "Disks that the settings name by serial are there and empty", _ANY),
    Listed(
        ("software.end-of-life",),
        "What is installed, and the machines' systems, are mended, and fit one another",
        frozenset((PASS, WARN)),
    ),
    Listed(
        ("software.path",),
        "No step is skipped from what the site has to what it is to have",
        frozenset((FAIL,)),
    ),
    Listed(
        ("bundle.maintained",),
        "The bundle that the site file names is looked after by its maker",
        frozenset((PASS, WARN, UNKNOWN)),
    ),
    Listed(("bundle.older",), "The site had no newer bundle", frozenset((FAIL,))),
    Listed(("mesh.reach",), "A port that another machine needs is reached", _ANY),
    Listed(("egress.*",), "What is fetched can be fetched (--egress; before a run)", _ANY),
    Listed(
        ("hardening.*",),
        "What the solution's hardening list asks holds (verify --hardening)",
        _ANY,
    ),
    Listed(
        ("mesh.closed",),
        "A port is closed to machines that have no business there",
        frozenset((PASS, WARN)),
    ),
    Listed(("host.reachable",), "The machine was seen", frozenset((UNKNOWN,)), waivable=False),
    Listed(
        ("cluster.reachable",),
        "The cluster was seen (--cluster)",
        frozenset((UNKNOWN,)),
        waivable=False,
    ),
    Listed(
        ("waiver.expired", "waiver.not-allowed", "waiver.unused"),
        "What is wrong with a waiver itself",
        frozenset((WARN,)),
    ),
)
"""Findings that are made of settings, connections and waivers rather than of facts alone.

What a document demands of a setting is a finding too; its id stands beside the setting, in the
solution's data.
"""


def find_check(finding_id: str) -> Listed | None:
    """The check that a finding's id belongs to, or None for a demand of a solution's settings."""
    if finding_id not in _BY_ID:
        every: tuple[Listed, ...] = (*CHECKS, *SITE_CHECKS, *CLUSTER_CHECKS, *ELSEWHERE)
        _BY_ID[finding_id] = next((c for c in every if c.covers(finding_id)), None)
    return _BY_ID[finding_id]


_BY_ID: dict[str, Listed | None] = {}
