"""Judged bundle: what preflight and the gate of a run say of a site's bundle on a day.

That its signature is good says nothing of its age: whether the site had a newer one, and whether
its maker still looks after it, are told beside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import Problem
from installer.supply.bundle_order import OLDER, OlderBundle
from installer.supply.supplies import read_in_any_order, read_supplies
from preflight.findings import Finding, Severity

if TYPE_CHECKING:
    from datetime import date

    from installer.sites.site import Site

MAINTAINED: Final = "bundle.maintained"
_ORDER: Final = "Sitewright: the order of bundles that a site remembers (docs/bundles.md)"
_DAY: Final = "the bundle's own signed index (maintained_until)"


def judged_bundle(site: Site, base: Path, today: date) -> tuple[Finding, ...]:
    """What is to be said of the bundle that a site file names; nothing where it names none.

    Only its index is read; every byte is verified where a run begins.
    """
    path = site.bundle_path(base)
    if path is None:
        return ()
    see = f"sitewright bundle inspect {path} --summary"
    try:
        supplied = read_supplies(site, base)
    except OlderBundle as older:
        return (*_older(older, see), *_of_day(site, base, today, see))
    except Problem as problem:
        return (
            Finding(
                id=MAINTAINED,
                severity=Severity.UNKNOWN,
                title=f"The bundle could not be looked at: {problem.cause}.",
                expected="a bundle whose index can be read",
                actual=problem.cause,
                source=_DAY,
                evidence=see,
                remedy=problem.remedy or "",
            ),
        )
    if supplied is not None and supplied.by_word_of:
        # What the site waives is there to be waived, and to be read in the report.
        return (
            *_older_of(str(path), f"allowed by the word of {supplied.by_word_of}", see),
            *_end(supplied.structure.index.maintained_until, today, see),
        )
    return _end(supplied.structure.index.maintained_until, today, see) if supplied else ()


def _older(older: OlderBundle, see: str) -> tuple[Finding, ...]:
    return _older_of(str(older.this), older.cause, see)


def _older_of(actual: str, why: str, see: str) -> tuple[Finding, ...]:
    return (
        Finding(
            id=OLDER,
            severity=Severity.FAIL,
            title=f"The bundle is an older one: {why}.",
            expected="one that is not older than what the site had",
            actual=actual,
            source=_ORDER,
            evidence=see,
            remedy="Name the newer one. If the older one is meant, have somebody say so by name: a"
            f' waiver of {OLDER}; or install with --allow-older "A. Name".',
        ),
    )


def _of_day(site: Site, base: Path, today: date, see: str) -> tuple[Finding, ...]:
    supplied = read_in_any_order(site, base)
    return _end(supplied.structure.index.maintained_until, today, see) if supplied else ()


def _end(until: str, today: date, see: str) -> tuple[Finding, ...]:
    """Nothing where its maker named no day."""
    from bundles.read.age import SOON_DAYS, days_left, looked_after

    if not until:
        return ()
    near = days_left(until, today) < SOON_DAYS
    said = looked_after(until, today)
    return (
        Finding(
            id=MAINTAINED,
            severity=Severity.WARN if near else Severity.PASS,
            title=f"The bundle: {said[0].lower()}{said[1:]}",
            expected=f"a bundle that its maker looks after on {today}",
            actual=until,
            source=_DAY,
            evidence=see,
            remedy="Ask its maker for a newer one. Or have somebody accept this one by name: a"
            f" waiver of {MAINTAINED}."
            if near
            else "",
        ),
    )
