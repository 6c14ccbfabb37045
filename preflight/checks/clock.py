"""Checks of a machine's clock, alone and against the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation.wording import counted, listed, shortened
from preflight.checks.case import Case, SiteCase
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import plain
from preflight.facts import ABSENT, known, why_unknown
from preflight.findings import Finding, Severity

OFFSET_LIMIT: Final = 5.0
"""Seconds between a machine's clock and ours; ours may be the wrong one, so it only warns."""
CHRONY: Final = (
    "Install a time service: `sudo apt-get update && sudo apt-get install chrony`, name the site's"
    " time server in /etc/chrony/chrony.conf (`server ADDRESS iburst`), start it now and at"
    " every start: `sudo systemctl enable chrony && sudo systemctl restart chrony`, and wait until"
    " `chronyc tracking` says Leap status: Normal."
)
UNDO_CHRONY: Final = (
    "sudo apt-get update && sudo apt-get install systemd-timesyncd, which takes chrony's place."
)


@check("time.synchronized", title="Clock is synchronised", severities=(PASS, WARN, FAIL, UNKNOWN))
def synchronized(case: Case, say: Say) -> Iterator[Finding]:
    """Whether the kernel says that something keeps its clock right."""
    source = "Sitewright: logs, certificates and databases of a cluster need one time"
    evidence = "timedatectl; chronyc tracking"
    good = known(case.facts.time.synchronized)
    if good is None:
        yield say.unknown(
            f"It could not be told whether the clock of {case.name} is synchronised.",
            expected="synchronised",
            reason=why_unknown(case.facts.time.synchronized),
            source=source,
            evidence=evidence,
        )
        return
    daemon = known(case.facts.time.daemon)
    alone = case.needs.single_machine or bool(known(case.facts.cpu.is_container))
    yield say.at(
        PASS if good else WARN if alone else FAIL,
        f"The clock of {case.name} is {'synchronised' if good else 'not synchronised'}"
        f"{f' ({daemon})' if daemon else ''}.",
        expected="synchronised",
        actual="synchronised" if good else "not synchronised",
        source=source,
        evidence=evidence,
        remedy=CHRONY,
        undo=UNDO_CHRONY,
    )


@check("time.daemon", title="Time service", severities=(PASS, WARN, UNKNOWN))
def daemon(case: Case, say: Say) -> Iterator[Finding]:
    """A time service; none is in order only where something else does it: PTP, a hypervisor."""
    source = "Sitewright: a clock that nobody keeps drifts"
    fact = case.facts.time.daemon
    evidence = "systemctl list-units 'chrony*' 'systemd-timesyncd*' 'ntp*'"
    name = known(fact)
    if name is None and fact is not ABSENT:
        yield say.unknown(
            f"It could not be told which time service {case.name} runs.",
            expected="chrony, systemd-timesyncd or ntpd",
            reason=why_unknown(fact),
            source=source,
            evidence=evidence,
        )
        return
    kept = known(case.facts.time.synchronized) is True
    servers = known(case.facts.time.servers) or ()
    title = f"{name} keeps the clock of {case.name}."
    if name is None:
        title = f"{case.name} runs no time service" + (
            ", yet its clock is synchronised." if kept else "."
        )
    yield say.at(
        PASS if name or kept else WARN,
        title,
        expected="chrony, systemd-timesyncd or ntpd",
        actual=f"{name or 'none'}{f', from {listed(servers)}' if servers else ''}",
        source=source,
        evidence=evidence,
        remedy=CHRONY,
        undo=UNDO_CHRONY,
    )


_NO_TIME: Final = (
    "Have UDP 123 let through from this machine to its time servers, or name one that it reaches"
    f" (the site's own). {CHRONY}"
)


@check("time.sources", title="Time servers answer", severities=(PASS, WARN))
def sources(case: Case, say: Say) -> Iterator[Finding]:
    """Whether what a time service asks for the time answers; it says so itself."""
    asked = known(case.facts.time.sources)
    name = known(case.facts.time.daemon)
    if asked is None or name is None:
        return
    answering = [one for one in asked if one.answers]
    silent = [one.name for one in asked if one.answers is False]
    chosen = next((one.name for one in answering if one.chosen), "")
    far = known(case.facts.time.kept_offset_seconds)
    told = [f"answering: {shortened([one.name for one in answering])}"] if answering else []
    told += [f"silent: {shortened(silent)}"] if silent else []
    told += [f"it follows {chosen}"] if chosen else []
    told += [f"its clock is {_seconds(abs(far))} from it"] if far is not None and chosen else []
    if not asked:
        title = f"{name} on {case.name} has no time server to ask."
    elif answering:
        title = f"Of the time servers that {name} on {case.name} asks, {_answer(len(answering))}."
    elif silent:
        title = f"No time server that {name} on {case.name} asks answers: {shortened(silent)}."
    else:
        return
    yield say.at(
        PASS if answering else WARN,
        title,
        expected="one answers",
        actual="; ".join(told) or "none is named",
        source="Sitewright: a clock that nobody sets drifts, and certificates and logs go by it",
        evidence="chronyc -n sources; ntpq -pn; timedatectl timesync-status",
        remedy=_NO_TIME,
        undo=UNDO_CHRONY,
    )


