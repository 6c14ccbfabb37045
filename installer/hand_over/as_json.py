"""The hand-over report as JSON: "sitewright.hand-over/1"."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from foundation.moments import moment
from installer.hand_over.model import HandOver, Result, StageReport, Used

SCHEMA: Final = "sitewright.hand-over/1"


def render_json(report: HandOver) -> str:
    """The report; moments are UTC in ISO 8601, durations seconds, amounts bytes."""
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"


def as_dict(report: HandOver) -> dict[str, object]:
    """The report as plain values."""
    return {
        "schema": SCHEMA,
        "solution": report.solution,
        "title": report.title,
        "environment": report.environment,
        "outcome": report.outcome.value if report.outcome else None,
        "complete": report.complete,
        "sentence": report.sentence,
        "changed_later": list(report.later),
        "asked_again": report.asked_again,
        "began": _moment(report.began),
        "ended": _moment(report.ended),
        "seconds": round(report.seconds, 3),
        "seconds_at_least": report.at_least,
        "by": report.by,
        "plan_sha256": report.plan_sha256,
        "supplies": report.supplies,
        "stages": [_stage(stage) for stage in report.stages],
        "checks": [
            {"title": step.title, **_result(result)}
            for step in report.checks
            for result in step.results
        ],
        "machines": [
            {
                "name": machine.name,
                "address": machine.address,
                "roles": list(machine.roles),
                "system": machine.system,
                "kernel": machine.kernel,
                "cpus": machine.cpus,
                "memory_bytes": machine.memory_bytes,
            }
            for machine in report.machines
        ],
        "versions": _settings(report.versions),
        "addresses": _settings(report.addresses),
        "settings": _settings(report.settings),
        "secrets": list(report.secrets),
        "waivers": [waiver.model_dump(mode="json") for waiver in report.waivers],
        "decisions": [
            {
                "time": _moment(decision.time),
                "by": decision.by,
                "what": decision.what,
                "about": decision.about,
                "reason": decision.reason,
                "items": list(decision.items),
            }
            for decision in report.decisions
        ],
        "site": report.site_text,
        "site_file": report.site_file,
        "record": {
            "run": report.record.run,
            "folder": report.record.folder,
            "events": report.record.events,
            "sha256": report.record.sha256,
            "problem": report.record.problem or None,
        },
        "version": report.version,
    }


def _settings(settings: Iterable[Used]) -> dict[str, dict[str, str]]:
    return {used.name: {"title": used.title, "value": used.value} for used in settings}


def _stage(stage: StageReport) -> dict[str, object]:
    return {
        "id": stage.id,
        "title": stage.title,
        "source": stage.source,
        "stand": stage.stand,
        "done": stage.done,
        "total": stage.total,
        "seconds": round(stage.seconds, 3),
        "steps": [
            {
                "id": step.id,
                "title": step.title,
                "kind": step.kind,
                "results": [_result(result) for result in step.results],
            }
            for step in stage.steps
        ],
    }


def _result(result: Result) -> dict[str, object]:
    return {
        "host": result.host,
        "outcome": result.outcome.value if result.outcome else None,
        "seconds": round(result.seconds, 3),
        "sentence": result.sentence,
        "remedy": result.remedy,
        "lines": list(result.lines),
        "answered": _moment(result.answered),
        "changed_since": result.changed_since,
    }


def _moment(time: float | None) -> str | None:
    at = moment(time)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at is not None else None
