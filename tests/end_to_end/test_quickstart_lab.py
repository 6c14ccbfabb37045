"""Each quick start from its own text, command by command, on lab machines.

What is real and what is a stand-in there is said in pm4ml_lab_site and in harness_project.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles.offline import IMAGE, debian_line, file_line, push_image
from tests.bundles.places import RunningRegistry, start_registry
from tests.bundles.snap_store import SnapStoreStandIn, running, usual
from tests.end_to_end.pm4ml_lab_site import WAIVED
from tests.end_to_end.quickstart import (
    Home,
    commands_of,
    one_line,
    repository,
    without_sitewright,
)
from tests.installer.harness_project import prepare
from tests.lab.lab import Lab
from tests.lab.leaving import count_what_leaves, tried_to_leave
from tests.lab.lending import MachineFactory
from tests.lab.recipe import DOCKER, UBUNTU_24_04
from tests.stand_ins import argocd_small
from tests.stand_ins.install import calls, start

pytestmark = [pytest.mark.lab, pytest.mark.timeout(2400)]

WAIVERS = "waivers:\n" + "".join(
    f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
    for area in (*WAIVED, "port", "docker")
)
"""A lab machine's hardware is that of the machine it runs on."""
CANNOT_SET_CLOCKS = "--skip prepare/host-preparation='no time servers in the lab'"
NOT_READY = 3
STORE = "/var/lib/sitewright/supplies"
PACKAGES = ("chrony", "haproxy", "nftables", "curl", "python3-apt")
WITH_STORE = """\
import sys
from bundles.sources import snap_store
from installer.cli import main
address = snap_store.StoreAddress({0.url!r}, {0.root_key!r})
snap_store.StoreAddress = lambda _: address
sys.exit(main([*sys.argv[1:], "--snap-store", address.url]))
"""
"""The command, with the key of a store that is a stand-in: none but Canonical's can be named."""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RunningRegistry]:
    """A registry on the loopback, for the side with the internet."""
    running_one = start_registry(tmp_path / "registry")
    yield running_one
    running_one.stop()


