"""The beginning of a run fails at each of its steps, for each face and errand: nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.transfer import MachineFull
from foundation.paths import FileProblem, data_folder
from foundation.problems import ExitCode, InputProblem, Problem, Refused, Unreachable
from installer import cli
from installer.catalogue.solution import load_solution
from installer.commands import install
from installer.commands.install import Undertaking, carry_through
from installer.events import Event, Kind
from installer.plans.plan import Plan
from installer.record.errand import Errand
from installer.record.identity import site_key
from installer.record.journal import Journal
from installer.record.runs import Run, create_run, latest_run, runs_folder, runs_of
from installer.record.site_lock import Lock, holder_of
from installer.running import begin
from installer.running.begin import NotBegun, NotReached, Occasion, begun
from installer.running.engine import Engine
from installer.running.order import Order
from installer.sites.site import Site, SiteHost, dump_site, load_site, resolved
from installer.sites.ways import ways_of
from preflight.egress import Attempt, Destination, Egress, Met, judge_egress
from screens.services.memory import Memory
from screens.services.services import Access
from screens.services.services import Order as Confirmed
from tests.forked import forked
from tests.installer.engine_site import nobody, plan, step
from tests.screens.saying import said
from tests.screens.tiny import TinyServices, write_solution

TEXT = "solution: pm4ml\nhosts: [{name: local, address: local, roles: [master]}]\n"
SITE = Site(solution="pm4ml", hosts=(SiteHost(name="local", address="local", roles=("master",)),))
MADE = replace(plan(step("a", script="true", undo={"script": "true"})), solution="pm4ml")
BEGINNING = ("verified", "locked", "looked", "new_run")
ENGINE = ("_open_journal", "_learn", "_programs_ready")
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


@pytest.mark.parametrize("face", [install_it, verify_it, operate, wizard_installs, wizard_verifies])
def test_what_fails_at_any_step_leaves_nothing(
    face: Callable[[Path], int], watched: Watched, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @settings(
        max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.sampled_from(PLACES), st.sampled_from(FAULTS), st.booleans())
    def fails(place: str, fault: Callable[[], BaseException], after: bool) -> None:
        folder = tmp_path_factory.mktemp("face")
        (folder / "site.yaml").write_text(TEXT)
        told: BaseException | None = None
        with failing(place, fault, after=after):
            try:
                face(folder)
            except (Exception, asyncio.CancelledError) as error:
                told = error
        assert told is not None
        if fault in (refused, full):
            # What fails within the engine is its caller's to tell, as every error of a file is.
            assert isinstance(told, Problem) or (place in ENGINE and isinstance(told, OSError))
            assert not isinstance(told, Problem) or told.cause
        watched.nothing_is_left(None)

    fails()


@pytest.fixture
def earlier(watched: Watched, tmp_path: Path) -> Run:
    """A run of the site that began, and did nothing."""
    run = create_run(site_key(load_site(tmp_path / "site.yaml")), MADE)
    with Journal(run.journal) as journal:
        told = {"run": run.id, "plan_sha256": MADE.sha256, "by": "Ma Ma"}
        journal.append(Event(Kind.RUN_STARTED, 1.0, data=dict(told)))
    run.note_begun()
    return run


@pytest.mark.parametrize("fault", [refused, full, cut])
@pytest.mark.parametrize(
    ("word", "place"),
    [
        *(("undo", place) for place in ("locked", "Engine", "_open_journal", "_learn")),
        *(("resume", place) for place in ("locked", "Engine", *ENGINE)),
    ],
)
def test_what_goes_on_with_a_run_leaves_it_as_it_was(
    place: str, fault: Callable[[], BaseException], word: str, earlier: Run, watched: Watched,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    before = latest_run(earlier.site_key)
    stage = ["one"] if word == "undo" else []
    told: BaseException | None = None
    code = 0
    with failing(place, fault, after=True):
        try:
            code = cli.main([word, *stage, "--site", str(tmp_path / "site.yaml"), "--by", "Ma Ma"])
        except asyncio.CancelledError as error:
            told = error
    assert (fault is cut) == (told is not None)
    if fault is not cut:
        assert code in (ExitCode.REFUSED, ExitCode.USAGE)
        said = capsys.readouterr().err
        assert "it may not be" in said or "the disk of this machine is full" in said
    assert latest_run(earlier.site_key) == before == earlier
    watched.nothing_is_left(earlier)


def test_a_cluster_that_is_named_around_us_is_told_to_be_none_of_the_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step on the control host must not reach whichever cluster a shell was set to."""
    asking = plan(
        step("a", "control", kind="helm", release="r", namespace="n", chart="c", version="1")
    )
    monkeypatch.setenv("KUBECONFIG", "/elsewhere")
    assert "helm of this run reach" in begin._of_kubeconfig(asking)
    assert not begin._of_kubeconfig(replace(asking, control="m1"))
    assert not begin._of_kubeconfig(MADE)


