"""The whole preflight on lab machines, as a person runs it, with every trouble at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.lab.lab import Lab
from tests.lab.lending import LabMachines, MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import MINIMAL, UBUNTU_24_04

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parent.parent.parent
PM4ML = ("--solution", "pm4ml", "--environment", "production")


def sitewright(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "installer", *(str(word) for word in arguments)],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def login(lab: Lab, user: str = "ubuntu") -> tuple[str, ...]:
    """The options that reach lab machines."""
    return ("--user", user, "--identity", str(lab.key), "--known-hosts", str(lab.known_hosts))


def named(machines: Sequence[Machine], *names: str) -> list[str]:
    """Machines as arguments of the command."""
    return [f"{name}={one.address}" for name, one in zip(names, machines, strict=True)]


def by_name(report: str) -> dict[str, Any]:
    """The machines of a JSON report."""
    return {host["name"]: host for host in json.loads(report)["hosts"]}


def test_machines_are_judged_and_facts_are_right(lab: Lab, lab_machines: LabMachines) -> None:
    """Three machines of three roles: facts agree with what the machines themselves say."""
    machines = lab_machines(3, stand_in=UBUNTU_24_04)
    done = sitewright(
        "preflight",
        *named(machines, "m1", "w1", "lb1"),
        *login(lab),
        *PM4ML,
        "--role",
        "master=m1",
        "--role",
        "worker=w1",
        "--role",
        "load-balancer=lb1",
        "--format",
        "json",
    )
    assert done.returncode == 3, done.stderr
    hosts = by_name(done.stdout)
    for machine, name in zip(machines, ("m1", "w1", "lb1"), strict=True):
        facts = hosts[name]["facts"]
        assert hosts[name]["reachable"]
        assert facts["hostname"] == machine.exec(["hostname"]).stdout.strip()
        assert facts["os"]["version"] == "24.04"
        assert facts["cpu"]["logical"] == int(machine.exec(["nproc"]).stdout)
        told = machine.exec(["cat", "/proc/meminfo"]).stdout.split()
        assert facts["memory"]["total_bytes"] == int(told[1]) * 1024
        assert any(machine.address in a for nic in facts["nics"] for a in nic["addresses"])
        assert any(s["port"] == 22 and s["process"] == "sshd" for s in facts["sockets"])
    report = json.loads(done.stdout)
    assert report["verdict"] == "not-ready"
    # The port table was tried between them: nothing filters in the lab.
    mesh = [f for f in report["findings"] if f["id"].startswith("mesh.")]
    assert mesh
    assert not [f for f in mesh if f["severity"] == "fail"]


def test_every_trouble_at_once_and_each_told_once(
    lab: Lab, lab_machines: LabMachines, machine_factory: MachineFactory
) -> None:
    """Dead, silent, filtered, changed, unknown, refused: six rows, and the good one is whole."""
    good, unknown, refuses = lab_machines(3)
    changed = machine_factory("changed")
    changed.new_host_keys()
    known = lab.folder / "known_without_one"
    known.write_text(
        "".join(
            line
            for line in lab.known_hosts.read_text().splitlines(keepends=True)
            if unknown.address not in line.split()[0]
        )
    )
    done = sitewright(
        "preflight",
        f"good=ubuntu@{good.address}",
        f"dead=ubuntu@{lab.dead_address()}",
        f"silent=ubuntu@{lab.silent.address}",
        f"filtered=ubuntu@{lab.black_hole.address}",
        f"changed=ubuntu@{changed.address}",
        f"unknown=ubuntu@{unknown.address}",
        f"refused=nobody-there@{refuses.address}",
        "--identity",
        lab.key,
        "--known-hosts",
        known,
        *PM4ML,
        "--connect-timeout",
        "20",
        "--format",
        "json",
        "--no-mesh",
    )
    assert done.returncode == 4, done.stderr
    hosts = by_name(done.stdout)
    codes = {name: (host["problem"] or {}).get("code") for name, host in hosts.items()}
    assert codes == {
        "good": None,
        "dead": codes["dead"],
        "silent": "timeout",
        "filtered": "timeout",
        "changed": "host-key-changed",
        "unknown": "host-key-unknown",
        "refused": "login-refused",
    }
    # Whether "no such machine" comes before our time-out is the kernel's choice.
    assert codes["dead"] in ("unreachable", "timeout")
    for name, host in hosts.items():
        if name != "good":
            assert host["problem"]["remedy"], name
            assert host["facts"] is None
    assert hosts["good"]["facts"]["cpu"]["logical"] >= 1
    assert unknown.fingerprint in hosts["unknown"]["problem"]["cause"]


@pytest.mark.parametrize(
    ("user", "password", "sudo"),
    [("ubuntu", None, "passwordless"), ("plain", None, "asks"), ("engineer", "right", "password")],
)
def test_sudo_of_each_kind(
    lab: Lab, lab_machines: LabMachines, tmp_path: Path, user: str, password: str | None, sudo: str
) -> None:
    """With each kind of right the probe tells what it may, and says what sudo allows."""
    (machine,) = lab_machines(1)
    extra: list[str | Path] = []
    if password:
        file = tmp_path / "password"
        file.write_text(lab.password.strip() + "\n")
        file.chmod(0o600)
        extra = ["--sudo-password-file", file]
    out = tmp_path / "seen.json"
    done = sitewright("facts", f"m={machine.address}", *login(lab, user), *extra, "--output", out)
    assert done.returncode == 0, done.stderr
    identity = json.loads(out.read_text())["machines"][0]["facts"]["identity"]
    assert identity["user"] == user
    assert identity["sudo"] == sudo
    assert identity["root"] is (sudo in ("passwordless", "password"))
    assert lab.password.strip() not in out.read_text() + done.stdout + done.stderr


def test_a_wrong_sudo_password_is_tried_once(
    lab: Lab, lab_machines: LabMachines, tmp_path: Path
) -> None:
    """A wrong password is one problem, and the machine's log holds one failure of sudo."""
    (machine,) = lab_machines(1)
    machine.altered = True
    file = tmp_path / "password"
    file.write_text("certainly-wrong\n")
    file.chmod(0o600)
    done = sitewright(
        "preflight",
        f"m={machine.address}",
        *login(lab, "engineer"),
        *PM4ML,
        "--role",
        "worker=m",
        "--sudo-password-file",
        file,
        "--format",
        "json",
    )
    assert done.returncode == 4, done.stderr
    problem = by_name(done.stdout)["m"]["problem"]
    assert problem["code"] == "sudo-refused"
    log = machine.exec(["journalctl", "--no-pager", "-t", "sudo"], check=False).stdout
    assert log.count("incorrect password attempt") <= 1
    assert "certainly-wrong" not in log + done.stdout + done.stderr


