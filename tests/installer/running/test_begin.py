"""The beginning of a run fails at each of its steps, for each face and errand: nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.paths import FileProblem
from foundation.problems import ExitCode, InputProblem, Problem, Refused
from foundation.version import __version__
from installer import cli
from installer.catalogue.solution import load_solution
from installer.commands.install import Undertaking, carry_through
from installer.events import Event, Kind
from installer.planning.notes import accepted
from installer.record.errand import Errand
from installer.record.identity import site_key
from installer.record.journal import Journal
from installer.record.runs import Run, create_run, latest_run, runs_folder, runs_of
from installer.record.site_lock import holder_of
from installer.running import begin
from installer.running.begin import Occasion, begun
from installer.running.changed_since import told_of_changes
from installer.running.order import Order
from installer.sites.site import dump_site, load_site, resolved
from installer.sites.ways import ways_of
from installer.supply import own_versions
from preflight.egress import Attempt, Destination, Egress, Met, judge_egress
from preflight.findings import Waiver
from tests.forked import forked
from tests.installer.engine_site import nobody, plan, step
from tests.installer.running.beginnings import (
    ENGINE,
    FAULTS,
    MADE,
    PLACES,
    SITE,
    TEXT,
    Watched,
    cut,
    failing,
    full,
    install_it,
    operate,
    options,
    refused,
    verify_it,
    wizard_installs,
    wizard_verifies,
)


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
        *(("undo", place) for place in ("locked", "Engine", "_open_journal", "learn")),
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


@pytest.mark.parametrize("version", ["9.9.9", "", __version__])
async def test_a_run_that_another_version_began_is_gone_on_with_by_it_alone(
    version: str, earlier: Run, watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one beginning of all runs, so that no command and no page goes round it."""
    monkeypatch.setattr(own_versions, "began", lambda run: version)
    occasion = Occasion(
        site=SITE, base=tmp_path, solution=load_solution("pm4ml"),
        inventory=SITE.inventory(tmp_path), run=earlier, fetches=False,
    )  # fmt: skip
    another = version == "9.9.9"
    refused = pytest.raises(own_versions.AnotherVersion) if another else contextlib.nullcontext()
    with refused:
        async with begun(Order(plan=MADE), occasion, nobody) as work:
            assert work.run == earlier
    async with begun(Order(plan=MADE, any_version=True), occasion, nobody) as work:
        assert work.run == earlier


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


def test_a_file_that_cannot_be_written_is_told(watched: Watched, tmp_path: Path) -> None:
    with failing("new_run", full, after=False), pytest.raises(FileProblem, match="is full"):
        install_it(tmp_path)


def test_a_word_that_the_plan_does_not_know_is_refused_before_anything(tmp_path: Path) -> None:
    work = Undertaking(SITE, tmp_path / "site.yaml", load_solution("pm4ml"), MADE)
    with pytest.raises(InputProblem):
        carry_through(work, options(tmp_path, skip=["x/y=z"]))
    assert not runs_folder().exists()


BEFORE = """\
solution: pm4ml
ssh: {user: ubuntu}
settings: {domain: a.example.org, ceph: no}
hosts: [{name: m1, address: 192.0.2.7, roles: [master]}]
"""


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("domain: a.", "domain: b.", ("settings.domain",)),
        ("ceph: no", "ceph: yes", ("settings.ceph",)),
        (", ceph: no", "", ("settings.ceph",)),
        ("roles: [master]", "roles: [master, worker]", ("the roles of m1",)),
        ("roles: [master]", "roles: [master], variables: {a: b}", ("the variables of m1",)),
        ("name: m1", "name: m2", ("the roles of m2 and m1, which it has no more",)),
        ("solution: pm4ml", "solution: pm4ml\nsupplies: {bundle: ./b, keys: ./k}", ("supplies",)),
        ("ssh:", "proxy: http://192.0.2.1:3128\nssh:", ("proxy",)),
        ("ssh:", "playbooks: ./own\nssh:", ("playbooks",)),
        ("ceph: no", "ceph: yes, domain: x.example.org", ("settings.domain and settings.ceph",)),
        # What no plan holds: a way is compared by itself, and the others are read each time.
        ("user: ubuntu", "user: root", ()),
        # One that came since counts, so that nobody is to hear that it does not.
        (
            "ssh:",
            "waivers: [{check: disk.nvme, by: A. Name, reason: on order, until: 2099-01-01}]\nssh:",
            (),
        ),
    ],
)
def test_what_a_run_does_not_heed_is_named(
    old: str, new: str, named: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(BEFORE)
    site = load_site(file)
    run = create_run(site_key(site), MADE, site_text=dump_site(resolved(site, tmp_path)))
    assert told_of_changes(run, load_site(file), tmp_path, file=file) == ""
    after = BEFORE.replace(old, new)
    if "domain: x" in new:
        after = after.replace("domain: a.example.org, ", "")
    file.write_text(after)
    told = told_of_changes(run, load_site(file), tmp_path, file=file)
    assert bool(told) == bool(named)
    for one in named:
        assert f"in {one}: what is left" in told
        assert told.endswith(f"sitewright install --site {file}")


def begun_before(folder: Path) -> Path:
    """The site file of a run that has begun."""
    file = folder / "site.yaml"
    file.write_text(BEFORE)
    site = load_site(file)
    run = create_run(
        site_key(site), replace(MADE, ways=ways_of(site, folder)),
        site_text=dump_site(resolved(site, folder)),
    )  # fmt: skip
    run.note_begun()
    return file


def test_a_run_that_is_gone_on_with_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = begun_before(tmp_path)
    file.write_text(BEFORE.replace("ceph: no", "ceph: yes"))
    with failing("told_outside", refused, after=False):
        assert cli.main(["resume", "--site", str(file)]) == ExitCode.REFUSED
    said = " ".join(capsys.readouterr().err.split())
    assert "than when this run was planned, in settings.ceph: what is left is done as" in said


def test_who_skips_a_step_without_a_name_is_told_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = begun_before(tmp_path)
    words = ["resume", "--site", str(file), "--skip", "one/a=for the lab"]
    assert cli.main(words) == ExitCode.USAGE
    said = " ".join(capsys.readouterr().err.split())
    assert "who decides it is not said" in said
    assert "--by NAME --skip one/a='REASON'" in said


def test_a_word_that_came_after_the_review_of_a_plan_stands_in_the_record() -> None:
    """It counts where the run is gone on with, and whoever reads the record learns of it."""
    before, since = (
        Waiver(check=check, by="A. Name", reason="a site to try", until=date(2099, 1, 1))
        for check in ("memory.size", "disk.nvme")
    )
    site: Any = SimpleNamespace(waivers=(before, since))
    reviewed = replace(plan(step("true")), notes=accepted(SimpleNamespace(waivers=[before])))  # type: ignore[arg-type]  # as much of a site as is read
    gone_on: Any = SimpleNamespace(run=object(), errand=Errand.INSTALL, site=site)
    (told,) = begin._accepted_since(gone_on, reviewed)
    assert told.startswith("It was not in the plan that was reviewed, and counts from now on")
    assert "disk.nvme" in told
    first: Any = SimpleNamespace(run=None, errand=Errand.INSTALL, site=site)
    assert list(begin._accepted_since(first, reviewed)) == []
