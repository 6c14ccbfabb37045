"""containerd with the settings that PM4ML writes for the site's own registry."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import jinja2
import pytest

from bundles.format import media
from bundles.format.layout import Item
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from bundles.registries.push import manifests_of, push_bundle
from bundles.registries.registry import Registries
from bundles.registries.web import Web
from bundles.serve.certificates import new_identity
from foundation.hosts.connection import Completed
from foundation.hosts.model import Host
from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.plans.plan import Plan, PlannedStep
from installer.steps import push
from installer.steps.deliver import bundle_of
from installer.steps.kind import StepContext
from installer.steps.push import PushStep
from installer.steps.stage_files import load_stages
from tests.bundles.made import Made
from tests.bundles.places import start_registry
from tests.bundles.serve.containerd import running_containerd
from tests.installer.engine_site import plan, step
from tests.installer.planning.test_planning import site
from tests.installer.supply.test_supplies import PM4ML, with_items

TEMPLATE = load_solution("pm4ml").folder / "playbooks" / "templates" / "hosts.toml.j2"


def hosts_toml(**values: object) -> str:
    """The template as Ansible fills it in."""
    environment = jinja2.Environment(trim_blocks=True, autoescape=False)  # noqa: S701 - TOML
    environment.filters["bool"] = lambda value: str(value).lower() in ("yes", "true")
    given = {
        "registry": "docker.io",
        "site_registry_url": "",
        "registry_mirror": "",
        "registry_mirror_only": "no",
        "registry_mirror_ca": "",
    }
    return environment.from_string(TEMPLATE.read_text()).render({**given, **values})


def test_a_mirror_is_asked_first_or_alone() -> None:
    mirror, ca = "https://10.10.0.1:5443", "/etc/sitewright/trust/bundle-ca.pem"
    first = tomllib.loads(hosts_toml(registry_mirror=mirror))
    assert first == {
        "server": "https://registry-1.docker.io",
        "host": {mirror: {"capabilities": ["pull", "resolve"]}},
    }
    alone = hosts_toml(
        registry="quay.io", registry_mirror=mirror, registry_mirror_only="yes",
        registry_mirror_ca=ca,
    )  # fmt: skip
    assert tomllib.loads(alone) == {
        "server": mirror,
        "ca": ca,
        "host": {mirror: {"capabilities": ["pull", "resolve"], "ca": ca}},
    }


def test_the_site_s_own_registry_comes_after_a_mirror_and_last() -> None:
    text = hosts_toml(registry_mirror="https://m:1", site_registry_url="https://10.10.0.4:5000")
    settings = tomllib.loads(text)
    assert list(settings["host"]) == ["https://m:1", "https://10.10.0.4:5000/v2/docker.io"]
    assert settings["server"] == "https://10.10.0.4:5000/v2/docker.io"
    assert settings["override_path"] is True


@pytest.mark.parametrize("bundle", [True, False])
def test_the_stage_is_planned_where_the_site_wants_it(bundle: bool) -> None:
    solution = load_solution("pm4ml")
    wanted = site(site_registry=True)
    supplied = with_items(*PM4ML) if bundle else None
    plan = make_plan(solution, wanted, (), supplied=supplied)
    stage = next(stage for stage in plan.stages if stage.id == "registry")
    assert [step.kind for step in stage.steps] == ["playbook", *(["push"] if bundle else [])]
    if bundle:
        # Which of them keeps it only the machines know: the others find nothing to do.
        assert stage.steps[1].hosts == ("s1", "s2")
        assert stage.steps[1].spec["keeper"]
    without = make_plan(solution, site(), (), supplied=supplied)
    assert "registry" not in [stage.id for stage in without.stages]


@pytest.mark.processes
async def test_containerd_finds_each_image_under_the_name_of_its_registry(tmp_path: Path) -> None:
    made = Made(tmp_path / "bundle")
    names = ("docker.io/library/app:1.0", "quay.io/library/app:1.0")
    digests = {name: made.image(name).digest for name in names}
    bundle = made.write()
    identity = new_identity(["127.0.0.1"], timedelta(hours=1))
    (tmp_path / "ca.pem").write_text(identity.authority)
    registry = start_registry(tmp_path / "registry")
    reading = start_registry(tmp_path / "registry", identity=identity)
    try:
        async with Web() as web:
            registries = Registries(web, plain_http=frozenset({registry.host}))
            with open_bundle(bundle) as opened:
                await push_bundle(
                    opened, tuple(made.items), registry.host, registries, keep_registry=True
                )
        for name in ("docker.io", "quay.io", "ghcr.io"):
            place = tmp_path / "certs.d" / name / "hosts.toml"
            place.parent.mkdir(parents=True)
            text = hosts_toml(registry=name, site_registry_url=f"https://{reading.host}")
            place.write_text(
                text.replace("/etc/sitewright/trust/site-registry-ca.pem", f"{tmp_path}/ca.pem")
            )
        with running_containerd(tmp_path / "containerd") as ctr:
            hosts = ("--hosts-dir", str(tmp_path / "certs.d"))
            for name in names:
                ctr("content", "fetch", *hosts, name)
            listed = {line.split()[0]: line for line in ctr("images", "list").splitlines()}
            for name in names:
                assert digests[name] in listed[name]
            missing = ctr("content", "fetch", *hosts, "ghcr.io/library/app:1.0", fails=True)
            assert "not found" in missing
    finally:
        reading.stop()
        registry.stop()


def made_bundle(folder: Path) -> Made:
    """A bundle with an image and its index, one with two platforms, and one without an index."""
    made = Made(folder, solution="pm4ml", environment="production")
    made.image_index("docker.io/library/app:1.0", made.image("docker.io/library/app:1.0"))
    for architecture in ("amd64", "arm64"):
        made.image("quay.io/library/two:2.0", architecture=architecture)
    made.image("ghcr.io/a/alone:3.0")
    return made


def push_step() -> PushStep:
    """The stage's step."""
    stage = next(stage for stage in load_stages(load_solution("pm4ml")) if stage.id == "registry")
    return cast("PushStep", stage.steps[1])


