"""The site's own registry in the lab: installed, filled from a bundle, read-only, trusted.

Pods are run from it: containerd pulls by what MicroK8s was told of it. The Kubernetes of MicroK8s
is real there, snap and the rest of it stand in (tests/stand_ins).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.catalogue.solution import load_solution
from installer.steps.stage_files import load_stages
from tests.bundles.made import Made
from tests.installer.engine_site import Watch, engine, plan, step
from tests.installer.pm4ml_site import LabSite
from tests.lab.host import wait_until
from tests.lab.kubernetes import build
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.stand_ins.install import start

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]


@pytest.fixture
def site(lab: Lab, machine_factory: MachineFactory, tmp_path: Path) -> LabSite:
    """A storage machine that keeps the registry, and the one node of a cluster."""
    roles = {"st1": ("storage",), "n1": ("master", "worker")}
    made = start(machine_factory, roles)
    settings: dict[str, str | int | bool] = {"site_registry": True}
    return LabSite(lab, tmp_path, {made[name]: own for name, own in roles.items()}, settings)


def with_program(program: Path) -> bytes:
    """A layer with one program in it, at the root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(program, program.name)
    return gzip.compress(packed.getvalue(), compresslevel=1, mtime=0)


def pod(name: str, image: str) -> str:
    """A pod whose image is pulled, whatever is there already; as JSON."""
    container = {"name": "it", "image": image, "command": ["/pod"], "imagePullPolicy": "Always"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def asked(machine: Machine, path: str, *more: str) -> tuple[str, str]:
    """The status and the body of an answer of the registry to another machine."""
    url = machine.exec(["cat", "/etc/sitewright/site-registry"]).stdout.strip()
    said = machine.exec(
        ["curl", "-s", "--cacert", "/etc/sitewright/trust/site-registry-ca.pem",
         "-w", "\n%{http_code}", *more, f"{url}{path}"]
    ).stdout  # fmt: skip
    body, _, status = said.rpartition("\n")
    return status, body


async def test_the_registry_is_filled_through_ssh_and_read_over_tls(
    site: LabSite, tmp_path: Path
) -> None:
    storage, worker = site.roles
    first = site.play("registry.yml")
    assert first.status == 0, first.output
    again = site.play("registry.yml")
    assert again.status == 0, again.output
    assert set(again.changed.values()) == {0}, again.output

    assert asked(worker, "/v2/_catalog") == ("200", '{"repositories":[]}\n')
    made = Made(tmp_path / "bundle", solution="pm4ml", environment="production")
    program = build.kubernetes().with_name("pod")
    image = made.image("docker.io/library/app:1.0", with_program(program))
    made.image_index("docker.io/library/app:1.0", image)
    made.image("quay.io/library/app:1.0", architecture="arm64")
    bundle = made.write()

    pushed = await push(site, storage, bundle)
    assert pushed == ["done", "already"]
    # What the machine noted is not believed: the registry is asked, and filled anew.
    storage.script("rm -rf /var/lib/docker-registry/*")
    assert await push(site, storage, bundle) == ["done", "already"]
    status, body = asked(worker, "/v2/_catalog")
    assert json.loads(body)["repositories"] == ["docker.io/library/app", "quay.io/library/app"]
    accept = ("-H", "Accept: application/vnd.oci.image.manifest.v1+json")
    status, body = asked(worker, "/v2/docker.io/library/app/manifests/1.0", *accept)
    assert status == "200"
    assert "sha256:" + hashlib.sha256(body.encode()).hexdigest() == image.digest
    # Nobody can write over the network, and nothing takes pushes any more.
    status, _ = asked(worker, "/v2/quay.io/library/app/blobs/uploads/", "-X", "POST")
    assert status == "405"
    ports = storage.exec(["ss", "-ltn"]).stdout
    assert ":5001" not in ports

    # What a node runs comes from it, and what it has not is told; nothing is asked of the internet.
    cluster = site.play("1.microk8s_setup.yml")
    assert cluster.status == 0, cluster.output
    kubectl = ["microk8s", "kubectl"]
    for name, reference in (("app", "app:1.0"), ("other", "quay.io/library/nothing:1.0")):
        worker.exec([*kubectl, "apply", "-f", "-"], stdin=pod(name, reference))
    worker.exec(
        [*kubectl, "wait", "--for=condition=Ready", "pod/app", "--timeout=300s"], timeout=400
    )
    why = "-o=jsonpath={.status.containerStatuses[*].state.waiting.message}"
    asks = [*kubectl, "get", "pod", "other", why]
    wait_until(lambda: "nothing" in worker.exec(asks).stdout, "the refusal", seconds=300)
    said = worker.exec(asks).stdout
    assert "quay.io/library/nothing:1.0: not found" in said
    assert "127.0.0.9" not in said
    assert all(value == 0 for value in site.play("1.microk8s_setup.yml").changed.values())

    undone = site.play("undo/registry.yml")
    assert undone.status == 0, undone.output
    assert ":5000" not in storage.exec(["ss", "-ltn"]).stdout


async def push(site: LabSite, storage: Machine, bundle: Path) -> list[str]:
    """The stage's push step, carried out twice by the engine; how its step ended each time."""
    with open_bundle(bundle) as opened:
        index = read_structure(opened).index_digest
    stage = next(stage for stage in load_stages(load_solution("pm4ml")) if stage.id == "registry")
    data = stage.steps[1].model_dump(mode="json", exclude={"id", "kind", "on", "when", "title"})
    made = plan(
        step("images", "st1", stage="registry", kind="push", **data),
        supplies=(("bundle", str(bundle)), ("keys", ""), ("index", index)),
    )
    host = Host("st1", storage.address, storage.port, user="ubuntu", identity_files=(site.lab.key,))
    machines = Inventory((host,), known_hosts=(site.lab.known_hosts,), use_ssh_config=False)
    watch = Watch()
    ended = []
    async with Pool(machines) as pool:
        for _ in range(2):
            driven = engine(made, pool=pool, watch=watch)
            ended.append(str(await driven.run()))
            assert not driven.failures, (driven.failures, watch.lines()[-20:])
    return ended
