"""The gates: what was measured against document 001's figures, one criterion after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from foundation.wording import counted
from installer.acceptance.bounds import CONFIDENCE, share, trials_to_show
from installer.acceptance.cast import Bounds
from installer.acceptance.drills import Drilled, effects
from installer.acceptance.driver.clock import Offset
from installer.acceptance.driver.measured import Measured
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.tally import (
    ASKED,
    LAG,
    LATE,
    WITHIN,
    WITHIN_CLIENT,
    Column,
    column,
)
from installer.acceptance.ledger.positions import Position
from installer.acceptance.ledger.reconcile import LOSSES, WORDS, Fate, Reconciled
from installer.acceptance.profile import SLOT, Profile
from installer.acceptance.result import Criterion, Outcome, Verdict

SHARE_IN_TIME: Final = 0.99
AVAILABILITY: Final = 0.9999
OF_THE_RATE: Final = 0.999
"""Of the scheduled rate that must be committed (facts of the field; the document has no word)."""
_LATENCY: Final = "99th percentile latency under 1 second for {}"
_SOFTER: Final = "99 % under 1 second, excluding external latencies"
_NAMES: Final = {
    Operation.LOOKUP: ("Lookup", "Lookup operations"),
    Operation.TERMS: ("Agreement of terms", "Agreement of Terms"),
    Operation.CLEARING: ("Clearing", "Clearing operations"),
}
SOURCE: Final = "mojaloop/documentation, docs/product/features/deployment/deploying.md"
"""Where the softer words stand, from which document 001 was made."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How the probe of a limit went: so many may be committed, and so many were."""

    allowed: int
    sent: int
    committed: int
    silent: int
    other: int = 0
    """Refused, and not for the limit."""


def judge(
    profile: Profile,
    measured: Measured,
    done: Reconciled,
    positions: Sequence[Position] | None,
    probe: Probe | None,
    bounds: Bounds,
    drills: Sequence[Drilled] = (),
) -> list[Criterion]:
    """Every criterion; None for what was not measured."""
    return [
        _rate(profile, measured),
        *(_latency(operation, measured, bounds) for operation in Operation),
        _availability(profile, measured, done),
        _losses(done),
        _positions(positions, done),
        _limit(probe),
        _once(done),
        _recovery(profile, measured, drills),
    ]


def limits_of(
    profile: Profile, measured: Measured, bounds: Bounds, clock: Offset | None
) -> list[str]:
    """Why the driver limited what was measured, in sentences; none where it did not."""
    told = []
    for name, what in (
        (LATE, "journeys started late"),
        (LAG, "the driver's event loops came round late"),
    ):
        histogram = measured.histograms.get(name)
        late = histogram.percentile(99.9) if histogram else None
        if late is not None and late > bounds.late:
            told.append(
                f"{what}: {_ms(late)} at the 99.9th percentile, and {_ms(bounds.late)} are allowed"
            )
    if dropped := measured.total(Column.DROPPED):
        told.append(f"{counted(dropped, 'start')} fell away: too many journeys were open")
    if full := int(measured.sum("full")):
        told.append(f"{counted(full, 'message')} found every connection of the driver in use")
    scheduled = round(profile.rate * profile.steady)
    started = measured.total(Column.STARTED)
    if started < scheduled - len(measured.workers):
        told.append(f"{started} of {scheduled} journeys were started")
    if clock is not None and clock.is_off:
        told.append(f"the clocks do not agree: the hub's is {clock.words}")
    return told


def verdict_of(criteria: Sequence[Criterion], limited: Sequence[str], *, stopped: bool) -> Verdict:
    """The verdict; what a late generator cannot spoil is missed whatever the generator did."""
    missed = [one for one in criteria if one.outcome is Outcome.MISSED]
    if any(not one.by_time for one in missed):
        return Verdict.MISSED
    if stopped:
        return Verdict.STOPPED
    if limited:
        return Verdict.LIMITED
    if missed:
        return Verdict.MISSED
    unmeasured = any(one.outcome is Outcome.UNKNOWN and not one.to_come for one in criteria)
    return Verdict.OPEN if unmeasured else Verdict.HELD


def _rate(profile: Profile, measured: Measured) -> Criterion:
    started, committed = (
        measured.total(Column.STARTED), measured.total(Column.COMMITTED)
    )  # fmt: skip
    whole = [
        counts[Column.COMMITTED] / SLOT
        for slot, counts in measured.slots.items()
        if (slot + 1) * SLOT <= profile.steady
    ]
    rate = committed / profile.steady if profile.steady else 0.0
    held = bool(started) and committed >= OF_THE_RATE * round(profile.rate * profile.steady)
    lowest = f", and {min(whole):.1f} in the worst ten seconds" if whole else ""
    return Criterion(
        "rate",
        "Rate",
        "1000+ TPS sustained for one hour",
        "",
        f"{profile.rate:g} a second committed, of which a thousandth may be missing",
        f"{rate:.1f} a second committed{lowest}",
        _outcome(held=held, known=bool(started)),
        by_time=True,
        figures={"asked": profile.rate, "committed": rate, "lowest_slot": min(whole, default=None)},
    )


