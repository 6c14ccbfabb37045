"""Next steps: the commands that a report ends with."""

from __future__ import annotations

import shlex

from preflight.assessment import Assessment
from preflight.findings import Verdict
from preflight.report.words import clean


def next_steps(assessment: Assessment) -> list[str]:
    """What to run next, one command a line; a phrase where the command is not known here."""
    extra = assessment.extra
    if "next" in extra:
        return [extra["next"]]
    ready = assessment.verdict in {Verdict.READY, Verdict.READY_WITH_WARNINGS}
    why_not = assessment.needs.not_installed
    if ready and why_not and not assessment.carries:
        return [
            f"Sitewright does not install {clean(assessment.needs.title)}: {clean(why_not)}",
            "sitewright guide --map",
        ]
    if "site" in extra:
        target = f"--site {shlex.quote(clean(extra['site']))}"
        problems = [host.seen.problem for host in assessment.hosts]
        unknown = any(problem and problem.code == "host-key-unknown" for problem in problems)
        steps = [f"sitewright trust {target}"] if unknown else []
        return [*steps, f"sitewright {'plan' if ready else 'preflight'} {target}"]
    if ready:
        return ["sitewright"]
    local = all(host.seen.host.local for host in assessment.hosts)
    if local and (assessment.carries or not assessment.hosts):
        return ["sitewright preflight"]
    if local:
        return [f"sitewright preflight --solution {shlex.quote(clean(assessment.needs.solution))}"]
    return ["the command that made this report, once more"]
