"""Advice: from what a person wishes and what machines have to a recommendation with its reasons.

Pure. The ranking is a comparison in a fixed order, which `ORDER` names, so that every place in it
can be explained; there are no weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from foundation.wording import counted
from installer.guide.option_files import Offline, Quality, State, System

if TYPE_CHECKING:
    from installer.guide.guide import Map, Option
    from installer.guide.option_files import Way
    from preflight.assessment import Seen
    from preflight.findings import Finding
    from preflight.needs import SolutionNeeds


class Purpose(StrEnum):
    """Who asks, and what for."""

    EXPERIMENT = "experiment"
    DEVELOP = "develop"
    CI = "ci"
    RUN = "run"


PURPOSE_WORDS: Final = {
    Purpose.EXPERIMENT: "a curious experimenter: one box and an afternoon",
    Purpose.DEVELOP: "a developer or contributor",
    Purpose.CI: "a CI environment",
    Purpose.RUN: "somebody who will run it for others",
}
USE_CASE_OF: Final = {
    Purpose.EXPERIMENT: "experimenter",
    Purpose.DEVELOP: "developer",
    Purpose.CI: "ci",
}
SYSTEM_WORDS: Final = {
    System.MOJALOOP: "a Mojaloop hub, where payments between banks are cleared",
    System.PM4ML: "the Payment Manager of a bank or other participant (PM4ML)",
    System.MOSIP: "the identity platform MOSIP",
}
QUALITY_WORDS: Final = {
    Quality.POC: "proof of concept",
    Quality.PRODUCTION: "production quality",
}
ORDER: Final = (
    "is it a system by itself, rather than a part beside others",
    "can anything of it be found today",
    "is it of the quality that was asked for",
    "is it a hub, if no system was named and it is not to be run for others",
    "does it go without the internet, if there is none",
    "do these machines carry it",
    "is it kept up",
    "does Sitewright install it",
    "the order of the map",
)
"""What decides between two options, the first that differs."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person answered; None where nothing was said."""

    purpose: Purpose | None = None
    quality: Quality | None = None
    where: str | None = None
    """The id of a use case of somebody who runs it: bare-metal, one-cloud."""
    system: System | None = None
    internet: bool | None = None

    @property
    def use_cases(self) -> tuple[str, ...]:
        """The use cases that are meant; none means every one."""
        if self.purpose in USE_CASE_OF:
            return (USE_CASE_OF[self.purpose],)
        return (self.where,) if self.where else ()


class Fit(StrEnum):
    """How machines measure against what a way asks; the order is that of the ranking."""

    READY = "ready"
    WARNINGS = "ready with warnings"
    UNKNOWN = "not known"
    MENDABLE = "can be made ready"
    SHORT = "does not fit"


NOT_STATED: Final = "Nobody states how large its machines must be, so this was not measured."

