"""The result as JSON: every figure, with the arithmetic of each gate."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from foundation.moments import moment
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.tally import ASKED, WITHIN, WITHIN_CLIENT, Column, column
from installer.acceptance.gates import SOURCE
from installer.acceptance.profile import SLOT
from installer.acceptance.report.words import sentence
from installer.acceptance.result import Result
from preflight.report.words import clean

SCHEMA = "sitewright.acceptance/1"


def as_json(result: Result) -> str:
    """One document; durations are seconds, moments are ISO 8601."""
    return json.dumps(_whole(result), indent=2, ensure_ascii=False) + "\n"


def _whole(result: Result) -> dict[str, Any]:
    profile = result.profile
    return {
        "schema": SCHEMA,
        "verdict": result.verdict.value,
        "sentence": sentence(result),
        "document_001": profile.is_document,
        "profile": asdict(profile),
        "processes": result.processes,
        "began": _moment(result.began),
        "ended": _moment(result.ended),
        "about": result.about,
        "limited": list(result.limited),
        "notes": [clean(note) for note in result.notes],
        "ceiling": asdict(result.ceiling) if result.ceiling else None,
        "source_of_softer_words": SOURCE,
        "criteria": [
            {
                "id": one.id, "title": one.title, "outcome": one.outcome.value,
                "document": one.document, "source": one.source, "asked": one.asked,
                "seen": clean(one.seen), "more": list(one.more), "figures": one.figures,
            }
            for one in result.criteria
        ],
        "percentiles": {
            name: dict(zip(("p50", "p90", "p99", "p99_9", "longest"), figures, strict=True))
            for name, figures in result.percentiles.items()
        },
        "reconciliation": {
            "view": result.reconciled.view,
            "asked": result.reconciled.asked,
            "clean": result.reconciled.clean,
            "clean_asked": result.reconciled.clean_asked,
            "classes": {fate.value: count for fate, count in result.reconciled.counts.items()},
        },
        "positions": [
            {
                "participant": one.name, "before": str(one.before), "after": str(one.after),
                "expected_move": str(one.expected), "off": str(one.off),
            }
            for one in result.positions
        ],
        "failures": {clean(reason): count for reason, count in result.failures.items()},
        "slots": {
            "seconds": SLOT,
            "counts": [_slot(slot, counts) for slot, counts in result.slots.items()],
        },
    }  # fmt: skip


def _slot(slot: int, counts: list[int]) -> dict[str, Any]:
    return {
        "from": slot * SLOT,
        **{one.name.lower(): counts[one] for one in Column},
        **{
            operation.name.lower(): {
                "tried": counts[column(operation, ASKED)],
                "within": counts[column(operation, WITHIN)],
                "within_as_payer": counts[column(operation, WITHIN_CLIENT)],
            }
            for operation in Operation
        },
    }


def _moment(seconds: float) -> str | None:
    at = moment(seconds)
    return at.isoformat(timespec="seconds") if at is not None else None
