"""What an acceptance came to: each criterion with its figures, and the verdict over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from installer.acceptance.driver.measured import Point
from installer.acceptance.ledger.positions import Position
from installer.acceptance.ledger.reconcile import Reconciled
from installer.acceptance.profile import Profile


class Outcome(StrEnum):
    """How one criterion stands."""

    HELD = "held"
    MISSED = "missed"
    NOTED = "noted"
    """Seen, and not asked by the document."""
    UNKNOWN = "not measured"


class Verdict(StrEnum):
    """How the whole stands."""

    HELD = "held"
    MISSED = "missed"
    OPEN = "not proved"
    """Nothing was missed, and something that is asked could not be measured."""
    LIMITED = "no verdict"
    """The generator limited what was measured, so that the hub may be better than it looks."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion: what is asked, in whose words, and what was seen."""

    id: str
    title: str
    document: str
    """Document 001's words; empty for a criterion of our own."""
    source: str
    """The words of the source that document 001 was made from, where they are softer."""
    asked: str
    seen: str
    outcome: Outcome
    by_time: bool = False
    """Whether a generator that is late would spoil it."""
    to_come: bool = False
    """Whether Sitewright does not measure it yet, so that no verdict waits for it."""
    more: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the driver can do by itself on this machine."""

    rate: float
    """Journeys a second that it held against a hub that does nothing."""
    cpu: float
    """Seconds of CPU that a journey cost it."""
    held: bool
    """Whether the rate that is asked for lies below it."""
    why_not: str = ""
    """What kept it from the rate that was tried first."""


@dataclass(frozen=True, slots=True)
class Result:
    """All of it, for the reports."""

    verdict: Verdict
    profile: Profile
    criteria: Sequence[Criterion]
    limited: Sequence[str]
    """Why the generator limited it, in sentences."""
    about: dict[str, str]
    """Label and text: the hub, the mode, when and by what version."""
    notes: Sequence[str]
    """What a reader must know: other participants, what was not taken back."""
    reconciled: Reconciled
    positions: Sequence[Position]
    points: Sequence[Point]
    slots: dict[int, list[int]]
    failures: dict[str, int]
    percentiles: dict[str, list[float | None]]
    """By histogram: seconds at 50, 90, 99, 99.9 % and the longest."""
    ceiling: Ceiling | None
    processes: int
    began: float
    ended: float
    unclean: dict[str, list[str]]
    """The identifiers of every transfer that is not clean, by class."""

    @property
    def name(self) -> str:
        """What was tried: document 001's figures, or a tier."""
        return name_of(self.profile)

    def criterion(self, name: str) -> Criterion:
        """The criterion with an id."""
        return next(one for one in self.criteria if one.id == name)


def name_of(profile: Profile) -> str:
    """What a profile tries: document 001's figures, or a tier."""
    if profile.is_document:
        return "document 001: 1,000 transfers a second for an hour"
    return tier_name(profile)


def tier_name(profile: Profile) -> str:
    """A tier in words, with what keeps it from being document 001's."""
    from foundation.wording import duration

    return (
        f"a tier of {profile.rate:g} a second for {duration(profile.steady)},"
        " which is not document 001's 1,000 for an hour"
    )
