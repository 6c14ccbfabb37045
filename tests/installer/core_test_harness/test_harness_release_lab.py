"""A real release of the Core Test Harness, whole, on lab machines: online and from a bundle.

It is run by hand where a repository of ml-core-test-harness is: SITEWRIGHT_HARNESS_REPOSITORY names
a bare one that has the release's tag. Its Compose files, scripts and folders are what is started;
the programs in the images are stand-ins (see harness_release). Each test takes some minutes, since
the release's health checks ask every half minute.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer.catalogue.solution import load_solution
from tests.bundles.offline import debian_line, make_bundle
from tests.bundles.places import RunningRegistry, start_registry
from tests.foundation.sshd import keygen
from tests.installer.core_test_harness.test_harness_lab import Site, of
from tests.installer.harness_project import Harness, site_text
from tests.installer.harness_release import push_images
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import DOCKER

REPOSITORY = os.environ.get("SITEWRIGHT_HARNESS_REPOSITORY", "")
RELEASE = "v2.14.2"
COMMIT = "247ee44888fa3c8a375f0f2108a7b746faf08996"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not REPOSITORY, reason="SITEWRIGHT_HARNESS_REPOSITORY names no repository"),
]


@dataclass(frozen=True)
class Real:
    """The release, and the registry that has its images."""

    repository: Path
    registry: RunningRegistry
    images: tuple[str, ...]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """The release, with the images that bundle.yaml names for it."""
    folder = tmp_path_factory.mktemp("real")
    solution = load_solution("core-test-harness")
    bundle = yaml.safe_load((solution.folder / "bundle.yaml").read_text(encoding="utf-8"))
    images = tuple(bundle["images"])
    registry = start_registry(folder / "registry")
    try:
        push_images(
            registry,
            folder / "layout",
            tuple(image.replace("docker.io/library/", "") for image in images),
        )
        yield Real(Path(REPOSITORY), registry, images)
    finally:
        registry.stop()


def into(machine: Machine, folder: Path, target: str) -> None:
    """Copy what is in a folder of this machine into one of the lab machine."""
    packed = subprocess.run(["tar", "-C", str(folder), "-c", "."], check=True, capture_output=True)
    subprocess.run(
        ["podman", "--runtime", "runc", "exec", "-i", machine.container,
         "sh", "-c", f"mkdir -p {target} && tar -C {target} -x"],
        check=True, input=packed.stdout,
    )  # fmt: skip


def stands(events: list[dict[str, Any]]) -> None:
    """That every part of a run to a passed report was there."""
    (checked,) = of(events, "step.finished", "project")
    assert "31 services from 15 images, 17 of them without a health check" in checked["sentence"]
    progress = [one["text"] for one in of(events, "step.progress", "services")]
    assert "29 of 29 services stand; every service stands" in progress
    (tests,) = of(events, "step.finished", "tests")
    assert tests["sentence"].startswith("Passed percentage 100.00%; it ended with 0.")
    lines = {line["unit"] for line in of(events, "line", "services")}
    for service in ("central-ledger", "kafka-provisioning", "payeefsp-sdk", "testfsp4-redis"):
        assert service in lines


def test_online(lab: Lab, machine_factory: MachineFactory, real: Real, tmp_path: Path) -> None:
    machine = machine_factory("box", recipe=DOCKER)
    machine.wait_for_boot()
    into(machine, real.registry.folder / "data", "/var/lib/docker-registry")
    into(machine, real.repository, "/srv/git/release.git")
    machine.script(
        "sed -i '/^auth:/,/path:/d; s/addr: :5000/addr: 127.0.0.1:5000/' "
        "/etc/docker/registry/config.yml\n"
        "chown -R docker-registry: /var/lib/docker-registry\n"
        "systemctl start docker-registry\n"
        "git -C /srv/git/release.git -c safe.directory='*' update-server-info\n"
        "busybox httpd -p 127.0.0.1:8418 -h /srv/git\n"
    )
    machine.no_route()
    site = Site(lab, Harness(machine, COMMIT), tmp_path, seconds=1500)
    site.write()
    with (tmp_path / "events").open("w") as told:
        status, events = site.install()
        told.write("\n".join(json.dumps(one) for one in events))
    assert status == 0, events[-3:]
    stands(events)
    # What stands already is found done.
    status, events = site.install()
    assert status == 0, events[-3:]
    (services,) = [e for e in events if e["kind"] == "step.finished" and e["step"] == "services"
                   and e["stage"] == "start"]  # fmt: skip
    assert services["data"]["outcome"] == "already"
    assert site.command("remove", "--with-data", "--yes").returncode == 0
    assert machine.exec(["docker", "volume", "ls", "-q"]).stdout == ""


def test_offline(lab: Lab, machine_factory: MachineFactory, real: Real, tmp_path: Path) -> None:
    key = keygen(tmp_path / "maker")
    bundle = make_bundle(
        tmp_path / "bundle", real.registry, key, solution="core-test-harness",
        debs=[debian_line("jq")], images=list(real.images),
        git=[{"name": "ml-core-test-harness", "url": real.repository.as_uri(),
              "ref": RELEASE, "commit": COMMIT}],
    )  # fmt: skip
    keys = tmp_path / "allowed_signers"
    public = (tmp_path / "maker.pub").read_text()
    keys.write_text(f'maker@example.org namespaces="sitewright-bundle" {public}')
    machine = machine_factory("box", recipe=DOCKER)
    machine.wait_for_boot()
    machine.no_route()
    site = Site(lab, Harness(machine, COMMIT), tmp_path, seconds=1500)
    text = site_text(lab, machine, site.harness)
    site.file.write_text(f"{text}supplies: {{bundle: {bundle}, keys: {keys}}}\n")
    status, events = site.install()
    shutil.rmtree(bundle)
    assert status == 0, events[-3:]
    stands(events)
