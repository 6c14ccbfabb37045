"""What an acceptance looks like: a stand-in for one that is carried through, and its pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from textual.pilot import Pilot

from foundation.problems import Interrupted
from installer.acceptance.accept import Asked
from installer.acceptance.carried import Carried
from installer.acceptance.cast import Bounds
from installer.acceptance.choice import Choice
from installer.acceptance.driver.measured import Measured
from installer.acceptance.hub_file import EXAMPLE
from installer.acceptance.profile import Phase, Profile
from installer.acceptance.provisioning.provision import HubInUse
from installer.acceptance.report.picture import Watch
from installer.acceptance.result import Result
from screens.acceptance.open_acceptance import ask_acceptance
from tests.installer.acceptance.made import measured, result
from tests.screens.driving import until, wizard
from tests.screens.recorded import RecordedServices

DOCUMENT: Final = Profile(1000)
FOLDER: Final = Path("/srv/acceptances/20261130-161112")
DRILLS: Final = "drills: [{name: ledger-pod, command: [kubectl, delete, pod, moja-0]}]\n"
CHAIN: Final = ("HubScreen", "ChooseScreen", "ReviewScreen", "BeginAcceptance")
"""The pages from the first question to the last, each after F10 on the one before."""


class Told:
    """An acceptance that goes on until it is stopped, or has ended at once."""

    def __init__(self, *, ended: bool = False, problem: Exception | None = None) -> None:
        self.folder: Path | None = FOLDER if ended else None
        self.stopping = False
        self.progress: Any = SimpleNamespace(fleet=None, left=[])
        self._ended = ended
        self._problem = problem

    def ended(self, _: float = 0.0) -> bool:
        return self._ended

    def end(self) -> None:
        """Once; what it came to stands then."""
        self.stopping = self._ended = True
        self.folder = FOLDER

    def leave(self) -> None:
        """Without a result."""
        self.end()
        self._problem = Interrupted("the acceptance was left before its end", remedy="Begin again.")

    def result(self) -> Result:
        if self._problem is not None:
            raise self._problem
        return result()


def seen_so_far(watch: Watch) -> Watch:
    """The picture in the middle of the steady part, with something that misses."""
    it = measured(within=980)
    it.failures["clearing: no callback came in time"] = 412
    watch.say("It holds 1200 a second, at 2.0 ms of CPU for a journey.")
    watch.say("One transfer of each pair and direction was cleared. The load begins.")
    watch.tick(Phase.STEADY, 1834, it)
    return watch


def watched() -> Watch:
    """The same, of document 001's profile."""
    return seen_so_far(Watch(DOCUMENT, Bounds()))


class AcceptingServices(RecordedServices):
    """Recorded machines, and an acceptance that is told in place of one that loads a hub."""

    ended = False
    problem: Exception | None = None

    def person(self) -> str:
        return "Thiri Aung"

    async def begin_acceptance(
        self,
        choice: Choice,
        asked: Asked,
        say: Callable[[str], None],
        tick: Callable[[Phase, float, Measured], None],
    ) -> Carried:
        seen_so_far(cast(Watch, SimpleNamespace(say=say, tick=tick)))
        problem, self.problem = self.problem, None
        return cast(Carried, Told(ended=self.ended, problem=problem))


def accepting(kind: int) -> AcceptingServices:
    """One that goes on, has ended, is left, or meets a hub that is in use."""
    services = AcceptingServices()
    services.ended = kind % 4 != 0
    if kind % 4 == 2:
        services.problem = Interrupted("the acceptance was left", remedy="Begin it again.")
    elif kind % 4 == 3:
        services.problem = HubInUse("bank is active in it")
    return services


def hub_file(folder: Path) -> Path:
    """A hub file with a drill in it."""
    file = folder / "hub.yaml"
    file.write_text(EXAMPLE + DRILLS)
    return file


async def to_page(pilot: Pilot[int], folder: Path, page: str) -> None:
    """From Welcome to one of the pages, by F10 on each before it."""
    app = wizard(pilot)
    app.memory.acceptance = Choice(hub_file(folder), DOCUMENT, processes=2)
    ask_acceptance(app.step_screen)
    for name in CHAIN:
        await until(pilot, lambda name=name: type(app.screen).__name__ == name)  # type: ignore[misc]
        if name == page:
            return
        await pilot.press("f10")
    # It may have ended before anybody saw it under way.
    await until(pilot, lambda: type(app.screen).__name__ == page)
