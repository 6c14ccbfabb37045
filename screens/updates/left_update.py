"""An update that was left, seen to its end from Welcome: reviewed, confirmed, watched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from screens.services.cluster_way import left_to_apply
from screens.words.applied_words import NOT_GONE_ON

if TYPE_CHECKING:
    from screens.services.services import Order
    from screens.shell.step import StepScreen


def see_to_its_end(screen: StepScreen, run: Path, then: Callable[[], None]) -> None:
    """Show what was begun, and carry it on after a yes; `then` is called once that is closed."""
    screen.run_quietly(_review(screen, run, then), group="open")


async def _review(screen: StepScreen, run: Path, then: Callable[[], None]) -> None:
    from screens.updates.apply_update import ApplyUpdateScreen
    from screens.updates.review_update import ReviewUpdateScreen

    to_apply = await left_to_apply(run, screen.memory.credentials, screen.services)

    def begin(order: Order | None) -> None:
        if order is None:
            screen.say(NOT_GONE_ON)
        else:
            screen.app.push_screen(ApplyUpdateScreen(order), lambda _: then())

    screen.app.push_screen(ReviewUpdateScreen(to_apply), begin)
