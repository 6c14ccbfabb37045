"""The hand-over report as one HTML file that needs nothing else: for the screen and on paper."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from shlex import quote
from typing import Final

from foundation.durations import duration
from installer.events import Outcome
from installer.hand_over.model import HandOver, Result, StageReport, StepReport, Used
from installer.hand_over.words import (
    check_sentence,
    check_word,
    checks_title,
    decision_sentence,
    gigabytes,
    result_word,
    shown,
    stage_word,
    title,
    versions_title,
    when,
)
from preflight.report.markup import (
    capital,
    command_block,
    definitions,
    instructions,
    paragraph,
    safe,
    scrolling,
    section,
    table,
    word,
)
from preflight.report.page_style import STYLE

_CLASSES: Final = {
    Outcome.DONE: "ok", Outcome.ALREADY: "ok", Outcome.FAILED: "fail", Outcome.SKIPPED: "waived",
    Outcome.STOPPED: "warn", Outcome.UNDONE: "warn", None: "unknown",
}  # fmt: skip
_STANDS: Final = {"done": "ok", "already": "ok", "failed": "fail", "skipped": "waived"}


def render_page(report: HandOver) -> str:
    """The report as HTML: no script, nothing loaded from anywhere, everything escaped."""
    digest = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>Hand-over: {safe(title(report))}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        _cover(report),
        "<main>",
        _stages(report),
        _checks(report),
        _failed(report),
        _skipped(report),
        _pairs(versions_title(report), report.versions),
        _pairs("Addresses", report.addresses),
        _machines(report),
        _decisions(report),
        _waivers(report),
        _pairs("Other settings", report.settings),
        _again(report),
        _signatures(),
        "</main>",
        _footer(report),
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _cover(report: HandOver) -> str:
    head, _, rest = report.sentence.partition(": ")
    name = "ok" if report.complete else "fail"
    verdict = f'<strong class="{name}">{safe(head)}</strong> {safe(capital(rest))}'
    began = f"{when(report.began)} by {report.by or 'somebody'}" if report.began else ""
    facts = definitions(
        (
            ("Begun", safe(began)),
            ("Last at work", safe(when(report.ended))),
            ("It took", safe(report.took) if report.began else ""),
            ("Software", safe(report.supplies)),
            ("Secrets", safe(", ".join(report.secrets) + " (names only; their values stand in no "
                                                         "file)") if report.secrets else ""),
        )
    )  # fmt: skip
    broken = ""
    if report.record.problem:
        broken = f"<p>{word('THE RECORD IS BROKEN', 'fail')} {safe(report.record.problem)}</p>"
    broken += "".join(paragraph(line) for line in report.later)
    return (
        f'<header><h1>Hand-over report</h1><p class="verdict">{verdict}</p>{broken}'
        f"<p><strong>{safe(title(report))}</strong></p>{facts}</header>"
    )


def _stages(report: HandOver) -> str:
    rows = [
        [
            safe(f"{number}. {stage.title}"),
            word(stage_word(stage), _stand_class(stage)),
            safe(f"{stage.done} of {stage.total}"),
            _took(stage.seconds),
            safe(stage.source),
        ]
        for number, stage in enumerate(report.stages, 1)
    ]
    head = ["Stage", "State", "Steps on machines", "Time", "Source"]
    details = "".join(_steps(stage) for stage in report.stages)
    return section(
        "What was done",
        scrolling(table(head, rows), "Stages"),
        f"<details><summary>Every step on every machine</summary>{details}</details>",
    )


def _took(seconds: float) -> str:
    """A duration that is not broken over two lines."""
    return safe(duration(seconds)).replace(" ", "&nbsp;") if seconds else ""


def _stand_class(stage: StageReport) -> str:
    return "waived" if "skipped" in stage_word(stage) else _STANDS.get(stage.stand, "warn")


def _steps(stage: StageReport) -> str:
    rows = [
        [
            safe(step.title),
            safe(shown(result.host)),
            word(result_word(result), _CLASSES[result.outcome]),
            _took(result.seconds),
            safe(result.sentence),
        ]
        for step in stage.steps
        for result in step.results
    ]
    head = ["Step", "Where", "State", "Time", "What it says"]
    return f"<h3>{safe(stage.title)}</h3>{scrolling(table(head, rows), stage.title)}"


def _checks(report: HandOver) -> str:
    rows = [
        [
            safe(step.title),
            safe(shown(result.host)),
            word(check_word(result), _CLASSES[result.outcome]),
            safe(when(result.answered)),
            # What a step says of itself is meant for people; a program's last lines are not.
            safe(
                check_sentence(result)
                or "; ".join(line for line in result.lines[-4:] if line.strip())
            ),
        ]
        for step in report.checks
        for result in step.results
    ]
    if not rows:
        return ""
    source = next((stage.source for stage in report.stages if stage.id == "verify"), "")
    return section(
        checks_title(report),
        paragraph(source),
        scrolling(table(["Check", "Where", "State", "When", "What was seen"], rows), "Checks"),
    )


def _failed(report: HandOver) -> str:
    found = report.results(Outcome.FAILED)
    entries = "".join(_failure(step, result) for step, result in found)
    return section("What failed", entries) if entries else ""


def _failure(step: StepReport, result: Result) -> str:
    lines = command_block("\n".join(result.lines))
    inside = paragraph(result.sentence) + lines + instructions(result.remedy)
    return (
        f'<div class="entry fail-edge"><h3>{safe(step.title)}</h3>'
        f'<p class="also dim">{safe(shown(result.host))}</p>{inside}</div>'
    )


def _skipped(report: HandOver) -> str:
    rows = [
        [safe(step.title), safe(shown(result.host)), safe(result.sentence)]
        for step, result in report.results(Outcome.SKIPPED)
    ]
    if not rows:
        return ""
    return section("What was left out", table(["Step", "Where", "By whom, and why"], rows))


def _pairs(name: str, settings: Iterable[Used]) -> str:
    rows = [[safe(used.title), _value(used.value)] for used in settings]
    return section(name, table(["What", "Value"], rows)) if rows else ""


def _value(text: str) -> str:
    """A value as code; the address of a page leads there."""
    code = f"<code>{safe(text)}</code>"
    if not text.startswith(("http://", "https://")) or set(text) & set(" \t\n"):
        return code
    return f'<a href="{safe(text)}" rel="noreferrer">{code}</a>'


def _machines(report: HandOver) -> str:
    rows = [
        [
            safe(machine.name),
            safe(machine.address),
            safe(", ".join(machine.roles)),
            safe(machine.system),
            safe(str(machine.cpus or "")),
            safe(gigabytes(machine.memory_bytes)),
        ]
        for machine in report.machines
    ]
    head = ["Machine", "Address", "Roles", "System", "CPUs", "Memory"]
    return section("Machines", scrolling(table(head, rows), "Machines"))


def _decisions(report: HandOver) -> str:
    rows = []
    for decision in report.decisions:
        items = "".join(f"<li>{safe(item)}</li>" for item in decision.items)
        said = safe(decision_sentence(decision)) + (f"<ul>{items}</ul>" if items else "")
        rows.append([f"<time>{safe(when(decision.time))}</time>", said])
    if not rows:
        return ""
    return section("What people decided", table(["When", "What"], rows, heads=False))


def _waivers(report: HandOver) -> str:
    rows = [
        [
            safe(f"{waiver.check} on {waiver.host or 'every machine'}"),
            safe(waiver.by),
            safe(waiver.reason),
            f"<time>{waiver.until.isoformat()}</time>",
        ]
        for waiver in report.waivers
    ]
    if not rows:
        return ""
    head = ["Waived", "By", "Reason", "Last day"]
    return section(f"Waivers ({len(rows)})", scrolling(table(head, rows), "Waivers"))


def _again(report: HandOver) -> str:
    return section(
        "How to repeat it",
        paragraph("This site file repeats the installation; it holds no secret."),
        command_block(f"sitewright install --site {quote(report.site_file)}"),
        command_block(report.site_text),
    )


def _signatures() -> str:
    rows = [["Handed over by", "", "", ""], ["Taken over by", "", "", ""]]
    head = ["", "Name", "Date", "Signature"]
    return (
        f'<section class="keep"><h2>Signatures</h2>{table(head, rows, name="signatures")}</section>'
    )


def _footer(report: HandOver) -> str:
    record = report.record
    facts = definitions(
        (
            ("Record", safe(record.folder)),
            ("Run", safe(f"{record.run}, {record.events} events")),
            ("Journal ends in", f"<code>{safe(record.sha256)}</code>"),
            ("Plan", f"<code>{safe(report.plan_sha256)}</code>"),
            ("Written by", safe(f"Sitewright {report.version}")),
        )
    )
    return f"<footer>{facts}</footer>"
