"""Needs: what a solution asks of its machines, as the data files of a solution state it.

Sizes in the tables are as the documents write them: gigabytes of 10^9 bytes for disks and
"GB" of 2^30 bytes for memory, which is how both are sold. Every requirement names its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from preflight.facts import DiskKind


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class MachineKind(StrEnum):
    """What a table asks a machine to be."""

    VM = "vm"
    PHYSICAL = "physical"
    ANY = "any"
    EXTERNAL = "external"
    """Not a computer to log in to: a USB backup system, say. It is listed and not probed."""


class Count(_Data):
    """How many machines play a role."""

    min: int = Field(ge=0)
    max: int | None = None
    odd: bool = False
    """Whether a quorum makes an even number worse than one less."""


class DiskNeed(_Data):
    """Some distinct disks of one kind for one purpose."""

    count: PositiveInt
    size_gb: PositiveInt
    """Gigabytes of 10^9 bytes, each."""
    kinds: tuple[DiskKind, ...] = ()
    """Kinds that satisfy it; empty means any. A better kind (nvme for ssd) is listed too."""
    purpose: str = ""
    """operating system, data, ceph…"""
    raid1: bool = False
    """Whether the disks are meant to mirror one another."""
    total: bool = False
    """Whether size_gb is the sum over all disks given for the purpose (block storage), not each."""


class NicNeed(_Data):
    """Some network interfaces of a speed."""

    count: PositiveInt = 1
    speed_mbps: int | None = None
    purpose: str = ""


class SpaceNeed(_Data):
    """Free room where the solution writes."""

    path: str
    """The folder; the filesystem that holds it, or would, is the one measured."""
    free_gb: float
    """Gigabytes of 10^9 bytes."""
    severity: Literal["fail", "warn"] = "fail"
    source: str


class Shape(_Data):
    """What one machine of a role must have; None leaves a thing open."""

    id: str = ""
    """Tells alternatives of one role apart: "", "vm"."""
    title: str = ""
    cpu: int | None = None
    """Logical CPUs ("cores" or "vCPU" in the documents)."""
    memory_gb: float | None = None
    """GB as memory is sold: units of 2^30 bytes, installed."""
    memory_recommended_gb: float | None = None
    """The upper end where a document gives a range: below it is a warning."""
    disks: tuple[DiskNeed, ...] = ()
    nics: tuple[NicNeed, ...] = ()
    machine: MachineKind = MachineKind.ANY
    conditions: tuple[str, ...] = ()
    """What the document demands and no program can see; shown, and asked for by name."""


class RoleNeed(_Data):
    """A row of a sizing table."""

    role: str
    title: str = ""
    count: Count
    optional: bool = False
    setting: str = ""
    """The yes-no setting of a site that asks for this row; answered no, it needs none of them."""
    not_asked: bool = False
    """Whether the site answered so."""
    of_cluster: bool = False
    """Whether its machines are nodes of a cluster that is there already: they are judged as the
    cluster's, and nobody has to log in to them."""
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1)]
    """Alternatives: a machine that fits any of them fits."""
    space: tuple[SpaceNeed, ...] = ()
    note: str = ""

    @property
    def may_lack(self) -> bool:
        """Whether a site may have none of it."""
        return self.optional or self.not_asked or self.of_cluster


class SizingTable(_Data):
    """One published sizing table for one environment, with its source."""

    id: str
    environment: str
    title: str
    source: str
    version: str
    default: bool = False
    roles: tuple[RoleNeed, ...]
    standing_clusters: int = 0
    """How many Kubernetes clusters must be there already, beside the machines that are counted."""
    combined: tuple[frozenset[str], ...] = ()
    """Sets of roles that this table expects on one machine without further ado."""
    risk_acceptance: tuple[frozenset[str], ...] = ()
    """Sets of roles that may share a machine only with a formal risk acceptance."""
    notes: tuple[str, ...] = ()

    def role(self, name: str) -> RoleNeed | None:
        """The row of a role, or None where the table has none."""
        return next((row for row in self.roles if row.role == name), None)

    @property
    def fewest_machines(self) -> int:
        """How many computers the table asks for at least, optional and external rows left out."""
        counts = {
            row.role: row.count.min
            for row in self.roles
            if not row.may_lack and any(s.machine is not MachineKind.EXTERNAL for s in row.shapes)
        }
        for together in self.combined:
            shared = [role for role in counts if role in together]
            if len(shared) > 1:
                largest = max(counts[role] for role in shared)
                for role in shared:
                    del counts[role]
                counts[shared[0]] = largest
        return sum(counts.values())


