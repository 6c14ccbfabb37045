"""Grouping: the findings as a person works through them, each thing once with its machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from preflight.assessment import Assessment
from preflight.findings import Finding, Severity, Waiver
from preflight.needs import MachineKind, RoleNeed
from preflight.report.areas import area_rank
from preflight.report.words import count, is_waived, verdict_sentence

BETWEEN = "between the machines"
COMBINED = "role.combined"
"""The check of the roles that one machine plays together."""
UNREACHED = frozenset({"host.reachable", "cluster.reachable"})
"""The checks of what could not be seen, which has a section of its own."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a thing, on the machines that have it in exactly this form."""

    finding: Finding
    hosts: tuple[str, ...]
    """Machine names in the order of the assessment; empty between machines."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to know or to mend, with all its machines."""

    variants: tuple[Variant, ...]

    @property
    def finding(self) -> Finding:
        """The first of its findings, which speaks for the rest where they agree."""
        return self.variants[0].finding

    @property
    def hosts(self) -> tuple[str, ...]:
        """All its machines, in the order of the assessment as far as the variants keep it."""
        return tuple(dict.fromkeys(name for variant in self.variants for name in variant.hosts))

    def titles(self) -> list[tuple[tuple[str, ...], str]]:
        """Its titles, each with the machines of which it is true but for their name."""
        by_form: dict[str, tuple[list[str], str]] = {}
        for variant in self.variants:
            form = _title_form(variant.finding)
            by_form.setdefault(form, ([], variant.finding.title))[0].extend(variant.hosts)
        return [(tuple(dict.fromkeys(hosts)), title) for hosts, title in by_form.values()]

    def told_apart(self, tell: Callable[[Finding], str]) -> list[tuple[tuple[str, ...], str]]:
        """What the machines say of one thing, with the names only where they differ.

        One pair with no names means that all say the same.
        """
        by_text: dict[str, list[str]] = {}
        for variant in self.variants:
            by_text.setdefault(tell(variant.finding), []).extend(variant.hosts)
        if len(by_text) == 1:
            return [((), next(iter(by_text)))]
        return [(tuple(dict.fromkeys(names)), text) for text, names in by_text.items()]


def names(text: str, host: str) -> bool:
    """Whether a text names a machine as a word of its own."""
    return host in text and _word(host).search(text) is not None


@lru_cache(maxsize=4096)
def _word(host: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)")


def _title_form(finding: Finding) -> str:
    """The title without the machine's name, which findings of one kind differ in."""
    if finding.host and finding.host in finding.title:
        return _word(finding.host).sub("\0", finding.title)
    return finding.title


@dataclass(slots=True)
class _Gathering:
    variants: dict[tuple[str, ...], list[Finding]] = field(default_factory=dict)


def entries(findings: Iterable[Finding]) -> tuple[Entry, ...]:
    """The findings grouped: same check, subject and expectation, the order that of the areas."""
    gathered: dict[tuple[object, ...], _Gathering] = {}
    for finding in findings:
        waiver = finding.waiver
        key = (
            finding.id,
            finding.subject,
            finding.severity,
            finding.expected,
            finding.source,
            None if waiver is None else (waiver.by, waiver.reason, waiver.until),
            finding.host is None,
        )
        form = (
            _title_form(finding),
            finding.actual,
            finding.evidence,
            finding.remedy,
            finding.undo,
        )
        gathered.setdefault(key, _Gathering()).variants.setdefault(form, []).append(finding)
    made = [
        Entry(
            tuple(
                Variant(same[0], tuple(dict.fromkeys(f.host for f in same if f.host is not None)))
                for same in gathering.variants.values()
            )
        )
        for gathering in gathered.values()
    ]
    made.sort(key=lambda entry: area_rank(entry.finding.area))
    return tuple(made)


def failures(assessment: Assessment) -> tuple[Entry, ...]:
    """What must be mended: the failures that nobody waived, those between machines too."""
    return entries(f for f in assessment.all_findings if f.blocks)


def of_severity(assessment: Assessment, severity: Severity) -> tuple[Entry, ...]:
    """The findings of one severity that nobody waived, about what was seen."""
    return entries(
        f for f in findings_seen(assessment) if f.severity is severity and not is_waived(f)
    )


def findings_seen(assessment: Assessment) -> Iterator[Finding]:
    """All findings but those that only say that a machine could not be seen."""
    for target in assessment.targets:
        if target.seen.reachable:
            yield from target.findings
        else:
            yield from (f for f in target.findings if f.id not in UNREACHED)
    yield from assessment.findings