HARDWARE: Final = ("cpu", "memory", "disk", "nic")
"""Areas of findings that another machine mends, not a command."""
SYSTEM: Final = ("os.architecture", "os.release")
"""Findings that no command mends either."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Machines against one way."""

    fit: Fit = Fit.UNKNOWN
    lacks: tuple[str, ...] = ()
    """What is missing here, one phrase each."""
    minds: tuple[str, ...] = ()
    """Warnings, one sentence each."""
    asks: str = ""
    """What it asks for, where the machines at hand say nothing about it."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One way of one option, with what speaks for it and against it here."""

    option: Option
    way: Way
    measured: Measured
    reasons: tuple[str, ...]
    lacks: tuple[str, ...]
    """What it lacks of the wishes, then what the machines lack for it."""

    @property
    def mendable(self) -> bool:
        """Whether all that it lacks can be installed or set on these machines."""
        return self.measured.fit is Fit.MENDABLE and self.lacks == self.measured.lacks

    @property
    def name(self) -> str:
        """Its name in full."""
        return self.option.title(self.way)

    @property
    def goal(self) -> tuple[str, str] | None:
        """The solution and environment to aim at, or None where there is none."""
        solution = self.option.solution
        return None if solution is None else (solution.id, self.way.id)


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer: what to take, and what else there is."""

    wishes: Wishes
    ranked: tuple[Ranked, ...]
    """Best first; never empty for a map that serves every use case."""
    remarks: tuple[str, ...] = ()
    """What was not said, and what that leaves open."""

    @property
    def best(self) -> Ranked | None:
        """What to take, or None where the map has nothing for these wishes."""
        return self.ranked[0] if self.ranked else None

    @property
    def fits(self) -> bool:
        """Whether the best lacks nothing here."""
        return bool(self.ranked) and not self.ranked[0].lacks


def advise(
    chart: Map,
    wishes: Wishes,
    seen: Sequence[Seen] = (),
    *,
    named: bool = False,
    today: date,
    measured: Mapping[tuple[str, str], Measured] | None = None,
) -> Advice:
    """The options for these wishes, best first.

    `named` says that the machines are those meant for it; else they are only what is at hand, and
    an option for several machines is not blamed for there being one. `measured` is what
    `measure_all` found, for those who ask again about the same machines.
    """
    meant = set(wishes.use_cases)
    found = []
    for place, option in enumerate(chart.options):
        for number, way in enumerate(option.file.ways):
            if meant and not meant & set(way.serves):
                continue
            if wishes.system is not None and system_of(option, way) is not wishes.system:
                continue
            known = measured.get((option.id, way.id)) if measured is not None else None
            found_here = known or measure(option.needs(way), seen, named=named, today=today)
            one = Ranked(
                option,
                way,
                found_here,
                _reasons(option, way, wishes, found_here, chart, seen),
                (*_unmet(option, way, wishes), *found_here.lacks),
            )
            found.append((_key(one, wishes), place, number, one))
    found.sort(key=lambda entry: entry[:3])
    ranked = tuple(entry[3] for entry in found)
    return Advice(wishes, ranked, _remarks(wishes, ranked))


def system_of(option: Option, way: Way) -> System:
    """What a way gives."""
    return way.system or option.file.system


def _key(one: Ranked, wishes: Wishes) -> tuple[int, ...]:
    """What is compared, in the order of `ORDER`; smaller is better."""
    file = one.option.file
    wanted = wishes.quality or Quality.POC
    offline = {Offline.YES: 0, Offline.HARD: 0 if one.option.bundled else 1, Offline.NO: 2}
    state = {State.MAINTAINED: 0, State.CARE: 0, State.EXPERIMENTAL: 1}
    return (
        int(one.way.only_part),
        int(file.state is State.NOT_FOUND),
        int(one.way.quality is not wanted),
        int(
            wishes.system is None
            and wishes.purpose in USE_CASE_OF
            and system_of(one.option, one.way) is not System.MOJALOOP
        ),
        offline[file.offline] if wishes.internet is False else 0,
        list(Fit).index(one.measured.fit),
        state.get(file.state, 2),
        int(not one.option.installs(one.way)),
    )


def measure_all(
    chart: Map, seen: Sequence[Seen], *, named: bool, today: date
) -> dict[tuple[str, str], Measured]:
    """Machines against every way of the map, by option and way; it does not depend on wishes."""
    return {
        (option.id, way.id): measure(option.needs(way), seen, named=named, today=today)
        for option in chart.options
        for way in option.file.ways
    }


CLUSTER_UNSEEN: Final = (
    "What it stands on was not looked at: `sitewright preflight --cluster` judges a cluster."
)


def measure(
    needs: SolutionNeeds | None, seen: Sequence[Seen], *, named: bool, today: date
) -> Measured:
    """Machines against what one way asks; no tables or no machines leave it unknown."""
    if needs is None:
        return Measured(minds=(NOT_STATED,) if seen else ())
    from preflight.sizing import machines_told

    asked = needs.sizing.fewest_machines
    asks = f"It asks for {machines_told(needs)}."
    if not seen:
        return Measured(asks=asks)
    if needs.single_machine and len(seen) == 1:
        return _alone(needs, seen[0], today)
    if not named:
        return Measured(asks=asks)
    if len(seen) < asked:
        missing = asked - len(seen)
        return Measured(
            Fit.SHORT, (f"{_machines(missing, 'more ')}: {asked} asked for, {len(seen)} here",)
        )
    from preflight.assignment import assign

    shortfalls = assign(seen, needs).shortfalls
    unseen = sum(not one.reachable for one in seen)
    if shortfalls:
        return Measured(Fit.SHORT, tuple(_phrase(text) for text in shortfalls))
    if unseen:
        return Measured(Fit.UNKNOWN, minds=(f"{_machines(unseen)} could not be seen.",))
    if needs.sizing.standing_clusters:
        return Measured(asks=asks, minds=(CLUSTER_UNSEEN,))
    return Measured(Fit.READY)


def _alone(needs: SolutionNeeds, seen: Seen, today: date) -> Measured:
    from preflight.findings import Severity
    from preflight.judge import judge_host

    result = judge_host(seen, tuple(row.role for row in needs.sizing.roles), needs, today=today)
    failed = [f for f in result.findings if f.blocks]
    warned = tuple(f.title for f in result.findings if f.severity is Severity.WARN)
    open_ones = tuple(f.title for f in result.findings if f.severity is Severity.UNKNOWN)
    if failed:
        hard = any(f.area in HARDWARE or f.id in SYSTEM for f in failed)
        fit = Fit.SHORT if hard else Fit.MENDABLE
        return Measured(fit, tuple(_lack(f) for f in failed), warned)
    if open_ones:
        return Measured(Fit.UNKNOWN, minds=(*open_ones, *warned))
    return Measured(Fit.WARNINGS if warned else Fit.READY, minds=warned)


def _lack(finding: Finding) -> str:
    """A failure as a phrase: "memory: 8 GB here, 16 GB needed"."""
    have, need = (text.partition(" (")[0] for text in (finding.actual, finding.expected))
    match finding.id:
        case "cpu.count":
            return f"CPUs: {have} here, {need} needed"
        case "memory.size":
            return f"memory: {have} here, {need} needed"
        case "cpu.flags":
            return f"the CPU's {need} instructions"
        case "os.architecture":
            return f"architecture: {have} here, {need} needed"
        case "os.release":
            return f"system: {have} here, {need} needed"
        case "software.commands":
            return f"software: {have}"
    return _phrase(finding.title)


def _phrase(sentence: str) -> str:
    return sentence.rstrip(".")


def _unmet(option: Option, way: Way, wishes: Wishes) -> tuple[str, ...]:
    """What a way lacks of the wishes, as phrases."""
    lacks = []
    if way.only_part:
        lacks.append("it is a part beside others, and nothing alone")
    if wishes.quality is Quality.PRODUCTION and way.quality is not Quality.PRODUCTION:
        lacks.append("it is not of production quality")
    if wishes.internet is False and option.file.offline is Offline.NO:
        lacks.append("it cannot do without the internet")
    if wishes.internet is False and option.file.offline is Offline.HARD and not option.bundled:
        lacks.append("nobody publishes how to do it without the internet")
    if option.file.state is State.NOT_FOUND:
        lacks.append("nothing of it could be found")
    return tuple(lacks)


def _reasons(
    option: Option,
    way: Way,
    wishes: Wishes,
    measured: Measured,
    chart: Map,
    seen: Sequence[Seen],
) -> tuple[str, ...]:
    file = option.file
    serves = [chart.use_case(name).name for name in wishes.use_cases if name in way.serves]
    reasons = [f"It is for: {serves[0]}." if serves else f"It is good for: {file.good_for}"]
    if wishes.quality is way.quality:
        reasons.append(f"It is meant for {QUALITY_WORDS[way.quality]}.")
    here = "This machine carries it" if len(seen) == 1 else "These machines carry it"
    match measured.fit:
        case Fit.READY:
            reasons.append(f"{here}: nothing stands against it.")
        case Fit.WARNINGS:
            number = len(measured.minds)
            reasons.append(f"{here}, with {counted(number, 'warning')}.")
        case Fit.MENDABLE:
            reasons.append("The hardware suffices; what is missing can be installed.")
        case _ if measured.asks:
            reasons.append(measured.asks)
    reasons.append(f"Its state today: {file.state_words}.")
    if wishes.internet is False and (file.offline is Offline.YES or option.bundled):
        reasons.append("It needs no internet once a bundle is there.")
    reasons.append(
        "Sitewright installs it."
        if option.installs(way)
        else "Sitewright shows its steps, which are taken by hand."
    )
    return tuple(reasons)


def _remarks(wishes: Wishes, ranked: Sequence[Ranked]) -> tuple[str, ...]:
    remarks = []
    systems = {system_of(one.option, one.way) for one in ranked}
    if wishes.system is None and len(systems) > 1:
        words = ", ".join(system.value for system in System if system in systems)
        remarks.append(f"You did not say which system: there is advice for {words}.")
    if wishes.purpose is Purpose.RUN and wishes.quality is None:
        remarks.append("You did not say how well it must stand; a proof of concept was assumed.")
    if wishes.purpose is Purpose.RUN and wishes.where is None:
        remarks.append("You did not say where it will stand, so every place was considered.")
    return tuple(remarks)


def _machines(number: int, more: str = "") -> str:
    return counted(number, f"{more}machine")