def _latency(operation: Operation, measured: Measured, bounds: Bounds) -> Criterion:
    asked, within, client = (
        measured.total(column(operation, which)) for which in (ASKED, WITHIN, WITHIN_CLIENT)
    )
    title, words = _NAMES[operation]
    name = operation.name.lower()
    hub = measured.histograms.get(f"{name}.hub")
    p50, p99, p999 = hub.percentiles((50, 99, 99.9)) if hub else (None, None, None)
    observed = share(within, asked) if asked else None
    by_client = share(client, asked) if asked else None
    seen = "no such operation was tried"
    if observed is not None:
        seen = f"{_percent(observed.observed)} within {bounds.within:g} s; p99 {_ms(p99)}"
    more: tuple[str, ...] = ()
    if observed is not None and by_client is not None:
        more = (
            (
                f"Of {asked:,} at least {_percent(observed.low)} with {CONFIDENCE:.0%} confidence."
                f" p50 {_ms(p50)}, p99.9 {_ms(p999)}."
            ),
            (
                f"As the payer saw it, from its intended start: {_percent(by_client.observed)}"
                f" within {bounds.within:g} s."
            ),
        )
    return Criterion(
        name,
        title,
        _LATENCY.format(words),
        _SOFTER,
        f"99 % within {bounds.within:g} s, in the hub alone",
        seen,
        _outcome(
            held=observed is not None and observed.observed >= SHARE_IN_TIME, known=bool(asked)
        ),
        by_time=True,
        more=more,
        figures={
            "tried": asked, "within": within, "within_as_payer": client,
            "p50": p50, "p99": p99, "p99_9": p999,
            "share_low": observed.low if observed else None,
        },
    )  # fmt: skip


def _availability(profile: Profile, measured: Measured, done: Reconciled) -> Criterion:
    started = measured.total(Column.STARTED)
    good = max(0, measured.total(Column.COMMITTED) - done.payee_untold)
    if not started:
        return Criterion(
            "availability", "Availability", "99.99% availability", "? 4/5 9's?", "99.99 %",
            "no journey was started", Outcome.UNKNOWN, by_time=True,
        )  # fmt: skip
    seen = share(good, started)
    gap = measured.longest_gap(profile)
    more = [
        (
            f"As observed: between {_percent(seen.low)} and {_percent(seen.high)} with"
            f" {CONFIDENCE:.0%} confidence (exact binomial bounds)."
        ),
    ]
    if seen.observed >= AVAILABILITY > seen.low:
        more.append(
            f"So few journeys cannot show 99.99 %: {trials_to_show(AVAILABILITY):,} without a"
            " failure could."
        )
    if gap is not None:
        more.append(f"The longest time without a committed transfer was {gap:.1f} s.")
    more.append("A month's 99.99 % is 4.3 minutes, which no load test shows: that takes a probe.")
    return Criterion(
        "availability",
        "Availability",
        "99.99% availability",
        "? 4/5 9's?",
        "99.99 % of the journeys scheduled are committed, the payer told before it gave up waiting,"
        " and the payee told",
        f"{_percent(seen.observed)}: {started - good:,} of {started:,} failed",
        _outcome(held=seen.observed >= AVAILABILITY),
        by_time=True,
        more=tuple(more),
        figures={
            "journeys": started, "failed": started - good, "low": seen.low, "high": seen.high,
            "longest_gap": gap,
        },
    )  # fmt: skip


def _losses(done: Reconciled) -> Criterion:
    losses = [
        f"{done.counts[fate]:,} {fate} ({WORDS[fate]})" for fate in LOSSES if done.counts[fate]
    ]
    unknown = done.counts[Fate.UNKNOWN]
    sent = sum(done.counts.values()) - done.counts[Fate.UNSENT]
    seen = "; ".join(losses) or f"none of {sent:,} transfers"
    if unknown:
        seen += f"; of {unknown:,} the ledger did not say"
    more = []
    if done.sampled:
        most = 1 - share(done.clean_asked, done.clean_asked).low if done.clean_asked else 1.0
        more.append(
            f"Of {done.clean:,} transfers that both sides saw well only {done.clean_asked:,} could"
            f" be asked for by {done.view}: with {CONFIDENCE:.0%} confidence at most"
            f" {_percent(most)} of them can stand otherwise in the ledger."
        )
    held = not losses
    return Criterion(
        "losses",
        "No lost transfer",
        "Zero RTO/RPO for critical operations",
        "as close to zero as possible",
        "none lost, at risk, stuck or notified wrongly",
        seen,
        _outcome(held=held, known=bool(losses) or (not unknown and sent > 0)),
        more=tuple(more),
        figures={fate.name.lower(): count for fate, count in done.counts.items()},
    )


