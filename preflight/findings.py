"""Findings: what a check has to say, and what a person said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Severity(StrEnum):
    """How a check ended; unknown is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """The word on a whole site or machine."""

    READY = "ready"
    READY_WITH_WARNINGS = "ready-with-warnings"
    NOT_READY = "not-ready"
    INCOMPLETE = "incomplete"
    """A machine was not seen, or something that decides is unknown, and nothing failed."""


class Waiver(BaseModel):
    """A person's word that a finding is accepted until a day, for a reason."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    check: str
    """The id of a check, or an area with a star: disk.nvme, disk.*."""
    host: str | None = None
    """The machine it holds for; None for the findings between machines and for every machine."""
    by: str = Field(min_length=2)
    reason: str = Field(min_length=3)
    until: date
    """The last day on which it counts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found on one machine, or between machines."""

    id: str
    """The check's id: area, dot, name: cpu.count, disk.nvme, port.free."""
    severity: Severity
    title: str
    """One sentence that a tired person understands, true for this outcome."""
    expected: str
    actual: str
    source: str
    """Who demands it: document, section, version."""
    host: str | None = None
    """The machine's name, or None for a finding between machines."""
    evidence: str = ""
    """The command that shows it, to be run on the machine."""
    remedy: str = ""
    """What to do, with the commands."""
    undo: str = ""
    """How to take the remedy back."""
    subject: str = ""
    """What tells two findings of one check on one machine apart: a port, a disk, a module."""
    waiver: Waiver | None = None
    """The waiver that covers it, if one does."""

    @property
    def area(self) -> str:
        """The part of the id before the dot: cpu, memory, disk, nic, port, os, kernel…"""
        return self.id.partition(".")[0]

    @property
    def blocks(self) -> bool:
        """Whether it stands against an installation: a failure that nobody waived."""
        return self.severity is Severity.FAIL and self.waiver is None
