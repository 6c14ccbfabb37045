"""Checks of network interfaces: how many, how fast, and their MTU."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from foundation.wording import how_many, shortened
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import link_speed, word
from preflight.facts import Facts, Nic, NicKind, known, why_unknown
from preflight.findings import Finding
from preflight.needs import NicNeed

EVIDENCE: Final = (
    "ip -brief link; for n in /sys/class/net/*; do echo ${n##*/} $(cat $n/speed 2>/dev/null); done"
)
BEHIND: Final = (
    "for n in /sys/class/net/*; do readlink -f $n/device; ls -d $n/device/physfn"
    " 2>/dev/null; done; ethtool -i NAME"
)
_ASK: Final = (
    "Ask whoever runs the hypervisor or the rack how many ports of the host stand behind them, of"
    " which speed, or measure it between two machines with iperf3, and record the answer as a"
    " waiver of {id}."
)
LEAST_MTU: Final = 1500
_MADE_BY_SOFTWARE: Final = re.compile(
    r"^(docker|br-|virbr|veth|cali|cni|flannel|vxlan|lxc|lxd|tun|tap|wg|dummy|kube|tunl|ifb|nodelocal)"
)


def real_nics(facts: Facts) -> tuple[Nic, ...]:
    """The interfaces that lead out of the machine, not those that software made on it.

    Ports, what may be one, and what is built on them; a machine that has none of that has what its
    hypervisor gives it instead, and a container its virtual interfaces. A part of a port (a virtual
    function, a representor) is never one beside it.
    """
    nics = known(facts.network.nics) or ()
    hardware = {nic.name for nic in nics if nic.kind in (NicKind.PHYSICAL, NicKind.UNKNOWN)}
    if hardware:
        return tuple(
            nic
            for nic in nics
            if nic.kind in (NicKind.PHYSICAL, NicKind.UNKNOWN, NicKind.BOND, NicKind.VLAN)
            or (nic.kind is NicKind.BRIDGE and hardware.intersection(nic.members))
        )
    given = {
        nic.name for nic in nics if nic.kind is NicKind.VIRTUAL and isinstance(nic.driver, str)
    }
    return tuple(
        nic
        for nic in nics
        if not _MADE_BY_SOFTWARE.match(nic.name)
        and (not given or nic.kind is not NicKind.VIRTUAL or nic.name in given)
    )


def is_up(nic: Nic) -> bool:
    """Whether it can carry packets; a driver that does not tell its state is believed."""
    return known(nic.state) not in ("down", "lowerlayerdown", "notpresent", "dormant")


def speed_of(nic: Nic, nics: tuple[Nic, ...]) -> int | None:
    """The speed of an interface in Mbit/s, as far as a physical port stands behind it.

    What a hypervisor's interface or a part of a card calls its speed says nothing of a port. A bond
    has the sum of its ports, or less where it says so itself, as one with a standby does.
    """
    speed = known(nic.speed_mbps)
    if nic.kind is NicKind.BOND:
        members = [
            known(other.speed_mbps) if other.kind is NicKind.PHYSICAL else None
            for other in nics
            if other.name in nic.members
        ]
        whole = bool(members) and len(members) == len(nic.members)
        if not whole or any(member is None or member <= 0 for member in members):
            return None
        summed = sum(member or 0 for member in members)
        return min(summed, speed) if speed is not None and speed > 0 else summed
    if nic.kind is not NicKind.PHYSICAL:
        return None
    return speed if speed is not None and speed > 0 else None


def serving(need: NicNeed, nics: tuple[Nic, ...]) -> tuple[Nic, ...]:
    """The interfaces that may count for a need: ports that are up, and for one link also bonds."""
    ports = [n for n in nics if n.kind in _PORTS and is_up(n)]
    if need.count == 1:
        ports += [n for n in nics if n.kind is NicKind.BOND and is_up(n)]
    return tuple(ports)


_PORTS: Final = (NicKind.PHYSICAL, NicKind.VIRTUAL, NicKind.UNKNOWN)


def _described(nic: Nic, nics: tuple[Nic, ...]) -> str:
    speed = speed_of(nic, nics)
    state = "" if is_up(nic) else ", down"
    return f"{nic.name} ({link_speed(speed) if speed else 'speed not told'}{state})"


def _reasons(nics: list[Nic]) -> str:
    """Why interfaces do not count with certainty, each reason once."""
    told = dict.fromkeys(nic.kind_reason or why_unknown(nic.speed_mbps) for nic in nics)
    return shortened(filter(None, told), 2) or "a virtual interface has no speed of its own"


def _unseen(case: Case, say: Say, need: NicNeed) -> Finding:
    speed = f" of {link_speed(need.speed_mbps)}" if need.speed_mbps else ""
    return say.unknown(
        f"It could not be told which network interfaces {case.name} has; {case.who} needs"
        f" {need.count}{speed}.",
        subject=need.purpose,
        expected=f"{how_many(need.count, 'interface')}{speed}",
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
        ports = serving(need, nics)
        open_ones = [nic for nic in ports if nic.kind is NicKind.UNKNOWN]
        have = len(ports) - len(open_ones)
        if have < need.count <= len(ports):
            names = shortened(nic.name for nic in open_ones)
            yield say.unknown(
                f"{case.name} has {how_many(have, 'network interface')} up that certainly"
                f" {'is a port' if have == 1 else 'are ports'}, and {names};"
                f" {case.who} needs {need.count}.",
                subject=need.purpose,
                expected=how_many(need.count, "interface"),
                reason=f"{_reasons(open_ones)}: {shortened(_described(n, nics) for n in nics)}",
                source=case.sizing_source,
                evidence=BEHIND,
                remedy=_ASK.format(id="nic.count"),
            )
            continue
        down = [nic.name for nic in nics if not is_up(nic)]
        note = f" ({shortened(down)} {'is' if len(down) == 1 else 'are'} down)" if down else ""
        yield say.at(
            PASS if have >= need.count else FAIL,
            f"{case.name} has {how_many(have, 'network interface')} up{note}; {case.who} needs"
            f" {need.count}.",
            subject=need.purpose,
            expected=how_many(need.count, "interface"),
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
        hidden = [nic for nic in ports if nic.name in silent]
        wanted = link_speed(need.speed_mbps)
        expected = f"{need.count} × {wanted}"
        actual = shortened(_described(nic, nics) for nic in ports)
        if len(fast) < need.count <= len(fast) + len(silent):
            yield say.unknown(
                f"{shortened(silent)} on {case.name}"
                f" {'does' if len(silent) == 1 else 'do'} not tell a speed of a physical port;"
                f" {case.who} needs"
                f" {how_many(need.count, 'interface')} of {wanted}.",
                subject=need.purpose,
                expected=expected,
                reason=f"{_reasons(hidden)}: {actual}",
                source=case.sizing_source,
                evidence=BEHIND,
                remedy=_ASK.format(id="nic.speed"),
            )
            continue
        yield say.at(
            PASS if len(fast) >= need.count else FAIL,
            f"{case.name} has {how_many(len(fast), 'network interface')} of {wanted} or faster;"
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
            f" {word(nic.name)} autoneg on`, and the same on the switch port; try another cable."
            " What switched it off does so again at the next start: `grep -rniE"
            " 'autoneg|duplex' /etc/systemd/network /etc/netplan /etc/network /etc/udev/rules.d`.",
            undo=f"sudo ethtool -s {word(nic.name)} autoneg off speed OLD duplex OLD",
        )
