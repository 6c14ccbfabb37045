"""Machines given what they need from a bundle by the engine: no way out, cut off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.events import Event, Kind, Outcome
from installer.plans.plan import Plan, PlannedStep
from tests.bundles.conftest import Keys, keys
from tests.bundles.offline import COMPOSE, debian_line, file_line, make_bundle, push_image
from tests.bundles.places import start_registry
from tests.installer.engine_site import Watch, engine, new_run, plan, step
from tests.lab.lab import Lab
from tests.lab.leaving import count_what_leaves, tried_to_leave
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine

__all__ = ["keys"]

pytestmark = pytest.mark.lab

STORE = "/var/lib/sitewright/supplies"
PAGE = "it came from the bundle"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Path]:
    """HAProxy, Docker and Compose for Debian, an image, and the project that uses it."""
    folder = tmp_path_factory.mktemp("offline")
    registry = start_registry(folder / "registry")
    try:
        push_image(registry, folder / "layout", PAGE, "more")
        yield make_bundle(
            folder / "bundle", registry, keys.key,
            debs=[debian_line("haproxy", "docker.io", "docker-compose")],
            images=["docker.io/example/web:1.0"],
            files=[file_line(folder / "files", "docker-compose.yml", COMPOSE.encode())],
        )  # fmt: skip
    finally:
        registry.stop()


def planned(bundle: Path, *steps: PlannedStep, **more: Any) -> Plan:
    """A plan that uses a bundle."""
    with open_bundle(bundle) as opened:
        index = read_structure(opened).index_digest
    supplies = (("bundle", str(bundle)), ("keys", ""), ("index", index))
    return plan(*steps, supplies=supplies, **more)


def deliver(
    name: str, to: str, *items: str, hosts: tuple[str, ...] = ("m1",), stage: str = "one"
) -> PlannedStep:
    """A step that delivers."""
    return step(name, *hosts, stage=stage, kind="deliver", items=list(items), to=to)


def inventory(lab: Lab, *machines: Machine) -> Inventory:
    return Inventory(
        hosts=tuple(
            Host(f"m{n}", one.address, one.port, user="ubuntu", identity_files=(lab.key,))
            for n, one in enumerate(machines, 1)
        ),
        known_hosts=(lab.known_hosts,),
        use_ssh_config=False,
    )


DAEMON = '{"storage-driver": "vfs", "default-cgroupns-mode": "private"}'


SIDELOAD = "/var/snap/microk8s/common/sideload"
MICROK8S = """\
#!/bin/sh
# STAND-IN for the program of the snap: `ctr` is the real one, and keeps images as plain files,
# since a lab machine has no overlay file system of its own.
[ "$1" = ctr ] || exit 1
shift
CONTAINERD_SNAPSHOTTER=native exec ctr --namespace k8s.io "$@"
"""


async def test_a_machine_without_a_way_out_is_given_everything(
    lab: Lab, machine_factory: MachineFactory, bundle: Path
) -> None:
    machine = machine_factory()
    machine.altered = True
    # A lab machine has no overlay file system of its own.
    machine.write_file("/etc/docker/daemon.json", DAEMON)
    count_what_leaves(machine, lab)
    made = planned(
        bundle,
        deliver("packages", "apt", "debs:*"),
        step("install", "m1", stage="two",
             script="apt-get update && apt-get install -y haproxy docker.io docker-compose"),
        deliver("images", "containers-docker", "images:docker.io/example/*", stage="three"),
        deliver("project", "folder", "files:docker-compose.yml", stage="three"),
        step("up", "m1", stage="four",
             script=f"cd {STORE}/files && docker-compose -p web up -d"),
    )  # fmt: skip
    run = new_run(made)
    watch = Watch()
    async with Pool(inventory(lab, machine)) as pool:
        outcome = await engine(made, run, pool=pool, watch=watch).run()
        assert outcome is Outcome.DONE, "\n".join(watch.lines()[-25:])
        page = machine.script(
            "for i in $(seq 1200); do curl -sf http://127.0.0.1:8080/ && exit; sleep 0.1; done"
        )
        assert page == PAGE
        assert machine.exec(["haproxy", "-v"]).stdout.startswith("HAProxy")
        assert tried_to_leave(machine) == {}

        # MicroK8s' containerd: before it is there, then (the real containerd of Docker's packages).
        kubernetes = planned(
            bundle, deliver("cri", "containers-microk8s", "images:*", stage="five")
        )
        images = new_run(kubernetes, "images")
        assert await engine(kubernetes, images, pool=pool).run() is Outcome.DONE
        (waiting,) = machine.script(f"ls {SIDELOAD}").split()
        assert machine.script(f"tar -tf {SIDELOAD}/{waiting} index.json") == "index.json\n"
        machine.write_file("/usr/local/bin/microk8s", MICROK8S, mode=0o755)
        assert await engine(kubernetes, pool=pool).run() is Outcome.DONE
        names = machine.script("microk8s ctr image ls -q").split()
        assert names[0] == "docker.io/example/web:1.0"
        assert names[1].startswith("docker.io/example/web@sha256:")
        assert "unavailable" not in machine.script("microk8s ctr image check | grep example")
        assert await engine(kubernetes, pool=pool).run() is Outcome.ALREADY
        assert tried_to_leave(machine) == {}

        delivering = [s for stage in made.stages for s in stage.steps if s.kind == "deliver"]
        again = engine(planned(bundle, *delivering), pool=pool)
        assert await again.run() is Outcome.ALREADY
        machine.script(f"cd {STORE}/files && docker-compose -p web down")
        assert await engine(kubernetes, images, pool=pool).undo("five", by="A") is Outcome.UNDONE
        assert machine.script("microk8s ctr image ls -q") == ""
        for stage in ("three", "one"):
            assert await engine(made, run, pool=pool).undo(stage, by="A") is Outcome.UNDONE
    assert machine.exec(["docker", "image", "ls", "-q"]).stdout == ""
    # What the machine keeps in mind is which bundle it had last, so that no older one comes after.
    assert machine.script(f"find {STORE} -type f ! -name lock ! -name bundles.json") == ""
    assert machine.script("find /etc/apt -name '*sitewright-supplies' -o -name 'one-*'") == ""
    # The counter can see: what does try to leave is counted.
    machine.exec(["sh", "-c", "curl -m 1 http://192.0.2.1/ || true"])
    assert tried_to_leave(machine)["tcp"] > 0


async def test_a_copy_that_is_cut_goes_on_in_the_same_run(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path, keys: Keys
) -> None:
    """Its connection is taken away in the middle; the run notes it and sends the rest."""
    line = file_line(tmp_path / "files", "large", os.urandom(24 * 1024 * 1024))
    bundle = await asyncio.to_thread(make_bundle, tmp_path / "bundle", None, keys.key, files=[line])
    machine = machine_factory()
    machine.netem(delay_ms=100)
    made = planned(bundle, deliver("large", "folder", "files:large"))
    watch = Watch()
    cutting: list[int] = []

    def cut(events: Sequence[Event]) -> None:
        watch(events)
        copied = any(e.kind is Kind.STEP_PROGRESS and e.data["done"] for e in events)
        if copied and not cutting:
            # Nothing more is sent meanwhile, so that it is the middle however busy the machine is.
            command = ["pkill", "--oldest", "-f", "sshd: ubuntu"]
            cutting.append(machine.exec(command, check=False).returncode)

    async with Pool(inventory(lab, machine)) as pool:
        assert await engine(made, pool=pool, watch=cut).run() is Outcome.DONE
    assert cutting == [0]
    assert any("goes on where it was" in str(note.data["text"]) for note in watch.of(Kind.NOTE))
    name = line["sha256"]
    assert machine.script(f"sha256sum < {STORE}/blobs/sha256/{name}").split()[0] == name
