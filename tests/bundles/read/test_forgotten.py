"""A site whose note of its last bundle was deleted is told from one that never had any."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bundles.read.verify import verify_bundle
from installer.record.identity import site_key
from installer.record.runs import create_run
from installer.sites.site import Site, dump_site
from installer.supply.bundle_order import OlderBundle, OrderUnknown
from installer.supply.supplies import Supplied, as_plan, read_supplies, remember_bundle
from tests.bundles.conftest import Keys
from tests.bundles.read.test_age import NEW, OLD, make_at, site_of
from tests.installer.engine_site import plan, step


@pytest.fixture
def bundles(tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The older and the newer one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return make_at(tmp_path / "1", OLD, b"one", keys), make_at(tmp_path / "2", NEW, b"two", keys)


def supplied(site: Site, folder: Path, *, allow_older: str = "") -> Supplied:
    found = read_supplies(site, folder, allow_older=allow_older)
    assert found is not None
    return found


def ran(site: Site, supplies: tuple[tuple[str, str], ...]) -> None:
    """A run of the site that began with these supplies."""
    made = replace(plan(step("a", "m1")), solution="pm4ml", supplies=supplies)
    create_run(site_key(site), made, site_text=dump_site(site)).note_begun()


def forget(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "state/sitewright/bundles")


def test_the_record_of_a_site_knows_the_bundle_whose_note_is_gone(
    bundles: tuple[Path, Path], tmp_path: Path, keys: Keys
) -> None:
    older, newer = (site_of(one, keys) for one in bundles)
    assert site_key(older) == site_key(newer)
    supplied(older, tmp_path)  # the first time, any may come
    ran(newer, as_plan(supplied(newer, tmp_path)))
    remember_bundle(newer, verify_bundle(bundles[1]))
    with pytest.raises(OlderBundle) as noted:
        supplied(older, tmp_path)
    forget(tmp_path)
    with pytest.raises(OlderBundle) as recorded:
        supplied(older, tmp_path)
    assert recorded.value.cause == noted.value.cause
    assert not isinstance(recorded.value, OrderUnknown)
    supplied(newer, tmp_path)
    assert supplied(older, tmp_path, allow_older="A. Name").older


def test_a_record_that_does_not_say_when_its_bundle_was_made_is_no_leave(
    bundles: tuple[Path, Path], tmp_path: Path, keys: Keys
) -> None:
    """The plan of an earlier version: only what it had is known, not whether this is older."""
    older, newer = (site_of(one, keys) for one in bundles)
    had = dict(as_plan(supplied(older, tmp_path)))
    short = {name: value for name, value in had.items() if name not in ("created", "counter")}
    ran(older, tuple(short.items()))
    supplied(older, tmp_path)
    with pytest.raises(OrderUnknown, match=r"its run \S+ had one, and what was noted of it is gon"):
        supplied(newer, tmp_path)
    assert supplied(newer, tmp_path, allow_older="A. Name").structure.index.created == NEW


def test_runs_without_a_bundle_and_dry_ones_say_nothing(
    bundles: tuple[Path, Path], tmp_path: Path, keys: Keys
) -> None:
    older, newer = (site_of(one, keys) for one in bundles)
    made = replace(plan(step("a", "m1")), supplies=as_plan(supplied(newer, tmp_path)))
    create_run(site_key(newer), made, site_text=dump_site(newer), dry=True).note_begun()
    ran(newer, ())
    assert not supplied(older, tmp_path).older
