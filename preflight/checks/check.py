"""Check: one question that is put to a machine or a site, and the voice in which it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from preflight.findings import Finding, Severity

PASS, WARN, FAIL, UNKNOWN = Severity.PASS, Severity.WARN, Severity.FAIL, Severity.UNKNOWN

NEEDS_ROOT_REMEDY = (
    "Look again with root's rights: let the login use sudo, and give Sitewright its password where"
    " sudo asks for one."
)
BY_HAND_REMEDY = (
    "Run the command shown on the machine and judge its answer by hand; where it is in order, say"
    " so with a waiver that names who looked."
)


@dataclass(frozen=True, slots=True)
class Say:
    """Makes the findings of one check on one machine."""

    id: str
    host: str | None

    def at(
        self,
        severity: Severity,
        title: str,
        *,
        expected: str,
        actual: str,
        source: str,
        evidence: str = "",
        remedy: str = "",
        undo: str = "",
        subject: str = "",
        id: str | None = None,  # noqa: A002 - the finding's field is called id
    ) -> Finding:
        """A finding of the severity given; `id` names the member of a family of checks.

        A pass needs no remedy, so one that is given is left out of it.
        """
        if severity is PASS:
            remedy = undo = ""
        return Finding(
            id=id or self.id,
            severity=severity,
            title=title,
            expected=expected,
            actual=actual,
            source=source,
            host=self.host,
            evidence=evidence,
            remedy=remedy,
            undo=undo,
            subject=subject,
        )

    def unknown(
        self,
        title: str,
        *,
        expected: str,
        reason: str,
        source: str,
        evidence: str,
        remedy: str = "",
        subject: str = "",
        id: str | None = None,  # noqa: A002 - the finding's field is called id
    ) -> Finding:
        """A finding that could not be made, with the reason and what would make it possible."""
        return Finding(
            id=id or self.id,
            severity=UNKNOWN,
            title=title,
            expected=expected,
            actual=f"unknown: {reason}",
            source=source,
            host=self.host,
            evidence=evidence,
            remedy=remedy or (NEEDS_ROOT_REMEDY if "root" in reason else BY_HAND_REMEDY),
            subject=subject,
        )


class Named(Protocol):
    """What a check is put to: a machine by its name, or the site, which has none."""

    @property
    def name(self) -> str | None: ...


CaseT = TypeVar("CaseT", bound=Named)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list of checks says of one: its ids, what it asks, how it may end."""

    ids: tuple[str, ...]
    """The ids of its findings; one that ends in ".*" stands for a family."""
    title: str
    """What it looks at, as a heading."""
    severities: frozenset[Severity]
    """How its findings can end."""
    waivable: bool = True
    """Whether a person may accept a failure of it."""

    @property
    def id(self) -> str:
        """The first of its ids."""
        return self.ids[0]

    @property
    def area(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    def covers(self, finding_id: str) -> bool:
        """Whether a finding of this id comes from this check."""
        return any(
            finding_id == known or (known.endswith(".*") and finding_id.startswith(known[:-1]))
            for known in self.ids
        )


@dataclass(frozen=True, slots=True)
class Check(Listed, Generic[CaseT]):
    """One check: pure, from what was seen and what is needed to findings."""

    answer: Callable[[CaseT, Say], Iterable[Finding]] = field(kw_only=True)

    def run(self, case: CaseT) -> tuple[Finding, ...]:
        """The findings on one machine, or on a site."""
        return tuple(self.answer(case, Say(self.ids[0], case.name)))


def check(
    *ids: str, title: str, severities: Iterable[Severity], waivable: bool = True
) -> Callable[[Callable[[CaseT, Say], Iterable[Finding]]], Check[CaseT]]:
    """Make a check of a function that answers for one case."""

    def made(answer: Callable[[CaseT, Say], Iterable[Finding]]) -> Check[CaseT]:
        return Check(ids, title, frozenset(severities), waivable, answer=answer)

    return made
