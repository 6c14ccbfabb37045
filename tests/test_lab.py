"""The lab itself: its machines are real, their troubles are real, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab import recipe
from tests.lab.host import LabError, check_route, run, wait_until
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines, MachineFactory
from tests.lab.machine import Machine

pytest_plugins = ["tests.lab.fixtures"]

ROOT = Path(__file__).parents[1]


def over_ssh(
    lab: Lab, machine: Machine, *command: str, user: str = "ubuntu", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command with the OpenSSH client, which checks the host key."""
    return run(lab.ssh(machine, *command, user=user), stdin=stdin, check=False)


def connects(address: str, port: int, seconds: float = 4.0) -> str:
    """What becomes of a TCP connection: open, refused, filtered or unreachable."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "filtered"
    except OSError:
        return "unreachable"
    return "open"


def test_packages_are_printed_without_anything_installed() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from tests.lab.__main__ import main; main(['packages'])"
    )
    # -S leaves out every folder of installed packages.
    shown = run([sys.executable, "-I", "-S", "-c", program])
    assert shown.stdout.split() == list(recipe.DEBIAN_PACKAGES)


def test_the_hash_follows_the_recipe() -> None:
    assert recipe.FULL.digest != recipe.MINIMAL.digest
    assert recipe.FULL.image.endswith(recipe.FULL.digest[:16])


@pytest.mark.lab
def test_two_machines_answer_openssh(lab: Lab, lab_machines: LabMachines) -> None:
    one, two = lab_machines(2)
    assert one.host_key != two.host_key
    ids = {over_ssh(lab, each, "cat", "/etc/machine-id").stdout for each in (one, two)}
    assert len(ids) == 2
    for user in recipe.USERS:
        assert over_ssh(lab, one, "whoami", user=user).stdout.strip() == user
    assert over_ssh(lab, two, "hostname").stdout.strip() == two.name


@pytest.mark.lab
def test_no_machine_of_a_test_has_the_name_of_one_that_stays_up(
    lab_machines: LabMachines, machine_factory: MachineFactory
) -> None:
    """They were numbered n1, n2, ..., and who began a machine of that name failed by chance."""
    (plain,) = lab_machines(1)
    number = "".join(filter(str.isdigit, plain.name))
    assert machine_factory(f"n{number}").name != plain.name


@pytest.mark.lab
def test_sudo_differs_by_user(lab: Lab, lab_machines: LabMachines) -> None:
    (machine,) = lab_machines(1)
    become = ("sudo", "-k", "-S", "-p", "''", "whoami")
    assert over_ssh(lab, machine, "sudo", "-n", "whoami").stdout == "root\n"
    assert over_ssh(lab, machine, "sudo", "-n", "true", user="engineer").returncode == 1
    password = lab.password + "\n"
    shown = over_ssh(lab, machine, *become, user="engineer", stdin=password)
    assert shown.stdout == "root\n"
    assert over_ssh(lab, machine, *become, user="plain", stdin=password).returncode == 1


@pytest.mark.lab
def test_a_machine_is_a_whole_system(lab_machines: LabMachines) -> None:
    (machine,) = lab_machines(1)
    machine.wait_for_boot()
    assert machine.exec(["systemctl", "is-system-running"]).stdout.strip() == "running"
    scanned = run(["ssh-keyscan", "-T", "60", "-t", "ed25519", machine.address]).stdout
    assert machine.host_key in scanned
    shown = run(["ssh-keygen", "-l", "-f", "-"], stdin=scanned).stdout
    assert machine.fingerprint in shown


@pytest.mark.lab
def test_a_dropped_port_is_filtered_and_not_refused(machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    assert connects(machine.address, 22) == "open"
    assert connects(machine.address, 7777) == "refused"
    machine.drop_port(22)
    assert connects(machine.address, 22) == "filtered"
    machine.undrop()
    assert connects(machine.address, 22) == "open"


@pytest.mark.lab
def test_kill_and_start_keep_the_host_key(lab: Lab, machine_factory: MachineFactory) -> None:
    machine = machine_factory("phoenix")
    machine.exec(["touch", "/root/kept"])
    machine.kill()
    assert connects(machine.address, 22) != "open"
    machine.start()
    assert over_ssh(lab, machine, "ls", "/root/kept", user="root").returncode == 0
    machine.restart()
    assert over_ssh(lab, machine, "hostname").stdout == "phoenix\n"


@pytest.mark.lab
def test_a_kept_journal_outlives_a_reboot(machine_factory: MachineFactory) -> None:
    machine = machine_factory(keep_journal=True)
    machine.exec(["systemd-run", "--wait", "--quiet", "echo", "remember this"])
    machine.restart()
    assert "remember this" in machine.exec(["journalctl", "--output=cat"]).stdout


@pytest.mark.lab
def test_a_changed_host_key_stops_openssh(lab: Lab, machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    before = machine.fingerprint
    machine.new_host_keys()
    assert machine.fingerprint != before
    refused = over_ssh(lab, machine, "true")
    assert refused.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.stderr
    lab.trust(machine)
    assert over_ssh(lab, machine, "true").returncode == 0


@pytest.mark.lab
def test_addresses_in_trouble(lab: Lab) -> None:
    assert connects(lab.dead_address(), 22, 0.5) in {"filtered", "unreachable"}
    assert connects(lab.black_hole.address, 22, 0.5) == "filtered"
    with socket.create_connection((lab.silent.address, 22), timeout=1) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@pytest.mark.lab
def test_a_slow_full_and_lonely_machine(machine_factory: MachineFactory) -> None:
    machine = machine_factory(stand_in=recipe.UBUNTU_24_04)
    assert "Stand-in" in machine.exec(["cat", "/etc/os-release"]).stdout
    machine.netem(delay_ms=40)
    began = time.monotonic()
    machine.wait_for_ssh()
    assert time.monotonic() - began >= 0.04
    machine.netem()
    machine.fill_disk("/srv/full", 1 << 20, free=64 << 10)
    free = machine.exec(["df", "--output=avail", "-B1", "/srv/full"]).stdout.split()[-1]
    assert 0 < int(free) <= 64 << 10
    machine.no_route()
    out = machine.exec(["ip", "route", "get", "192.0.2.1"], check=False)
    assert "unreachable" in out.stderr
    machine.wait_for_ssh()


@pytest.mark.lab
def test_a_minimal_machine_lacks_the_usual_tools(lab: Lab, machine_factory: MachineFactory) -> None:
    machine = machine_factory(recipe=recipe.MINIMAL)
    tools = "python3 ip ss lsblk lscpu findmnt sudo curl iptables"
    found = over_ssh(lab, machine, f"for tool in {tools}; do command -v $tool; done; true")
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.lab
def test_only_unaltered_machines_are_lent_again(lab: Lab) -> None:
    lending = LabMachines(lab)
    one, two = lending(2)
    one.write_file("/etc/motd", "altered\n")
    lending.take_back()
    again, fresh = lending(2)
    assert again is two
    assert fresh not in {one, two}
    for machine in (again, fresh):
        lab.discard(machine)


@pytest.mark.lab
def test_traffic_that_would_leave_the_host_is_refused(lab: Lab) -> None:
    lab.dead_address()
    with pytest.raises(LabError):
        check_route("127.0.0.1", lab.place.bridge)


@pytest.mark.lab
@pytest.mark.usefixtures("lab")  # skipped where there is none
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_a_lab_ends(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lab", "up", "1"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        text = ""
        for line in running.stdout:
            text += line
            if line == "}\n":
                break
        described = json.loads(text)
        os.kill(running.pid, number)

    def gone() -> bool:
        machines = run(["podman", "ps", "--all", "--format", "{{.Names}}"]).stdout
        networks = run(["podman", "network", "ls", "--format", "{{.Name}}"]).stdout
        key = Path(described["key"])
        return described["lab"] not in machines + networks and not key.exists()

    wait_until(gone, "the end of the lab")
