"""Checks of limits that are nearly used up, or that an administrator has drawn tight."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks.case import Case
from preflight.checks.check import PASS, WARN, Say, check
from preflight.checks.kernel import CONF, set_for_good
from preflight.facts import NOT_ASKED, Fact, known
from preflight.findings import Finding

AIO_SHARE = 0.9
"""The part of fs.aio-max-nr in use from which little is left for databases and Ceph."""
LEAST_LIMITS = {"open_files": 1024, "processes": 4096}


def _number(fact: Fact[str]) -> int | None:
    text = (known(fact) or "").strip()
    return int(text) if text.isdecimal() else None


@check("limits.aio", title="Asynchronous I/O in use", severities=(PASS, WARN))
def aio(case: Case, say: Say) -> Iterator[Finding]:
    """fs.aio-nr near fs.aio-max-nr: the next database or OSD does not start."""
    sysctls = case.facts.kernel.sysctls
    used = _number(sysctls.get("fs.aio-nr", NOT_ASKED))
    limit = _number(sysctls.get("fs.aio-max-nr", NOT_ASKED))
    if used is None or not limit:
        return
    yield say.at(
        PASS if used < AIO_SHARE * limit else WARN,
        f"{case.name} uses {used} of {limit} asynchronous I/O requests.",
        expected=f"below {AIO_SHARE:.0%} of fs.aio-max-nr",
        actual=f"{used} of {limit}",
        source="MicroK8s inspect.sh: fs.aio-nr against fs.aio-max-nr",
        evidence="sysctl fs.aio-nr fs.aio-max-nr",
        remedy="Raise the limit now and for every start:"
        f" `{set_for_good('fs.aio-max-nr', '1048576')}`.",
        undo=f"sudo sed -i '/^fs.aio-max-nr =/d' {CONF} && sudo sysctl -w fs.aio-max-nr={limit}",
    )


@check("limits.login", title="Limits of the login", severities=(PASS, WARN))
def login(case: Case, say: Say) -> Iterator[Finding]:
    """Open files and processes that a login may have."""
    for name, least in LEAST_LIMITS.items():
        text = known(case.facts.identity.limits.get(name, NOT_ASKED))
        if text is None:
            continue
        value = int(text) if text.isdecimal() else None
        words = name.replace("_", " ")
        yield say.at(
            WARN if value is not None and value < least else PASS,
            f"A login on {case.name} may have {text} {words}.",
            subject=name,
            expected=f"at least {least}",
            actual=text,
            source="Sitewright: below the defaults of Ubuntu and Debian installers run dry",
            evidence="ulimit -n; ulimit -u",
            remedy="Find who lowered it and raise it: `grep -rE 'nofile|nproc'"
            " /etc/security/limits.conf /etc/security/limits.d`; log in anew.",
            undo="Put the old line back and log in anew.",
        )
