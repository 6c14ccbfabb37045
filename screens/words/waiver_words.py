"""A waiver from what was typed, for both faces."""

from __future__ import annotations

from datetime import date

from foundation.problems import InputProblem
from preflight.findings import Finding, Waiver

NOT_WAIVABLE = (
    "This cannot be waived: no acceptance makes an installation work there. The remedy is the "
    "only way."
)


def waiver_from(finding: Finding, by: str, reason: str, until: str, today: date) -> Waiver:
    """A waiver from what was typed; raises InputProblem whose place is the field that is wrong."""
    by, reason, until = by.strip(), reason.strip(), until.strip()
    if len(by) < 2:
        raise InputProblem(
            "A waiver needs the name of who accepts it", where="by", remedy="Write a person's name."
        )
    if len(reason) < 3:
        raise InputProblem(
            "A waiver needs a reason", where="reason", remedy="Say why it is acceptable."
        )
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise InputProblem(
            f'"{until}" is not a day',
            where="until",
            remedy="Write it as year-month-day: 2027-01-31.",
        ) from None
    if day < today:
        raise InputProblem(
            f"{day.isoformat()} is over already", where="until", remedy="Name a day to come."
        )
    return Waiver(check=finding.id, host=finding.host, by=by, reason=reason, until=day)