def test_the_field_engineer_s(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path, registry: RunningRegistry
) -> None:
    """From an empty home to the hand-over, with a bundle that is made, signed and installed from.

    Nothing gets out of the machines once they have the bundle's line in their site file. The snap
    store is a stand-in, trusted by its own key; the packages are Debian's, named for the release
    that the machines say they are.
    """
    roles = {"m1": "master", "w1": "worker", "lb1": "load-balancer"}
    machines = start(
        machine_factory, {name: (role,) for name, role in roles.items()}, stand_in=UBUNTU_24_04
    )
    recipe = {
        "solution": "pm4ml",
        "version": "1",
        "files": [
            file_line(tmp_path / "f", "argocd-v2.14.20.yaml", argocd_small.manifest().encode())
        ],
        "debs": [debian_line(*PACKAGES, release="noble")],
        "snaps": [{"name": "microk8s", "channel": "1.31/stable"}],
        "images": [IMAGE],
    }
    push_image(registry, tmp_path / "layout", "a page")
    home = Home(
        tmp_path / "home",
        {
            "10.10.0.11": machines["m1"].address,
            "10.10.0.14": machines["w1"].address,
            "10.10.0.20": machines["lb1"].address,
            # Nobody sits there: what a person compares and says.
            "trust --site site.yaml": "trust --site site.yaml --fingerprints consoles.txt",
            "install --site site.yaml":
                f"install --site site.yaml --yes --by 'A. Tester' {CANNOT_SET_CLOCKS}",
            "verify --site site.yaml": "verify --site site.yaml --yes --by 'A. Tester'",
            # No registry and no snap store is reached from here: a recipe of what a lab has.
            "sitewright bundle create --solution pm4ml --site site.yaml":
                f"python with_store.py bundle create --recipe lab.json"
                f" --mirror docker.io={registry.host} --plain-http {registry.host}",
        },
    )  # fmt: skip
    home.folder.mkdir()
    (home.folder / "lab.json").write_text(json.dumps(recipe))
    (home.folder / ".ssh").mkdir(mode=0o700)
    (home.folder / ".ssh/id_ed25519").write_bytes(lab.key.read_bytes())
    (home.folder / ".ssh/id_ed25519").chmod(0o600)
    consoles = "".join(
        f"{name}:\n"
        + machine.script("for k in /etc/ssh/ssh_host_*.pub; do ssh-keygen -lf $k; done")
        for name, machine in machines.items()
    )
    (home.folder / "consoles.txt").write_text(consoles)
    site = home.folder / "site.yaml"
    supplies = one_line("field-engineer", r"`(supplies: \{.*\})`")
    for command in commands_of("field-engineer"):
        codes: tuple[int, ...] = (0,)
        if command.startswith("sitewright preflight"):
            codes = (0, NOT_READY)
        with running(SnapStoreStandIn(*usual())) as store:
            (home.folder / "with_store.py").write_text(WITH_STORE.format(store.address))
            said = home.type(command, *codes)
        if command.startswith("sitewright bundle verify"):
            site.write_text(f"{site.read_text()}{supplies}\n")
            for machine in machines.values():
                count_what_leaves(machine, lab)
        if command.startswith("sitewright init"):
            assert "settings.domain" in said
            fill_in(site, lab, roles)
        if "--output preflight.html" in command:
            # What was looked at is accepted for the lab, as somebody accepts what they know of.
            site.write_text(site.read_text() + WAIVERS)
    assert home.used == set(home.substitutions)
    lb1 = machines["lb1"]
    assert lb1.exec(["systemctl", "is-active", "haproxy"]).stdout.strip() == "active"
    nodes = machines["m1"].exec(["microk8s", "kubectl", "get", "nodes", "-o", "name"]).stdout
    assert nodes.split() == ["node/m1", "node/w1"]
    assert f"file:{STORE}/apt" in lb1.script("apt-cache policy haproxy")
    assert f"snap ack {STORE}/snaps/microk8s_7394.assert" in calls(machines["m1"])
    for name, machine in machines.items():
        # A master asks whether the names of nodes are known, before it writes them down itself.
        assert (name, set(tried_to_leave(machine)) - {"names"}) == (name, set())
    handed_over = (home.folder / "hand-over.html").read_text()
    # It was verified before: the paper is of the installation all the same, and says so.
    assert "Set up the load balancers" in handed_over
    assert "Asked again" in handed_over


def fill_in(site: Path, lab: Lab, roles: dict[str, str]) -> None:
    """What the page has the person fill in: without Ceph, and the applications come later."""
    text = site.read_text()
    # OpenSSH finds a person's own keys by the password database, not by $HOME.
    text, found = re.subn(
        r"^# ssh: .*$", "ssh: {identity_files: [~/.ssh/id_ed25519]}", text, flags=re.MULTILINE
    )
    assert found
    for name, role in roles.items():
        text = re.sub(rf"(name: {name}, .*)}}", rf"\1, roles: [{role}]}}", text)
    values = {
        "domain": "pm4ml.example.org",
        "pm4ml_id": "bank-one",
        "private_network": str(lab.subnet),
        "public_network": "",
        "ssh_networks": str(lab.subnet),
        "ceph": "no",
        "applications": "no",
        "internal_ingress": "no",
    }
    for name, value in values.items():
        line = f"  {name}: {value}" if value else ""
        text, found = re.subn(rf"^  (# )?{name}: .*$", line, text, count=1, flags=re.MULTILINE)
        assert found, name
    text = re.sub(r"^  \w+: FILL-IN\n", "", text, flags=re.MULTILINE)
    site.write_text(text)
    assert "FILL-IN" not in re.sub(r"#.*", "", text)