def _positions(positions: Sequence[Position] | None, done: Reconciled) -> Criterion:
    title, asked = "Positions", "each has moved by what was sent less what was received"
    if not positions:
        return Criterion(
            "positions", title, "", "", asked, "the positions were not read", Outcome.UNKNOWN
        )
    off = [one for one in positions if one.off]
    sure = any(abs(one.off) > one.doubt for one in off)
    seen = f"all {len(positions)} agree"
    if off:
        seen = "; ".join(f"{one.name} owes {one.off:+f} that is not accounted for" for one in off)
    if off and done.undecided:
        ends = f"{counted(done.undecided, 'transfer')} of which the end is not known"
        seen += f"; {ends} cannot be all of it" if sure else f"; {ends} may be why"
    return Criterion(
        "positions",
        title,
        "",
        "",
        asked,
        seen,
        _outcome(held=not off, known=sure or not off),
        figures={one.name: str(one.off) for one in positions},
    )


def _limit(probe: Probe | None) -> Criterion:
    title, asked = "A limit holds", "no more is committed than a net debit cap allows"
    if probe is None:
        return Criterion("limit", title, "", "", asked, "no limit was tried", Outcome.UNKNOWN)
    seen = f"{probe.committed} of {probe.sent} at once were committed, {probe.allowed} are allowed"
    if probe.silent:
        seen += f"; of {probe.silent} nothing was heard"
    if probe.other:
        seen += f"; {probe.other} were refused for something else than the limit"
    over = probe.committed > probe.allowed
    # Where nothing passes, or nothing is refused for it, no limit was seen.
    limited = probe.sent - probe.committed - probe.silent - probe.other
    known = probe.committed > 0 and limited > 0 and not probe.silent
    return Criterion(
        "limit",
        title,
        "",
        "",
        asked,
        seen,
        _outcome(held=not over, known=over or known),
        figures={
            "allowed": probe.allowed, "sent": probe.sent, "committed": probe.committed,
            "silent": probe.silent, "refused_otherwise": probe.other,
        },
    )  # fmt: skip


def _once(done: Reconciled) -> Criterion:
    doubled = done.counts[Fate.DOUBLED]
    return Criterion(
        "once",
        "Told once",
        "",
        "",
        "nobody is asked or told twice (the API bears it, the document does not speak of it)",
        f"{counted(doubled, 'transfer')} told or asked more than once" if doubled else "no one was",
        Outcome.NOTED if doubled else Outcome.HELD,
        figures={"doubled": doubled},
    )


def _recovery(profile: Profile, measured: Measured, drills: Sequence[Drilled]) -> Criterion:
    seen, outcome = "no fault was set (--drill)", Outcome.UNKNOWN
    if (gap := measured.longest_gap(profile)) is not None:
        seen += f" (longest gap without one: {gap:.1f} s)"
    found = effects(drills, profile, measured)
    borne = {one.drill.name: one.drill.gap for one in drills}
    if drills:
        seen = (
            "; ".join(
                f"{one.name}: {one.gap:.1f} s without a commit,"
                f" {'the rate back ' + _after(one.back) if one.back is not None else 'never back'},"
                f" {one.failed:,} of {one.journeys:,} journeys failed"
                for one in found
            )
            or "no fault could be set"
        )
        over = [one for one in found if (most := borne[one.name]) is not None and one.gap > most]
        if any(one.back is None for one in found) or over:
            outcome = Outcome.MISSED
        elif found and len(found) == len(drills):
            held = all(borne[one.name] is not None for one in found)
            outcome = Outcome.HELD if held else Outcome.NOTED
    more = [f"{one.drill.name} was not set: {one.failed}." for one in drills if one.failed]
    if found:
        more.append(
            "Rate, latency and availability are those of the whole steady part, faults and all;"
            " what became of each transfer stands under “No lost transfer”. When the rate was back"
            f" is told to {SLOT:g} seconds."
        )
    return Criterion(
        "recovery",
        "Recovery from a fault",
        "Zero RTO/RPO for critical operations",
        "as close to zero as possible; high availability over disaster recovery",
        "the time until the rate is back after a fault"
        + "".join(f"; {name}: a gap of {most:g} s at most" for name, most in borne.items() if most),
        seen,
        outcome,
        to_come=not drills,
        by_time=bool(drills),
        more=tuple(more),
        figures={
            one.name: {"gap": one.gap, "back": one.back, "journeys": one.journeys,
                       "failed": one.failed}
            for one in found
        },
    )  # fmt: skip


def _after(seconds: float) -> str:
    return f"within {seconds:.0f} s" if seconds else "at once (it never fell)"


def _outcome(*, held: bool, known: bool = True) -> Outcome:
    if not known:
        return Outcome.UNKNOWN
    return Outcome.HELD if held else Outcome.MISSED


def _percent(part: float) -> str:
    """A share with as many digits as its distance from the whole needs, never rounded up to it."""
    text = f"{part * 100:.4f}"
    if part < 1 and text == "100.0000":
        return "over 99.9999 %"
    return f"{text.rstrip('0').rstrip('.')} %"


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
