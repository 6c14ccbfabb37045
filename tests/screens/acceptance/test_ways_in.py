"""How an acceptance is come to after an installation: from its checks, and what comes later."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from installer.catalogue.solution import load_solution
from installer.hand_over.later import Later, later_of
from installer.record.state import RunState
from screens.acceptance.ask_hub import HubScreen
from screens.answers.wizard import StepId
from screens.plain.plain import PlainWizard
from screens.plain.plain_run import verify
from screens.plain.plain_runs import _tell_later
from screens.plain.prompt import Dialogue
from screens.run.verify import VerifyScreen
from screens.services.services import Installing, Order, SolutionChoice
from screens.shell.app import SitewrightApp
from screens.words.acceptance_words import ABOUT
from tests.screens.driving import shows, text, until
from tests.screens.plain.test_plain import flat
from tests.screens.recorded import RecordedServices
from tests.screens.scripted import SITE, ScriptedServices
from tests.screens.tiny import THIRD
from tests.screens.walking import PLACES, arrive, rests, services_of


@pytest.fixture
def installed(tmp_path: Path) -> RecordedServices:
    """Services behind an installation of the tiny solution that has ended."""
    return services_of(PLACES["verify"], tmp_path)


def as_hub(services: RecordedServices, monkeypatch: pytest.MonkeyPatch, *, hub: bool) -> None:
    """Every solution is one, or none is."""
    known = services.solutions

    async def solutions() -> tuple[SolutionChoice, ...]:
        return tuple(replace(one, hub=hub) for one in await known())

    monkeypatch.setattr(services, "solutions", solutions)


@pytest.mark.parametrize("hub", [True, False])
async def test_the_checks_lead_to_the_figures_of_a_hub_alone(
    hub: bool, installed: RecordedServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_hub(installed, monkeypatch, hub=hub)
    app: Any = SitewrightApp(installed, state_file=tmp_path / "state.json")
    async with app.run_test(size=(80, 24)) as pilot:
        await arrive(pilot, PLACES["verify"], installed, tmp_path)
        await until(pilot, lambda: app.memory.solutions)
        if hub:
            await shows(pilot, "p Prove its figures")
            await pilot.press("p")
            await until(pilot, lambda: isinstance(app.screen, HubScreen))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, VerifyScreen))
        else:
            await pilot.press("p")
            await rests(pilot)
            assert isinstance(app.screen, VerifyScreen)
            assert "Prove its figures" not in text(pilot)


def in_lines(services: RecordedServices, typed: str) -> tuple[PlainWizard, io.StringIO]:
    """The plain wizard, and what it says to somebody who types this."""
    target = io.StringIO()
    return PlainWizard(services, asyncio.Runner(), Dialogue(io.StringIO(typed), target)), target


@pytest.mark.parametrize("hub", [True, False])
def test_in_plain_lines_the_word_is_offered_for_a_hub_alone(
    hub: bool, installed: RecordedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back from it leads to the checks again; where there is no such word, any word goes on."""
    as_hub(installed, monkeypatch, hub=hub)
    folder = cast(ScriptedServices, installed).folder
    assert folder is not None
    (folder / "tiny/stages/30-verify.yaml").write_text(THIRD)
    wizard, target = in_lines(installed, "prove\nb\ngo\n" if hub else "prove\n")
    with wizard.runner:
        plan = wizard.wait(installed.plan(SITE))
        engine = SimpleNamespace(plan=plan, state=RunState(plan))
        wizard.answers = SITE
        wizard.memory.installed = cast(Installing, SimpleNamespace(engine=engine))
        wizard.memory.order = Order(SITE, plan, wizard.access(), {}, "Thiri Aung")
        wizard.dialogue.topic = StepId.VERIFY.value
        assert verify(wizard) is None
    said = flat(target.getvalue())
    assert said.count("again: ask them again") == (2 if hub else 1)
    assert ("prove: prove the hub's figures; it sends transfers." in said) is hub
    assert (flat(ABOUT) in said) is hub
    assert wizard.dialogue.topic == StepId.VERIFY.value  # help tells of the checks again


@pytest.mark.parametrize(
    ("solution", "typed", "asked", "begun"),
    [
        ("miniloop", "yes\nb\n", True, True),
        ("miniloop", "no\n", True, False),
        ("miniloop", "\n", True, False),
        ("pm4ml", "", False, False),
    ],
)
def test_what_can_be_done_later_asks_whether_to_prove_a_hub(
    solution: str,
    typed: str,
    asked: bool,
    begun: bool,
    services: RecordedServices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is begun without a yes, and nothing asked of what is no hub."""
    found = later_of(load_solution(solution), "/srv/site.yaml", "/srv/runs/1")

    async def later(_: Path) -> Sequence[Later]:
        return found

    monkeypatch.setattr(services, "later", later)
    wizard, target = in_lines(services, typed)
    with wizard.runner:
        _tell_later(wizard, Path("/srv/runs/1"))
    said = flat(target.getvalue())
    assert f"{found[0].command}" in said
    assert ("Prove the hub's figures here" in said) is asked
    assert (flat(ABOUT) in said) is begun
