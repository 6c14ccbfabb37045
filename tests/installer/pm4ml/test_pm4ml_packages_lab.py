"""Packages on machines as they come: lists that were emptied, and a lock that somebody holds.

apt and its package source are real; what is installed is small (checklist.yml).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.installer.pm4ml_site import LabSite
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

NEVER_USED = """\
apt-get remove -y -qq python3-yaml >/dev/null 2>&1 || true
rm -rf /var/lib/apt/lists
mkdir -p /var/lib/apt/lists/partial
rm -f /var/cache/apt/pkgcache.bin /var/cache/apt/srcpkgcache.bin
"""
"""As the images of machines are made: without lists, and their folder is new."""
HOLD = """\
import fcntl, pathlib, signal
files = [open(f"/var/lib/{name}", "w") for name in ("dpkg/lock-frontend", "apt/lists/lock")]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
pathlib.Path("/run/held").touch()
signal.pause()
"""


def installed(machine: Machine) -> bool:
    """Whether the package of the tests is there."""
    shown = ["dpkg-query", "-W", "-f", "${db:Status-Status}", "python3-yaml"]
    return machine.exec(shown, check=False).stdout.strip() == "installed"


def test_a_machine_that_was_never_used_finds_its_packages(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """And again: nothing is changed, and no source is asked."""
    m1 = machine_factory("m1")
    site = LabSite(lab, tmp_path, {m1: ("master",)})
    m1.script(NEVER_USED)
    assert not installed(m1)
    played = site.play("checklist.yml")
    assert played.status == 0, played.output
    assert installed(m1)
    m1.script("rm -rf /var/lib/apt/lists && mkdir -p /var/lib/apt/lists/partial")
    again = site.play("checklist.yml")
    assert set(again.changed.values()) == {0}, again.output
    assert m1.exec(["ls", "/var/lib/apt/lists"]).stdout.split() == ["partial"]


def test_a_lock_that_somebody_holds_is_waited_for(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Who holds it is said by the run, whatever its steps are (test_run_faults_lab.py)."""
    m1 = machine_factory("m1")
    site = LabSite(lab, tmp_path, {m1: ("master",)})
    m1.script(NEVER_USED)
    m1.write_file("/root/hold.py", HOLD)
    m1.exec(["systemd-run", "--quiet", "--unit=daily-upgrade", "python3", "/root/hold.py"])
    wait_until(lambda: m1.exec(["test", "-e", "/run/held"], check=False).returncode == 0, "lock")
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(site.play, "checklist.yml")
        # The module is at its work, and nothing is installed while the lock is held.
        at_work = "grep -qs apt_pkg /proc/[0-9]*/maps"
        wait_until(
            lambda: m1.exec(["sh", "-c", at_work], check=False).returncode == 0 or playing.done(),
            "the module of apt",
        )
        assert not playing.done()
        assert not installed(m1)
        m1.exec(["systemctl", "stop", "daily-upgrade.service"])
        played = playing.result()
    assert played.status == 0, played.output
    assert installed(m1)
