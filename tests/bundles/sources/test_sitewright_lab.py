"""A machine with no way out, and nothing but Python, begins from a bundle."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bundles.conftest import Keys
from tests.bundles.sources.test_sitewright import make_bundle
from tests.lab.lending import MachineFactory

pytestmark = pytest.mark.lab


def test_a_machine_with_only_python_and_no_way_out_runs_sitewright(
    machine_factory: MachineFactory, keys: Keys, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path / "bundle", keys.key)
    machine = machine_factory()
    machine.exec(["ip", "route", "del", "default"])
    # Debian parts venv's pip from Python; this machine has neither.
    lacking = machine.exec(["python3", "-c", "import ensurepip"], check=False)
    assert lacking.returncode != 0
    packed = subprocess.Popen(["tar", "-C", bundle, "-c", "."], stdout=subprocess.PIPE)
    machine.exec(["mkdir", "-p", "/media/bundle"])
    subprocess.run(
        ["podman", "exec", "-i", machine.container, "tar", "-x", "-C", "/media/bundle"],
        stdin=packed.stdout,
        check=True,
        timeout=300,
    )
    assert packed.wait(timeout=300) == 0
    machine.write_file("/home/ubuntu/allowed_signers", keys.allowed.read_text())
    command = "SITEWRIGHT_KEYS=$HOME/allowed_signers sh /media/bundle/install.sh --version"
    done = machine.exec(["su", "-", "ubuntu", "-c", command], check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sitewright ")
    assert "Signature: good" in done.stderr
    checked = machine.exec(
        ["su", "-", "ubuntu", "-c", "sh /media/bundle/install.sh bundle verify /media/bundle"],
        timeout=600,
    )
    assert "whole" in checked.stdout