def _answer(number: int) -> str:
    return f"{number} answer{'s' if number == 1 else ''}"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{plain(value)} s"


@check("time.offset", title="Clock against ours", severities=(PASS, WARN, UNKNOWN))
def offset(case: Case, say: Say) -> Iterator[Finding]:
    """The machine's clock against that of the machine that Sitewright runs on."""
    time = case.facts.time
    value, doubt = known(time.offset_seconds), known(time.uncertainty_seconds)
    source = f"Sitewright: more than {OFFSET_LIMIT:.0f} s mean that one of the two clocks is wrong"
    evidence = "date -u +%s.%N; timedatectl"
    expected = f"within {OFFSET_LIMIT:.0f} s of this machine"
    certain = value is not None and doubt is not None and abs(value) - doubt > OFFSET_LIMIT
    if value is None or doubt is None or (not certain and max(abs(value), doubt) > OFFSET_LIMIT):
        reason = why_unknown(time.offset_seconds) or why_unknown(time.uncertainty_seconds)
        if value is not None and doubt is not None:
            reason = f"{_seconds(value)} is uncertain by {_seconds(doubt)}"
        yield say.unknown(
            f"It could not be told how far the clock of {case.name} is from ours.",
            expected=expected,
            reason=reason,
            source=source,
            evidence=evidence,
            remedy="Look again over a faster line, or compare `date -u` on both machines.",
        )
        return
    way = "ahead of" if value > 0 else "behind"
    yield say.at(
        WARN if certain else PASS,
        f"The clock of {case.name} is {_seconds(abs(value))} {way} ours (± {_seconds(doubt)}).",
        expected=expected,
        actual=f"{_seconds(value)} ± {_seconds(doubt)}",
        source=source,
        evidence=evidence,
        remedy=f"See which of the two is wrong, this machine or {case.name}. {CHRONY}",
        undo=UNDO_CHRONY,
    )


@check("time.zone", title="Time zone", severities=(PASS,))
def zone(case: Case, say: Say) -> Iterator[Finding]:
    """A statement for the report: mixed zones make logs hard to read."""
    value = known(case.facts.os.timezone)
    if value is None:
        return
    utc = value in ("UTC", "Etc/UTC", "Universal", "Zulu", "GMT")
    yield say.at(
        PASS,
        f"{case.name} keeps its time in {value}{'' if utc else ', not in UTC'}.",
        expected="UTC is easiest to read beside other machines; any one zone will do",
        actual=value,
        source="Sitewright: for the record",
        evidence="timedatectl show --property=Timezone",
    )


@dataclass(frozen=True, slots=True)
class Clock:
    """A machine's offset from ours, with the doubt about it, seconds."""

    name: str
    offset: float
    doubt: float


@dataclass(frozen=True, slots=True)
class Skew:
    """The two clocks that are certainly furthest apart, or least certain."""

    severity: Severity
    """FAIL where two clocks are certainly too far apart, UNKNOWN where they may be, else PASS."""
    early: Clock
    late: Clock

    @property
    def seconds(self) -> float:
        """How far apart they are, as measured."""
        return self.late.offset - self.early.offset

    @property
    def doubt(self) -> float:
        """How far the measure may be off."""
        return self.late.doubt + self.early.doubt


def largest_skew(clocks: Sequence[Clock], limit: float) -> Skew | None:
    """The largest skew between clocks against a limit in seconds; None with fewer than two.

    Two clocks are too far apart only when that is certain: when the least distance within the
    doubts passes the limit. Where the measured distance or the doubt passes it alone, nothing can
    be said.
    """
    if len(clocks) < 2:
        return None
    late = max(clocks, key=lambda clock: clock.offset - clock.doubt)
    early = min(
        (clock for clock in clocks if clock is not late),
        key=lambda clock: clock.offset + clock.doubt,
    )
    certain = Skew(FAIL, early, late)
    if certain.seconds - certain.doubt > limit:
        return certain
    ordered = sorted(clocks, key=lambda clock: clock.offset)
    span = Skew(PASS, ordered[0], ordered[-1])
    if span.seconds > limit:
        return replace(span, severity=UNKNOWN)
    first, second = sorted(clocks, key=lambda clock: -clock.doubt)[:2]
    vague = Skew(UNKNOWN, *sorted((first, second), key=lambda clock: clock.offset))
    return vague if vague.doubt > limit else span


