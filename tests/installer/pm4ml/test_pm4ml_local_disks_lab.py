"""Local volumes of disks that are named by serial: real LVM, wipefs, Helm and API of Kubernetes.

The disks are loop devices whose serials stand in udev's data as udev writes them. The chart is a
stand-in for the driver, and the lab's kernel has no device mapper: groups are real, volumes in them
cannot be made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installer.pm4ml_site import LabSite, make
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

CHART = "/var/lib/lab/lvm-localpv"
# Every machine of the lab sees the kernel's loop devices: of those it keeps its own alone.
NAMED = """\
disk=$(readlink /dev/lab-disk)
mkdir -p /run/udev/data
printf 'I:1\\nE:ID_SERIAL_SHORT=%s\\n' "{serial}" > "/run/udev/data/b7:${{disk#/dev/loop}}"
for each in /dev/loop*; do [ "$each" = "$disk" ] || rm -f "$each"; done
"""
GROUPS = ["vgs", "--noheadings", "-o", "vg_name,vg_tags"]


@pytest.fixture
def disks() -> Iterator[list[Machine]]:
    """Machines that were given a disk; it is taken away at the end."""
    machines: list[Machine] = []
    yield machines
    for machine in machines:
        machine.exec(["sh", "-c", 'losetup -d "$(readlink /dev/lab-disk)"'], check=False)


def lay_chart(machine: Machine, version: object) -> None:
    """A chart by the driver's name, which keeps the values that it was given."""
    about = f"apiVersion: v2\nname: lvm-localpv\nversion: {version}\n"
    machine.write_file(f"{CHART}/Chart.yaml", about)
    kept = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: given}\ndata:\n"
    kept += "  values: {{ toJson .Values | quote }}\n"
    machine.write_file(f"{CHART}/templates/given.yaml", kept)


def kubectl(machine: Machine, *words: str) -> str:
    """What the API says."""
    return machine.exec(["microk8s", "kubectl", *words]).stdout


def groups(machine: Machine) -> list[str]:
    """The volume groups of a machine, with their tags."""
    return machine.exec(GROUPS).stdout.split()


def test_disks_are_looked_at_on_every_machine_and_taken_by_serial(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path, disks: list[Machine]
) -> None:
    """One that carries something stops all of them; the class keeps what is written."""
    cluster = make(lab, machine_factory, tmp_path, kubernetes=True, m1="master")
    (m1,) = cluster.roles
    assert cluster.play("1.microk8s_setup.yml").status == 0
    lay_chart(m1, cluster.variables()["local_chart_version"])
    w1, w2 = machine_factory.several("w1", "w2")
    for machine, serial in ((w1, "LAB1"), (w2, "LAB2")):
        disks.append(machine)
        machine.add_disk("/dev/lab-disk")
        machine.script(NAMED.format(serial=serial))
    site = LabSite(lab, tmp_path, {m1: ("master",), w1: ("worker",), w2: ("worker",)})
    site.settings = {"local_disks": "w1=LAB1, w2=LAB2", "local_chart": CHART}
    w2.exec(["mkfs.ext4", "-q", "/dev/lab-disk"])
    refused = site.play("local_disks.yml")
    assert refused.status != 0
    assert "(LAB2) is not empty" in refused.flat
    assert groups(w1) == []

    site.settings["local_disks_wipe"] = "w2=LAB2"
    looked = site.play("local_disks.yml", extra={"only_look": "yes"})
    assert looked.status == 0, looked.output
    assert groups(w1) == []
    assert "ext4" in w2.exec(["blkid", "/dev/lab-disk"]).stdout
    taken = site.play("local_disks.yml")
    assert taken.status == 0, taken.output
    assert groups(w1) == groups(w2) == ["nvme", "sitewright"]
    made = json.loads(kubectl(m1, "get", "storageclass", "local-nvme", "-o", "json"))
    assert made["reclaimPolicy"] == "Retain"
    assert made["volumeBindingMode"] == "WaitForFirstConsumer"
    assert made["parameters"]["volgroup"] == "nvme"
    given = kubectl(
        m1, "-n", "openebs", "get", "configmap", "given", "-o", "jsonpath={.data.values}"
    )
    assert json.loads(given)["lvmNode"]["kubeletDir"].startswith("/var/snap/microk8s/")
    again = site.play("local_disks.yml")
    assert set(again.changed.values()) == {0}, again.output

    # A group that is not ours is neither taken nor given back.
    w2.exec(["vgchange", "--deltag", "sitewright", "nvme"])
    theirs = site.play("local_disks.yml")
    assert "that Sitewright did not make" in theirs.flat
    undone = site.play("undo/local_disks.yml")
    assert undone.status == 0, undone.output
    assert groups(w1) == []
    assert groups(w2) == ["nvme"]
    assert "local-nvme" not in kubectl(m1, "get", "storageclass")
