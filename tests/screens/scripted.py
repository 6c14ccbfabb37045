"""An installation that was recorded in the place of one that runs, to see its screens."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from foundation.hosts.model import Host
from installer.catalogue.solution import load_solution
from installer.events import Event, Json, Kind, Outcome
from installer.hand_over.later import Later, later_of
from installer.hand_over.model import HandOver
from installer.plans.plan import Plan
from installer.record.journal import Journal
from installer.record.runs import Run
from installer.record.state import RunState
from installer.running.levers import Control
from installer.running.order import Others
from installer.running.work import Failure
from installer.sites.site import dump_site
from installer.steps.kind import Asker, StepFailed
from screens.answers.answers import Answers
from screens.answers.site_answers import site_from_answers
from screens.services.services import Installing, Order, Unfinished
from tests.screens.recorded import NOW, RecordedServices
from tests.screens.saying import said
from tests.screens.tiny import write_solution

RUN = Run(
    Path("/home/op/.local/share/sitewright/runs/tiny-single-box-0a1b2c3d4e/20261120-140104-1f3a")
)
NAMES = ("box1", "box2", "box3")
HOSTS = tuple(Host(name, f"10.10.0.1{n}") for n, name in enumerate(NAMES, 1))
SITE = said(
    solution="tiny",
    environment="single-box",
    installable=True,
    machines=HOSTS,
    roles=dict.fromkeys(NAMES, ("box",)),
    settings={"domain": "tiny.example.org"},
)


class Script:
    """Writes events with the times that they have on the record."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.time = NOW.timestamp() - 240

    def say(
        self, kind: Kind, stage: str = "", step: str = "", host: str = "", **data: Json
    ) -> None:
        self.time += 2
        self.events.append(Event(kind, self.time, stage, step, host, data))

    def did(self, stage: str, step: str, host: str, title: str, *lines: str) -> None:
        """A step begun on a machine, and what it wrote."""
        self.say(Kind.STEP_STARTED, stage, step, host, title=title, attempt=1)
        self.say(Kind.JOB_STARTED, stage, step, host, job="j", boot_id="b", durable="systemd")
        for line in lines:
            self.say(Kind.LINE, stage, step, host, text=line, stream="stdout", cursor="c", unit="")

    def ended(self, stage: str, step: str, host: str, outcome: str, sentence: str) -> None:
        self.say(
            Kind.STEP_FINISHED, stage, step, host, outcome=outcome, seconds=12.0, sentence=sentence
        )


def under_way(*, failed: bool) -> list[Event]:
    """The first stage done, the second at work on three machines; one of them failed or not."""
    script = Script()
    script.say(
        Kind.RUN_STARTED, run=RUN.id, solution="tiny", environment="single-box",
        plan_sha256="", by="Thiri Aung",
    )  # fmt: skip
    script.say(Kind.STAGE_STARTED, "prepare", title="Preparation")
    for name in NAMES:
        lines = [f"line {n} of the first for tiny.example.org" for n in range(1, 4)]
        script.did("prepare", "first", name, "Write the first file", *lines)
        script.ended("prepare", "first", name, "done", "The script ended well.")
    script.say(Kind.STAGE_FINISHED, "prepare", outcome="done", seconds=40.0)
    script.say(Kind.STAGE_STARTED, "finish", title="Finish")
    for name in NAMES:
        script.did("finish", "second", name, "Write the second file", "Writing")
    if failed:
        for name in NAMES[1:]:
            script.ended("finish", "second", name, "done", "The script ended well.")
        script.ended("finish", "second", "box1", "failed", "the script ended with exit status 9")
    return script.events


def finished() -> list[Event]:
    """Everything done, one step left out by name."""
    script = Script()
    script.events = under_way(failed=True)
    script.time = script.events[-1].time
    script.say(Kind.STEP_STARTED, "finish", "agree", "control", title="Agree", attempt=1)
    script.say(Kind.ANSWER, "finish", "agree", "control", by="Thiri Aung", answer={"yes": True})
    script.ended("finish", "agree", "control", "done", "Confirmed by Thiri Aung.")
    script.ended("finish", "second", "box1", "skipped", "Skipped by Thiri Aung: not wanted here")
    script.say(Kind.STAGE_FINISHED, "finish", outcome="done", seconds=61.0)
    script.say(Kind.RUN_FINISHED, outcome="done", seconds=78.0)
    return script.events


class ScriptedEngine:
    """Tells its events and then waits to be stopped, unless they end the run."""

    def __init__(self, plan: Plan, events: Sequence[Event], failures: list[Failure]) -> None:
        self.plan = plan
        self.control = Control()
        self.state = RunState()
        self.failures = failures
        self.events = events
        self.subscribers: list[Callable[[Sequence[Event]], None]] = []

    def subscribe(self, subscriber: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        self.subscribers.append(subscriber)
        return lambda: None

    async def run(self) -> Outcome:
        for event in self.events:
            self.state.apply(event)
        for subscriber in self.subscribers:
            subscriber(self.events)
        if self.state.outcome is None:
            await self.control.stopping()
            return Outcome.STOPPED
        return self.state.outcome


FAILURE = Failure(
    "finish",
    "second",
    "box1",
    StepFailed("the script ended with exit status 9", where="box1"),
    ("Writing", "E: the folder is not mended"),
)


class ScriptedServices(RecordedServices):
    """Recorded machines, the tiny solution, and a recorded run of it."""

    events: Sequence[Event] = ()
    failures: Sequence[Failure] = ()

    def person(self) -> str:
        return "Thiri Aung"

    async def plan(self, answers: Answers, older: Mapping[str, str] = MappingProxyType({})) -> Plan:
        """The plan, which must not name the folder of this test: its hash is shown."""
        return replace(await super().plan(answers, older), playbooks="/srv/tiny/playbooks")

    @contextlib.asynccontextmanager
    async def installing(
        self, order: Order, ask: Asker, others: Others | None = None
    ) -> AsyncIterator[Installing]:
        yield Installing(order, ScriptedEngine(order.plan, self.events, list(self.failures)), RUN)

    async def unfinished(self) -> Unfinished | None:
        return None

    async def hand_over(self, run: Path) -> HandOver:
        """From a folder with the recorded run in it, told as if it lay where the run says."""
        with TemporaryDirectory() as name:
            folder = Path(name) / RUN.id
            folder.mkdir()
            write_run(Run(folder), await self.plan(SITE), self.events)
            site = site_from_answers(SITE, folder / "site.yaml")
            (folder / "site.yaml").write_text(dump_site(site))
            return (await super().hand_over(folder)).lying_in(str(run))

    async def later(self, run: Path) -> tuple[Later, ...]:
        """Of the tiny solution, by its own folder; the run lies nowhere."""
        return later_of(load_solution("tiny", self.folder), str(run / "site.yaml"), str(run))


def write_run(run: Run, plan: Plan, events: Sequence[Event]) -> None:
    """A run as it lies on the disk: its plan and its journal."""
    run.plan_file.write_text(json.dumps(plan.as_json()))
    with Journal(run.journal) as journal:
        for event in events:
            journal.append(event)


def scripted(
    folder: Path, events: Sequence[Event] = (), failures: Sequence[Failure] = ()
) -> ScriptedServices:
    """The services over a tiny solution that is written into a folder."""
    services = ScriptedServices()
    services.folder = write_solution(folder / "solutions", Path("/srv/tiny"))
    services.events = events
    services.failures = failures
    return services
