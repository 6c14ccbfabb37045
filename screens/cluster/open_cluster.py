"""Ask for a cluster, look at it, and show how it is; from Welcome, and from a file of facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from screens.cluster.ask_way import WayScreen
from screens.dialogs.ask_programs import ProgramsScreen
from screens.services.cluster_way import look_and_judge, way_words
from screens.services.services import ClusterWay

if TYPE_CHECKING:
    from screens.shell.step import StepScreen


def ask_cluster(screen: StepScreen) -> None:
    """Ask which cluster, filled with what was typed last, and look at it."""

    def take(way: ClusterWay | None) -> None:
        if way is not None:
            screen.memory.cluster = way
            look_at(screen, way)

    screen.app.push_screen(WayScreen(screen.memory.cluster), take)


def look_at(screen: StepScreen, way: ClusterWay) -> None:
    """Look at a cluster, and show it."""
    screen.say(f"Looking at {way_words(way)}.", passing=True)
    screen.run_quietly(_look(screen, way), group="cluster")


async def _look(screen: StepScreen, way: ClusterWay) -> None:
    from screens.cluster.cluster import ClusterScreen

    try:
        assessment = await look_and_judge(way, screen.answers, screen.access, screen.services)
    except ProgramsNotAllowed as problem:
        ask_programs(screen, problem, lambda: look_at(screen, way))
        return
    screen.say("")
    screen.app.push_screen(ClusterScreen(way, assessment))


def ask_programs(screen: StepScreen, problem: ProgramsNotAllowed, then: Callable[[], None]) -> None:
    """Show the program that a kubeconfig starts for its login, and look after a yes."""

    async def allow() -> None:
        await screen.services.allow_programs(problem.programs)
        then()

    def answered(yes: bool | None) -> None:
        if yes:
            screen.run_quietly(allow(), group="allow programs")
        else:
            screen.say("The program is not started, so that the cluster is not looked at.")

    screen.app.push_screen(ProgramsScreen(problem.programs, "kubeconfig"), answered)
