"""Whether a machine tries to leave the lab's network: nothing does, and every try is counted."""

from __future__ import annotations

import re

from tests.lab.host import run
from tests.lab.lab import Lab
from tests.lab.machine import Machine

WAYS = {
    "names": ("-p", "udp", "--dport", "53"),
    "time": ("-p", "udp", "--dport", "123"),
    "tcp": ("-p", "tcp"),
    "udp": ("-p", "udp"),
    "rest": (),
}
"""What may try to leave, to be counted apart."""

CLUSTER = ("10.1.0.0/16", "10.152.183.0/24")
"""MicroK8s' networks of pods and of services: no other machine is there."""


def count_what_leaves(machine: Machine, lab: Lab) -> None:
    """Let nothing out of the lab's network, and count what tries.

    The default route stays, so that a try becomes a packet that can be counted. What a machine
    says to its own link (multicast) leaves no network, nor what it says inside its own cluster.
    """
    machine.exec(["systemctl", "stop", "chrony.service"])
    machine.exec(["sh", "-c", "echo nameserver 192.0.2.53 > /etc/resolv.conf"])
    for way in ("224.0.0.0/4", "127.0.0.0/8", *CLUSTER, str(lab.subnet)):
        machine._network("iptables", "-A", "OUTPUT", "-d", way, "-j", "ACCEPT")
    for match in WAYS.values():
        machine._network("iptables", "-A", "OUTPUT", *match, "-j", "DROP")


def tried_to_leave(machine: Machine) -> dict[str, int]:
    """Packets that tried to leave the lab's network."""
    pid = str(machine._pid())
    shown = run(["nsenter", "--target", pid, "--net", "iptables", "-nvxL", "OUTPUT"]).stdout
    counts = re.findall(r"^\s*([0-9]+)\s+[0-9]+ DROP", shown, re.MULTILINE)
    return {way: int(n) for way, n in zip(WAYS, counts, strict=True) if int(n)}
