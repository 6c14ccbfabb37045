"""An update applied from the page: reviewed, confirmed, watched, ended or left in the middle.

All beneath the screens is real but the cluster and the registry: see cluster_here.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.connection import Credentials
from foundation.problems import InputProblem
from installer.record.runs import Run, runs_folder, runs_of
from screens.answers.wizard import StepId
from screens.dialogs.ask_file import FileScreen
from screens.run.ask_person import NameScreen, SureScreen
from screens.services.cluster_way import prepare, site_in
from screens.services.memory import Changed
from screens.services.services import ClusterWay, ToApply, ToUpdate
from screens.shell.app import SitewrightApp
from screens.shell.leave import LeaveScreen
from screens.updates.apply_update import ApplyUpdateScreen
from screens.updates.review_update import BeginUpdateScreen, ReviewUpdateScreen
from screens.updates.updates import UpdatesScreen
from screens.widgets.field import Line
from tests.screens.driving import on_step, shows, types, until
from tests.screens.plain.test_plain import flat, talk
from tests.screens.recorded import RecordedServices
from tests.screens.updates.cluster_here import (
    NEW,
    OLD,
    SITE,
    ClusterHere,
    HereServices,
    cluster_here,
)

pytestmark = pytest.mark.processes


@pytest.fixture
def here(tmp_path: Path, hermetic: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterHere]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with cluster_here(folder, monkeypatch) as found:
        yield found


def wizard(here: ClusterHere) -> Any:
    return SitewrightApp(HereServices(cluster=None))


def runs() -> list[Run]:
    """Every update that stands in a record here."""
    names = sorted(path.name for path in runs_folder().iterdir() if path.name.endswith("-updates"))
    return [run for name in names for run in runs_of(name)]


async def to_list(pilot: Any, here: ClusterHere) -> None:
    """To the page, the cursor on the deployment."""
    app = pilot.app
    await on_step(pilot, StepId.WELCOME)
    seen = await app.services.look_for_updates(here.asked, app.answers, app.access())
    app.push_screen(UpdatesScreen(seen))
    await until(pilot, lambda: isinstance(app.screen, UpdatesScreen))
    await shows(pilot, "moja/ledger")


async def to_review(pilot: Any, here: ClusterHere) -> None:
    """To the review, the site named by its file."""
    app = pilot.app
    await to_list(pilot, here)
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, FileScreen))
    app.screen.query_one("#name", Line).value = str(here.site)
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(app.screen, ReviewUpdateScreen))


async def begin(pilot: Any, why: str = "") -> None:
    """Confirm it by name."""
    app = pilot.app
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(app.screen, BeginUpdateScreen))
    app.screen.query_one("#by", Line).value = "Ma Ma"
    if why:
        app.screen.query_one("#why", Line).value = why
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(app.screen, ApplyUpdateScreen))


async def ended(pilot: Any) -> None:
    """Until it is under way no more."""
    screen = pilot.app.screen
    await until(pilot, lambda: not screen.running)


async def test_reviewed_confirmed_watched_and_ended_with_a_sentence(here: ClusterHere) -> None:
    app = wizard(here)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_review(pilot, here)
        await shows(
            pilot, "deployment moja/ledger", f"from {OLD}", "to mojaloop/central-ledger:v1.0.2",
            "why v1.0.2 is newer", "main has no readiness probe", "owner nobody", "bytes sha256:",
            "window It may begin at any time", "backup None is asked for",
            "approved None is asked for", "what ran before is put back by itself",
            f"miniloop single-box, {here.site}",
        )  # fmt: skip
        assert here.now["patches"] == 0
        await begin(pilot)
        await ended(pilot)
        await shows(pilot, "Updated: deployment moja/ledger stands with the new images.")
        (run,) = runs()
        await shows(pilot, f"The record of the update: {run.folder}")
        assert here.image == NEW
        assert here.now["patches"] == 1
        assert run.plan().stages[0].title == "Bring deployment moja/ledger to v1.0.2"
        assert [one.outcome for one in run.state().steps.values()] == ["done"]
        assert "Ma Ma" in run.journal.read_text().splitlines()[0]
        assert app.memory.changed.state is Changed.DONE
        lines = app.screen.log_panel.log_view.lines
        assert any(f"main: {OLD} -> {NEW}" in line for line in lines)
        # Back on the list, which is looked at again.
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, UpdatesScreen))
        await shows(pilot, "Looked again")


async def test_what_does_not_stand_is_taken_back_and_told(here: ClusterHere) -> None:
    app = wizard(here)
    here.behaves("crashes")
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(pilot, here)
        await begin(pilot)
        await ended(pilot)
        await shows(pilot, "crashes again and again (Error, exit code 3)")
        await shows(pilot, "its former template is back, unchanged, and it stands")
        await shows(pilot, "Not updated; why stands above. The record of the update:")
        assert here.image == OLD
        assert here.now["patches"] == 2
        # Nothing is left to go on with.
        assert not any(key.label == "g" for key in app.screen.keys_now())


async def test_left_in_the_middle_it_says_what_stands_and_is_seen_to_its_end(
    here: ClusterHere,
) -> None:
    here.behaves("waits")
    app = wizard(here)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_review(pilot, here)
        await begin(pilot)
        await until(pilot, lambda: here.now["patches"] == 1)
        # The page is not left while it is under way; the wizard is, after a question.
        await pilot.press("escape")
        await shows(pilot, "The update is under way; s stops watching it")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, LeaveScreen))
        await shows(pilot, "The next update of this site sees it to its end first")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ApplyUpdateScreen))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, SureScreen))
        await pilot.press("y")
        await ended(pilot)
        await shows(pilot, "It is not watched from here any more")
        # Another session knows of it.
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, LeaveScreen))
        await pilot.press("y")
    assert any("is not watched from here any more" in words for words in app.memory.last_words)
    assert any("The record of the update" in words for words in app.memory.last_words)
    (run,) = runs()
    here.behaves("stands")
    app = wizard(here)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_review(pilot, here)
        await shows(pilot, "See this update to its end?", "It is seen to its end first")
        await begin(pilot)
        await ended(pilot)
        await shows(pilot, f"The record of the update: {run.folder}")
    assert [one.id for one in runs()] == [run.id]
    assert not any(one.running for one in run.state().steps.values())


async def test_the_gates_are_told_and_opened_by_the_persons_named(here: ClusterHere) -> None:
    asks = "updates: {approvals: 1, approvers: [Ma Ma, U Ba]}\n"
    here.site.write_text(SITE + asks)
    app = wizard(here)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_review(pilot, here)
        await shows(pilot, "! 1 must approve plan", "nobody has yet")
        await shows(pilot, "It may not begin as things are")
        await pilot.press("f10")
        await shows(pilot, "Of Ma Ma and U Ba, each: sitewright updates apply")
        for name, said in (("Somebody", "is none of those who may approve"), ("U Ba", "")):
            await pilot.press("a")
            await until(pilot, lambda: isinstance(app.screen, NameScreen))
            await types(pilot, name)
            await pilot.press("f10")
            await until(pilot, lambda: isinstance(app.screen, ReviewUpdateScreen))
            await shows(pilot, said or "Approved by U Ba")
        await begin(pilot)
        await ended(pilot)
        await shows(pilot, "Updated: deployment moja/ledger")
    (run,) = runs()
    assert any(note.startswith("Approved by U Ba") for note in run.plan().notes)


async def test_what_changes_its_data_wants_a_backup_or_a_persons_word(here: ClusterHere) -> None:
    here.migrates()
    app = wizard(here)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(pilot, here)
        await shows(
            pilot, "a backup verified within 24 hours is wanted, for deployment moja/ledger"
        )
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, BeginUpdateScreen))
        app.screen.query_one("#by", Line).value = "Ma Ma"
        await pilot.press("f10")
        await shows(pilot, "say why it goes without one")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ReviewUpdateScreen))
        await begin(pilot, "the database was copied by hand")
        await ended(pilot)
        await shows(pilot, "Updated: deployment moja/ledger")
    (run,) = runs()
    assert (
        "Without a verified backup, by Ma Ma: the database was copied by hand" in run.plan().notes
    )


def test_the_plan_is_the_one_of_the_command(
    here: ClusterHere, capsys: pytest.CaptureFixture[str]
) -> None:
    """So a person who approves it by the command approves it here, and the other way round."""
    from installer.cli import main

    here.site.write_text(SITE + "updates: {approvals: 1, approvers: [Ma Ma]}\n")

    async def planned() -> ToApply:
        services = RecordedServices(cluster=None)
        answers = await site_in(here.site, services)
        return await prepare(here.asked, ("moja/ledger",), answers, Credentials(), services)

    before = asyncio.run(planned())
    assert main([*shlex.split(before.again)[1:], "--approve", "--by", "Ma Ma", "--yes"]) == 0
    assert f"Ma Ma approves plan {before.plan.sha256[:12]}" in capsys.readouterr().err
    gates = {one.name: one for one in asyncio.run(planned()).gates}
    assert gates["approvals"].stands.startswith("Approved by Ma Ma")


async def test_a_file_that_is_no_site_and_a_machine_of_another_one_are_told(
    here: ClusterHere,
) -> None:
    services = RecordedServices(cluster=None)
    (here.folder / "list.txt").write_text("m1=10.0.0.1\n")
    with pytest.raises(InputProblem, match="no site file that names a solution"):
        await site_in(here.folder / "list.txt", services)
    answers = await site_in(here.site, services)
    asked = ToUpdate(ClusterWay(machine="ops@10.9.9.9"), newer=here.mirror)
    with pytest.raises(InputProblem, match=r'the site has no machine "10\.9\.9\.9"'):
        await prepare(asked, ("moja/ledger",), answers, Credentials(), services)


# ---- the plain face


def plainly(here: ClusterHere, *words: str) -> str:
    """What the plain face says to these words, from the list of what is newer on."""
    kubeconfig, newer = here.asked.way.kubeconfig, here.mirror
    # On Welcome the updates; the way, the strategy and the place; then the words.
    lines = ["5", "", "", str(kubeconfig), "", "", newer, *words, "go", "q"]
    code, said = talk(HereServices(cluster=None), "".join(f"{line}\n" for line in lines))
    assert code == 0
    return flat(said)


def test_the_plain_face_reviews_approves_begins_and_tells_the_end(here: ClusterHere) -> None:
    here.site.write_text(SITE + "updates: {approvals: 1, approvers: [Ma Ma]}\n")
    site = str(here.site)
    said = plainly(
        here, "apply 1", site, "begin", "approve", "Somebody", "approve", "Ma Ma", "begin", "Thiri"
    )
    assert "! approved: 1 must approve plan" in said
    assert '"begin" is none of the words' in said
    assert "none of those who may approve" in said
    assert "approved: Approved by Ma Ma" in said
    assert "what: deployment moja/ledger" in said
    assert "1 of 1 new pods are available" in said
    assert "Updated: deployment moja/ledger stands with the new images." in said
    (run,) = runs()
    assert said.count(f"The record of the update: {run.folder}") == 2
    assert here.image == NEW


def test_the_plain_face_tells_what_was_taken_back_and_what_a_no_leaves(here: ClusterHere) -> None:
    here.behaves("crashes")
    site = str(here.site)
    said = plainly(here, "apply 1", site, "no", "apply 1", site, "begin", "Thiri")
    assert "It was not begun, and nothing was changed." in said
    assert "Not updated: deployment moja/ledger: the container main of ledger-1 crashes" in said
    assert "its former template is back, unchanged, and it stands" in said
    assert here.image == OLD
