"""Live services for acceptance: a hub file read, an acceptance checked, begun and watched."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.paths import file_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from installer.acceptance.accept import Asked
    from installer.acceptance.carried import Carried
    from installer.acceptance.choice import Choice
    from installer.acceptance.driver.measured import Measured
    from installer.acceptance.hub_file import HubFile
    from installer.acceptance.profile import Phase

MODULES = (
    "installer.acceptance.choice",
    "installer.acceptance.carried",
    "installer.acceptance.accept",
    "installer.acceptance.report.review",
    "installer.acceptance.report.picture",
)
"""What the pages need; imported off the event loop."""


class LiveAcceptance:
    """The part of the live services that knows acceptances, as the command does."""

    async def read_hub(self, path: Path) -> HubFile:
        """A hub file; raises InputProblem."""

        def read() -> HubFile:
            for name in MODULES:
                import_module(name)
            from installer.acceptance.hub_file import read_hub_file

            return read_hub_file(path)

        return await asyncio.to_thread(read)

    async def read_acceptance(self, choice: Choice) -> Asked:
        """All that was chosen, read and checked; nothing is started. Raises Problem."""
        from installer.acceptance.choice import read_choice

        return await asyncio.to_thread(read_choice, choice)

    async def begin_acceptance(
        self,
        choice: Choice,
        asked: Asked,
        say: Callable[[str], None],
        tick: Callable[[Phase, float, Measured], None],
    ) -> Carried:
        """Begin it; raises ProgramsNotAllowed, and InputProblem where its pages have no place."""

        def begin() -> Carried:
            from installer.acceptance.carried import Carried
            from installer.acceptance.choice import require_programs

            require_programs(choice, asked)
            carried = Carried(asked, say, tick)
            carried.begin()
            return carried

        try:
            return await asyncio.to_thread(begin)
        except OSError as error:
            raise file_problem(error) from error
