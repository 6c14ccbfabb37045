"""containerd with the settings that PM4ML writes for the site's own registry."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import jinja2
import pytest

from bundles.opened import open_bundle
from bundles.push import push_bundle
from bundles.registry import Registries
from bundles.serve.certificates import new_identity
from bundles.web import Web
from installer.planning import make_plan
from installer.solution import load_solution
from tests.bundles.made import Made
from tests.bundles.places import start_registry
from tests.bundles.serve.containerd import running_containerd
from tests.installer.test_planning import site
from tests.installer.test_supplies import PM4ML, with_items

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
