"""Ctrl-C while a run is carried through: once to end it well, twice to leave it at once."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from foundation.problems import Interrupted

if TYPE_CHECKING:
    from installer.running.levers import Control

_BY: Final = "Ctrl-C"


@contextmanager
def in_the_midst(what: str, *, again: str) -> Iterator[None]:
    """Tell an interrupt as one that comes in the midst of a change; `what` stays of it.

    `again` says how it is gone on with. Raises Interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(what, remedy=again) from error


def heed_interrupts(
    control: Control, *, again: str, asking: Callable[[], bool] = lambda: False
) -> None:
    """From now on SIGINT lets what runs end, a second one and SIGTERM leave at once.

    `again` is the command that goes on. While a question stands nothing runs that could be waited
    for, so that the first one leaves. Call it in the loop of the run.
    """

    def leave() -> None:
        control.stop(by=_BY)

    def interrupted() -> None:
        if control.finishing or asking():
            leave()
            return
        control.finish(by=_BY)
        print(
            "\nCtrl-C: nothing more is begun, and this ends when the steps that run have ended.\n"
            "Press Ctrl-C again to leave at once; what runs on the machines goes on there.\n"
            f"Either way `{again}` goes on.",
            file=sys.stderr,
            flush=True,
        )

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, leave)
