"""What the pages of an acceptance ask of the floors below."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from installer.acceptance.accept import Asked
    from installer.acceptance.carried import Carried
    from installer.acceptance.choice import Choice
    from installer.acceptance.driver.measured import Measured
    from installer.acceptance.hub_file import HubFile
    from installer.acceptance.profile import Phase


class AcceptanceServices(Protocol):
    """A part of `services.Services`."""

    async def read_hub(self, path: Path) -> HubFile:
        """A hub file; raises InputProblem."""

    async def read_acceptance(self, choice: Choice) -> Asked:
        """All that was chosen, read and checked; nothing is started. Raises Problem."""

    async def begin_acceptance(
        self,
        choice: Choice,
        asked: Asked,
        say: Callable[[str], None],
        tick: Callable[[Phase, float, Measured], None],
    ) -> Carried:
        """Begin it; raises ProgramsNotAllowed, and InputProblem where its pages have no place."""