def waived(assessment: Assessment) -> tuple[Entry, ...]:
    """The findings that a waiver covers."""
    return entries(f for f in assessment.all_findings if is_waived(f))


def sentence(assessment: Assessment) -> str:
    """The verdict with its reason in one sentence, counting each thing once."""
    return verdict_sentence(
        assessment,
        failures=len(failures(assessment)),
        unknowns=len(of_severity(assessment, Severity.UNKNOWN)),
    )


def sources(assessment: Assessment) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Who demands what: each document with its number in this report and the ids of its checks."""
    demanded: dict[str, dict[str, None]] = {}
    for finding in assessment.all_findings:
        if finding.source:
            demanded.setdefault(finding.source, {})[finding.id] = None
    return {
        source: (number, tuple(ids)) for number, (source, ids) in enumerate(demanded.items(), 1)
    }


class WaiverState(StrEnum):
    """What became of a waiver that was given."""

    IN_FORCE = "in-force"
    EXPIRED = "expired"
    NOT_ALLOWED = "not-allowed"
    """What it names was found, and is of the kind that cannot be waived."""
    UNUSED = "unused"
    """Nothing that it names was found."""


@dataclass(frozen=True, slots=True)
class GivenWaiver:
    """A waiver with what became of it."""

    waiver: Waiver
    state: WaiverState
    covers: int
    """How many findings it covers."""

    @property
    def phrase(self) -> str:
        """What became of it, for a person."""
        match self.state:
            case WaiverState.IN_FORCE:
                return f"in force, covers {count(self.covers, 'finding')}"
            case WaiverState.EXPIRED:
                return "expired: it does not count"
            case WaiverState.NOT_ALLOWED:
                return "it does not count: this check cannot be waived"
            case WaiverState.UNUSED:
                return "nothing to waive: what it names is in order, or is not looked at"


def given_waivers(assessment: Assessment) -> tuple[GivenWaiver, ...]:
    """Every waiver that was given, in its order, with what became of it."""
    covered = [f.waiver for f in assessment.all_findings if is_waived(f)]
    said = {f.subject: f.id for f in assessment.findings if f.area == "waiver"}
    given = []
    for waiver in assessment.waivers:
        covers = covered.count(waiver)
        whole = f"{waiver.check}@{waiver.host}" if waiver.host else waiver.check
        state = WaiverState.IN_FORCE if covers else _STATES.get(said.get(whole, ""))
        given.append(GivenWaiver(waiver, state or WaiverState.UNUSED, covers))
    return tuple(given)


_STATES = {
    "waiver.expired": WaiverState.EXPIRED,
    "waiver.not-allowed": WaiverState.NOT_ALLOWED,
    "waiver.unused": WaiverState.UNUSED,
}
"""What the judge says of waivers that cover nothing, by the id of its finding."""


def external(row: RoleNeed) -> bool:
    """Whether a row of a sizing table is no computer to log in to, a USB backup system, say."""
    return all(shape.machine is MachineKind.EXTERNAL for shape in row.shapes)


@dataclass(frozen=True, slots=True)
class RiskAcceptance:
    """A machine whose combined roles the sizing table allows only with a formal acceptance."""

    host: str
    roles: tuple[str, ...]
    source: str
    accepted_by: tuple[Waiver, ...]
    """Who accepted it; empty where the signature is still missing."""


def risk_acceptances(assessment: Assessment) -> tuple[RiskAcceptance, ...]:
    """The formal risk acceptances that the sizing table asks for, machine by machine."""
    sizing = assessment.needs.sizing
    asked = []
    for host in assessment.hosts:
        for combination in sizing.risk_acceptance:
            if not combination <= set(host.roles):
                continue
            about = [f for f in host.findings if f.id == COMBINED]
            asked.append(
                RiskAcceptance(
                    host=host.seen.host.name,
                    roles=tuple(role for role in host.roles if role in combination),
                    source=next((f.source for f in about), sizing.source),
                    accepted_by=tuple(
                        dict.fromkeys(f.waiver for f in about if f.waiver is not None)
                    ),
                )
            )
    return tuple(asked)


def check_name(finding: Finding) -> str:
    """The check's id, and its subject where the id does not already say it."""
    if not finding.subject or finding.id.endswith(finding.subject):
        return finding.id
    return f"{finding.id} {finding.subject}"
