"""The result as one HTML page that needs nothing else: for the screen and on paper."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from markupsafe import Markup

from foundation.moments import moment
from foundation.wording import duration
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.tally import ASKED, WITHIN, Column, column
from installer.acceptance.gates import SHARE_IN_TIME, SOURCE
from installer.acceptance.ledger.reconcile import WORDS
from installer.acceptance.profile import SLOT
from installer.acceptance.report.charts import Line, chart
from installer.acceptance.report.words import (
    LEGS,
    OUTCOMES,
    PERCENTS,
    VERDICTS,
    milliseconds,
    sentence,
    words_of,
)
from installer.acceptance.result import Result
from preflight.report.pages import rendered
from preflight.report.words import moment as minute

_TEMPLATES: Final = Path(__file__).parent / "templates"
_NAMED: Final = 50
"""Identifiers of a class that stand on the page; the file has them all."""


def as_page(result: Result) -> str:
    """No script, nothing loaded from anywhere, everything escaped."""
    return rendered(
        "acceptance.html",
        _TEMPLATES,
        tried=result.name,
        verdict=VERDICTS[result.verdict],
        sentence=sentence(result),
        limited=list(result.limited),
        cover=_cover(result),
        criteria=[(one, OUTCOMES[one.outcome], words_of(one)) for one in result.criteria],
        source=SOURCE,
        charts=[one for one in _charts(result) if one[1]],
        percents=PERCENTS,
        percentiles=_percentiles(result),
        view=result.reconciled.view,
        classes=[
            (fate.value, f"{count:,}", WORDS[fate])
            for fate, count in result.reconciled.counts.items()
            if count
        ],
        positions=[
            (one.name, f"{one.before:f}", f"{one.after:f}", f"{one.expected:+f}", f"{one.off:+f}")
            for one in result.positions
        ],
        failures=[(reason, f"{count:,}") for reason, count in result.failures.items()],
        unclean=[(fate, ids[:_NAMED], len(ids)) for fate, ids in result.unclean.items()],
        about=list(result.about.items()),
        notes=list(result.notes),
    )


def _cover(result: Result) -> list[tuple[str, str]]:
    profile, own = result.profile, result.ceiling
    return [
        ("Rate", f"{profile.rate:g} journeys a second, steady for {duration(profile.steady)}"),
        ("Begun", minute(moment(result.began))),
        ("It took", duration(result.ended - result.began)),
        (
            "The driver",
            f"{result.processes} process{'es' if result.processes > 1 else ''}"
            + (f"; by itself it holds {own.rate:,.0f} a second here" if own else ""),
        ),
    ]


def _percentiles(result: Result) -> list[tuple[str, list[str]]]:
    rows = []
    for name, title in LEGS:
        for side, of in (("hub", "in the hub"), ("client", "as the payer saw it")):
            figures = result.percentiles.get(f"{name}.{side}")
            if figures:
                rows.append((f"{title}, {of}", [milliseconds(one) for one in figures]))
    for name, title in (("journey", "The whole journey"), ("late", "Lateness of the driver")):
        if figures := result.percentiles.get(name):
            rows.append((title, [milliseconds(one) for one in figures]))
    return rows


def _charts(result: Result) -> list[tuple[str, Markup]]:
    slots = [
        (slot * SLOT + SLOT / 2, counts)
        for slot, counts in result.slots.items()
        if (slot + 1) * SLOT <= result.profile.steady
    ]
    steady_from = result.profile.steady_from
    rate = [
        Line("scheduled", [(at, counts[Column.STARTED] / SLOT) for at, counts in slots]),
        Line("committed", [(at, counts[Column.COMMITTED] / SLOT) for at, counts in slots]),
    ]
    share = [
        Line(
            title.removeprefix("Agreement of ").lower(),
            [
                (at, 100 * counts[column(one, WITHIN)] / tried if tried else None)
                for at, counts in slots
                for tried in (counts[column(one, ASKED)],)
            ],
        )
        for one, (_, title) in zip(Operation, LEGS, strict=True)
    ]
    p99 = [
        Line(
            title.removeprefix("Agreement of ").lower(),
            [
                (point.seconds - steady_from, None if value is None else value * 1000)
                for point in result.points
                for value in (point.p99[number],)
            ],
        )
        for number, (_, title) in enumerate(LEGS)
    ]
    late = [
        Line(
            "event loops",
            [
                (point.seconds - steady_from, None if point.lag is None else point.lag * 1000)
                for point in result.points
            ],
        )
    ]
    shares = (value for one in share for _, value in one.points if value is not None)
    # From the ten below the lowest, so that what lies near the limit can be told from it.
    lowest = max(0.0, min(90.0, 10 * math.floor(min(shares, default=100.0) / 10)))
    return [
        ("Journeys a second", chart("Journeys a second", "1/s", rate,
            (result.profile.rate, "asked"))),
        ("Share within one second, in the hub", chart(
            "Share within one second", "%", share, (SHARE_IN_TIME * 100, "99 %"),
            lowest=lowest)),
        ("99th percentile over ten seconds, in the hub", chart(
            "99th percentile", "ms", p99, (1000.0, "1 second"))),
        ("Lateness of the driver, 99.9th percentile", chart(
            "Lateness of the driver", "ms", late, (50.0, "allowed"))),
    ]  # fmt: skip
