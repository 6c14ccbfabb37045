"""plan, install, resume, status and undo as a person types them, on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
ADDRESSES = {
    "m1": ("10.10.0.11", "master"),
    "m2": ("10.10.0.12", "master"),
    "m3": ("10.10.0.13", "master"),
    "w1": ("10.10.0.14", "worker"),
    "lb1": ("10.10.0.20", "load-balancer"),
}
SETTINGS = """\
settings:
  domain: pm4ml.example.org
  pm4ml_id: bank-one
  private_network: 10.10.0.0/16
  ceph: false
  applications: false
  internal_ingress: false
"""


def sitewright(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "installer", *(str(word) for word in arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A PM4ML site whose machines are nowhere: enough to plan, not to install."""
    hosts = "".join(
        f"  - {{name: {name}, address: {address}, roles: [{role}]}}\n"
        for name, (address, role) in ADDRESSES.items()
    )
    file = tmp_path / "site.yaml"
    file.write_text(f"solution: pm4ml\nenvironment: production\nhosts:\n{hosts}{SETTINGS}")
    return file


def test_the_plan_is_the_same_for_the_same_site(site: Path) -> None:
    """Stages in order, machines by role, and equal plans for equal sites."""
    first, second = (sitewright("plan", "--site", site, "--format", "json") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    stages = [stage["id"] for stage in json.loads(first.stdout)["stages"]]
    assert stages.index("prepare") < stages.index("microk8s") < stages.index("verify")
    assert "ceph" not in stages


def test_a_missing_setting_is_told_before_anything(site: Path) -> None:
    """The plan names the setting, and what it could look like."""
    site.write_text(site.read_text().replace("  pm4ml_id: bank-one\n", ""))
    done = sitewright("plan", "--site", site)
    assert done.returncode == 2
    assert "pm4ml_id" in done.stderr
    assert "bank-one" in done.stderr


def test_nothing_begins_unconfirmed(site: Path) -> None:
    """Without a terminal and without --yes the installation is refused with 7."""
    done = sitewright("install", "--site", site)
    assert done.returncode == 7
    assert "--yes" in done.stderr


def test_what_cannot_be_installed_says_so(tmp_path: Path) -> None:
    """A system that is only judged so far gives its reason, with 2."""
    file = tmp_path / "site.yaml"
    file.write_text("solution: mosip\nhosts: [{name: a, address: local}]\n")
    done = sitewright("install", "--site", file, "--yes")
    assert done.returncode == 2
    assert "cannot be installed by Sitewright yet" in done.stderr


def test_export_is_a_folder_for_ansible(site: Path, tmp_path: Path) -> None:
    """The document's six playbooks beside an inventory with the machines by role."""
    out = tmp_path / "by-hand"
    done = sitewright("export", "--site", site, "--output", out)
    assert done.returncode == 0, done.stderr
    for name in ("1.microk8s_setup.yml", "3.haproxy_setup.yml", "6.system-tuning.yml"):
        assert (out / name).is_file()
    listed = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-inventory"),
            "-i",
            out / "inventory.ini",
            "--list",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    groups = json.loads(listed.stdout)
    assert groups["master"]["hosts"] == ["m1", "m2", "m3"]
    assert groups["load_balancer"]["hosts"] == ["lb1"]
    again = sitewright("export", "--site", site, "--output", out)
    assert again.returncode == 2


def test_without_a_run_there_is_nothing_to_go_on_with(site: Path) -> None:
    """resume, status and undo say so."""
    assert sitewright("resume").returncode == 2
    assert sitewright("resume", "--site", site).returncode == 2
    assert "no run" in sitewright("status").stdout
    assert sitewright("undo", "haproxy", "--site", site).returncode == 2
