"""What stands behind a network interface: a port, a part of one, a hypervisor, or nobody knows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from installer.catalogue.solution import load_solution
from preflight.checks.nic import real_nics, serving, speed_of
from preflight.checks.registry import CHECKS
from preflight.facts import Facts, NetworkFacts, Nic, NicKind, known
from preflight.findings import Severity
from preflight.judge import judge_host
from preflight.needs import NicNeed, Shape
from preflight.parse.network import parse_network
from preflight.recorded import load_facts
from tests.preflight.facts_factory import case, changed, needs, role, worker_facts
from tests.preflight.probe_answers import answer_of

BARE = "processor : 0\nflags : fpu sse2"
VIRTUAL_MACHINE = "processor : 0\nflags : fpu sse2 hypervisor"
CARD = "/devices/pci0000:00/0000:3b:00.{}/net/{}"
TWO_FAST = NicNeed(count=2, speed_mbps=10_000, purpose="cluster")


class Machine:
    """A machine's interfaces, one line each, as the probe tells them."""

    def __init__(self, cpu: str = BARE) -> None:
        self.cpu = cpu
        self.names: list[str] = []
        self.files: list[str] = []
        self.links: list[str] = []

    def add(self, name: str, place: str = "", marks: str = "device", **files: str) -> Machine:
        """One more interface, up with 10 Gbit/s unless something else is said."""
        self.names.append(f"{name} {marks}".strip())
        told = {"operstate": "up", "speed": "10000", "device/uevent": "DRIVER=ixgbe", **files}
        for key, value in told.items():
            self.files.append(f"/sys/class/net/{name}/{key.replace('__', '/')}:{value}")
        if place:
            self.links.append(
                f"lrwxrwxrwx 1 root root 0 Jan 1 00:00 {name} -> ../..{place.format('0', name)}"
            )
        return self

    def network(self) -> NetworkFacts:
        """The facts of it."""
        return parse_network(
            answer_of(
                {
                    "login": "uid=0",
                    "cpuinfo": self.cpu,
                    "nicnames": "\n".join(self.names),
                    "nics": "\n".join(self.files),
                    "links": "\n".join(self.links),
                }
            )
        )

    def nics(self) -> dict[str, Nic]:
        """The interfaces by name."""
        return {nic.name: nic for nic in known(self.network().nics) or ()}

    def severities(self, need: NicNeed = TWO_FAST) -> dict[str, Severity]:
        """How the checks of interfaces end for a need."""
        facts = changed(worker_facts(), network=self.network())
        one = case(facts, wanted=needs(role("worker", Shape(nics=(need,)))))
        return {
            name: finding.severity
            for name in ("nic.count", "nic.speed")
            for finding in next(check for check in CHECKS if check.id == name).run(one)
        }


def test_virtual_functions_beside_their_port_are_no_ports() -> None:
    machine = Machine().add("eno1np0", CARD)
    for n in range(3):
        machine.add(f"eno1v{n}", CARD, "device physfn:eno1np0")
    machine.add("eno2np1", CARD, operstate="down", speed="-1")
    assert [nic.kind for nic in machine.nics().values()][1:4] == [NicKind.VIRTUAL] * 3
    assert machine.nics()["eno1v0"].kind_reason == "a virtual function of eno1np0 (SR-IOV)"
    found = real_nics(Facts(network=machine.network()))
    assert [nic.name for nic in serving(TWO_FAST, found)] == ["eno1np0"]
    assert machine.severities() == {"nic.count": Severity.FAIL}


def test_two_ports_of_two_cards_pass() -> None:
    machine = Machine().add("eno1", CARD).add("eno2", CARD)
    assert set(machine.severities().values()) == {Severity.PASS}


@pytest.mark.parametrize(
    ("place", "marks", "files"),
    [
        ("/devices/pci0000:00/0000:00:03.0/virtio2/net/{1}", "device",
         {"device/uevent": "DRIVER=virtio_net"}),
        (CARD, "device", {"device/uevent": "DRIVER=vmxnet3"}),
        (CARD, "device", {"device/uevent": "DRIVER=ena"}),
        (CARD, "device", {"device/uevent": "DRIVER=iavf"}),
        ("/devices/LNXSYSTM:00/VMBUS:01/abcd/net/{1}", "device",
         {"device/uevent": "DRIVER=hv_netvsc"}),
        ("/devices/LNXSYSTM:00/VMBUS:01/abcd/pci1234:00/1234:00:02.0/net/{1}", "device",
         {"device/uevent": "DRIVER=mlx5_core"}),
        (CARD, "device", {"phys_port_name": "pf0vf1"}),
        (CARD, "device", {"phys_port_name": "c1pf0sf88"}),
        ("/devices/pci0000:00/0000:3b:00.0/mlx5_core.sf.2/net/{1}", "device", {}),
        ("/devices/platform/switch/net/{1}", "device", {"uevent": "DEVTYPE=dsa"}),
        (CARD, "device", {"device/subsystem_vendor": "0x1af4"}),
        (CARD, "device", {"device/subsystem_vendor": "0x15ad", "device/uevent": "DRIVER=e1000"}),
        ("/devices/virtual/net/{1}", "", {"uevent": "DEVTYPE=macvlan"}),
        ("/devices/virtual/net/{1}", "", {}),
    ],
)  # fmt: skip  # one interface a line
def test_what_is_a_part_or_made_by_software_is_virtual_with_its_reason(
    place: str, marks: str, files: dict[str, str]
) -> None:
    nic = Machine().add("x0", place, marks, **files).nics()["x0"]
    assert nic.kind is NicKind.VIRTUAL
    assert nic.kind_reason


