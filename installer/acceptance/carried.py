"""An acceptance carried through: begun, stopped or left in order, and kept, for whoever shows it.

It has a thread and an event loop of its own. What shows it may be slow, ask a question, or fail:
the load goes on by its clock, and what was made in the hub is taken back all the same. The program
does not end before it has: the thread is waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation.problems import Interrupted, Problem

if TYPE_CHECKING:
    from installer.acceptance.accept import Asked, Progress
    from installer.acceptance.driver.measured import Measured
    from installer.acceptance.profile import Phase
    from installer.acceptance.result import Result

_TURN: Final = 0.2
"""Seconds after which whoever waits looks whether a signal came."""

PAGES: Final = {
    "html": "acceptance.html",
    "json": "acceptance.json",
    "junit": "acceptance.xml",
}
"""The forms that are kept of each acceptance, and their files."""
UNCLEAN: Final = "unclean-transfers.tsv"


_UNDER_WAY: Final[list[Carried]] = []
"""Those that have begun and not ended: whoever ends the program asks here."""


class Carried:
    """One acceptance, from its beginning to its files; every method may be called anywhere."""

    def __init__(
        self,
        asked: Asked,
        say: Callable[[str], None],
        tick: Callable[[Phase, float, Measured], None],
    ) -> None:
        from installer.acceptance.accept import Progress

        self.asked = asked
        self.progress: Progress = Progress(say, tick)
        self.folder: Path | None = None
        """Where its pages are, once there is a result."""
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Callable[[], object]] = []
        self._work: asyncio.Future[Result] | None = None
        self._leaving = False
        self._begun = False

    def begin(self) -> None:
        """Begin it, if it is not; raises OSError where there is no place for its pages."""
        if self._begun:
            return
        folder = new_folder()  # now, and not after the hour
        self._begun = True
        _UNDER_WAY.append(self)
        threading.Thread(target=self._run, args=(folder,), name="acceptance").start()

    def _run(self, folder: Path) -> None:
        try:
            with asyncio.Runner() as runner:
                self._result = runner.run(self._carry())
            keep(self._result, folder)
            self.folder = folder
        except BaseException as error:
            self._error = error
            with contextlib.suppress(OSError):
                folder.rmdir()
        finally:
            self._ended.set()
            _UNDER_WAY.remove(self)

    async def _carry(self) -> Result:
        from installer.acceptance.accept import accept

        self._work = asyncio.ensure_future(accept(self.asked, self.progress))
        with self._lock:
            self._loop = asyncio.get_running_loop()
            waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
        return await self._work

    def _call(self, call: Callable[[], object]) -> None:
        with self._lock:
            if self._loop is None:
                self._waiting.append(call)
                return
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(call)

    # ---- its end

    def end(self) -> None:
        """Once: no more journeys, and a result of what there is. Twice, or too early: leave."""
        self._call(self._end)

    def leave(self) -> None:
        """End it without a result; what it made in the hub is taken back."""
        self._call(self._leave)

    def _end(self) -> None:
        progress = self.progress
        if progress.stopped or progress.fleet is None or not progress.fleet.measured.began:
            self._leave()
            return
        progress.say("\nStopped: no more journeys begin; what is open ends, and all is taken back.")
        progress.stop()

    def _leave(self) -> None:
        self._leaving = True
        if self._work is not None:
            self._work.cancel()

    @property
    def stopping(self) -> bool:
        """Whether it was stopped or left already."""
        return self.progress.stopped or self._leaving

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it has ended, at once or within so many seconds."""
        return self._ended.wait(seconds)

    def result(self) -> Result:
        """What it came to, once it has ended; raises Problem, Interrupted where it was left."""
        if isinstance(self._error, asyncio.CancelledError):
            left = "; ".join(self.progress.left)
            raise Interrupted(
                "the acceptance was left before its end; "
                + (f"NOT taken back: {left}" if left else "what it made in the hub was taken back"),
                remedy="Begin it again: the participants that are there are used again, and all of"
                " them is taken back at its end.",
            ) from None
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise RuntimeError("it has not ended")
        return self._result


def attend(
    carried: Carried,
    *,
    pulse: Callable[[], None] = lambda: None,
    asked: Callable[[], None] | None = None,
) -> None:
    """Begin it, and wait for its end in the main thread.

    Ctrl-C, an end of the session and a terminal that is shut end it in order. `pulse` is called
    several times a second; `asked` on Ctrl-C, in place of ending it.
    """
    heard: list[int] = []
    # A terminal that is shut, too, leaves no fault set and nothing of ours in the hub.
    with _heard((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), lambda n, _: heard.append(n)):
        carried.begin()
        while not carried.ended(_TURN):
            pulse()
            while heard:
                if heard.pop(0) == signal.SIGINT and asked is not None:
                    asked()
                else:
                    carried.end()
    pulse()


def leave_all(say: Callable[[str], None]) -> None:
    """Leave every one that is under way, and wait until what it made was taken back.

    For a face that ends, in order or not; `say` is told what is waited for and what is left.
    """
    for carried in tuple(_UNDER_WAY):
        say("The acceptance is left; what it made in the hub is taken back first.")
        carried.leave()
        attend(carried)
        try:
            carried.result()
        except Problem as problem:
            say(problem.sentence)


@contextlib.contextmanager
def _heard(numbers: tuple[int, ...], handler: Callable[[int, Any], None]) -> Any:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, signal.SIG_DFL if one is None else one)


def new_folder() -> Path:
    """A private folder for the pages of one acceptance."""
    from foundation.paths import data_folder, make_private

    name = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    return make_private(data_folder() / "acceptances" / name)


def keep(result: Result, folder: Path) -> None:
    """Page, figures and identifiers in a private folder, whatever is printed."""
    from foundation.paths import write_private
    from installer.acceptance.report import render

    for form, name in PAGES.items():
        write_private(folder / name, render(result, form))
    lines = [f"{fate}\t{one}" for fate, ones in result.unclean.items() for one in ones]
    write_private(folder / UNCLEAN, "\n".join(["class\ttransfer", *lines, ""]))
