"""Ask for a cluster or machines, look for what is newer than what runs there, and show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from screens.cluster.open_cluster import ask_programs
from screens.services.cluster_way import asked_words, look_for_updates
from screens.services.services import ToUpdate
from screens.updates.ask_updates import AskUpdatesScreen

if TYPE_CHECKING:
    from screens.shell.step import StepScreen


def ask_updates(screen: StepScreen) -> None:
    """Ask of what, filled with what was typed last, and look."""

    def take(asked: ToUpdate | None) -> None:
        if asked is not None:
            screen.memory.updates = asked
            look(screen, asked)

    screen.app.push_screen(AskUpdatesScreen(screen.memory.updates), take)


def look(screen: StepScreen, asked: ToUpdate) -> None:
    """Look for what is newer, and show it."""
    screen.say(f"Reading {asked_words(asked)}, and asking what is newer.", passing=True)
    screen.run_quietly(_look(screen, asked), group="updates")


async def _look(screen: StepScreen, asked: ToUpdate) -> None:
    from screens.updates.updates import UpdatesScreen

    try:
        seen = await look_for_updates(asked, screen.answers, screen.access, screen.services)
    except ProgramsNotAllowed as problem:
        ask_programs(screen, problem, lambda: look(screen, asked))
        return
    screen.say("")
    screen.app.push_screen(UpdatesScreen(seen))
