"""The site file of `python -m tests.lab site` is one that Sitewright plans from."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.sites.site import load_site
from tests.lab.site import ROLES, site_text, what_to_type


def test_its_site_file_can_be_planned_and_is_named_in_what_to_type(tmp_path: Path) -> None:
    lab = cast("Any", SimpleNamespace(
        key=tmp_path / "key", known_hosts=tmp_path / "known_hosts",
        subnet=IPv4Network("10.99.0.0/22"),
    ))  # fmt: skip
    machines = [
        cast("Any", SimpleNamespace(name=name, address=f"10.99.0.{n}", fingerprint="SHA256:x"))
        for n, name in enumerate(ROLES, 11)
    ]
    path = tmp_path / "site.yaml"
    path.write_text(site_text(lab, machines, ROLES, "production"))
    plan = make_plan(load_solution("pm4ml"), load_site(path), ())
    assert [name for name, _ in plan.hosts] == list(ROLES)
    assert plan.stages[-1].id == "verify"
    assert plan.secrets == ()
    assert f"sitewright --site {path}" in what_to_type(lab, machines, path)