@pytest.mark.parametrize(
    ("cpu", "place"),
    [
        (BARE, ""),
        (BARE, "/devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4:2.0/net/{1}"),
        (BARE, "/devices/qeth/0.0.0600/net/{1}"),
        (VIRTUAL_MACHINE, CARD),
    ],
)
def test_where_nothing_shows_a_port_it_is_unknown_and_never_passes(cpu: str, place: str) -> None:
    machine = Machine(cpu).add("x0", place).add("x1", place)
    assert {nic.kind for nic in machine.nics().values()} == {NicKind.UNKNOWN}
    assert machine.severities()["nic.count"] is Severity.UNKNOWN


def test_a_whole_card_that_was_passed_to_a_virtual_machine_is_a_port() -> None:
    whole = Machine(VIRTUAL_MACHINE).add("x0", CARD, **{"device/sriov_totalvfs": "63"})
    assert whole.nics()["x0"].kind is NicKind.PHYSICAL


def test_the_speed_that_a_hypervisor_gives_its_interface_is_no_speed_of_a_port() -> None:
    machine = Machine(VIRTUAL_MACHINE)
    for name in ("ens192", "ens224"):
        machine.add(name, CARD, **{"device/uevent": "DRIVER=vmxnet3"})
    assert machine.severities() == {"nic.count": Severity.PASS, "nic.speed": Severity.UNKNOWN}


@pytest.mark.parametrize(
    "ids",
    [
        {"phys_port_id": "0c42a1aabbcc"},
        {"phys_switch_id": "c2aa00", "phys_port_name": "p0"},
    ],
)
def test_two_functions_of_one_port_are_one_port(ids: dict[str, str]) -> None:
    machine = Machine().add("a0", CARD, operstate="down", **ids).add("a1", CARD, **ids)
    assert machine.nics()["a1"].kind is NicKind.PHYSICAL
    assert "a1" in machine.nics()["a0"].kind_reason
    assert machine.severities() == {"nic.count": Severity.FAIL}


def test_two_ports_of_one_switch_chip_are_two() -> None:
    machine = Machine()
    for n in (0, 1):
        machine.add(f"a{n}", CARD, phys_switch_id="c2aa00", phys_port_name=f"p{n}")
    assert set(machine.severities().values()) == {Severity.PASS}


ONE_FAST = NicNeed(count=1, speed_mbps=20_000)


def bonded(*kinds: NicKind, told: int = 20_000) -> int | None:
    """The speed of a bond over ports of 10 Gbit/s of these kinds."""
    ports = tuple(Nic(f"p{n}", kind, speed_mbps=10_000) for n, kind in enumerate(kinds))
    bond = Nic("bond0", NicKind.BOND, speed_mbps=told, members=tuple(p.name for p in ports))
    return speed_of(bond, (*ports, bond))


def test_a_bond_has_the_speed_of_the_ports_in_it_and_no_more() -> None:
    assert bonded(NicKind.PHYSICAL, NicKind.PHYSICAL) == 20_000
    assert bonded(NicKind.PHYSICAL, NicKind.PHYSICAL, told=10_000) == 10_000
    assert bonded(NicKind.PHYSICAL, NicKind.VIRTUAL) is None
    assert bonded(NicKind.UNKNOWN, NicKind.UNKNOWN) is None


def test_the_bridge_of_a_switch_and_the_ports_in_it_are_not_counted_beside_a_port() -> None:
    machine = Machine().add("eno1", CARD).add("macvlan0", "", "", uevent="DEVTYPE=macvlan")
    found = real_nics(Facts(network=machine.network()))
    assert [nic.name for nic in found] == ["eno1"]


RECORDED = Path(__file__).parent.parent.parent / "recorded"


@pytest.mark.parametrize(
    ("recording", "role_played", "check", "severity"),
    [
        ("nvme-over-tcp", "worker", "disk.nvme", Severity.UNKNOWN),
        ("pm4ml-worker", "worker", "disk.nvme", Severity.PASS),
        ("sriov-server", "storage", "nic.count", Severity.FAIL),
        ("pm4ml-storage", "storage", "nic.speed", Severity.PASS),
    ],
)
def test_recorded_machines_are_judged_by_what_stands_behind_their_devices(
    recording: str, role_played: str, check: str, severity: Severity
) -> None:
    (seen,) = load_facts(RECORDED / f"{recording}.json")
    wanted = load_solution("pm4ml").needs("production")
    found = judge_host(seen, (role_played,), wanted, today=date(2026, 11, 28)).findings
    assert {one.severity for one in found if one.id == check} == {severity}
