"""The Core Test Harness from a bundle, on a lab machine that reaches nothing.

Docker, Compose, the bundle, its signature and its delivery are real; the programs in the images
are stand-ins (see harness_project). Docker itself is on the machine already.
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles.offline import busybox_layer, debian_line, make_bundle
from tests.bundles.places import Layout, start_registry
from tests.foundation.sshd import keygen
from tests.installer.core_test_harness.test_harness_lab import Site, of
from tests.installer.harness_project import APPLETS, IMAGES, Harness, release_files, site_text
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.recipe import DOCKER

pytestmark = pytest.mark.lab


def applets_layer() -> bytes:
    """A layer with the names of busybox's commands."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in APPLETS.split():
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return gzip.compress(packed.getvalue(), mtime=0)


def repository(folder: Path) -> str:
    """The release as a Git repository in a folder; its commit."""
    for name, text in release_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "release"],
                  ["tag", "v2.14.2"]):  # fmt: skip
        subprocess.run([*git, *words], check=True)
    shown = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return shown.stdout.strip()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A signed bundle of the images, the repository and a package; and the release's commit."""
    folder = tmp_path_factory.mktemp("offline")
    commit = repository(folder / "release")
    key = keygen(folder / "maker")
    registry = start_registry(folder / "registry")
    try:
        layout = Layout(folder / "layout")
        image = layout.image([busybox_layer("stand-in"), applets_layer()])
        layout.name(image, "stand-in")
        for name in IMAGES:
            path = name if "/" in name else f"library/{name}"
            layout.push("stand-in", f"{registry.host}/{path}")
        yield make_bundle(
            folder / "bundle", registry, key, solution="core-test-harness",
            debs=[debian_line("jq")],
            images=[f"docker.io/{n}" if "/" in n else f"docker.io/library/{n}" for n in IMAGES],
            git=[{"name": "ml-core-test-harness", "url": (folder / "release").as_uri(),
                  "ref": "v2.14.2", "commit": commit}],
        ), commit  # fmt: skip
    finally:
        registry.stop()


def test_from_a_bundle_to_a_passed_report(
    lab: Lab, machine_factory: MachineFactory, bundle: tuple[Path, str], tmp_path: Path
) -> None:
    path, commit = bundle
    machine = machine_factory("box", recipe=DOCKER)
    machine.wait_for_boot()
    machine.no_route()
    site = Site(lab, Harness(machine, commit), tmp_path)
    public = (path.parent / "maker.pub").read_text()
    keys = tmp_path / "allowed_signers"
    keys.write_text(f'maker@example.org namespaces="sitewright-bundle" {public}')
    text = site_text(lab, machine, site.harness)
    site.file.write_text(f"{text}supplies: {{bundle: {path}, keys: {keys}}}\n")
    done = site.command("install", "--yes", "--by", "A. Tester", "--json-lines")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (images,) = of(events, "step.finished", "images")
    assert images["outcome"] == "already"  # the bundle had every one
    (tests,) = of(events, "step.finished", "tests")
    assert tests["sentence"].startswith("Passed percentage 100.00%")
