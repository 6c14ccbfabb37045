"""What goes wrong with playbooks on six real machines, and that going on mends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.hosts.pool import Pool
from installer.events import Kind, Outcome
from installer.record.journal import verify
from tests.installer.engine_site import Watch, engine, new_run, when
from tests.installer.playbook_site import Site
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Iterator[list[Machine]]:
    """Six machines for all tests of this file."""
    made = lab.machines(6)
    yield made
    for machine in made:
        lab.discard(machine)


FAILS_ON_ONE = """\
- hosts: load_balancer
  become: true
  gather_facts: false
  tasks:
    - name: First
      ansible.builtin.shell: echo first >>/root/effects
      args: {creates: /root/effects}
    - name: Needs its disk
      ansible.builtin.command: test -e /root/disk
      changed_when: false
    - name: Last
      ansible.builtin.shell: echo last >>/root/effects; touch /root/last
      args: {creates: /root/last}
"""


async def test_a_playbook_that_fails_on_one_machine_of_six_is_gone_on_with(
    lab: Lab, machines: list[Machine], tmp_path: Path
) -> None:
    """The five others come to the end; mended, the run goes on, and no effect is there twice."""
    site = Site(lab, machines, tmp_path)
    for machine in machines:
        machine.exec(["touch", "/root/disk"])
    broken = machines[3]
    broken.exec(["rm", "/root/disk"])
    made = site.plan(FAILS_ON_ONE)
    run, watch = new_run(made), Watch()
    async with Pool(site.inventory) as pool:
        failing = engine(made, run, pool=pool, watch=watch)
        assert await failing.run() is Outcome.FAILED
        [failure] = failing.failures
        assert "Needs its disk" in failure.problem.cause
        assert "1 of 6 machines" in failure.problem.cause
        assert failure.problem.where == broken.name
        for machine in machines:
            left = ["first"] if machine is broken else ["first", "last"]
            assert machine.exec(["cat", "/root/effects"]).stdout.split() == left
        broken.exec(["touch", "/root/disk"])
        assert await engine(made, run, pool=pool, watch=watch).run() is Outcome.DONE
    for machine in machines:
        assert machine.exec(["cat", "/root/effects"]).stdout.split() == ["first", "last"]
    assert run.complete
    verify(run.journal)


PACKAGE = """\
mkdir -p /root/source/build/DEBIAN
cd /root/source
printf 'Package: sw-lab\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.org>\\n%s\\n' \
    'Description: nothing' >build/DEBIAN/control
dpkg-deb --build build sw-lab.deb >/dev/null
{ cat build/DEBIAN/control; echo "Filename: ./sw-lab.deb"; echo "Size: $(stat -c %s sw-lab.deb)"
  echo "SHA256: $(sha256sum sw-lab.deb | cut -d' ' -f1)"; } >Packages
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/root/source ./' >/etc/apt/sources.list
apt-get update -qq
"""
HOLD = """\
import fcntl, time
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
open("/run/held", "w")
time.sleep(100_000)
"""
INSTALLS = """\
- hosts: load_balancer
  become: true
  gather_facts: false
  tasks:
    # As the apt module does it with its lock_timeout, which needs python3-apt on the machine.
    - name: A package
      ansible.builtin.command: apt-get install -y -o DPkg::Lock::Timeout=900 sw-lab
"""


async def test_who_holds_the_package_lock_is_said_and_waited_for(
    lab: Lab, machines: list[Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service holds the lock of one machine as unattended upgrades do; apt is real."""
    monkeypatch.setattr("installer.running.others.package_lock.QUIET", 0.4)
    two = machines[:2]
    site = Site(lab, two, tmp_path)
    for machine in two:
        machine.script(PACKAGE)
    held = two[1]
    held.write_file("/root/hold.py", HOLD)
    held.exec(["systemd-run", "--quiet", "--unit=daily-upgrade", "python3", "/root/hold.py"])
    wait_until(lambda: held.exec(["test", "-e", "/run/held"], check=False).returncode == 0, "lock")
    made = site.plan(INSTALLS)
    run, watch = new_run(made), Watch()

    def said(text: str) -> bool:
        return any(text in str(e.data["text"]) and e.host == held.name for e in watch.of(Kind.NOTE))

    async with Pool(site.inventory) as pool:
        running = asyncio.create_task(engine(made, run, pool=pool, watch=watch).run())
        await when(lambda: said("daily-upgrade.service"))
        assert not running.done()
        held.exec(["systemctl", "stop", "daily-upgrade.service"])
        assert await running is Outcome.DONE, watch.of(Kind.PROBLEM)
    assert said("is held by process")
    assert said("(python3)")
    # Nobody else held one: our own apt-get is no reason to wait.
    assert {e.host for e in watch.of(Kind.NOTE) if "held by" in str(e.data["text"])} == {held.name}
    for machine in two:
        shown = machine.exec(["dpkg-query", "-W", "sw-lab"]).stdout
        assert shown.split() == ["sw-lab", "1"]
