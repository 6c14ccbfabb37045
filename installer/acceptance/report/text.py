"""The result as text, for a terminal of any width from 60 columns on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from installer.acceptance.ledger.reconcile import WORDS
from installer.acceptance.report.words import (
    LEGS,
    OUTCOMES,
    PERCENTS,
    VERDICTS,
    milliseconds,
    sentence,
    words_of,
)
from installer.acceptance.result import Outcome, Result
from preflight.report.words import capital, clean


def text_lines(result: Result, width: int = 80) -> Iterator[str]:
    """The lines of the report."""
    yield f"Acceptance: {VERDICTS[result.verdict].word}"
    yield from _wrapped(capital(sentence(result)), width)
    for reason in result.limited:
        yield from _wrapped(f"Limited by the generator: {reason}.", width, "  ")
    yield ""
    for one in result.criteria:
        yield f"{OUTCOMES[one.outcome].word:<13}{one.title}"
        yield from _wrapped(one.seen, width, " " * 13)
        if one.outcome is not Outcome.HELD:
            yield from _wrapped(f"asked: {one.asked}", width, " " * 13)
        for whose, said in words_of(one):
            yield from _wrapped(f"{whose}: {said}", width, " " * 13)
        for line in one.more:
            yield from _wrapped(line, width, " " * 13)
    yield ""
    yield "Milliseconds" + "".join(f"{name:>9}" for name in PERCENTS)
    for name, title in LEGS:
        for side, of in (("hub", "in the hub"), ("client", "as the payer saw it")):
            figures = result.percentiles.get(f"{name}.{side}")
            if figures:
                yield f"{title}, {of}"
                yield " " * 12 + "".join(f"{milliseconds(one):>9}" for one in figures)
    yield ""
    yield f"Transfers, reconciled with {result.reconciled.view}:"
    for fate, count in result.reconciled.counts.items():
        if count:
            yield from _wrapped(f"{count:>10,}  {fate}: {WORDS[fate]}", width, "", " " * 12)
    if result.failures:
        yield ""
        yield "Journeys of the steady part that failed:"
        for reason, count in result.failures.items():
            yield from _wrapped(f"{count:>10,}  {clean(reason)}", width, "", " " * 12)
    for note in result.notes:
        yield ""
        yield from _wrapped(note, width)


def _wrapped(text: str, width: int, indent: str = "", later: str | None = None) -> list[str]:
    return textwrap.wrap(
        clean(text), width, initial_indent=indent,
        subsequent_indent=indent if later is None else later, break_on_hyphens=False,
    )  # fmt: skip
