"""The live log: lines from twelve machines through the real journal onto the install screen.

In turn, in processes of their own: the journal and the machines' logs alone, and the same with the
wizard's install screen on a pseudo-terminal of 120x40. Each says what reached the disk, the longest
time for which the event loop answered nobody, and its memory. The bare event loop is measured too:
what this machine itself costs while it is busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import pty
import resource
import select
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from installer.events import Event, Json

TITLES: Final = {
    "bare": "the event loop alone",
    "journal": "journal and logs on disk",
    "screen": "and the install screen",
}
HOSTS: Final = tuple(f"m{number:02}" for number in range(1, 13))
BEAT: Final = 0.004
"""Seconds between two looks at whether the event loop answers."""
TURN: Final = 0.01
"""Seconds between two handfuls of lines."""


def memory_bytes() -> int:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Stalls:
    """How long the event loop let others wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.cpu: list[float] = []
        """Seconds that this thread itself computed during each wait."""

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            began, computed = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT)
            self.waits.append(time.perf_counter() - began - BEAT)
            self.cpu.append(time.thread_time() - computed)

    def told(self) -> dict[str, float]:
        """The longest, in milliseconds: as waited, and of that our own computing."""
        waits = sorted(self.waits)
        over = sum(wait > 0.05 for wait in self.waits)
        return {
            "longest_ms": waits[-1] * 1000,
            "p999_ms": waits[int(len(waits) * 0.999) - 1] * 1000,
            "over_50_ms": over,
            "longest_cpu_ms": max(self.cpu) * 1000,
        }


async def pour(append: Callable[[int], None], rate: int, lines: int) -> float:
    """Have so many lines a second appended, `lines` in all; returns the seconds it took."""
    began = time.perf_counter()
    done = 0
    while done < lines:
        due = min(int((time.perf_counter() - began) * rate), lines)
        # No more at a time than a journal's batch, as machines' output arrives.
        for number in range(done, min(due, done + 400)):
            append(number)
        done = min(due, done + 400)
        await asyncio.sleep(0 if done < due else TURN)
    return time.perf_counter() - began


class PouringEngine:
    """An engine that only says lines, through the real journal."""

    def __init__(self, folder: Path, rate: int, lines: int) -> None:
        from installer.events import Outcome
        from installer.plans.plan import Plan, PlannedStage, PlannedStep
        from installer.record.runs import Run
        from installer.record.state import RunState
        from installer.running.levers import Control
        from installer.running.work import Failure

        step = PlannedStep("pour", "lines", "script", "Say lines", HOSTS)
        stage = PlannedStage("pour", "Say lines", "To measure.", "none", (), (), (step,))
        hosts = tuple((name, ("box",)) for name in HOSTS)
        self.plan = Plan("tiny", "single-box", (stage,), hosts, ())
        self.control = Control()
        self.state = RunState()
        self.failures: list[Failure] = []
        self.run_folder = Run(folder)
        self.rate, self.lines = rate, lines
        self.subscribers: list[Callable[[Sequence[Event]], None]] = []
        self.result: dict[str, float] = {}
        self.outcome = Outcome.DONE

    def subscribe(self, subscriber: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        self.subscribers.append(subscriber)
        return lambda: None

    def _apply(self, events: Sequence[Event]) -> None:
        for event in events:
            self.state.apply(event)

    async def run(self) -> object:
        """Pour, and measure while it pours."""
        from installer.events import Kind
        from installer.record.journal import Journal
        from installer.record.runs import HostLogs

        stalls = Stalls()
        (self.run_folder.folder / "logs").mkdir(parents=True, exist_ok=True)
        with Journal(self.run_folder.journal) as journal:
            journal.subscribe(self._apply)
            journal.subscribe(HostLogs(self.run_folder))
            for subscriber in self.subscribers:
                journal.subscribe(subscriber)
            start: dict[str, Json] = {
                "run": "r",
                "solution": "t",
                "environment": "s",
                "plan_sha256": "",
                "by": "b",
            }
            journal.append(Event(Kind.RUN_STARTED, time.time(), data=start))
            for host in HOSTS:
                begun: dict[str, Json] = {"title": "Say lines", "attempt": 1}
                journal.append(Event(Kind.STEP_STARTED, time.time(), "pour", "lines", host, begun))

            def append(number: int) -> None:
                data: dict[str, Json] = {
                    "text": f"line {number} of what a package manager says when it unpacks things",
                    "stream": "stdout",
                    "cursor": f"s=1234567890abcdef;i={number:x};b=1234567890abcdef;m=1;t=2;x=3",
                    "unit": "",
                }
                host = HOSTS[number % len(HOSTS)]
                journal.append(Event(Kind.LINE, time.time(), "pour", "lines", host, data))

            await asyncio.sleep(1.0)  # the screen's first paint is another benchmark's
            before = memory_bytes()
            watch = asyncio.create_task(stalls.watch())
            computed = time.process_time()
            seconds = await pour(append, self.rate, self.lines)
            computed = time.process_time() - computed
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        self.result = {
            **stalls.told(),
            "seconds": seconds,
            "cpu_seconds": computed,
            "memory_mb": memory_bytes() / 1e6,
            "grown_mb": (memory_bytes() - before) / 1e6,
            "journal_mb": self.run_folder.journal.stat().st_size / 1e6,
        }
        return self.outcome


async def without_screen(engine: PouringEngine) -> None:
    """The journal and the logs alone."""
    await engine.run()


async def bare(engine: PouringEngine) -> None:
    """The event loop with nothing to do but to count, for as long."""
    stalls = Stalls()
    watch = asyncio.create_task(stalls.watch())
    seconds = await pour(lambda _number: None, engine.rate, engine.lines)
    watch.cancel()
    engine.result = {**stalls.told(), "seconds": seconds, "memory_mb": memory_bytes() / 1e6}


async def with_screen(engine: PouringEngine) -> None:
    """The same, shown."""
    from installer.sites.site import Site
    from screens.answers.answers import Answers
    from screens.answers.wizard import StepId
    from screens.services.live import LiveServices
    from screens.services.services import Installing, Order
    from screens.shell.app import SitewrightApp

    class Services(LiveServices):
        @contextlib.asynccontextmanager
        async def installing(
            self, order: Order, ask: object, others: object = None
        ) -> AsyncIterator[Installing]:
            yield Installing(order, engine, engine.run_folder)  # type: ignore[arg-type]  # stands in

    app = SitewrightApp(Services(), state_file=engine.run_folder.folder / "state.json")

    async def drive() -> None:
        while not app.is_running or len(app.screen_stack) < 2:  # noqa: ASYNC110 - another's state
            await asyncio.sleep(0.05)
        answers = Answers(told=Site(solution="tiny"), installable=True)
        app.memory.order = Order(answers, engine.plan, app.access(), {}, "bench")
        app.call_later(app.go, StepId.INSTALL, answers)
        while not engine.result and app.is_running:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.1)
        app.exit(0)

    driving = asyncio.create_task(drive())
    await app.run_async()
    driving.cancel()
    if not engine.result:
        raise SystemExit(app.crash or "the wizard ended before the lines did")


