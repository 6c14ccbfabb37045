"""Checks between machines: what must differ, and what should be alike within a role."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from typing import Final

from foundation.wording import listed, shortened
from preflight.checks.case import Case, SiteCase
from preflight.checks.check import FAIL, PASS, WARN, Say, check
from preflight.checks.network import is_loopback, own_addresses
from preflight.checks.nic import real_nics, speed_of
from preflight.checks.system import version_key
from preflight.checks.wording import link_speed
from preflight.facts import NicKind, known
from preflight.findings import Finding

Values = Callable[[Case], tuple[str, ...]]


def _macs(case: Case) -> tuple[str, ...]:
    nics = real_nics(case.facts)
    hardware = [nic for nic in nics if nic.kind is NicKind.PHYSICAL] or list(nics)
    return tuple(mac.lower() for nic in hardware if (mac := known(nic.mac)))


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


_UNIQUE: Final[tuple[tuple[str, str, Values, str, str, str], ...]] = (
    (
        "unique.hostname",
        "the host name",
        lambda case: _one((known(case.facts.identity.hostname) or "").lower()),
        "hostname",
        "Give each machine a name of its own: `sudo hostnamectl set-hostname NAME`.",
        "sudo hostnamectl set-hostname OLD-NAME",
    ),
    (
        "unique.machine-id",
        "the machine id",
        lambda case: _one(known(case.facts.identity.machine_id)),
        "cat /etc/machine-id",
        (
            "They are copies of one image. On each copy: `sudo rm /etc/machine-id"
            " /var/lib/dbus/machine-id; sudo systemd-machine-id-setup && sudo reboot`."
        ),
        "None is needed: a machine id has no meaning outside the machine.",
    ),
    (
        "unique.mac",
        "the MAC address",
        _macs,
        "ip -brief link",
        "Give the copied virtual machine a new MAC address in the hypervisor and start it anew.",
        "Put the old MAC address back in the hypervisor.",
    ),
    (
        "unique.product-uuid",
        "the product UUID",
        lambda case: _one((known(case.facts.identity.product_uuid) or "").lower()),
        "sudo cat /sys/class/dmi/id/product_uuid",
        (
            "Give the copied virtual machine a UUID of its own in the hypervisor (libvirt: `virsh"
            " edit`, VMware: uuid.bios), or clone it again with a new one."
        ),
        "Put the old UUID back in the hypervisor.",
    ),
    (
        "unique.address",
        "the address",
        lambda case: tuple(a for a in own_addresses(case.facts) if not is_loopback(a)),
        "ip -brief address",
        "Give each machine an address of its own in /etc/netplan, then `sudo netplan apply`.",
        "Put the old address back and `sudo netplan apply`.",
    ),
)


@check(
    "unique.hostname",
    "unique.machine-id",
    "unique.mac",
    "unique.product-uuid",
    "unique.address",
    title="What must differ between machines",
    severities=(PASS, FAIL),
)
def unique(site: SiteCase, say: Say) -> Iterator[Finding]:
    """Names, ids and addresses that two machines share: signs of a copied image."""
    if len(site.cases) < 2:
        return
    for check_id, noun, values, evidence, remedy, undo in _UNIQUE:
        owners: dict[str, list[str]] = defaultdict(list)
        asked = 0
        for case in site.cases:
            mine = dict.fromkeys(values(case))
            asked += bool(mine)
            for value in mine:
                owners[value].append(case.name)
        shared = {value: names for value, names in owners.items() if len(names) > 1}
        source = "Sitewright: Kubernetes, DHCP and Ceph tell machines apart by it"
        if not shared and asked > 1:
            yield say.at(
                PASS,
                f"No two machines share {noun}."
                if asked == len(site.cases)
                else f"No two of the {asked} machines that told {noun} share it.",
                id=check_id,
                expected="different on each",
                actual=f"{len(owners)} different on {asked} machines",
                source=source,
                evidence=evidence,
            )
        for value, names in shared.items():
            yield say.at(
                FAIL,
                f"{shortened(names, 6)} share {noun} {value}.",
                id=check_id,
                subject=value,
                expected="different on each",
                actual=value,
                source=source,
                evidence=evidence,
                remedy=remedy,
                undo=undo,
            )


def _release(case: Case) -> str | None:
    name, version = known(case.facts.os.id), known(case.facts.os.version)
    return f"{name} {version}" if name and version else None


def _kernel(case: Case) -> str | None:
    release = known(case.facts.os.kernel)
    return ".".join(map(str, (*version_key(release), 0)[:2])) if release else None


def _mtu(case: Case) -> str | None:
    sizes = {known(nic.mtu) for nic in real_nics(case.facts) if nic.addresses} - {None}
    return listed(str(size) for size in sorted(s for s in sizes if s)) or None


def _speed(case: Case) -> str | None:
    nics = real_nics(case.facts)
    speeds = {speed_of(nic, nics) for nic in nics if nic.addresses} - {None}
    return listed(link_speed(speed) for speed in sorted(s for s in speeds if s)) or None


def _lsm(case: Case) -> str | None:
    modules = known(case.facts.kernel.lsm)
    major = [m for m in modules or () if m in ("apparmor", "selinux", "smack", "tomoyo")]
    return None if modules is None else listed(sorted(major)) or "none"


_ALIKE: Final[tuple[tuple[str, str, Callable[[Case], str | None], str], ...]] = (
    ("consistency.os", "operating system", _release, "cat /etc/os-release"),
    ("consistency.kernel", "kernel", _kernel, "uname -r"),
    (
        "consistency.architecture",
        "architecture",
        lambda case: known(case.facts.os.architecture),
        "uname -m",
    ),
    ("consistency.mtu", "MTU", _mtu, "ip -brief link; cat /sys/class/net/*/mtu"),
    ("consistency.speed", "link speed", _speed, "cat /sys/class/net/*/speed"),
    ("consistency.lsm", "security modules", _lsm, "cat /sys/kernel/security/lsm"),
    (
        "consistency.timezone",
        "time zone",
        lambda case: known(case.facts.os.timezone),
        "timedatectl show --property=Timezone",
    ),
)


@check(
    *(row[0] for row in _ALIKE),
    title="Machines of a role are alike",
    severities=(PASS, WARN),
)
def alike(site: SiteCase, say: Say) -> Iterator[Finding]:
    """Machines of one role against the majority of them."""
    by_role: dict[str, list[Case]] = defaultdict(list)
    for case in site.cases:
        for role in case.roles:
            by_role[role].append(case)
    for role, cases in by_role.items():
        if len(cases) < 2:
            continue
        for check_id, noun, value, evidence in _ALIKE:
            told = {case.name: v for case in cases if (v := value(case)) is not None}
            if len(told) > 1:
                yield _compared(say, check_id, role, noun, told, evidence=evidence)


def _compared(
    say: Say, check_id: str, role: str, noun: str, told: dict[str, str], *, evidence: str
) -> Finding:
    ranked = Counter(told.values()).most_common()
    usual, often = ranked[0]
    odd = {name: value for name, value in told.items() if value != usual}
    what = f"{role.replace('-', ' ')} machines"
    majority = 2 * often > len(told)
    if not odd:
        title = f"All {what} have the same {noun} ({usual})."
    elif majority:
        others = shortened(f"{name} ({value})" for name, value in odd.items())
        verb = "differs" if len(odd) == 1 else "differ"
        title = f"{others} {verb} in {noun} from the other {what} ({usual})."
    else:
        shown = shortened(f"{name} has {value}" for name, value in told.items())
        title = f"The {what} differ in {noun}: {shown}."
    return say.at(
        WARN if odd else PASS,
        title,
        id=check_id,
        subject=role,
        expected=f"the same on all {what}",
        actual=listed(f"{value} × {number}" for value, number in ranked),
        source="Sitewright: machines of one role that differ fail differently (as cephadm checks)",
        evidence=evidence,
        remedy=f"Bring {shortened(odd) if majority else 'them'} to the same {noun} as the others"
        " before the installation, or say in a waiver why they differ.",
        undo="Take back what was changed on the machine that was adapted.",
    )


@check("consistency.subnet", title="Machines share a subnet", severities=(PASS, WARN))
def subnet(site: SiteCase, say: Say) -> Iterator[Finding]:
    """Kubernetes nodes in different subnets, between which a router or firewall stands."""
    nodes = [case for case in site.cases if case.kubernetes]
    networks = {
        case.name: frozenset(
            str(ip_interface(str(address)).network)
            for nic in real_nics(case.facts)
            for address in nic.addresses
            if address.scope == "global" and ":" not in address.address
        )
        for case in nodes
    }
    networks = {name: nets for name, nets in networks.items() if nets}
    if len(networks) < 2:
        return
    common = frozenset.intersection(*networks.values())
    shown = shortened(f"{name}: {listed(sorted(nets))}" for name, nets in networks.items())
    yield say.at(
        PASS if common else WARN,
        f"All Kubernetes nodes are in {listed(sorted(common))}."
        if common
        else "The Kubernetes nodes are in different subnets, so a router stands between them.",
        expected="one internal subnet",
        actual=shown,
        source="PM4ML on-premise guide, §1.2 (dedicated internal subnet), and as cephadm checks",
        evidence="ip -brief address",
        remedy="Put the nodes into one subnet; or see that nothing between them filters or"
        " translates (the mesh test shows it), and say so in a waiver.",
        undo="Put the old addresses back in /etc/netplan and `sudo netplan apply`.",
    )
