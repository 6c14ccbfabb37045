"""Ubuntu's needrestart, which restarts services after packages: not behind anybody's back.

needrestart and apt are real (Debian's); one setting makes it restart by itself, as Ubuntu's does
since 24.04. The services are small programs whose file was replaced, under the names that matter.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installer.pm4ml_site import LabSite
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

AS_UBUNTU = """\
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends needrestart >/dev/null
apt-get remove -y -qq python3-yaml >/dev/null 2>&1 || true
printf "\\$nrconf{restart} = 'a';\\n" >/etc/needrestart/conf.d/10-ubuntu.conf
for name in haproxy others; do
    cp /usr/bin/sleep /usr/bin/served-$name
    printf '[Service]\\nExecStart=/usr/bin/served-%s infinity\\n' $name \\
        >/etc/systemd/system/$name.service
done
systemctl daemon-reload
"""
OUTDATED = """\
for name in haproxy others; do
    systemctl restart $name
    cp --remove-destination /usr/bin/sleep /usr/bin/served-$name
done
"""
"""Each runs on a file that was replaced, as after an update."""
UPDATE = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --reinstall hostname"


def process(machine: Machine, unit: str) -> str:
    """The process of a service: another one after a restart."""
    return machine.exec(["systemctl", "show", "-p", "MainPID", "--value", unit]).stdout.strip()


def test_packages_restart_nothing_that_carries_the_site(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Neither while the site is installed, nor by updates afterwards; others' services may."""
    m1 = machine_factory("m1")
    site = LabSite(lab, tmp_path, {m1: ("master",)})
    m1.script(AS_UBUNTU + OUTDATED)
    before = process(m1, "haproxy"), process(m1, "others")
    played = site.play("checklist.yml")
    assert played.status == 0, played.output
    assert (process(m1, "haproxy"), process(m1, "others")) == before

    played = site.play("6.system-tuning.yml")
    assert played.status == 0, played.output
    m1.script(UPDATE)
    assert process(m1, "haproxy") == before[0]
    assert process(m1, "others") != before[1]  # needrestart was at work

    assert site.play("undo/system-tuning.yml").status == 0
    m1.script(OUTDATED)
    again = process(m1, "haproxy")
    m1.script(UPDATE)
    assert process(m1, "haproxy") != again
