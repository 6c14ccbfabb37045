"""Next steps: the commands that a report ends with."""

from __future__ import annotations

import shlex

from preflight.assessment import Assessment
from preflight.findings import Verdict
from preflight.report.words import clean


def next_steps(assessment: Assessment) -> list[str]:
    """What to run next, one command or sentence a line."""
    extra = assessment.extra
    if "next" in extra:
        return [extra["next"]]
    if "site" in extra:
        target = f"--site {shlex.quote(clean(extra['site']))}"
    else:
        machines = " ".join(
            shlex.quote(clean(host.seen.host.address))
            for host in assessment.hosts[:3]
            if not host.seen.host.local
        )
        more = " …" if len(assessment.hosts) > 3 else ""
        chosen = "" if assessment.carries else f" --solution {assessment.needs.solution}"
        target = f"{machines}{more}{chosen}".strip()
    again = f"sitewright preflight {target}".strip()
    problems = [host.seen.problem for host in assessment.hosts if host.seen.problem is not None]
    steps = []
    if any(problem.code == "host-key-unknown" for problem in problems):
        steps.append(f"sitewright trust {target}".strip())
    if assessment.verdict in {Verdict.READY, Verdict.READY_WITH_WARNINGS}:
        steps.append(f"sitewright plan {target}" if "site" in extra else "sitewright")
    else:
        steps.append(again)
    return steps
