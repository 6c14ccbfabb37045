"""A lab machine with no way out takes everything from a bundle that is served."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from bundles.read.signers import read_signers
from installer.commands.bundle_serve import mirror_of, write_settings
from tests.bundles.debs import build_deb
from tests.bundles.made import Made
from tests.bundles.serve.conftest import serving_bundle
from tests.foundation.sshd import keygen
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory

pytestmark = pytest.mark.lab


def test_a_machine_with_no_way_out_installs_from_what_is_served(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "maker")
    (tmp_path / "signers").write_text(f"maker@example.org {(tmp_path / 'maker.pub').read_text()}")
    made = Made(tmp_path / "bundle")
    for name, packing, depends in (("sw-front", "zstd", "sw-middle"), ("sw-middle", "xz", "")):
        made.deb(build_deb(tmp_path, name, packing=packing, depends=depends), name, "1.0")
    made.image("docker.io/library/app:1.0")
    content = b"tool " * 400_000
    made.artifact("file", "tool", ("tool", content))
    machine = machine_factory()
    machine.altered = True
    machine.exec(["ip", "route", "del", "default"])
    here = str(lab.subnet.network_address + 1)
    signers = read_signers(tmp_path / "signers")
    with serving_bundle(made.write(key), tmp_path, address=here, signers=signers) as running:
        served = running.served
        write_settings(served, mirror_of(served), tmp_path / "machine")
        for path in sorted((tmp_path / "machine").rglob("*")):
            if path.is_file():
                place = "/" + str(path.relative_to(tmp_path / "machine"))
                # The archive's key is no text.
                machine.write_file(f"{place}.b64", base64.b64encode(path.read_bytes()).decode())
                machine.script(f"base64 -d {place}.b64 >{place}; rm {place}.b64")
        machine.script("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources")
        machine.exec(["apt-get", "-o", "APT::Update::Error-Mode=any", "update"])
        machine.exec(["apt-get", "install", "-y", "sw-front"])
        assert machine.script("cat /usr/share/sw-middle/text").strip() == "sw-middle 1.0"
        trust = ("--cacert", "/etc/sitewright/trust/bundle-ca.pem")
        fetched = machine.exec(["sh", "-c", 'curl -sSf "$@" | sha256sum', "sh", *trust,
                                f"{served.files}/tool"])  # fmt: skip
        assert fetched.stdout.split()[0] == hashlib.sha256(content).hexdigest()
        # Whoever is not told of the authority gets nothing.
        refused = machine.exec(["curl", "-sS", f"{served.files}/tool"], check=False)
        assert refused.returncode != 0
        assert "certificate" in refused.stderr
    told = {event.client for event in running.events if event.kind == "request"}
    assert told == {machine.address}
