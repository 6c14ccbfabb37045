"""Swap: where it comes from, whether it would come back, and what ends it for good."""

from __future__ import annotations

import pytest

from preflight.checks.swap import swap
from preflight.facts import Facts, MemoryFacts, SwapArea, SwapSource, known
from preflight.findings import Finding, Severity
from preflight.parse.memory import parse_memory
from tests.preflight.facts_factory import case, changed, needs, role, worker_facts
from tests.preflight.probe_answers import answer_of

HEAD = "/proc/swaps:Filename\tType\tSize\tUsed\tPriority"
GENERATED = "/run/systemd/generator"
ON = "/proc/meminfo:SwapTotal: 2097152 kB"
OFF = "/proc/meminfo:SwapTotal: 0 kB"


def memory(swap_section: str, *active: str) -> MemoryFacts:
    """The memory facts of a machine with these active areas and this section of the probe."""
    rows = "\n".join(f"/proc/swaps:{name}\tpartition\t2097152\t0\t-2" for name in active)
    system = "\n".join([HEAD, *([rows] if rows else []), ON if active else OFF])
    return parse_memory(answer_of({"login": "uid=0", "system": system, "swap": swap_section}))


def area_of(swap_section: str, *active: str) -> SwapArea:
    """The one area of such a machine."""
    (area,) = known(memory(swap_section, *active).swap_areas) or ()
    return area


def finding(facts: MemoryFacts, *, container: bool = False) -> Finding:
    """What the check says of a worker with this memory."""
    good = worker_facts()
    one = changed(
        good,
        memory={"swap_bytes": facts.swap_bytes, "swap_areas": facts.swap_areas},
        cpu={"is_container": container},
    )
    (found,) = swap.run(case(one, wanted=needs(role("worker"))))
    return found


UNITS = {
    "zram-generator": (
        (
            f"{GENERATED}/dev-zram0.swap:Description=Compressed Swap on /dev/zram0\n"
            f"{GENERATED}/dev-zram0.swap:Documentation=man:zram-generator(8)\n"
            f"{GENERATED}/dev-zram0.swap:What=/dev/zram0\npulled dev-zram0.swap"
        ),
        "/dev/zram0",
    ),
    "fstab": (
        (
            "/etc/fstab:/swap.img none swap sw 0 0\n"
            f"{GENERATED}/swap.img.swap:SourcePath=/etc/fstab\n"
            f"{GENERATED}/swap.img.swap:What=/swap.img\npulled swap.img.swap"
        ),
        "/swap.img",
    ),
    "gpt": (
        (
            f"{GENERATED}.late/dev-sda3.swap:Description=Swap Partition\n"
            f"{GENERATED}.late/dev-sda3.swap:What=/dev/sda3\npulled dev-sda3.swap"
        ),
        "/dev/sda3",
    ),
    "unit": (
        "/etc/systemd/system/var-swapfile.swap:What=/var/swapfile\npulled var-swapfile.swap",
        "/var/swapfile",
    ),
}


@pytest.mark.parametrize("source", UNITS)
def test_units_of_systemd_are_told_apart_and_ended_by_the_target_they_hang_on(source: str) -> None:
    section, name = UNITS[source]
    area = area_of(section, name)
    assert (area.source.value, area.name, area.active) == (source, name, True)
    found = finding(memory(section, name))
    assert found.severity is Severity.WARN
    assert name in found.actual
    assert "systemctl mask swap.target" in found.remedy
    assert "swapoff -a" in found.remedy
    assert ("/etc/fstab`" in found.remedy) is (source == "fstab")
    assert "unmask swap.target" in found.undo


@pytest.mark.parametrize(
    ("section", "name", "service"),
    [
        ("service zramswap.service", "/dev/zram0", "zramswap.service"),
        ("service zram-config.service", "/dev/zram1", "zram-config.service"),
        ("service dphys-swapfile.service", "/var/swap", "dphys-swapfile.service"),
        ("/etc/dphys-swapfile:CONF_SWAPFILE=/data/swap\nservice dphys-swapfile.service",
         "/data/swap", "dphys-swapfile.service"),
        ("service swapspace.service", "/var/lib/swapspace/1", "swapspace.service"),
    ],
)  # fmt: skip  # one service a line
def test_services_that_make_swap_are_named_and_masked(
    section: str, name: str, service: str
) -> None:
    area = area_of(section, name)
    assert (area.source, area.by) == (SwapSource.SERVICE, service)
    found = finding(memory(section, name))
    assert f"from {service.removesuffix('.service')};" in found.title
    assert f"`sudo systemctl mask --now {service}`" in found.remedy
    assert "fstab" not in found.remedy


def test_the_agent_of_azure_is_named() -> None:
    file = "/etc/waagent.conf:ResourceDisk"
    section = f"{file}.EnableSwap=y\n{file}.MountPoint=/mnt"
    assert area_of(section, "/mnt/swapfile").source is SwapSource.AZURE
    assert "waagent.conf" in finding(memory(section, "/mnt/swapfile")).remedy


def test_a_line_by_uuid_is_the_partition_that_is_active() -> None:
    section = (
        "/etc/fstab:UUID=1234-ab none swap sw 0 0\n"
        f"{GENERATED}/dev-disk-by\\x2duuid-1234.swap:SourcePath=/etc/fstab\n"
        f"{GENERATED}/dev-disk-by\\x2duuid-1234.swap:What=/dev/disk/by-uuid/1234-ab\n"
        "pulled dev-disk-by\\x2duuid-1234.swap"
    )
    area = area_of(section, "/dev/sda2")
    assert (area.source, area.name) == (SwapSource.FSTAB, "/dev/sda2")


def test_what_nobody_knows_is_said_to_be_unknown() -> None:
    area = area_of("", "/root/by-hand")
    assert area.source is SwapSource.UNKNOWN
    found = finding(memory("", "/root/by-hand"))
    assert "/root/by-hand" in found.actual
    assert "not known" in found.title
    assert "or it is back" in found.remedy


@pytest.mark.parametrize("source", UNITS)
def test_swap_that_is_off_and_comes_back_is_no_pass(source: str) -> None:
    found = finding(memory(UNITS[source][0]))
    assert found.severity is Severity.WARN
    assert "after its next start" in found.title
    assert "systemctl mask swap.target" in found.remedy


@pytest.mark.parametrize(
    "section",
    [
        "",
        "/etc/fstab:/swap.img none swap sw,noauto 0 0",
        "masked swap.target\n/etc/fstab:/swap.img none swap sw 0 0",
        # A unit that was masked by its own name is not pulled in.
        UNITS["zram-generator"][0].replace("pulled dev-zram0.swap", ""),
        UNITS["fstab"][0].replace("pulled swap.img.swap", ""),
    ],
)
def test_swap_that_is_off_for_good_passes(section: str) -> None:
    assert finding(memory(section)).severity is Severity.PASS


def test_a_container_has_no_start_of_its_own() -> None:
    found = finding(memory(UNITS["fstab"][0]), container=True)
    assert found.severity is Severity.PASS


def test_facts_that_do_not_tell_where_swap_comes_from_give_the_whole_remedy() -> None:
    old = Facts().memory
    one = changed(worker_facts(), memory={"swap_bytes": 2**31, "swap_areas": old.swap_areas})
    (found,) = swap.run(case(one, wanted=needs(role("worker"))))
    assert "mask swap.target" in found.remedy
    assert "fstab" in found.remedy
