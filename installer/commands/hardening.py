"""`sitewright verify --hardening`: does a site hold what its solution's hardening list asks?"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem, Problem
from foundation.wording import counted
from installer.commands.options import read_credentials, settle_programs, write_result
from installer.commands.which_site import site_file_of

if TYPE_CHECKING:
    from foundation.hosts.connection import Credentials
    from foundation.hosts.model import Host, Inventory
    from foundation.hosts.pool import Pool
    from installer.planning.hardening import Questions
    from preflight.findings import Finding
    from preflight.hardening import Asked


def verify_hardening(options: argparse.Namespace) -> int:
    """Ask every machine over one login and tell what it said: 0 where all holds, else 3."""
    from installer.catalogue.solution import load_solution
    from installer.planning.hardening import questions
    from installer.sites.site import load_site
    from preflight.hardening import cannot_be_asked
    from preflight.waivers import apply_waivers

    file = site_file_of(options)
    site = load_site(file)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(file))
    asked = questions(load_solution(site.solution), site)
    inventory = settle_programs(site.inventory(file.absolute().parent), options)
    credentials = read_credentials(options)
    timeout = float(options.connect_timeout)
    found = list(asyncio.run(_ask_all(inventory, credentials, asked, timeout)))
    found += [cannot_be_asked(one, one.unasked) for one in asked.of_nobody]
    today = datetime.now(UTC).astimezone().date()
    findings = apply_waivers(found, site.waivers, today)
    good = all(one.severity == "pass" or one.waiver is not None for one in findings)
    if options.format == "json":
        text = json.dumps(_as_dict(str(file), asked, findings, good), indent=2, ensure_ascii=False)
    else:
        text = _as_text(asked, findings, options)
    write_result(text, options.output, overwrite=options.overwrite, colored=True)
    return ExitCode.DONE if good else ExitCode.NOT_READY


async def _ask_all(
    inventory: Inventory, credentials: Credentials, asked: Questions, timeout: float
) -> list[Finding]:
    from foundation.hosts.pool import Pool

    hosts = [host for host in inventory if host.name in asked.of_machines]
    async with Pool(
        inventory, credentials=credentials, concurrency=64, connect_timeout=timeout
    ) as pool:
        answers = await asyncio.gather(
            *(_ask(pool, host, asked.of_machines[host.name]) for host in hosts)
        )
    return [finding for answer in answers for finding in answer]


async def _ask(pool: Pool, host: Host, asked: Sequence[Asked]) -> tuple[Finding, ...]:
    """What a machine says; one that cannot be reached has told nothing of anything."""
    from preflight.hardening import ask_hardening, cannot_be_asked

    try:
        return await ask_hardening(await pool.connect(host), asked)
    except Problem as problem:
        reason = f"the machine could not be asked: {problem.cause}"
        return tuple(cannot_be_asked(one, reason, host.name) for one in asked)


def _as_dict(
    site: str, asked: Questions, findings: Sequence[Finding], good: bool
) -> dict[str, object]:
    return {
        "schema": "sitewright.hardening/1",
        "site": site,
        "good": good,
        "not_due": asked.not_due,
        "by_hand": list(asked.by_hand),
        "findings": [
            {
                "id": one.id, "machine": one.host, "result": str(one.severity),
                "title": one.title, "expected": one.expected, "found": one.actual,
                "see": one.evidence, "remedy": one.remedy, "source": one.source,
                "waived_by": one.waiver.by if one.waiver is not None else None,
            }
            for one in findings
        ],
    }  # fmt: skip


def _as_text(asked: Questions, findings: Sequence[Finding], options: argparse.Namespace) -> str:
    from preflight.findings import Severity
    from preflight.report.grouping import entries
    from preflight.report.layout import Page
    from preflight.report.text import tell_entries

    to_screen = options.output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size((80, 24)).columns if to_screen else 80
    page = Page(width, color=to_screen, ascii_only=False)
    of = {
        severity: entries(f for f in findings if f.severity is severity and f.waiver is None)
        for severity in Severity
    }
    waived = entries(f for f in findings if f.waiver is not None)
    page.paragraph(
        f"Hardening, {counted(len(findings), 'answer')}. What holds: {len(of[Severity.PASS])}; "
        f"what must be done: {len(of[Severity.FAIL])}; advice: {len(of[Severity.WARN])}; "
        f"what could not be told: {len(of[Severity.UNKNOWN])}; waived: {len(waived)}."
    )
    tell_entries(page, "What must be done", of[Severity.FAIL], numbered=True)
    tell_entries(page, "What could not be told", of[Severity.UNKNOWN])
    tell_entries(page, "Advice", of[Severity.WARN])
    for title, told in (("Waived", waived), ("What holds", of[Severity.PASS])):
        if told:
            page.heading(f"{title} ({len(told)})")
            for entry in told:
                page.item("-", entry.finding.title, indent=4)
    if asked.by_hand:
        page.heading(f"What no program can see ({len(asked.by_hand)})")
        for text in asked.by_hand:
            page.item("-", text, indent=4)
    if asked.not_due:
        page.heading("Not asked")
        page.paragraph(
            f"{counted(asked.not_due, 'check')} of the list for other environments, or for "
            "settings that this site has not.",
            indent=4,
        )
    return page.text()