def test_a_bare_machine_gives_what_it_can(lab: Lab, machine_factory: MachineFactory) -> None:
    """Without ip, lsblk, python3 and sudo the facts that decide are still there."""
    machine = machine_factory("bare", recipe=MINIMAL)
    done = sitewright(
        "preflight",
        f"bare={machine.address}",
        *login(lab, "plain"),
        *PM4ML,
        "--role",
        "worker=bare",
        "--format",
        "json",
    )
    assert done.returncode == 3, done.stderr
    facts = by_name(done.stdout)["bare"]["facts"]
    assert facts["cpu"]["logical"] >= 1
    assert facts["memory"]["total_bytes"] > 0
    assert facts["disks"] is not None
    assert any(machine.address in a for nic in facts["nics"] for a in nic["addresses"])


def test_a_filtered_port_is_told_from_a_refused_one(
    lab: Lab, machine_factory: MachineFactory
) -> None:
    """A firewall that swallows 16443 on a master is a failure that names port and machines."""
    m1, m2 = machine_factory.several("m1", "m2")
    m2.drop_port(16443)
    done = sitewright(
        "preflight",
        *named([m1, m2], "m1", "m2"),
        *login(lab),
        *PM4ML,
        "--role",
        "master=m1,m2",
        "--format",
        "json",
    )
    between = json.loads(done.stdout)["findings"]
    blocked = [f for f in between if f["severity"] == "fail" and "16443" in f["title"]]
    assert blocked, [f["title"] for f in between]
    assert "m1" in blocked[0]["title"] + blocked[0]["actual"]
    assert not [f for f in between if f["severity"] == "fail" and "10250" in f["title"]]


