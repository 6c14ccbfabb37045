"""containerd with the settings that PM4ML writes for the site's own registry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import jinja2
import pytest

from bundles.opened import open_bundle
from bundles.push import push_bundle
from bundles.registry import Registries
from bundles.serve.certificates import new_identity
from bundles.web import Web
from installer.solution import load_solution
from tests.bundles.made import Made
from tests.bundles.places import start_registry
from tests.bundles.serve.containerd import running_containerd

pytestmark = pytest.mark.processes

TEMPLATE = load_solution("pm4ml").folder / "playbooks" / "templates" / "hosts.toml.j2"


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
        template = jinja2.Template(TEMPLATE.read_text())
        for name in ("docker.io", "quay.io", "ghcr.io"):
            place = tmp_path / "certs.d" / name / "hosts.toml"
            place.parent.mkdir(parents=True)
            text = template.render(
                registry=name,
                site_registry_url=f"https://{reading.host}",
                registry_mirror="",
                registry_mirror_only=False,
            )
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
