"""Programs that a site's files would start here: asked about once, a yes kept, a no left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from textual.pilot import Pilot

from foundation.hosts.model import Host
from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from foundation.hosts.openssh.ssh_files import Program
from preflight.assessment import Seen
from screens.answers.wizard import StepId
from screens.dialogs.ask_programs import ProgramsScreen
from screens.services.services import Access, Tried
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from tests.screens.driving import answered, judged, shows, text, to_machines, types, until
from tests.screens.plain.test_plain import PM4ML, flat, talk
from tests.screens.recorded import RecordedServices

SMALL = (80, 24)
LINE = Program("ProxyCommand", "nc -X connect " + "-v " * 120 + "; rm -rf ~", "/s/ssh line 3")


@dataclass
class Waiting(RecordedServices):
    """Machines that are not reached before their program is allowed."""

    allowed: list[tuple[Program, ...]] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    said: tuple[str, ...] = ()

    def _problem(self) -> ProgramsNotAllowed | None:
        return None if self.allowed else ProgramsNotAllowed((LINE,), where="the site file")

    async def try_machine(self, host: Host, access: Access) -> Tried:
        """The recorded answer, once it is allowed."""
        self.tries.append(host.name)
        problem = self._problem()
        if problem is not None:
            return Tried(host, problem)
        return replace(await super().try_machine(host, access), notes=self.said)

    async def look(self, host: Host, access: Access) -> Seen:
        """Likewise."""
        problem = self._problem()
        return Seen(host, problem=problem) if problem else await super().look(host, access)

    async def allow_programs(self, programs: Sequence[Program]) -> None:
        """Kept in a list."""
        self.allowed.append(tuple(programs))


def read(app: SitewrightApp) -> None:
    """The question has stood on the screen for a while."""
    assert isinstance(app.screen, ProgramsScreen)
    app.screen._opened -= 2000


async def asked_about_m1(pilot: Pilot[int]) -> None:
    """Name a machine, and be asked for the program by which it is reached."""
    await to_machines(pilot)
    await types(pilot, "m1=10.10.0.11")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, ProgramsScreen))


async def test_a_program_is_shown_whole_asked_once_and_a_yes_is_kept() -> None:
    services = Waiting()
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await asked_about_m1(pilot)
        await shows(pilot, "/s/ssh line 3", "May the site start this program")
        # A command is shown to its end, or what is allowed is not what was seen.
        assert "rm -rf ~" in str(app.screen.query_one("#programs").render())
        assert isinstance(app.screen, ProgramsScreen)
        app.screen._opened += 1000  # as if it had come just now
        await pilot.press("y")
        await shows(pilot, "Read it first")
        read(app)
        await pilot.press("y")
        await shows(pilot, "its key is new")
        assert services.allowed == [(LINE,)]
        assert services.tries == ["m1", "m1"]


async def test_a_no_leaves_it_until_the_machine_is_asked_for_again() -> None:
    services = Waiting()
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await asked_about_m1(pilot)
        await pilot.press("n")
        await shows(pilot, "no: /s/ssh line 3", "r on such a machine asks again")
        await types(pilot, "w1=10.10.0.14")
        await pilot.press("enter")
        await until(pilot, lambda: services.tries == ["m1", "w1"])
        await pilot.pause()
        assert not isinstance(app.screen, ProgramsScreen)
        app.screen.query_one("#machines", Board).focus()
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ProgramsScreen))
        assert services.allowed == []


async def test_a_question_that_was_taken_off_is_asked_again() -> None:
    """A step that comes takes panels off the screen, and no answer arrives."""
    services = Waiting()
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await asked_about_m1(pilot)
        app.go(StepId.MACHINES, app.answers)
        await until(pilot, lambda: app.screen is app.step_screen)
        await until(pilot, lambda: app.screen.query_one("#machines", Board).rows)
        app.screen.query_one("#machines", Board).focus()
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ProgramsScreen))


@dataclass
class Two(Waiting):
    """Machines that each wait for a program of their own."""

    async def try_machine(self, host: Host, access: Access) -> Tried:
        """Not reached."""
        own = replace(LINE, place=f"/s/ssh of {host.name}")
        return Tried(host, ProgramsNotAllowed((own,), where="the site file"))


async def test_other_programs_are_asked_about_after_a_no() -> None:
    app = SitewrightApp(Two())
    async with app.run_test(size=SMALL) as pilot:
        app.go(StepId.MACHINES, await answered(pilot, "m1=10.10.0.11", "w1=10.10.0.14"))
        await until(pilot, lambda: isinstance(app.screen, ProgramsScreen))
        await until(pilot, lambda: len(app.memory.tried) == 2)
        asked = []
        for _ in range(2):
            question = app.screen
            assert isinstance(question, ProgramsScreen)
            asked += [program.place for program in question.programs]
            await pilot.press("n")
            await until(pilot, partial(is_behind, app, question))
        assert sorted(asked) == ["/s/ssh of m1", "/s/ssh of w1"]
        assert not isinstance(app.screen, ProgramsScreen)


def is_behind(app: SitewrightApp, question: ProgramsScreen) -> bool:
    """Whether a question is off the screen, and it was heard that it was left."""
    return app.screen is not question and question.programs in app.memory.programs_left


async def test_a_note_on_the_ssh_config_stands_with_its_machine() -> None:
    services = Waiting(allowed=[(LINE,)], said=("/s/ssh line 9: ProxyUseFdpass is not honoured",))
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        await shows(pilot, "a note below", "Note: /s/ssh line 9: ProxyUseFdpass is not honoured.")
        assert "m1" in text(pilot)


async def test_the_look_of_preflight_asks_too() -> None:
    services = Waiting(allowed=[(LINE,)], keys={"m1": "trusted"})
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        await shows(pilot, "its key is trusted")
        services.allowed.clear()  # the file was changed meanwhile
        await pilot.press("f10")
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ProgramsScreen))
        read(app)
        await pilot.press("f10")
        await judged(pilot)
        assert app.memory.seen["m1"].problem is None


def test_the_plain_face_asks_and_keeps_a_yes() -> None:
    services = Waiting(said=("x is not honoured",))
    _, said = talk(services, f"1\n{PM4ML}m1=10.10.0.11\nyes\nq\n")
    assert "/s/ssh line 3: ProxyCommand nc -X connect" in flat(said)
    assert "rm -rf ~" in flat(said)
    assert services.allowed == [(LINE,)]
    assert "Note: x is not honoured." in said
    left = Waiting()
    _, said = talk(left, f"1\n{PM4ML}m1=10.10.0.11\n\nw1=10.10.0.12\nq\n")
    assert left.allowed == []
    assert said.count("Allow exactly these") == 1


def test_the_real_services_keep_a_yes(tmp_path: Path) -> None:
    from foundation.hosts.openssh.allowed import is_remembered
    from screens.services.live import LiveServices

    assert not is_remembered((LINE,))
    asyncio.run(LiveServices().allow_programs((LINE,)))
    assert is_remembered((LINE,))