def told_to(bundle: Path, items: Sequence[Item]) -> bytes:
    """What the step writes to the standard input of its question."""
    with open_bundle(bundle) as opened:
        return push._asked_for(opened, tuple(items))


@pytest.mark.processes
async def test_the_registry_itself_is_asked_whether_it_has_what_was_pushed(tmp_path: Path) -> None:
    """The stage's own question, to a real registry over TLS: full, emptied, and gone."""
    made = made_bundle(tmp_path / "bundle")
    bundle = made.write()
    identity = new_identity(["127.0.0.1"], timedelta(hours=1))
    (tmp_path / "ca.pem").write_text(identity.authority)
    registry = start_registry(tmp_path / "registry")
    reading = start_registry(tmp_path / "registry", identity=identity)
    (tmp_path / "url").write_text(f"https://{reading.host}\n")
    done = push_step().done
    assert done is not None

    def asked() -> int:
        words = [
            word.replace("/etc/sitewright/site-registry", f"{tmp_path}/url").replace(
                "/etc/sitewright/trust/site-registry-ca.pem", f"{tmp_path}/ca.pem"
            )
            for word in done.command
        ]
        return subprocess.run(words, input=told_to(bundle, made.items), check=False).returncode

    try:
        assert asked() == 1
        async with Web() as web:
            registries = Registries(web, plain_http=frozenset({registry.host}))
            with open_bundle(bundle) as opened:
                await push_bundle(
                    opened, tuple(made.items), registry.host, registries, keep_registry=True
                )
        assert asked() == 0
        # A layer that is gone, as after a disk was mended: the manifest is given all the same.
        blobs = tmp_path / "registry/data/docker/registry/v2/blobs"
        manifests = {item.digest.partition(":")[2] for item in made.items}
        layer = next(one for one in sorted(blobs.glob("sha256/*/*")) if one.name not in manifests)
        layer.rename(tmp_path / "layer")
        assert asked() == 1
        (tmp_path / "layer").rename(layer)
        assert asked() == 0
        repositories = tmp_path / "registry/data/docker/registry/v2/repositories"
        shutil.rmtree(repositories / "ghcr.io/a/alone")
        assert asked() == 1
        shutil.rmtree(tmp_path / "registry/data")
        assert asked() == 1
    finally:
        reading.stop()
        registry.stop()
    assert asked() == 2


def test_what_a_registry_must_have_is_every_image_and_every_tag(tmp_path: Path) -> None:
    made = made_bundle(tmp_path / "bundle")
    images = [item for item in made.items if item.kind == media.IMAGE]
    wanted = {(item.name.rpartition(":")[0], item.digest) for item in images}
    wanted |= {("docker.io/library/app", "1.0"), ("ghcr.io/a/alone", "3.0")}
    assert set(manifests_of(made.items, keep_registry=True)) == wanted
    made.image_index("quay.io/library/two:2.0", *images[1:3])
    found = set(manifests_of(made.items, keep_registry=True))
    assert found == {*wanted, ("quay.io/library/two", "2.0")}


@dataclass
class Machine:
    """Stands in for a step at a machine that keeps a record and answers the question so."""

    plan: Plan
    mark: str
    says: int
    step: PlannedStep
    host: Host
    asked: list[bytes] = field(default_factory=list)

    async def look(self, command: Sequence[str], *, stdin: bytes = b"", **_: object) -> Completed:
        if stdin:
            self.asked.append(stdin)
            return Completed(self.says, b"", b"", 0.0, 0.0)
        return Completed(0, f"{self.mark}\n".encode(), b"", 0.0, 0.0)


@pytest.mark.parametrize(("says", "done"), [(0, True), (1, False), (2, None)])
async def test_what_the_machine_noted_is_not_believed_without_the_registry(
    tmp_path: Path, says: int, done: bool | None
) -> None:
    made = made_bundle(tmp_path / "bundle")
    path = made.write()
    with open_bundle(path) as opened:
        structure = read_structure(opened).index_digest
    supplies = (("bundle", str(path)), ("keys", ""), ("index", structure))
    data = push_step().model_dump(mode="json", exclude={"id", "kind", "on", "when", "title"})
    one = step("images", "s1", stage="registry", kind="push", **{**data, "keeper": None})
    machine = Machine(plan(one, supplies=supplies), "", says, one, Host("s1", "10.0.0.1"))
    context = cast("StepContext", machine)
    assert await push.KIND.is_done(context) is False
    assert machine.asked == []
    with bundle_of(machine.plan) as bundle:
        items = push.Push()._items(context, bundle)
    machine.mark = push._mark(items)
    assert await push.KIND.is_done(context) is done
    assert machine.asked == [told_to(path, items)]
