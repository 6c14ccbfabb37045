"""Checks of network interfaces: how many, how fast, and their MTU."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import counted, link_speed, shortened, word
from preflight.facts import Facts, Nic, NicKind, known, why_unknown
from preflight.findings import Finding
from preflight.needs import NicNeed

EVIDENCE: Final = (
    "ip -brief link; for n in /sys/class/net/*; do echo ${n##*/} $(cat $n/speed 2>/dev/null); done"
)
LEAST_MTU: Final = 1500
_MADE_BY_SOFTWARE: Final = re.compile(
    r"^(docker|br-|virbr|veth|cali|cni|flannel|vxlan|lxc|lxd|tun|tap|wg|dummy|kube|tunl|ifb|nodelocal)"
)


def real_nics(facts: Facts) -> tuple[Nic, ...]:
    """The interfaces that lead out of the machine, not those that container software made.

    Hardware and what is built on it; a machine that has none of that (a container) has its virtual
    interfaces instead.
    """
    nics = known(facts.network.nics) or ()
    hardware = {nic.name for nic in nics if nic.kind is NicKind.PHYSICAL}
    built = [
        nic
        for nic in nics
        if nic.kind in (NicKind.PHYSICAL, NicKind.BOND, NicKind.VLAN)
        or (nic.kind is NicKind.BRIDGE and hardware.intersection(nic.members))
    ]
    if hardware:
        return tuple(built)
    return tuple(nic for nic in nics if not _MADE_BY_SOFTWARE.match(nic.name))


def is_up(nic: Nic) -> bool:
    """Whether it can carry packets; a driver that does not tell its state is believed."""
    return known(nic.state) not in ("down", "lowerlayerdown", "notpresent", "dormant")


def speed_of(nic: Nic, nics: tuple[Nic, ...]) -> int | None:
    """The speed of an interface in Mbit/s; a bond that does not tell has that of its members."""
    speed = known(nic.speed_mbps)
    if speed is not None and speed > 0:
        return speed
    if nic.kind is NicKind.BOND:
        members = [known(other.speed_mbps) for other in nics if other.name in nic.members]
        if members and all(member is not None and member > 0 for member in members):
            return sum(member or 0 for member in members)
    return None


def serving(need: NicNeed, nics: tuple[Nic, ...]) -> tuple[Nic, ...]:
    """The interfaces that count for a need: ports that are up, and for one link also bonds."""
    ports = [n for n in nics if n.kind in (NicKind.PHYSICAL, NicKind.VIRTUAL) and is_up(n)]
    if need.count == 1:
        ports += [n for n in nics if n.kind is NicKind.BOND and is_up(n)]
    return tuple(ports)


def _described(nic: Nic, nics: tuple[Nic, ...]) -> str:
    speed = speed_of(nic, nics)
    state = "" if is_up(nic) else ", down"
    return f"{nic.name} ({link_speed(speed) if speed else 'speed not told'}{state})"


def _unseen(case: Case, say: Say, need: NicNeed) -> Finding:
    speed = f" of {link_speed(need.speed_mbps)}" if need.speed_mbps else ""
    return say.unknown(
        f"It could not be told which network interfaces {case.name} has; {case.who} needs"
        f" {need.count}{speed}.",
        subject=need.purpose,
        expected=f"{counted(need.count, 'interface')}{speed}",
        reason=why_unknown(case.facts.network.nics),
        source=case.sizing_source,
        evidence=EVIDENCE,
    )


@check("nic.count", title="Number of network interfaces", severities=(PASS, FAIL, UNKNOWN))
def count(case: Case, say: Say) -> Iterator[Finding]:
    """Interfaces that are up."""
    for need in case.demand.nics:
        if known(case.facts.network.nics) is None:
            yield _unseen(case, say, need)
            continue
        nics = real_nics(case.facts)
        have = len(serving(need, nics))
        down = [nic.name for nic in nics if not is_up(nic)]
        note = f" ({shortened(down)} {'is' if len(down) == 1 else 'are'} down)" if down else ""
        yield say.at(
            PASS if have >= need.count else FAIL,
            f"{case.name} has {counted(have, 'network interface')} up{note}; {case.who} needs"
            f" {need.count}.",
            subject=need.purpose,
            expected=counted(need.count, "interface"),
            actual=shortened(_described(nic, nics) for nic in nics) or "none",
            source=case.sizing_source,
            evidence=EVIDENCE,
            remedy="Plug the cable in or add an interface in the hypervisor, bring it up with `sudo"
            " ip link set NAME up`, and name it in /etc/netplan so that it stays up.",
            undo="sudo ip link set NAME down, and take its lines out of /etc/netplan.",
        )


@check("nic.speed", title="Speed of network interfaces", severities=(PASS, FAIL, UNKNOWN))
def speed(case: Case, say: Say) -> Iterator[Finding]:
    """Link speeds; an interface that does not tell its speed is unknown, never a pass."""
    for need in case.demand.nics:
        nics = real_nics(case.facts)
        ports = serving(need, nics)
        if need.speed_mbps is None or len(ports) < need.count:
            continue  # nic.count says so
        speeds = {nic.name: speed_of(nic, nics) for nic in ports}
        fast = [name for name, value in speeds.items() if value and value >= need.speed_mbps]
        silent = [name for name, value in speeds.items() if value is None]
        wanted = link_speed(need.speed_mbps)
        expected = f"{need.count} × {wanted}"
        actual = shortened(_described(nic, nics) for nic in ports)
        if len(fast) < need.count <= len(fast) + len(silent):
            yield say.unknown(
                f"{shortened(silent)} on {case.name}"
                f" {'does' if len(silent) == 1 else 'do'} not tell a speed; {case.who} needs"
                f" {counted(need.count, 'interface')} of {wanted}.",
                subject=need.purpose,
                expected=expected,
                reason=f"a virtual interface has no speed of its own: {actual}",
                source=case.sizing_source,
                evidence=EVIDENCE,
                remedy="Ask whoever runs the hypervisor for the speed of the host's uplinks, or"
                " measure it between two machines with iperf3, and record the answer as a waiver of"
                " nic.speed.",
            )
            continue
        yield say.at(
            PASS if len(fast) >= need.count else FAIL,
            f"{case.name} has {counted(len(fast), 'network interface')} of {wanted} or faster;"
            f" {case.who} needs {need.count}.",
            subject=need.purpose,
            expected=expected,
            actual=actual,
            source=case.sizing_source,
            evidence=f"sudo ethtool {word(ports[0].name)} | grep -E 'Speed|Duplex|Link detected'",
            remedy=f"Look at what the link agreed on with the command above: a 10 Gbit/s card on a"
            f" slower switch port or with a poor cable falls back. Else install cards of {wanted}.",
            undo="Put the old card or cable back.",
        )


@check("nic.mtu", title="MTU", severities=(PASS, WARN, UNKNOWN))
def mtu(case: Case, say: Say) -> Iterator[Finding]:
    """Pods travel in VXLAN, which takes 50 bytes of every packet."""
    if not case.kubernetes or case.needs.single_machine:
        return
    source = "Sitewright: VXLAN takes 50 bytes; below 1500 it must be configured everywhere alike"
    for nic in real_nics(case.facts):
        if not nic.addresses or not is_up(nic):
            continue
        value = known(nic.mtu)
        evidence = f"cat {word(f'/sys/class/net/{nic.name}/mtu')}"
        expected = f"{LEAST_MTU} or more"
        if value is None:
            yield say.unknown(
                f"The MTU of {nic.name} on {case.name} could not be told.",
                subject=nic.name,
                expected=expected,
                reason=why_unknown(nic.mtu),
                source=source,
                evidence=evidence,
            )
            continue
        yield say.at(
            PASS if value >= LEAST_MTU else WARN,
            f"{nic.name} on {case.name} carries packets of {value} bytes.",
            subject=nic.name,
            expected=expected,
            actual=str(value),
            source=source,
            evidence=evidence,
            remedy="If the network carries it, raise it:"
            f" `sudo ip link set {word(nic.name)} mtu 1500`, and `mtu: 1500` in /etc/netplan. If it"
            " does not (a tunnel, a cloud network), every node must have the same, and the"
            " pod network must be told.",
            undo=f"sudo ip link set {word(nic.name)} mtu {value}, and the old line in"
            " /etc/netplan.",
        )


@check("nic.duplex", title="Full duplex", severities=(PASS, WARN))
def duplex(case: Case, say: Say) -> Iterator[Finding]:
    """Half duplex is a sign of a failed negotiation."""
    for nic in real_nics(case.facts):
        value = known(nic.duplex)
        if nic.kind is not NicKind.PHYSICAL or value not in ("half", "full") or not is_up(nic):
            continue
        yield say.at(
            PASS if value == "full" else WARN,
            f"{nic.name} on {case.name} runs in {value} duplex.",
            subject=nic.name,
            expected="full duplex",
            actual=f"{value} duplex",
            source="Sitewright: half duplex on a switch means that negotiation failed",
            evidence=f"sudo ethtool {word(nic.name)} | grep -E 'Speed|Duplex|Auto'",
            remedy="Set both ends to negotiate by themselves: `sudo ethtool -s"
            f" {word(nic.name)} autoneg on`, and the same on the switch port; try another cable.",
            undo=f"sudo ethtool -s {word(nic.name)} autoneg off speed OLD duplex OLD",
        )