@check("time.here", title="This computer's clock", severities=(WARN,))
def here(site: SiteCase, say: Say) -> Iterator[Finding]:
    """That the clock which most machines disagree with is our own: nothing else would notice it.

    Machine by machine it looks as if each of them were wrong, and of one alone nobody can tell.
    """
    measured = _measured(site.cases)
    if len(measured) < 2:
        return
    middle = sorted(clock.offset for _, clock in measured)[len(measured) // 2]
    apart = [clock for _, clock in measured if abs(clock.offset) - clock.doubt > OFFSET_LIMIT]
    agree = [clock for clock in apart if abs(clock.offset - middle) <= OFFSET_LIMIT]
    if len(agree) < 2 or 2 * len(agree) <= len(measured):
        return
    way = "behind" if middle > 0 else "ahead of"
    yield say.at(
        WARN,
        f"The clock of this computer is {_seconds(abs(middle))} {way} {len(agree)} of"
        f" {counted(len(measured), 'machine')}, whose clocks agree: most likely ours is the wrong"
        " one.",
        expected=f"within {OFFSET_LIMIT:.0f} s of most machines",
        actual="; ".join(f"{one.name}: {_seconds(one.offset)}" for one in agree[:10]),
        source="Sitewright: waivers, approvals, the age of bundles and backups, and the days that a"
        " certificate has left go by this computer's clock",
        evidence="date -u here, and date -u +%s.%N on each machine",
        remedy="Set this computer's clock right (`timedatectl set-ntp true`, or by hand), see"
        " `date -u`, and look again before you trust a day that is told here.",
        undo="A clock that is right needs none; where it may not ask the internet for the time:"
        " sudo timedatectl set-ntp false",
    )


def _measured(cases: Iterable[Case]) -> list[tuple[Case, Clock]]:
    return [
        (case, Clock(case.name, value, doubt))
        for case in cases
        if (value := known(case.facts.time.offset_seconds)) is not None
        and (doubt := known(case.facts.time.uncertainty_seconds)) is not None
    ]


@check("time.skew", title="Clocks against each other", severities=(PASS, WARN, FAIL, UNKNOWN))
def skew(site: SiteCase, say: Say) -> Iterator[Finding]:
    """The largest skew between any two machines, and between those that need less of it."""
    platform = site.needs.platform
    yield from _skew_among(
        site.cases,
        say,
        platform.max_skew_seconds,
        FAIL,
        platform.skew_source or "Sitewright: logs of several machines are read together",
        "",
    )
    for need in platform.skews:
        among = [case for case in site.cases if case.concerns(need.roles)]
        source = f"{need.source}: {need.reason}" if need.reason else need.source
        who = f"{listed(need.roles)} machines"
        yield from _skew_among(among, say, need.seconds, Severity(need.severity), source, who)


def _skew_among(
    cases: Iterable[Case], say: Say, limit: float, bad: Severity, source: str, who: str
) -> Iterator[Finding]:
    measured = _measured(cases)
    found = largest_skew([clock for _, clock in measured], limit)
    if found is None:
        return
    expected = f"at most {_seconds(limit)} apart{f' ({who})' if who else ''}"
    evidence = "date -u +%s.%N; chronyc tracking (on both machines at one moment)"
    pair = f"{found.early.name} and {found.late.name}"
    apart = f"{_seconds(found.seconds)} apart (± {_seconds(found.doubt)})"
    subject = who
    if found.severity is UNKNOWN:
        kept = all(known(case.facts.time.synchronized) is True for case, _ in measured)
        if bad is WARN:
            # A stricter limit that only warns: doubt about it must not leave a site undecided.
            yield say.at(
                PASS if kept else WARN,
                f"The clocks of {pair} are {apart}; {_seconds(limit)} cannot be told from here, and"
                f" {'all are synchronised' if kept else 'not all are synchronised'}.",
                subject=subject,
                expected=expected,
                actual=apart,
                source=source,
                evidence=evidence,
                remedy=CHRONY,
                undo=UNDO_CHRONY,
            )
            return
        yield say.unknown(
            f"It could not be told whether the clocks of {pair} agree.",
            subject=subject,
            expected=expected,
            reason=f"{apart}: the answers took too long",
            source=source,
            evidence=evidence,
            remedy="Look again over a faster line, or compare `chronyc tracking` on both.",
        )
        return
    yield say.at(
        bad if found.severity is FAIL else PASS,
        f"The clocks of {pair} are {apart}; at most {_seconds(limit)} is allowed."
        if found.severity is FAIL
        else f"The clocks of {who or 'the machines'} are at most {apart}.",
        subject=subject,
        expected=expected,
        actual=f"{pair}: {apart}",
        source=source,
        evidence=evidence,
        remedy=f"Let all machines follow the same time server. {CHRONY}",
        undo=UNDO_CHRONY,
    )