class Correction(_Data):
    """What a program really uses where a document is wrong."""

    ports: tuple[str, ...]
    source: str
    reason: str


class PortNeed(_Data):
    """A line of a port table: who listens, who must reach it, who must not."""

    port: str
    """A number or a range: 6443, 6800-7300."""
    protocol: Literal["tcp", "udp"] = "tcp"
    purpose: str
    on: tuple[str, ...]
    """Roles whose machines listen."""
    reached_from: tuple[str, ...] = ()
    """Roles that must reach it; "cluster" means every machine with a Kubernetes role, "internet"
    and "operator" are outside the site."""
    closed_to: tuple[str, ...] = ()
    """Roles, or "internet", that must not reach it."""
    must_be_free: bool = True
    """Whether nothing may hold it before the installation."""
    when: str = ""
    """The setting under which it applies: wireguard, haproxy-statistics; empty means always."""
    source: str
    correction: Correction | None = None
    """What is really used, where the document is wrong; both are checked."""
    corrects: str = ""
    """On a line that states reality: the port of the document that it stands beside."""

    @property
    def first(self) -> int:
        """The first port of the range."""
        return int(self.port.partition("-")[0])

    @property
    def last(self) -> int:
        """The last port of the range."""
        return int(self.port.partition("-")[2] or self.first)

    @model_validator(mode="after")
    def _in_order(self) -> PortNeed:
        if not 1 <= self.first <= self.last <= 65535:
            raise ValueError(f"{self.port} is not a port or a range of ports")
        return self


class PortTable(_Data):
    """The ports of a solution."""

    ports: tuple[PortNeed, ...]
    notes: tuple[str, ...] = ()


class OsNeed(_Data):
    """Operating systems on which the solution is documented to run."""

    id: str
    versions: tuple[str, ...] = ()
    """VERSION_ID values; empty means any."""


class SysctlNeed(_Data):
    """A kernel setting."""

    name: str
    at_least: int | None = None
    equals: tuple[str, ...] = ()
    severity: Literal["fail", "warn"] = "warn"
    roles: tuple[str, ...] = ()
    """Empty means every role."""
    source: str
    reason: str = ""


class ModuleNeed(_Data):
    """A kernel module that must be loaded, or loadable."""

    name: str
    severity: Literal["fail", "warn"] = "fail"
    roles: tuple[str, ...] = ()
    source: str
    reason: str = ""


class ConflictNeed(_Data):
    """Software that must not be there already."""

    software: str
    severity: Literal["fail", "warn"] = "fail"
    roles: tuple[str, ...] = ()
    source: str
    reason: str
    remedy: str = ""


class SkewNeed(_Data):
    """How far the clocks of some roles may be apart, where that is less than for the rest."""

    roles: tuple[str, ...]
    seconds: float = Field(gt=0)
    severity: Literal["fail", "warn"] = "warn"
    source: str
    reason: str = ""


class DockerNeed(_Data):
    """Docker Engine and Compose, there already or brought by the installation."""

    engine_min: str
    """The oldest version of the engine: 20.10."""
    compose_min: str
    source: str
    installed_on: tuple[OsNeed, ...] = ()
    """Systems on which the installation brings what is lacking."""
    suffices: bool = False
    """Whether a login that may use Docker needs no root, where Docker and Compose are there."""


InternetKind = Literal["packages", "snaps", "registry", "charts", "git", "downloads"]
"""What is fetched from a place."""
InternetUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$")]


