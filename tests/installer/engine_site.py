"""Plans made by hand for tests of the engine, and what an engine needs around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import Refused
from installer.events import Event, Kind, Outcome
from installer.plans.plan import Plan, PlannedStage, PlannedStep
from installer.record.identity import site_key
from installer.record.runs import Run, create_run
from installer.record.site_lock import Lock
from installer.running.engine import Engine
from installer.running.order import Order, Tools
from installer.sites.site import load_site
from installer.steps.kind import Answer, Question


def step(
    name: str, *hosts: str, stage: str = "one", kind: str = "script", **spec: Any
) -> PlannedStep:
    """A step as the planner makes it, with the data it is given."""
    files = tuple((str(k), str(v)) for k, v in spec.pop("files", {}).items())
    return PlannedStep(
        stage=stage,
        id=name,
        kind=kind,
        title=f"Do {name}",
        hosts=hosts or ("local",),
        spec=spec,
        files=files,
        expected_seconds=1.0,
    )


def plan(
    *steps: PlannedStep, needs: Mapping[str, tuple[str, ...]] | None = None, **more: Any
) -> Plan:
    """A plan of these steps, its stages in the order in which they are first named."""
    stages: dict[str, list[PlannedStep]] = {}
    for one in steps:
        stages.setdefault(one.stage, []).append(one)
    return Plan(
        solution="test",
        environment="lab",
        stages=tuple(
            PlannedStage(
                id=name,
                title=f"Stage {name}",
                why="a test",
                source="none",
                needs=(needs or {}).get(name, ()),
                recheck=(),
                steps=tuple(inside),
            )
            for name, inside in stages.items()
        ),
        hosts=tuple((host, ()) for host in dict.fromkeys(h for s in steps for h in s.hosts)),
        settings=(),
        **more,
    )


async def nobody(question: Question) -> Answer:
    """Nobody is there to answer."""
    raise Refused("nobody is there to confirm it", where=question.step)


@dataclass
class Person:
    """A person who answers, and what they were asked."""

    name: str = "Ma Ma"
    says: bool = True
    asked: list[Question] = field(default_factory=list)

    async def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        return Answer(self.name, self.says, (self.says,) * len(question.items))


@dataclass
class Watch:
    """Everything an engine told its subscribers."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, batch: Sequence[Event]) -> None:
        self.events.extend(batch)

    def of(self, kind: Kind) -> list[Event]:
        """The events of a kind."""
        return [event for event in self.events if event.kind is kind]

    def outcomes(self) -> list[tuple[str, str, str]]:
        """Step, machine and outcome of every step that ended, in order."""
        return [(e.step, e.host, str(e.data["outcome"])) for e in self.of(Kind.STEP_FINISHED)]

    def lines(self, host: str = "") -> list[str]:
        """Every line of output, of a machine or of all."""
        found = [e for e in self.of(Kind.LINE) if not host or e.host == host]
        return [str(e.data["text"]) for e in found]


LOCAL = Host("local", LOCAL_ADDRESS)


def new_run(made: Plan, key: str = "site") -> Run:
    """A fresh run of a plan."""
    return create_run(key, made)


def engine(
    made: Plan,
    run: Run | None = None,
    *,
    pool: Any = None,
    watch: Callable[[Sequence[Event]], None] | None = None,
    ask: Any = nobody,
    dry_run: bool = False,
    **more: Any,
) -> Engine:
    """An engine over this machine (or a pool), watched; `more` is for the order or the tools."""
    of_tools = {field.name for field in fields(Tools)} & more.keys()
    tools = Tools(
        machines=pool or Pool(Inventory((LOCAL,))),
        ask=ask,
        **{name: more.pop(name) for name in of_tools},
    )
    built = Engine(Order(plan=made, dry=dry_run, **more), run or new_run(made), tools)
    if watch is not None:
        built.subscribe(watch)
    return built


def a_failed_run(made: Plan, site_text: str, folder: Path) -> Run:
    """A run of a plan that fails, held by the lock of its site, whose file lies in the folder."""
    file = folder / "site.yaml"
    file.write_text(site_text)
    key = site_key(load_site(file))
    run = create_run(key, made, site_text=site_text)

    async def carried() -> Outcome:
        with Lock(key, by="Ma Ma") as lock:
            return await engine(made, run, lock=lock).run()

    assert asyncio.run(carried()) is Outcome.FAILED
    return run


def once(log: Path | str, word: str, *, body: str = "") -> dict[str, Any]:
    """A script that must not be run twice: it adds a line, and is done when the line is there."""
    return {
        "script": f"{body}\necho {word} >> {log}\n",
        "done": {"script": f"grep -qx {word} {log} 2>/dev/null"},
    }


def words(path: Path) -> list[str]:
    """What was done, in order."""
    return path.read_text().split() if path.exists() else []


def several(*names: str) -> Pool:
    """This machine under several names: several machines, as far as the engine knows."""
    return Pool(Inventory(tuple(Host(name, LOCAL_ADDRESS) for name in names)))


async def when(condition: Callable[[], Any], seconds: float = 600) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of files and of other tasks
            await asyncio.sleep(0.01)
