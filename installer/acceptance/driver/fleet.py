"""The processes of the driver: begun, told what to do, heard, and ended.

Each speaks lines of JSON over its standard streams, so that one on another machine would be heard
the same way over its connection; today they are this machine's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final, Self
from zlib import decompress

from foundation.isolation import environment
from foundation.problems import Problem
from installer.acceptance.driver.measured import Measured
from installer.acceptance.driver.spec import Spec
from installer.acceptance.driver.told import Told16
from installer.acceptance.profile import Profile

_LONGEST_LINE: Final = 64 * 1024 * 1024
_READY_SECONDS: Final = 30.0
"""Seconds until a process has begun."""
_PATIENCE: Final = 3600.0
"""Seconds for whatever a process is told to do, beyond what it is told to take: the most is asking
for thousands of transfers of a hub that answers none."""
_HEAD_START: Final = 1.0
"""Seconds between the word that begins and the first start, so that all processes have it."""


class DriverProblem(Problem):
    """A process of the driver that did not begin, or ended."""

    code = "acceptance-driver"
    title = "The generator of the acceptance failed"


class Process:
    """One process, its port, and what it was asked last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._stdin: asyncio.StreamWriter | None = None
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard: asyncio.Task[None] | None = None
        self._errors: asyncio.Task[bytes] | None = None

    async def begin(
        self, module: str, first: str | None, counts: Callable[[dict[str, Any]], None]
    ) -> None:
        """Start it with its first line; `counts` is given what it counts. Raises DriverProblem."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=environment(),
        )  # fmt: skip
        made = self._process
        stdin, stdout, stderr = made.stdin, made.stdout, made.stderr
        if stdin is None or stdout is None or stderr is None:
            raise DriverProblem("it has no standard streams", where=self.name)
        self._stdin = stdin
        self._errors = asyncio.ensure_future(stderr.read(64 * 1024))
        self._heard = asyncio.ensure_future(self._hear(stdout, counts))
        if first is not None:
            self.write(first)
        said = await self.answer(_READY_SECONDS)
        if said["event"] != "ready":
            raise DriverProblem(str(said.get("reason", "it did not begin")), where=self.name)
        self.port = int(said["port"])

    def write(self, line: str) -> None:
        """Send a line."""
        if self._stdin is None:
            raise DriverProblem("it was not begun", where=self.name)
        self._stdin.write(line.encode() + b"\n")

    async def answer(self, seconds: float = _PATIENCE) -> dict[str, Any]:
        """What it answers next; raises DriverProblem where it ended or is silent."""
        try:
            said = await asyncio.wait_for(self._answers.get(), seconds)
        except TimeoutError as error:
            raise DriverProblem("it does not answer", where=self.name) from error
        if said["event"] == "ended":
            self._answers.put_nowait(said)  # whoever asks it next is told as well
            raise DriverProblem(str(said["reason"]), where=self.name)
        return said

    async def answer_to(self, what: str, seconds: float) -> dict[str, Any]:
        """What it says of something that it was told to do; of what was left before, nothing."""
        until = time.monotonic() + seconds
        while True:
            said = await self.answer(until - time.monotonic())
            if said.get("of") == what:
                return said

    async def _hear(
        self, stdout: asyncio.StreamReader, counts: Callable[[dict[str, Any]], None]
    ) -> None:
        while line := await stdout.readline():
            said = json.loads(line)
            if said["event"] == "counts":
                counts(said)
            else:
                self._answers.put_nowait(said)
        last = (await self._errors).decode(errors="replace") if self._errors else ""
        reason = (last.strip().splitlines() or ["it ended without a word"])[-1]
        self._answers.put_nowait({"event": "ended", "reason": reason})

    async def end(self) -> None:
        """End it; what it does is over."""
        if self._process is None:
            return
        if self._stdin is not None:
            self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._heard is not None:
            await self._heard


class Fleet:
    """All processes of the driver."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.specs = specs
        self.measured = Measured()
        self.processes = [Process(f"process {spec.worker + 1} of the driver") for spec in specs]

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(
                process.begin(
                    "installer.acceptance.driver.worker", spec.line(), self._adder(spec.worker)
                )
                for process, spec in zip(self.processes, self.specs, strict=True)
            ))  # fmt: skip
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self.end()

    def _adder(self, worker: int) -> Callable[[dict[str, Any]], None]:
        return lambda said: self.measured.add(worker, said)

    async def end(self) -> None:
        """End every process."""
        await asyncio.gather(*(process.end() for process in self.processes))

    async def do(
        self, what: str, *only: int, takes: float = 0.0, **more: Any
    ) -> list[dict[str, Any]]:
        """Have every process (or some) do something; what each says of it when it is done.

        `takes` are the seconds that it takes at least; it is waited for an hour more.
        """
        chosen = [self.processes[number] for number in only] or self.processes
        for process in chosen:
            process.write(json.dumps({"do": what, **more}))
        return await asyncio.gather(
            *(process.answer_to(what, _PATIENCE + takes) for process in chosen)
        )

    def stop(self) -> None:
        """Begin no more journeys; those that are open go on."""
        for process in self.processes:
            process.write('{"do":"stop"}')

    async def run(self, profile: Profile) -> None:
        """Start the journeys of a profile; it ends with the last start."""
        self.measured.began = time.time() + _HEAD_START
        await self.do(
            "run", takes=profile.length, profile=asdict(profile), begin=self.measured.began
        )

    async def told(self) -> list[Told16]:
        """What was told of every transfer, by process."""
        said = await self.do("told")
        return [Told16(decompress(b64decode(one["told"]))) for one in said]
