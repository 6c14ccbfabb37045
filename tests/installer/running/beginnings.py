"""Beginnings of a run by each face, at any step of which something fails, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foundation.hosts.model import Inventory
from foundation.hosts.pool import Pool
from foundation.paths import data_folder
from foundation.problems import Refused
from installer.catalogue.solution import load_solution
from installer.commands import install
from installer.commands.install import Undertaking, carry_through
from installer.record.errand import Errand
from installer.record.runs import Run, latest_run, runs_folder
from installer.record.site_lock import Lock, holder_of
from installer.running import begin
from installer.running.engine import Engine
from installer.running.others.company import Company
from installer.sites.site import Site, SiteHost
from screens.services.memory import Memory
from screens.services.services import Access
from screens.services.services import Order as Confirmed
from tests.installer.engine_site import nobody, plan, step
from tests.screens.saying import said
from tests.screens.tiny import TinyServices, write_solution

TEXT = "solution: pm4ml\nhosts: [{name: local, address: local, roles: [master]}]\n"
SITE = Site(solution="pm4ml", hosts=(SiteHost(name="local", address="local", roles=("master",)),))
MADE = replace(plan(step("a", script="true", undo={"script": "true"})), solution="pm4ml")
BEGINNING = ("verified", "locked", "looked", "new_run")
ENGINE = ("_open_journal", "learn", "_programs_ready")
PLACES = (*BEGINNING, "Engine", *ENGINE)


def refused() -> BaseException:
    return Refused("it may not be", where="here")


def full() -> BaseException:
    return OSError(28, "No space left on device", str(data_folder() / "x"))


def cut() -> BaseException:
    return asyncio.CancelledError()


def ours() -> BaseException:
    return RuntimeError("an error of our own")


FAULTS = (refused, full, cut, ours)


@dataclass
class Failing:
    """A function that fails before or after it did what it does."""

    real: Callable[..., Any]
    fault: Callable[[], BaseException]
    after: bool

    def sync(self, *words: Any, **more: Any) -> Any:
        if self.after:
            self.real(*words, **more)
        raise self.fault()

    async def waited(self, *words: Any, **more: Any) -> Any:
        if self.after:
            await self.real(*words, **more)
        raise self.fault()


@contextlib.contextmanager
def failing(place: str, fault: Callable[[], BaseException], *, after: bool) -> Iterator[None]:
    """One step of the beginning fails."""
    owner: Any = begin if place == "Engine" else Engine if place in ENGINE else begin._Beginning
    owner = Company if place == "learn" else owner
    real = getattr(owner, place)
    wrong = Failing(real, fault, after)

    async def waited(*words: Any, **more: Any) -> Any:
        return await wrong.waited(*words, **more)

    def sync(*words: Any, **more: Any) -> Any:
        return wrong.sync(*words, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, place, sync if place in ("locked", "Engine") else waited)
        yield


@dataclass
class Watched:
    """What was opened, and must be closed; what lay in the folders before."""

    pools: list[Pool]
    temporary: Path

    def nothing_is_left(self, latest: Run | None) -> None:
        for key in [path.name for path in runs_folder().iterdir()]:
            assert holder_of(key) is None
            with Lock(key):
                pass
            assert latest_run(key) == (latest if latest and latest.site_key == key else None)
            folders = [path for path in (runs_folder() / key).iterdir() if path.is_dir()]
            kept = [path for path in folders if path.name != "ends"]
            assert kept == ([latest.folder] if latest and latest.site_key == key else [])
        assert all(pool._closed for pool in self.pools)
        assert list(self.temporary.iterdir()) == []


async def look_at_nothing(*_: object, **__: object) -> Any:
    """A stand-in for the preflight of machines that are all good."""
    return SimpleNamespace(hosts=[], all_findings=[])


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Folders of this test alone, good machines, and every pool kept in mind."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(begin, "look_at", look_at_nothing)
    pools: list[Pool] = []

    class Kept(Pool):
        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            pools.append(self)

    monkeypatch.setattr(begin, "Pool", Kept)
    monkeypatch.setattr(install, "heed_interrupts", lambda *_, **__: None)
    runs_folder().mkdir(parents=True)
    (tmp_path / "site.yaml").write_text(TEXT)
    return Watched(pools, temporary)


def options(tmp_path: Path, **more: object) -> Namespace:
    parser = ArgumentParser()
    install.add_options(parser)
    read = parser.parse_args(["--site", str(tmp_path / "site.yaml"), "--by", "Ma Ma", "--yes"])
    vars(read).update(more)
    return read


def install_it(tmp_path: Path) -> int:
    work = Undertaking(SITE, tmp_path / "site.yaml", load_solution("pm4ml"), MADE)
    return carry_through(work, options(tmp_path))


def verify_it(tmp_path: Path) -> int:
    work = Undertaking(
        SITE, tmp_path / "site.yaml", load_solution("pm4ml"), MADE, errand=Errand.VERIFY
    )
    return carry_through(work, options(tmp_path), dry=False)


def operate(tmp_path: Path) -> int:
    work = Undertaking(
        SITE,
        tmp_path / "site.yaml",
        load_solution("pm4ml"),
        MADE,
        errand=Errand.OPERATE,
        operation="stop",
    )
    return carry_through(work, options(tmp_path), dry=False)


def wizard_installs(tmp_path: Path, errand: Errand = Errand.INSTALL) -> int:
    services = TinyServices(write_solution(tmp_path / "solutions", tmp_path))
    answers = said(solution="tiny", environment="single-box",
                   machines=(services.this_machine(),),
                   settings={"domain": "tiny.example.org"})  # fmt: skip
    order = Confirmed(
        answers, MADE, Access(Inventory(answers.machines)), {}, "Ma Ma", errand=errand
    )
    memory = Memory(order=order)

    async def main() -> None:
        try:
            async with services.installing(order, nobody) as work:
                memory.installed = work
                memory.order = replace(order, run=work.run.folder)
                await work.engine.run()
        finally:
            memory.forget_unbegun(order)

    try:
        asyncio.run(main())
    finally:
        # The next start begins anew: it does not go on with a folder that is gone.
        assert memory.installed is None
        assert memory.order == order
    return 0


def wizard_verifies(tmp_path: Path) -> int:
    return wizard_installs(tmp_path, Errand.VERIFY)