def child(kind: str, folder: Path, rate: int, lines: int, result: Path) -> None:
    """Measure one of the three in this process."""
    engine = PouringEngine(folder, rate, lines)
    runs = {"bare": bare, "journal": without_screen, "screen": with_screen}
    asyncio.run(runs[kind](engine))
    result.write_text(json.dumps(engine.result))


def measured(kind: str, rate: int, lines: int) -> dict[str, float]:
    """One measurement, in a process of its own on a pseudo-terminal that is read."""
    with tempfile.TemporaryDirectory(prefix="sitewright-log-") as name:
        folder = Path(name)
        result = folder / "result.json"
        words = ["--child", kind, "--folder", str(folder / "run"), "--result", str(result)]
        command = [sys.executable, "-m", "benchmarks.live_log", *words]
        command += ["--rate", str(rate), "--lines", str(lines)]
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", HOME=name)
            os.environ.update(COLUMNS="120", LINES="40", XDG_STATE_HOME=name)
            os.execv(command[0], command)  # noqa: S606 - a pseudo-terminal needs fork and exec
        said = bytearray()
        with contextlib.suppress(OSError):  # the terminal's end when the child ends
            while True:
                ready, _, _ = select.select([terminal], [], [], 600)
                if not ready:
                    break
                chunk = os.read(terminal, 65536)
                if not chunk:
                    break
                said = (said + chunk)[-4000:]
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
        if status or not result.exists():
            raise SystemExit(f"{kind}: {said.decode(errors='replace')}")
        found: dict[str, float] = json.loads(result.read_text())
        return found


def main() -> None:
    """Print the figures side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="lines a second")
    parser.add_argument("--lines", type=int, default=200_000, help="in all; 1000000 for memory")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--child", choices=sorted(TITLES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        options.folder.mkdir(parents=True, exist_ok=True)
        child(options.child, options.folder, options.rate, options.lines, options.result)
        return
    print(f"{options.lines} lines from {len(HOSTS)} machines, {options.rate} a second wanted")
    for _ in range(options.runs):
        for kind, title in TITLES.items():
            found = measured(kind, options.rate, options.lines)
            print(
                f"{title:<26} {options.lines / found['seconds']:7.0f} lines/s"
                f"  longest stall {found['longest_ms']:6.1f} ms"
                f" (own computing {found['longest_cpu_ms']:5.1f} ms)"
                f"  p99.9 {found['p999_ms']:5.1f} ms  over 50 ms: {found['over_50_ms']:.0f}"
                f"  memory {found['memory_mb']:5.0f} MB"
                + (f"  CPU {found['cpu_seconds']:5.1f} s" if "cpu_seconds" in found else "")
            )


if __name__ == "__main__":
    main()
