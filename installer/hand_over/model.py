"""The hand-over report as values; times are Unix seconds of the machine that installed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from foundation.wording import took
from installer.events import Outcome
from preflight.findings import Waiver


@dataclass(frozen=True, slots=True)
class Result:
    """How a step ended on a machine."""

    host: str
    """The machine; "control" for the one that everything was run from."""
    outcome: Outcome | None
    """None where it was never done, or was under way when the record ends."""
    seconds: float = 0.0
    sentence: str = ""
    remedy: str = ""
    """What to do about a failure."""
    lines: tuple[str, ...] = ()
    """The last lines it wrote, for a check and for a failure."""
    answered: float | None = None
    """When it last ended, or was found done; None where it never did."""
    changed_since: bool = False
    """Whether what it stands on was changed after that, so that the answer tells nothing now."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """A step on all its machines."""

    id: str
    title: str
    kind: str
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class StageReport:
    """A stage with its steps."""

    id: str
    title: str
    source: str
    stand: str
    done: int
    total: int
    seconds: float
    steps: tuple[StepReport, ...]


@dataclass(frozen=True, slots=True)
class MachineReport:
    """A machine as it was before anything was done."""

    name: str
    address: str
    roles: tuple[str, ...]
    system: str = ""
    kernel: str = ""
    cpus: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """A setting as the run used it."""

    name: str
    title: str
    """What it is, for people."""
    value: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person did: began, confirmed, skipped, took over; with name and time."""

    time: float
    by: str
    what: str
    """A phrase: "confirmed", "skipped", "began the installation"."""
    about: str = ""
    """The step and the machine, where it was about one."""
    reason: str = ""
    items: tuple[str, ...] = ()
    """The points that were confirmed one by one."""


@dataclass(frozen=True, slots=True)
class Record:
    """The journal that everything here comes from."""

    run: str
    folder: str
    events: int
    sha256: str
    """Of the journal's last line, which stands for them all."""
    problem: str = ""
    """Why the journal cannot be believed to its end; empty where it can."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Everything that the report says."""

    solution: str
    title: str
    """The solution's name for people."""
    environment: str
    outcome: Outcome | None
    sentence: str
    """How it ended, for people."""
    complete: bool
    """Whether every step is done, was found done, or was skipped by name."""
    began: float | None
    ended: float | None
    seconds: float
    at_least: bool
    """Whether it took longer than `seconds`, by a time that is not known."""
    by: str
    plan_sha256: str
    version: str
    """Of the Sitewright that writes the report."""
    supplies: str
    stages: tuple[StageReport, ...]
    machines: tuple[MachineReport, ...]
    versions: tuple[Used, ...]
    addresses: tuple[Used, ...]
    settings: tuple[Used, ...]
    """Those that are neither versions nor addresses."""
    secrets: tuple[str, ...]
    """Names only."""
    waivers: tuple[Waiver, ...]
    decisions: tuple[Decision, ...]
    site_text: str
    """The site file that repeats it."""
    site_file: str
    record: Record
    later: tuple[str, ...] = ()
    """What other runs of the site may have changed since, a sentence each."""
    asked_again: str = ""
    """That it was asked since whether what was installed works, and what came of it."""

    def lying_in(self, name: str) -> HandOver:
        """The same report with another name for where its record lies."""
        record = replace(self.record, folder=name)
        # Out of an archive the site file must be taken first; its text stands in the report.
        site_file = "site.yaml" if name.endswith(".gz") else f"{name}/site.yaml"
        return replace(self, record=record, site_file=site_file)

    @property
    def took(self) -> str:
        """How long it took, for people."""
        return took(self.seconds, at_least=self.at_least)

    @property
    def checks(self) -> tuple[StepReport, ...]:
        """The steps that verify the whole, at its end."""
        return tuple(step for stage in self.stages if stage.id == "verify" for step in stage.steps)

    def results(self, outcome: Outcome) -> tuple[tuple[StepReport, Result], ...]:
        """Every step that ended so, with its machine."""
        return tuple(
            (step, result)
            for stage in self.stages
            for step in stage.steps
            for result in step.results
            if result.outcome is outcome
        )
