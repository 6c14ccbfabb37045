"""The plain face has what Welcome offers beside the steps: the runs kept here, and a site file."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from installer.events import Outcome
from installer.record.runs import runs_folder
from screens.answers.wizard import StepId
from screens.plain.plain import PlainWizard
from screens.plain.plain_run import _carry, install
from screens.plain.prompt import Dialogue, LeaveWanted
from screens.services.services import Order
from tests.installer.told_run import told, write_run
from tests.screens.plain.test_plain import flat, talk
from tests.screens.recorded import RecordedServices
from tests.screens.scripted import SITE, scripted


def test_a_run_is_read_reported_and_its_site_opened(
    services: RecordedServices, hermetic: Path
) -> None:
    place = runs_folder() / "pm4ml-production-aaaaaaaaaa"
    place.mkdir(parents=True)
    run = write_run(hermetic / "made")
    run.folder.rename(place / run.id)
    code, said = talk(services, "4\n1\n1\n1\n2\n1\nreport.txt\nlater\ngo\n1\n3\nq\n")
    words = flat(said)
    assert code == 0
    assert "4. Runs kept here: 1 run of 1 site" in words
    assert "1. 2025-11-24" in words
    assert "== [1/2] Prepare the machines" in words
    assert "Go on with it" not in words
    assert (hermetic / "report.txt").is_file()
    # What can be done later stands with its whole commands, each on a line of its own.
    assert "later: what can be done with the site from now on." in words
    (verify,) = [line for line in said.splitlines() if line.startswith("    sitewright verify")]
    assert "--site" in verify
    assert "Which machines?" in words
    assert "10.10.0.14" in words


def test_a_run_that_was_cut_off_is_gone_on_with_from_the_list(
    services: RecordedServices, hermetic: Path
) -> None:
    place = runs_folder() / "pm4ml-production-aaaaaaaaaa"
    place.mkdir(parents=True)
    run = write_run(hermetic / "made", told()[:6])
    run.folder.rename(place / run.id)
    _, said = talk(services, "5\n1\n4\nq\n")
    assert "4. Go on with it" in said
    assert "The installation" in said


def test_another_run_is_asked_about_though_one_was_carried_out_in_this_session(
    services: RecordedServices, hermetic: Path
) -> None:
    """To choose it from the list is no word to begin on its machines."""
    run = write_run(runs_folder() / "pm4ml-production-aaaaaaaaaa", told()[:6])
    said = io.StringIO()
    with asyncio.Runner() as runner:
        wizard = PlainWizard(services, runner, Dialogue(io.StringIO("q\n"), said))
        before: Any = object()  # STAND-IN: the run of before; nothing is asked of it
        wizard.memory.installed = wizard.memory.verified = before
        assert wizard.reopen(run.folder) is StepId.INSTALL
        assert (wizard.memory.installed, wizard.memory.verified) == (None, None)
        with pytest.raises(LeaveWanted):
            install(wizard)
    assert "Go on with this installation where it stands" in flat(said.getvalue())


class _AtOnce(io.StringIO):
    """A terminal at which somebody types Ctrl-C as soon as it says what that does."""

    def write(self, text: str) -> int:
        written = super().write(text)
        if "Ctrl-C stops it" in text:
            os.kill(os.getpid(), signal.SIGINT)
        return written


def test_ctrl_c_does_what_is_said_of_it_from_when_it_is_said(tmp_path: Path) -> None:
    services, said = scripted(tmp_path), _AtOnce()
    with asyncio.Runner() as runner:
        wizard = PlainWizard(services, runner, Dialogue(io.StringIO(""), said))
        plan = wizard.wait(services.plan(SITE))
        order = Order(SITE, plan, wizard.access(), {}, "Thiri Aung")
        assert wizard.wait(_carry(wizard, order)) is Outcome.STOPPED


def test_a_site_file_is_written_only_under_a_name_by_which_it_is_opened(
    services: RecordedServices, hermetic: Path
) -> None:
    code, said = talk(services, "3\n2\nsite.json\nsite.yaml\nyes\nq\n")
    assert code == 0
    assert "A site file ends in .yaml" in flat(said)
    assert "What only you can know is to be filled in" in flat(said)
    assert not (hermetic / "site.json").exists()
    assert "solution: pm4ml" in (hermetic / "site.yaml").read_text()
    assert "Which machines?" in said


def test_facts_and_site_files_of_the_results_keep_their_endings(
    services: RecordedServices, hermetic: Path
) -> None:
    lines = "1\n2\n\nm1=ops@10.10.0.11\nw1=10.10.0.14\ngo\nyes\nyes\n"
    _, said = talk(services, f"{lines}export\n5\nfacts.txt\nb\ngo\nsite\nsite.txt\nb\ngo\n")
    assert "Facts end in .json" in said
    assert "A site file ends in .yaml" in said
    assert not list(hermetic.glob("*.txt"))


def test_a_file_that_cannot_be_read_in_a_step_ends_no_session(
    services: RecordedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unread() -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(services, "solutions", unread)
    code, said = talk(services, "1\nq\n")
    assert code == 0
    assert "A file of this machine cannot be used" in flat(said)
    assert said.count("Your choice") == 2
