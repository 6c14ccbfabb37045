"""One process of the driver: commands come in as lines of JSON, and what it counts goes out so.

`python -m installer.acceptance.driver.worker` is started by the fleet, and ends with its standard
input. Nothing here knows on which machine it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Final
from zlib import compress

from installer.acceptance.driver import messages
from installer.acceptance.driver.endpoint import Endpoint
from installer.acceptance.driver.identifiers import Kind
from installer.acceptance.driver.journeys import Journeys
from installer.acceptance.driver.sender import Sender
from installer.acceptance.driver.spec import Dfsp, Spec
from installer.acceptance.driver.tally import LAG, Tally
from installer.acceptance.profile import Phase, Profile, starts

_BEAT: Final = 0.02
_HEEDS: Final = 0.25
"""Seconds after which a stop is heeded at the latest."""
_TOGETHER: Final = 16
"""Registrations and questions that are under way at once."""
_LIMITED: Final = ("error 4001", "error 4200")
"""Of a payer: its liquidity, its limit (API Definition 1.1, section 7.6)."""
_LONGEST_LINE: Final = 16 * 1024 * 1024


class Worker:
    """A driver's process: it obeys one command after another."""

    def __init__(self, spec: Spec, sender: Sender, tally: Tally) -> None:
        self.spec = spec
        self.sender = sender
        self.journeys = Journeys(spec, sender, tally)
        self.endpoint = Endpoint(self.journeys)
        self.stopped = asyncio.Event()
        self.steady = False

    async def serve(self, lines: asyncio.StreamReader) -> None:
        """Obey until the lines end."""
        port = await self.endpoint.open(self.spec.listen, self.spec.port)
        say(event="ready", port=port)
        beside = [
            asyncio.ensure_future(work()) for work in (self.journeys.sweep, self._beat, self._tell)
        ]
        obey: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "register": self._register, "deregister": self._deregister, "smoke": self._smoke,
            "run": self._run, "drain": self._drain, "told": self._told, "ask": self._ask,
            "probe": self._probe,
        }  # fmt: skip
        current: asyncio.Task[None] | None = None
        try:
            while line := await lines.readline():
                command = json.loads(line)
                if command["do"] == "stop":
                    self.stopped.set()
                    continue
                if current is not None:
                    await current
                current = asyncio.ensure_future(self._obey(obey[command["do"]], command))
        finally:
            for task in beside:
                task.cancel()
            if current is not None:
                current.cancel()
            await self.endpoint.close()

    async def _obey(
        self, work: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]], command: dict[str, Any]
    ) -> None:
        say(event="done", of=command["do"], **await work(command))

    async def _beat(self) -> None:
        """Measure how late the loop comes round, as a callback that arrives would find it."""
        clock = time.monotonic
        while True:
            due = clock() + _BEAT
            await asyncio.sleep(_BEAT)
            self.journeys.tally.record(LAG, max(0.0, clock() - due), steady=self.steady)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._say_counts()

    def _say_counts(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        say(
            event="counts",
            open=self.journeys.open,
            cpu=used.ru_utime + used.ru_stime,
            memory=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            **self.journeys.tally.taken(),
        )

    async def _smoke(self, command: dict[str, Any]) -> dict[str, Any]:
        """Some journeys of each pair in each direction, before anything is measured."""
        clock = time.monotonic
        tally = self.journeys.tally
        before = tally.committed
        count = int(command.get("each", 1)) * len(self.spec.dfsps)
        for number in range(count):
            self.journeys.start(0.0, clock(), steady=False)
            if number % _TOGETHER == _TOGETHER - 1:
                await self.journeys.idle.wait()
        await self.journeys.idle.wait()
        reasons = self.journeys.first_failures
        return {"asked": count, "good": tally.committed - before, "reasons": reasons}

    async def _run(self, command: dict[str, Any]) -> dict[str, Any]:
        profile = Profile(**command["profile"])
        begin = time.monotonic() + command["begin"] - time.time()
        self.stopped.clear()
        for offset in starts(profile, self.spec.workers, self.spec.worker):
            due = begin + offset
            wait = due - time.monotonic()
            while wait > 0 and not self.stopped.is_set():
                # uvloop's timers have milliseconds; to sleep for less is to spin.
                await asyncio.sleep(max(0.001, min(wait, _HEEDS)))
                wait = due - time.monotonic()
            if wait < -_HEEDS:
                await asyncio.sleep(0)  # far behind: what arrives has its turn all the same
            if self.stopped.is_set():
                break
            self.steady = profile.phase_at(offset) is Phase.STEADY
            self.journeys.start(offset - profile.steady_from, due, steady=self.steady)
        # What is still open counts by when it was due; only the clock's lag is no longer of it.
        self.steady = False
        return {}

    async def _drain(self, _: dict[str, Any]) -> dict[str, Any]:
        await self.journeys.idle.wait()
        self._say_counts()
        return {}

    async def _told(self, _: dict[str, Any]) -> dict[str, Any]:
        raw = self.journeys.told.raw()
        return {"told": b64encode(compress(raw, 1)).decode("ascii")}

    async def _register(self, _: dict[str, Any]) -> dict[str, Any]:
        """Make every party known to the hub, each as one of its participant's."""
        return await self._parties(self._make_known)

    async def _deregister(self, _: dict[str, Any]) -> dict[str, Any]:
        return await self._parties(self._forget)

    async def _parties(self, work: Callable[[Dfsp, str], Awaitable[str]]) -> dict[str, Any]:
        gate = asyncio.Semaphore(_TOGETHER)
        reasons: dict[str, int] = {}

        async def one(dfsp: Dfsp, msisdn: str) -> None:
            async with gate:
                reason = await work(dfsp, msisdn)
            if reason:
                reasons[reason] = reasons.get(reason, 0) + 1

        jobs = [(dfsp, msisdn) for dfsp in self.spec.dfsps for msisdn in dfsp.msisdns()]
        await asyncio.gather(*(one(*job) for job in jobs))
        return {"parties": len(jobs), "failed": reasons}

    async def _make_known(self, dfsp: Dfsp, msisdn: str) -> str:
        body = json.dumps({"fspId": dfsp.name, "currency": self.spec.currency}).encode()
        return await self._of_party("POST", dfsp, msisdn, body)

    async def _forget(self, dfsp: Dfsp, msisdn: str) -> str:
        return await self._of_party("DELETE", dfsp, msisdn, None)

    async def _of_party(self, method: str, dfsp: Dfsp, msisdn: str, body: bytes | None) -> str:
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.endpoint.participants[dfsp.name, msisdn] = waiting
        try:
            status = await self.sender.send(
                method,
                f"{self.spec.lookup}/participants/MSISDN/{msisdn}",
                messages.headers("participants", self.spec.version, dfsp.name, None, asks=True),
                body,
            )
            if status >= 300 or not status:
                return f"the hub answered {status}" if status else "the hub did not answer"
            return await asyncio.wait_for(waiting, self.spec.timeout)
        except TimeoutError:
            return "no callback came in time"
        finally:
            del self.endpoint.participants[dfsp.name, msisdn]

    async def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Ask the hub how transfers stand (GET /transfers/{id}), so many a second at most."""
        gate = asyncio.Semaphore(_TOGETHER)
        states: dict[str, str] = {}
        pause = 1 / float(command["a_second"])

        async def one(number: int) -> None:
            async with gate:
                states[str(number)] = await self._standing(number)

        jobs = []
        for number in command["numbers"]:
            jobs.append(asyncio.ensure_future(one(number)))
            await asyncio.sleep(pause)
        await asyncio.gather(*jobs)
        return {"states": states}

    async def _standing(self, number: int) -> str:
        identifier = self.journeys.identifiers.of(number)
        payer = self.journeys.roles(number)[0].name
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.journeys.asked_again[identifier] = waiting
        try:
            status = await self.sender.send(
                "GET",
                f"{self.spec.clearing}/transfers/{identifier}",
                messages.headers("transfers", self.spec.version, payer, None, asks=True),
            )
            if status >= 300 or not status:
                return f"the hub answered {status}" if status else "the hub did not answer"
            return await asyncio.wait_for(waiting, self.spec.timeout)
        except TimeoutError:
            return "no callback came in time"
        finally:
            del self.journeys.asked_again[identifier]

    async def _probe(self, command: dict[str, Any]) -> dict[str, Any]:
        """More transfers at once than the payer's limit allows; how many were committed."""
        payer, payee = self.spec.probes
        count = int(command["count"])
        clock = time.monotonic
        until = clock() + self.spec.timeout
        first = int(command["first"])
        made = [self.journeys.identifiers.of(first + n, Kind.PROBE) for n in range(count)]
        msisdn = str(payee.first_party)
        statuses = await asyncio.gather(*(
            self.journeys.transfer(
                first + n, Kind.PROBE, payer, payee,
                messages.packet(made[n], msisdn, self.spec.amount),
                self.journeys.identifiers.condition(made[n]),
            )
            for n in range(count)
        ))  # fmt: skip
        for identifier, status in zip(made, statuses, strict=True):
            if status >= 300:
                self.journeys.probe_ends[identifier] = f"the hub answered {status}"
        ends, news = self.journeys.probe_ends, self.journeys.probe_news
        while clock() < until and not all(one in ends for one in made):
            news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), until - clock())
        told = [ends.get(one, "") for one in made]
        return {
            "committed": sum(end == "COMMITTED" for end in told),
            "limited": sum(end.startswith(_LIMITED) for end in told),
            "refused": sum(end not in ("COMMITTED", "") for end in told),
            "silent": sum(not end for end in told),
        }


def say(**said: Any) -> None:
    """One line to the fleet."""
    sys.stdout.write(json.dumps(said, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def lines_of_stdin() -> asyncio.StreamReader:
    """Standard input as lines that are waited for."""
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    return reader


async def _main() -> None:
    lines = await lines_of_stdin()
    spec = Spec.of((await lines.readline()).decode())
    try:
        tally = Tally(spec.within)
        async with Sender(spec, tally) as sender:
            await Worker(spec, sender, tally).serve(lines)
    except OSError as error:
        say(event="failed", reason=f"{error.strerror or error}")


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a process of the driver: on uvloop where there is one, and deaf to the terminal's ^C.

    The fleet hears it, and says what is to be done.
    """
    import gc
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Journeys make no rings worth a pause: what was imported is never looked at again, and the
    # rest only now and then.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)

    async def whole() -> None:
        await main()

    if sys.platform == "linux":
        import uvloop

        uvloop.run(whole())
    else:
        asyncio.run(whole())


if __name__ == "__main__":
    run(_main)
