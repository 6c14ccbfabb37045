"""The hand-over report as plain text, 80 columns wide where its words allow it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from shlex import quote
from typing import Final

from foundation.wording import duration
from installer.events import Outcome
from installer.hand_over.model import HandOver, Used
from installer.hand_over.words import (
    check_sentence,
    check_word,
    checks_title,
    decision_sentence,
    gigabytes,
    place,
    shown,
    stage_word,
    title,
    versions_title,
    when,
)
from preflight.report.words import clean

WIDTH: Final = 80


def render_text(report: HandOver) -> str:
    """The report; a line that ends in a colon and is not indented is a heading."""
    return "\n".join(report_lines(report)) + "\n"


def report_lines(report: HandOver, width: int = WIDTH) -> list[str]:
    """The report line by line, each made clean."""
    lines = [report.sentence, title(report)]
    if report.began is not None:
        by = report.by or "somebody"
        lines.append(f"Begun {when(report.began)} by {by}, {report.took}.")
    if report.supplies:
        lines.append(report.supplies)
    if report.record.problem:
        lines.append(f"THE RECORD IS BROKEN: {report.record.problem}")
    lines += [*report.later, *filter(None, [report.asked_again])]
    lines += _stages(report)
    lines += _checks(report)
    lines += _failed_and_skipped(report)
    if report.versions:
        lines += ["", f"{versions_title(report)}:", *_pairs(report.versions)]
    if report.addresses:
        lines += ["", "Addresses:", *_pairs(report.addresses)]
    lines += ["", "Machines:"]
    for machine in report.machines:
        cpus = f"{machine.cpus} CPUs" if machine.cpus else ""
        parts = [", ".join(machine.roles) or "no role", machine.system, cpus]
        parts.append(gigabytes(machine.memory_bytes))
        said = ", ".join(part for part in parts if part)
        lines.append(f"  {machine.name}: {machine.address or '?'}, {said}")
    if report.settings:
        lines += ["", "Other settings:", *_pairs(report.settings)]
    if report.secrets:
        lines += ["", "Secrets, which stand in no file:", f"  {', '.join(report.secrets)}"]
    lines += ["", "Waivers:"]
    lines += [
        f"  {waiver.check} on {waiver.host or 'every machine'}: {waiver.by}, until "
        f"{waiver.until}: {waiver.reason}"
        for waiver in report.waivers
    ] or ["  none"]
    lines += _people(report)
    record = report.record
    lines += [
        "", "The record:", f"  {record.folder}",
        f"  run {record.run}, {record.events} events, plan {report.plan_sha256[:12]}",
        f"  the journal ends in {record.sha256}",
        "The site file that repeats it:", f"  {report.site_file}",
        "Again, without the wizard:",
        f"  sitewright install --site {quote(report.site_file)}",
        f"Written by Sitewright {report.version}.",
    ]  # fmt: skip
    return list(_wrapped(lines, width))


def _stages(report: HandOver) -> list[str]:
    lines = ["", "Stages:"]
    for number, stage in enumerate(report.stages, 1):
        took = f", {duration(stage.seconds)}" if stage.seconds else ""
        lines.append(
            f"  {number}. {stage.title}: {stage_word(stage)}, {stage.done}/{stage.total}{took}"
        )
    return lines


def _checks(report: HandOver) -> list[str]:
    lines = []
    for step in report.checks:
        for result in step.results:
            word = check_word(result)
            at = f", {when(result.answered)}" if result.answered is not None else ""
            lines.append(f"  {word}: {step.title}{place(result.host)}{at}")
            if check_sentence(result):
                lines.append(f"      {check_sentence(result)}")
            if result.outcome is Outcome.FAILED:
                lines += [f"      {line}" for line in result.lines]
    return ["", f"{checks_title(report)}:", *lines] if lines else []


def _failed_and_skipped(report: HandOver) -> list[str]:
    lines = []
    failed = report.results(Outcome.FAILED)
    if failed:
        lines += ["", "Failed:"]
    for step, result in failed:
        first = (result.sentence.splitlines() or [""])[0]
        lines.append(f"  {step.title} on {shown(result.host)}: {first}")
        if result.remedy:
            lines.append(f"    Do: {result.remedy}")
    skipped = report.results(Outcome.SKIPPED)
    if skipped:
        lines += ["", "Skipped:"]
    lines += [f"  {step.title}{place(result.host)}: {result.sentence}" for step, result in skipped]
    return lines


def _people(report: HandOver) -> list[str]:
    lines = ["", "What people decided:"]
    for decision in report.decisions:
        lines.append(f"  {when(decision.time)}  {decision_sentence(decision)}")
        lines += [f"      - {item}" for item in decision.items]
    return lines if report.decisions else []


def _pairs(settings: Iterable[Used]) -> list[str]:
    return [f"  {used.title}: {used.value}" for used in settings]


def _wrapped(lines: Iterable[str], width: int) -> Iterable[str]:
    for line in map(clean, lines):
        indent = len(line) - len(line.lstrip())
        if len(line) <= width:
            yield line
            continue
        yield from textwrap.wrap(
            line.lstrip(),
            width,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