def test_trust_by_fingerprints_from_the_console(
    lab: Lab, lab_machines: LabMachines, tmp_path: Path
) -> None:
    """A file of fingerprints confirms exactly the machines it names."""
    first, second = lab_machines(2)
    known = tmp_path / "known_hosts"
    prints = tmp_path / "prints.txt"
    prints.write_text(f"console of rack 1: {first.fingerprint}\n")
    done = sitewright(
        "trust", *named([first, second], "a", "b"), "--known-hosts", known, "--fingerprints", prints
    )
    assert done.returncode == 7, done.stderr
    assert first.fingerprint in done.stdout
    assert first.address in known.read_text()
    assert second.address not in known.read_text()
    asked = sitewright(
        "facts",
        *named([first, second], "a", "b"),
        "--user",
        "ubuntu",
        "--identity",
        lab.key,
        "--known-hosts",
        known,
    )
    assert asked.returncode == 4
    told = {m["host"]["name"]: m["problem"] for m in json.loads(asked.stdout)["machines"]}
    assert told["a"] is None
    assert told["b"]["code"] == "host-key-unknown"


def test_doctor_tells_the_machine_from_us(lab: Lab, lab_machines: LabMachines) -> None:
    """Two clients agree on a good login and on a refused one."""
    (machine,) = lab_machines(1)
    good = sitewright("doctor", f"m={machine.address}", *login(lab))
    assert good.returncode == 0, good.stdout + good.stderr
    assert "Everything works." in good.stdout
    bad = sitewright("doctor", f"m={machine.address}", *login(lab, "nobody-there"))
    assert bad.returncode == 4
    assert "Two independent clients are refused" in bad.stdout
    dead = sitewright("doctor", lab.dead_address(), "--connect-timeout", "2")
    assert dead.returncode == 4
    assert "The network or the machine" in dead.stdout


def test_facts_judged_later_equal_facts_judged_now(
    lab: Lab, lab_machines: LabMachines, tmp_path: Path
) -> None:
    """A saved file gives the same findings on each machine as the live run."""
    (machine,) = lab_machines(1)
    file = tmp_path / "seen.json"
    live = sitewright(
        "preflight",
        f"w={machine.address}",
        *login(lab),
        *PM4ML,
        "--role",
        "worker=w",
        "--format",
        "json",
        "--save-facts",
        file,
    )
    later = sitewright(
        "preflight", "--facts", file, *PM4ML, "--role", "worker=w", "--format", "json"
    )

    def told(report: str) -> list[tuple[str, str, str]]:
        (host,) = json.loads(report)["hosts"]
        return [(f["id"], f["severity"], f["title"]) for f in host["findings"]]

    assert told(live.stdout) == told(later.stdout)


def test_all_through_a_bastion(
    lab: Lab, machine_factory: MachineFactory, lab_machines: LabMachines
) -> None:
    """Machines behind a bastion are seen through it, both keys verified."""
    bastion, inner = lab_machines(2)
    done = sitewright(
        "facts", f"inner={inner.address}", *login(lab), "--bastion", f"ubuntu@{bastion.address}"
    )
    assert done.returncode == 0, done.stderr
    unknown = sitewright(
        "facts",
        f"inner={inner.address}",
        "--user",
        "ubuntu",
        "--identity",
        lab.key,
        "--known-hosts",
        lab.folder / "nothing",
        "--bastion",
        f"ubuntu@{bastion.address}",
    )
    assert unknown.returncode == 4
    problem = json.loads(unknown.stdout)["machines"][0]["problem"]
    assert problem["code"] == "host-key-unknown"
    assert "bastion" in problem["cause"]
