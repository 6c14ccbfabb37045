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
    if "facts" in extra and not ready:
        # The same facts say the same again.
        solution = shlex.quote(clean(assessment.needs.solution))
        return [
            "on the site: sitewright facts --site FILE --output seen.json",
            f"sitewright preflight --facts seen.json --solution {solution}",
        ]
    if ready:
        return ["sitewright", *_by_command(assessment)]
    local = all(host.seen.host.local for host in assessment.hosts)
    if local and (assessment.carries or not assessment.hosts):
        return ["sitewright preflight"]
    if local:
        return [f"sitewright preflight --solution {shlex.quote(clean(assessment.needs.solution))}"]
    return ["the command that made this report, once more"]


def _by_command(assessment: Assessment) -> list[str]:
    """The command that installs on the one machine that was judged, without a site file."""
    if assessment.carries or len(assessment.hosts) != 1 or "facts" in assessment.extra:
        return []
    if assessment.needs.sizing.fewest_machines != 1:
        return []
    host = assessment.hosts[0].seen.host
    if host.bastion or host.proxy_command or host.identity_files or host.ssh_options:
        return []  # a way of its own, which these words would not name
    needs = assessment.needs
    words = ["sitewright", "install", "--solution", needs.solution]
    words += ["--environment", needs.environment]
    if not host.local:
        address = f"[{host.address}]" if ":" in host.address else host.address
        port = f":{host.port}" if host.port != 22 else ""
        words += ["--machine", f"{f'{host.user}@' if host.user else ''}{address}{port}"]
    return [clean(shlex.join(words))]
