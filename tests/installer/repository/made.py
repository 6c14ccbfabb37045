"""Repositories as the starter makes them, each rendered once for all tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from installer.catalogue.solution import load_solution
from installer.repository.starter import Environment, environment_of, files_of
from installer.sites.site import Site

GIVEN = {
    "hub_domain": "hub.switch.test",
    "currencies": "USD",
    "backend_endpoint": "core.bank.test:3000",
}
SITE = {
    "domain": "pm4ml.bank.test",
    "pm4ml_id": "bank-one",
    "git_url": "https://git.bank.test/site.git",
}
PM4ML = load_solution("pm4ml")


def site(environment: str = "production", workers: int = 3, **settings: Any) -> Site:
    """A site of so many workers."""
    hosts = [
        {"name": f"w{n}", "address": f"10.0.0.{n + 1}", "roles": ["worker"]} for n in range(workers)
    ]
    return Site.model_validate(
        {
            "solution": "pm4ml",
            "environment": environment,
            "hosts": hosts,
            "settings": {**SITE, **settings},
        }
    )


def environment(of: Site, **given: str) -> Environment:
    """What it comes to."""
    return environment_of(PM4ML, of, {**GIVEN, **given}, where="site.yaml")


@cache
def production() -> Environment:
    """The production site of three workers."""
    return environment(site())


@cache
def files() -> MappingProxyType[str, str]:
    """Its repository."""
    return MappingProxyType(files_of(PM4ML, (production(),)))


def written(folder: Path) -> Path:
    """It on a disk, without what is kept of it."""
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