def test_the_support_desk_s(lab: Lab, machine_factory: MachineFactory, tmp_path: Path) -> None:
    """Facts and a support bundle made on the site, and judged by somebody who cannot log in."""
    machine = machine_factory("m1", stand_in=UBUNTU_24_04)
    address = f"ubuntu@{machine.address}"
    home = Home(tmp_path / "home", {"ubuntu@10.10.0.11": address, "10.10.0.11": machine.address})
    home.folder.mkdir()
    keys = f"identity_files: [{lab.key}], known_hosts: {lab.known_hosts}"
    (home.folder / "site.yaml").write_text(
        f"solution: pm4ml\nenvironment: production\nssh: {{user: ubuntu, {keys}}}\n"
        f"hosts:\n  - {{name: m1, address: {machine.address}, roles: [master, worker]}}\n"
        "settings:\n  domain: pm4ml.example.org\n  pm4ml_id: bank-one\n"
        f"  private_network: {lab.subnet}\n  ceph: false\n  applications: false\n"
        f"  internal_ingress: false\n{WAIVERS}"
    )
    (home.folder / ".ssh").mkdir(mode=0o700)
    (home.folder / ".ssh/id_ed25519").write_bytes(lab.key.read_bytes())
    (home.folder / ".ssh/id_ed25519").chmod(0o600)
    (home.folder / ".ssh/known_hosts").write_bytes(lab.known_hosts.read_bytes())
    # The run that they ask about: one that could not be carried through.
    begin = f"sitewright install --site site.yaml --yes --by A --until prepare {CANNOT_SET_CLOCKS}"
    home.type(begin, *range(8))
    for command in commands_of("support"):
        judged = "preflight" in command or "facts" in command or "doctor" in command
        said = home.type(command, *((0, NOT_READY) if judged else (0,)))
        if command.startswith("sitewright report"):
            assert "pm4ml" in said
    assert "10.10.0.11" in home.used


def test_the_experimenter_s(lab: Lab, tmp_path: Path) -> None:
    """Cloned and installed, and then without the wizard: one box of the lab.

    The repository's host is a folder here; the packages come from this machine's index. Without a
    terminal `install.sh` ends in the preflight of this machine where the page has the wizard.
    """
    machine = lab.machine("box", recipe=DOCKER)
    try:
        harness = prepare(machine)
        solution = "--solution core-test-harness"
        home = Home(
            tmp_path / "home",
            {
                "<this repository>": repository(tmp_path / "host"),
                # This machine is the lab's box, and nobody sits there.
                "single-box local": f"single-box ubuntu@{machine.address}",
                f"install {solution}":
                    # No registry of the internet is reached from here.
                    f"install {solution} --machine box=ubuntu@{machine.address} --yes --by A"
                    " --no-egress"
                    f" --set commit={harness.commit} --set source=http://127.0.0.1:8418/release.git",
                f"verify {solution}": f"verify {solution} --yes --by A",
                f"stop {solution}": f"stop {solution} --yes --by A",
                f"remove {solution}": f"remove {solution} --yes --by A",
                f"services {solution}": f"services {solution} --yes --by A",
            },
        )  # fmt: skip
        home.folder.mkdir()
        (home.folder / ".ssh").mkdir(mode=0o700)
        (home.folder / ".ssh/id_ed25519").write_bytes(lab.key.read_bytes())
        (home.folder / ".ssh/id_ed25519").chmod(0o600)
        (home.folder / ".ssh/known_hosts").write_bytes(lab.known_hosts.read_bytes())
        home.path = without_sitewright()
        for command in commands_of("experimenter"):
            looks = "preflight" in command or command == "./install.sh"
            home.type(command, *((0, NOT_READY) if looks else (0,)))
        assert home.used == set(home.substitutions)
        assert (home.folder / "sitewright/.venv/bin/sitewright").exists()
    finally:
        lab.discard(machine)