LOGGED_IN = "solution: pm4ml\nhosts: [{name: m1, address: 192.0.2.7, roles: [master]}]\n"


@pytest.mark.parametrize("of_before", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        "ssh: {user: mallory}\n",
        "ssh: {config: ./cfg}\n",
        "ssh: {known_hosts: ./keys}\n",
        "ssh: {identity_files: ./key}\n",
    ],
)
def test_a_run_goes_on_by_the_ways_that_were_reviewed(
    other: str, of_before: bool, watched: Watched, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Another login, key or ssh config is told, and used where it is said to be meant alone."""
    file = tmp_path / "site.yaml"
    file.write_text(LOGGED_IN)
    (tmp_path / "cfg").write_text("Host *\n  Ciphers aes256-ctr\n")
    site = load_site(file)
    ways = () if of_before else ways_of(site, tmp_path)
    run = create_run(
        site_key(site), replace(MADE, ways=ways), site_text=dump_site(resolved(site, tmp_path))
    )
    run.note_begun()
    for words in (["resume"], ["undo", "one"]):
        file.write_text(LOGGED_IN + other)
        assert cli.main([*words, "--site", str(file)]) == ExitCode.REFUSED
        assert "other ways to its machines" in capsys.readouterr().err
        with failing("looked", refused, after=False):
            cli.main([*words, "--site", str(file), "--other-ways"])
            assert "it may not be" in capsys.readouterr().err
            file.write_text(LOGGED_IN)
            cli.main([*words, "--site", str(file)])
            assert "it may not be" in capsys.readouterr().err


@pytest.mark.parametrize("fetches", [True, False])
async def test_what_is_gone_on_with_is_told_what_cannot_be_fetched(
    fetches: bool, earlier: Run, watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on all the same: what is left may need none of it."""
    looked: list[object] = []

    async def look(*_: object, **more: object) -> Any:
        looked.append(more["base"])
        place = Destination("registry", "https://quay.io/v2/")
        found = judge_egress(Egress((Attempt("local", place, Met.SILENT),)))
        return SimpleNamespace(hosts=[], all_findings=found)

    monkeypatch.setattr(begin, "look_at", look)
    occasion = Occasion(
        site=SITE, base=tmp_path, solution=load_solution("pm4ml"),
        inventory=SITE.inventory(tmp_path), run=earlier, fetches=fetches,
    )  # fmt: skip
    told: list[str] = []
    async with begun(Order(plan=MADE, by="Ma Ma"), occasion, nobody, tell=told.append) as work:
        assert work.run == earlier
    assert looked == ([tmp_path] if fetches else [])
    assert "Goes on with the run" in told[0]  # before anything is looked at
    assert [one for one in told if "quay.io cannot be used" in one] == told[1:]
    assert len(told) == 1 + fetches


def die() -> BaseException:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it goes on")


@pytest.mark.parametrize("place", ["locked", "new_run", "_open_journal"])
def test_what_is_killed_at_a_step_is_no_run_and_is_swept(
    place: str, watched: Watched, tmp_path: Path
) -> None:
    def killed() -> None:
        tempfile.tempdir = str(tmp_path)  # what a killed process leaves there is not ours to sweep
        with failing(place, die, after=True):
            install_it(tmp_path)

    assert forked(killed) == -signal.SIGKILL
    key = site_key(SITE)
    assert runs_of(key) == ()
    assert holder_of(key) is None
    with failing("looked", refused, after=False), pytest.raises(Refused, match="may not be"):
        install_it(tmp_path)
    watched.nothing_is_left(None)


# ---- what stands against beginning


async def occasion(errand: Errand = Errand.INSTALL) -> Occasion:
    return Occasion(
        site=SITE,
        base=Path("/srv"),
        solution=load_solution("pm4ml"),
        inventory=Inventory((Host("local", LOCAL_ADDRESS),)),
        errand=errand,
    )


async def test_every_machine_short_of_room_is_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To both faces: whoever mends one machine after the other waits for a preflight each time."""
    short = [MachineFull("no room", where=name, remedy="Make room.") for name in ("w1", "w2", "w3")]

    async def all_short(*_: object) -> list[MachineFull]:
        return short

    monkeypatch.setattr(begin, "short_of_room", all_short)
    with pytest.raises(NotBegun) as caught:
        async with begun(Order(plan=MADE), await occasion(), nobody):
            raise AssertionError("it was begun")
    assert list(caught.value.against) == short
    assert caught.value.cause == "w1, w2, w3: no room"
    assert caught.value.remedy == "Make room."
    assert caught.value.exit_code is ExitCode.NOT_READY
    watched.nothing_is_left(None)


def test_the_wizard_is_told_of_every_machine_short_of_room(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"w{number}" for number in range(5)]

    async def all_short(*_: object) -> list[MachineFull]:
        return [MachineFull("no room", where=name, remedy="Make room.") for name in names]

    monkeypatch.setattr(begin, "short_of_room", all_short)
    with pytest.raises(NotBegun) as caught:
        wizard_installs(tmp_path)
    assert all(name in caught.value.cause for name in names)
    assert "Make room." in caught.value.remedy


async def test_a_verification_needs_machines_that_answer_and_no_more(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from installer.running.gate import NotReady

    away = Unreachable("nobody answers", where="w1")
    against: tuple[Problem, ...] = (NotReady("too little memory", where="w2"),)
    monkeypatch.setattr(begin, "objections", lambda _: against)
    async with begun(Order(plan=MADE), await occasion(Errand.VERIFY), nobody) as ready:
        assert ready.run.site_key.endswith("-verify")
    against = (*against, away)
    with pytest.raises(NotReached) as caught:
        async with begun(Order(plan=MADE), await occasion(Errand.VERIFY), nobody):
            raise AssertionError("it was begun")
    assert caught.value.against == (away,)
    assert caught.value.exit_code is ExitCode.UNREACHABLE


async def test_a_dry_run_tells_what_stands_against_the_real_one(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begin, "objections", lambda _: (Unreachable("no answer", where="w1"),))
    told: list[str] = []
    async with begun(Order(plan=MADE, dry=True), await occasion(), nobody, tell=told.append):
        pass
    assert "It would not be begun: w1: no answer." in told


async def test_a_verification_that_nobody_waits_for_ends(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C does not wait until the last byte of a large bundle was compared."""
    ended, began = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def verify_slowly(made: Plan, *, progress: Callable[[int, int], None]) -> None:
        loop.call_soon_threadsafe(began.set)
        try:
            while True:
                progress(0, 1)
        finally:
            loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr(begin, "verify_for", verify_slowly)
    made = replace(MADE, supplies=(("bundle", "/media/b"), ("keys", ""), ("index", "x")))

    async def main() -> None:
        async with begun(Order(plan=made), await occasion(), nobody):
            raise AssertionError("it was begun")

    task = asyncio.create_task(main())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 30)


def test_a_file_that_cannot_be_written_is_told(watched: Watched, tmp_path: Path) -> None:
    with failing("new_run", full, after=False), pytest.raises(FileProblem, match="is full"):
        install_it(tmp_path)


def test_a_word_that_the_plan_does_not_know_is_refused_before_anything(tmp_path: Path) -> None:
    work = Undertaking(SITE, tmp_path / "site.yaml", load_solution("pm4ml"), MADE)
    with pytest.raises(InputProblem):
        carry_through(work, options(tmp_path, skip=["x/y=z"]))
    assert not runs_folder().exists()
