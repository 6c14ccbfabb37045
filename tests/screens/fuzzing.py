"""Keys, clicks, pastes, resizes and late answers in any order, on every step of the wizard.

A few of them belong to the tests (test_fuzz.py). For as long as one likes, by hand:

    python -m tests.screens.fuzzing --seconds 600 --size 120x40 --seed 1

A sequence that has not ended after `--limit` seconds is told with its seed, and where it stood.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import inspect
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, cast
from unittest import mock

from textual import events
from textual.geometry import Size
from textual.pilot import Pilot

from foundation.problems import InputProblem
from screens.answers.wizard import StepId
from screens.services.services import Order, Services
from screens.shell import crash, dialog
from screens.shell.app import SitewrightApp
from tests.screens.acceptance.told import accepting
from tests.screens.recorded import RecordedServices, offer_of
from tests.screens.saying import said
from tests.screens.scripted import FAILURE, SITE, ScriptedServices, finished, scripted, under_way
from tests.screens.walking import PLACES, arrive, services_of

NAMED_KEYS: Final = (
    "f1 f2 f3 f4 f5 f6 f10 escape enter space tab shift+tab up down left right home end pageup "
    "pagedown delete backspace ctrl+n ctrl+b ctrl+p ctrl+q ctrl+c ctrl+z slash question_mark plus "
    "minus greater_than_sign f10 escape f10 escape enter"
)
KEYS: Final = [*NAMED_KEYS.split(), *"abcdefghijklmnopqrstuvwxyzLRNTWDZ0129.@="]
PASTES: Final = (
    "10.10.0.14", "m1=10.10.0.11\nw1=ops@10.10.0.14\n", "x" * 3000, "東京\u202e\x1b[31m", "\n\n\n",
    "/nowhere/at/all.yaml", "2030-01-31", "SHA256:" + "a" * 43 + "\n" + "SHA256:" + "b" * 43,
)  # fmt: skip
SIZES: Final = ((80, 24), (120, 40), (200, 60), (60, 18), (40, 10), (100, 28))

Start = StepId | str
"""Where a sequence begins: a step before anything came, or a place of `walking` at rest."""
STARTS: Final[tuple[Start, ...]] = (*StepId, *PLACES)

Act = tuple[str, Any]
"""What is done: the kind (key, paste, click, resize, answer, fail, rest), and with what."""


@dataclass
class Gate:
    """Answers that wait until they are let out, in any order."""

    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    open: bool = False

    async def wait(self) -> None:
        """Until this one is let out; raises Problem where it is let out as a failure."""
        if not self.open:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            try:
                await future
            finally:
                if future in self.waiting:
                    self.waiting.remove(future)

    def let_out(self, place: int, *, bad: bool = False) -> None:
        """One of those that wait."""
        if self.waiting:
            future = self.waiting.pop(place % len(self.waiting))
            if not future.done():
                if bad:
                    future.set_exception(InputProblem("it did not answer", where="m1"))
                else:
                    future.set_result(None)

    def let_all_out(self) -> None:
        """All of them, and whatever comes."""
        self.open = True
        while self.waiting:
            self.let_out(0)


class LateServices:
    """Services whose every answer waits at a gate."""

    def __init__(self, inner: Services, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def late(*args: Any, **kwargs: Any) -> Any:
            await self._gate.wait()
            return await found(*args, **kwargs)

        return late


@contextmanager
def errors_of_ours() -> Iterator[list[str]]:
    """Every error that the wizard calls one of its own, with its traceback."""
    found: list[str] = []

    def take(error: BaseException) -> str:
        found.append("".join(traceback.format_exception(error)))
        return "The log was not written in this test."

    with mock.patch.object(crash, "write_log", take):
        yield found


def services_for(folder: Path, kind: int, step: Start) -> RecordedServices:
    """Those of a place; recorded machines, or a run that goes well, fails, or is finished."""
    if not isinstance(step, StepId):
        place = PLACES[step]
        if place.kind == "accepting" and place.page != "WatchScreen":
            return accepting(kind)  # it goes on, ends, is left, or meets a hub in use
        return services_of(place, folder)
    if kind % 4 == 0:
        services = RecordedServices(silent=frozenset({"w3"}), keys={"lb2": "changed"})
    else:
        made = (under_way(failed=False), under_way(failed=True), finished())[kind % 4 - 1]
        services = scripted(folder, made, (FAILURE,) if kind % 4 == 2 else ())
    services.trusted += [offer_of(host) for host in SITE.machines]
    return services


async def begin_at(
    pilot: Pilot[int], step: Start, services: RecordedServices, gate: Gate, folder: Path
) -> None:
    """Put the wizard on a step or a place, as if a person had come there; the gate is shut then."""
    app = cast(SitewrightApp, pilot.app)
    if not isinstance(step, StepId):
        gate.open = True
        await arrive(pilot, PLACES[step], services, folder)
        gate.open = False
        return
    if step is StepId.WELCOME:
        return
    if isinstance(services, ScriptedServices):
        answers = SITE
    else:
        hosts = await services.hosts_from_text(
            "m1=10.10.0.11\nw1=ops@10.10.0.14\nw3=10.10.0.16\nlb2=10.10.0.22"
        )
        answers = said(solution="pm4ml", environment="production", machines=hosts)
    if step in (StepId.INSTALL, StepId.VERIFY, StepId.HAND_OVER) and answers is SITE:
        made = await services.plan(SITE)
        app.memory.order = Order(SITE, made, app.access(), {}, "Thiri Aung")
        step = StepId.INSTALL
    app.go(step, answers)


def do(app: SitewrightApp, gate: Gate, act: Act) -> None:
    """One act, without waiting for what comes of it."""
    kind, what = act
    driver = app._driver
    if driver is None or app._exit:
        return
    if kind == "key":
        driver.send_message(events.Key(what, what if len(what) == 1 else None))
    elif kind == "paste":
        driver.send_message(events.Paste(what))
    elif kind == "click":
        x, y = what[0] % app.size.width, what[1] % app.size.height
        for event in (events.MouseDown, events.MouseUp):
            driver.send_message(event(None, x, y, 0, 0, 1, False, False, False, x, y))
    elif kind == "resize":
        size = Size(*what)
        driver._size = size
        app.post_message(events.Resize(size, size))
    elif kind == "answer":
        gate.let_out(what)
    elif kind == "fail":
        gate.let_out(what, bad=True)


async def play(
    folder: Path, size: tuple[int, int], step: Start, kind: int, acts: Sequence[Act]
) -> None:
    """Play some acts; raises AssertionError where they ended the wizard or it met an error."""
    gate = Gate()
    services = services_for(folder, kind, step)
    late = cast(Services, LateServices(services, gate))
    app = SitewrightApp(late, state_file=folder / "state.json")
    leavings: list[object] = []
    # Whoever leaves is at the end; the sequence is more use when it goes on.
    app.exit = lambda *args, **_: leavings.append(args)  # type: ignore[method-assign]
    with errors_of_ours() as errors:
        async with app.run_test(size=size) as pilot:
            await begin_at(pilot, step, services, gate, folder)
            for act in acts:
                do(app, gate, act)
                for _ in range(act[1] if act[0] == "rest" else 1):
                    await asyncio.sleep(0)
                if app._exit:
                    break
            gate.let_all_out()
            await settled(app)
            assert app.crash is None, f"it ended: {app.crash}\n{''.join(errors)}"
            assert not errors, "".join(errors)
            if not app._exit:
                await answers_still(app, pilot.app.size)
        assert not errors, "".join(errors)


async def settled(app: SitewrightApp, patience: float = 90.0) -> None:
    """Until all keys are given out and every widget rests."""
    end = time.monotonic() + patience
    quiet = 0
    while quiet < 5 and not app._exit:
        still = not app._held and app.screen_rests and not app.message_queue_size
        quiet = quiet + 1 if still else 0
        assert time.monotonic() < end, f"it does not come to rest: {app.screen_stack}"
        await asyncio.sleep(0.002)


async def answers_still(app: SitewrightApp, size: Size) -> None:
    """Help opens and closes: keys are read, and the screen is drawn."""
    from screens.shell.help import HelpScreen

    driver = app._driver
    assert driver is not None
    if size.width < 60 or size.height < 18:
        do(app, Gate(), ("resize", (80, 24)))
        await settled(app)
    for _ in range(3):
        driver.send_message(events.Key("f1", None))
        await asyncio.sleep(0)
        await settled(app)
        if any(isinstance(screen, HelpScreen) for screen in app.screen_stack):
            return
    raise AssertionError(f"F1 is not heard: {app.screen_stack}")


def random_acts(chance: random.Random, count: int) -> list[Act]:
    """Some acts as a restless person on a bad line might bring about."""
    acts: list[Act] = []
    for _ in range(count):
        kind = chance.choices(
            ("key", "paste", "click", "resize", "answer", "fail", "rest"), (60, 3, 8, 4, 14, 3, 8)
        )[0]
        what: Callable[[], Any] = {
            "key": lambda: chance.choice(KEYS),
            "paste": lambda: chance.choice(PASTES),
            "click": lambda: (chance.randrange(200), chance.randrange(60)),
            "resize": lambda: chance.choice(SIZES),
            "answer": lambda: chance.randrange(8),
            "fail": lambda: chance.randrange(8),
            "rest": lambda: chance.choice((5, 30, 100)),
        }[kind]
        acts.append((kind, what()))
    return acts


class Hung(BaseException):
    """A sequence that does not end; nothing on its way may take it for an error of the wizard."""


@contextmanager
def hard_limit(seconds: float, name: str) -> Iterator[None]:
    """End a sequence that does not end by itself, and say which; raises Hung.

    Where even that is swallowed, the whole process ends, all its stacks told.
    """

    def hang(_number: int, frame: FrameType | None) -> None:
        print(f"{name} did not end within {seconds:g} s; it stands at:", flush=True)
        traceback.print_stack(frame, limit=30, file=sys.stdout)
        sys.stdout.flush()
        raise Hung(name)

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(seconds + 20, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def main() -> int:
    """Play until the time is over; prints what it took to break it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--acts", type=int, default=60)
    parser.add_argument("--limit", type=float, default=60, help="seconds for one sequence")
    parser.add_argument("--at", choices=STARTS, help="begin on this step or page each time")
    parser.add_argument("--one", action="store_true", help="play this seed alone, and say all")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    dialog.READ_SECONDS = 0.0  # what comes so soon after a grave question is wanted here
    end, seed, bad = time.monotonic() + options.seconds, options.seed, 0
    while time.monotonic() < end:
        chance = random.Random(seed)  # noqa: S311 - chance for a test
        step: Start = chance.choice(STARTS) if options.at is None else options.at
        kind = chance.randrange(4)
        acts = random_acts(chance, options.acts)
        with tempfile.TemporaryDirectory() as name:
            for variable in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
                os.environ[variable] = f"{name}/{variable}"
            os.chdir(name)
            try:
                with hard_limit(options.limit, f"seed {seed} at {step} ({kind})"):
                    asyncio.run(play(Path(name), (width, height), step, kind, acts))
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                bad += 1
                lines = "".join(traceback.format_exception(error)).splitlines()
                text = "\n".join(line[:200] for line in lines[-60:])
                print(f"seed {seed} at {step} ({kind}): {text}", flush=True)
            os.chdir("/")
        seed += 1
        if options.one:
            break
    print(f"{seed - options.seed} sequences of {options.acts} acts at {options.size}, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