class PlatformNeeds(_Data):
    """What the solution asks of a system besides size and ports."""

    os: tuple[OsNeed, ...] = ()
    os_severity: Literal["fail", "warn"] = "fail"
    os_source: str = ""
    architectures: tuple[str, ...] = ("x86_64",)
    architecture_source: str = ""
    cpu_level: int | None = None
    """The x86-64 level needed, 1 to 4."""
    cpu_level_source: str = ""
    cpu_flags: tuple[str, ...] = ()
    """Flags of /proc/cpuinfo that a program needs apart from the level: avx."""
    cpu_flags_source: str = ""
    kernel_min: str | None = None
    kernel_source: str = ""
    systemd: bool = True
    systemd_source: str = ""
    swap: Literal["fail", "warn", "ignore"] = "ignore"
    swap_source: str = ""
    cgroup_controllers: tuple[str, ...] = ()
    cgroup_source: str = ""
    modules: tuple[ModuleNeed, ...] = ()
    sysctls: tuple[SysctlNeed, ...] = ()
    conflicts: tuple[ConflictNeed, ...] = ()
    commands: tuple[str, ...] = ()
    """Programs that must be on the path before the installation."""
    commands_source: str = ""
    command_roles: dict[str, tuple[str, ...]] = {}
    """Roles whose machines need such a program; one that is not named here, every machine does."""
    kubernetes_roles: tuple[str, ...] = ()
    """Roles whose machines become Kubernetes nodes; module and hostname rules hold there."""
    kubernetes_tested: tuple[str, ...] = ()
    """Minor releases of Kubernetes that the solution was tested on: "1.29"."""
    kubernetes_tested_source: str = ""
    docker: DockerNeed | None = None
    cluster_networks: tuple[str, ...] = ()
    """Pod and service networks in CIDR form; no machine's address or route may lie inside."""
    cluster_networks_source: str = ""
    max_skew_seconds: float = 1.0
    skew_source: str = ""
    skews: tuple[SkewNeed, ...] = ()
    """Roles that need their clocks closer together than max_skew_seconds."""
    hostname_source: str = ""
    """Who demands lower-case, unique names without underscores; empty where nobody does."""
    default_route_source: str = ""
    """Who demands a default route; empty where nobody does."""
    root: bool = True
    """Whether the installation needs root or sudo on the machines."""
    root_source: str = ""
    internet: dict[InternetKind, tuple[InternetUrl, ...]] = {}
    """What it fetches from when there is no bundle, by kind; tried before anything starts."""
    internet_roles: dict[InternetKind, tuple[str, ...]] = {}
    """Roles whose machines fetch a kind; every machine where none is named. "control" is where
    Ansible and Helm run, which asks in any case."""
    internet_settings: dict[str, InternetKind] = {}
    """Settings that name another place of a kind, which is then asked instead of those above."""


class ClusterNeed(_Data):
    """One of several Kubernetes clusters of a site: the machines of some roles, and no other's."""

    id: str
    title: str
    roles: Annotated[tuple[str, ...], Field(min_length=1)]
    """Roles whose machines serve this cluster alone: its nodes, and what stands before them. A
    machine whose role no cluster has serves all of them."""
    why: str
    """One sentence: what the others lack without it."""

    def has(self, roles: Iterable[str]) -> bool:
        """Whether a machine of these roles serves it."""
        return bool(set(roles) & set(self.roles))


_NO: Final = frozenset({"no", "false", "off", "n"})
"""Words by which a site answers no."""


class SolutionNeeds(_Data):
    """All that preflight must know of a solution for one environment."""

    solution: str
    title: str
    environment: str
    single_machine: bool = False
    """Whether the whole of it runs on one machine."""
    sizing: SizingTable
    other_sizings: tuple[SizingTable, ...] = ()
    """Tables for the same environment that disagree; named in the report, not used."""
    ports: PortTable = PortTable(ports=())
    platform: PlatformNeeds = PlatformNeeds()
    clusters: tuple[ClusterNeed, ...] = ()
    """The clusters that a site consists of, where it has more than one."""
    not_installed: str = ""
    """Why Sitewright cannot install it, a sentence; empty where it can."""

    def with_settings(self, settings: Mapping[str, object]) -> SolutionNeeds:
        """The needs of a site with these settings: a row that hangs on one answered no waits."""
        no = {name for name, value in settings.items() if str(value).strip().lower() in _NO}
        rows = tuple(
            row.model_copy(update={"not_asked": row.setting in no}) if row.setting else row
            for row in self.sizing.roles
        )
        sizing = self.sizing.model_copy(update={"roles": rows})
        return self.model_copy(update={"sizing": sizing})

    def nodes_beside(self, role: str) -> tuple[str, ...]:
        """The roles of the Kubernetes nodes in the cluster of a role; of all, where it has none."""
        nodes = self.platform.kubernetes_roles
        mine = next((one for one in self.clusters if one.has((role,))), None)
        return nodes if mine is None else tuple(node for node in nodes if node in mine.roles)

    def fewest_of(self, cluster: ClusterNeed) -> int:
        """How many machines the table asks for at least for one cluster alone."""
        rows = tuple(row for row in self.sizing.roles if row.role in cluster.roles)
        return self.sizing.model_copy(update={"roles": rows}).fewest_machines
