"""The machine's clock against ours, and what keeps it right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from preflight.facts import ABSENT, Fact, TimeFacts, TimeSource, Unknown
from preflight.parse.frames import Answer
from preflight.parse.software import unit_active
from preflight.parse.text import plain, real, unique

_DAEMONS: Final = (
    ("chrony", ("chrony", "chronyd"), "chronyd"),
    ("ntpd", ("ntpsec", "ntp", "ntpd"), "ntpd"),
    ("openntpd", ("openntpd",), "openntpd"),
    ("systemd-timesyncd", ("systemd-timesyncd",), "systemd-timesyn"),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """When the probe was sent and how long it took, by our clock."""

    started: float
    """Unix time, seconds."""
    seconds: float
    round_trip: float | None = None
    """Seconds for one question and answer, where it was measured."""


def probe_seconds(answer: Answer) -> float | None:
    """How long the probe ran on the machine, by the machine's own clock; None if it did not end."""
    first, last = _stamp(answer, "clock"), _stamp(answer, "ended")
    if first and last and first[1] < 0.5 and last[1] < 0.5 and 0 <= last[0] - first[0] < 3600:
        return last[0] - first[0]
    match = re.search(r"^uptime ([0-9.]{1,20}) ([0-9.]{1,20})$", answer.text("ended"), re.MULTILINE)
    if match:
        begin, end = real(match.group(1)), real(match.group(2))
        if begin is not None and end is not None and 0 <= end - begin < 3600:
            return end - begin
    return None


def machine_moment(answer: Answer) -> float | None:
    """The Unix time that the machine's own clock showed when the probe began."""
    stamp = _stamp(answer, "clock")
    return stamp[0] if stamp else None


def parse_clock(answer: Answer, timing: Timing | None) -> TimeFacts:
    """The time facts from the sections clock, ended, timekeeping, chronyc, ntpq, timedatectl."""
    if "clock" not in answer.sections:
        return TimeFacts()
    offset, uncertainty = _offset(answer, timing)
    daemon = _daemon(answer)
    return TimeFacts(
        offset_seconds=offset,
        uncertainty_seconds=uncertainty,
        daemon=daemon,
        synchronized=_synchronized(answer, daemon),
        servers=_servers(answer),
        sources=_sources(answer),
        kept_offset_seconds=_kept_offset(answer),
    )


def _stamp(answer: Answer, name: str) -> tuple[float, float] | None:
    """The Unix time of a section's first line, and half of what one tick of it is worth."""
    lines = answer.lines(name)
    match = re.match(r"(\d{1,12})(?:\.(\d{1,9}))?", lines[0]) if lines else None
    if not match:
        return None
    whole_seconds = int(match.group(1))
    if match.group(2) is None:
        # Some small systems' date has no fractions: the moment lies anywhere in that second.
        return whole_seconds + 0.5, 0.5
    return whole_seconds + float(f"0.{match.group(2)}"), 0.0005


def _offset(answer: Answer, timing: Timing | None) -> tuple[Fact[float], Fact[float]]:
    """Theirs less ours, and half the width of the span in which our moment must lie.

    The machine read its clock after we sent the probe, and at least as long before we had the
    last of the answer as the probe then ran. The middle of that span is the estimate.
    """
    stamp = _stamp(answer, "clock")
    if timing is None:
        unknown = Unknown("the moment of asking was not recorded")
        return unknown, unknown
    if stamp is None:
        unknown = answer.why_not("clock", "date")
        return unknown, unknown
    ran = probe_seconds(answer) or 0.0
    first, last = timing.started, timing.started + max(timing.seconds - ran, 0.0)
    if timing.round_trip is not None and timing.round_trip < last - first:
        # Half a round trip each way is spent on the line, whatever else takes time.
        first, last = first + timing.round_trip / 2, last - timing.round_trip / 2
        line = timing.round_trip / 2
    else:
        line = 0.0
    offset = stamp[0] - (first + last) / 2
    return round(offset, 6), round((last - first) / 2 + line + stamp[1], 6)


def _daemon(answer: Answer) -> Fact[str]:
    unseen = False
    for name, units, process in _DAEMONS:
        for unit in units:
            active = unit_active(answer, unit, processes=(process,))
            if active is True:
                return name
            unseen = unseen or isinstance(active, Unknown)
    if answer.succeeded("chronyc"):
        return "chrony"
    return Unknown("neither services nor processes can be seen") if unseen else ABSENT


def _synchronized(answer: Answer, daemon: Fact[str]) -> Fact[bool]:
    if answer.succeeded("chronyc"):
        status = re.search(r"^Leap status\s*: (.{1,40})$", answer.text("chronyc"), re.MULTILINE)
        reference = re.search(r"^Reference ID\s*: (\S{1,20})", answer.text("chronyc"), re.MULTILINE)
        if status:
            return status.group(1).strip() != "Not synchronised" and (
                reference is None or reference.group(1) != "00000000"
            )
    if answer.succeeded("ntpq"):
        return "leap_alarm" not in answer.text("ntpq") and "sync_" in answer.text("ntpq")
    if daemon == "systemd-timesyncd":
        return "synchronized" in answer.lines("timekeeping")
    match = re.search(r"^NTPSynchronized=(yes|no)$", answer.text("timedatectl"), re.MULTILINE)
    if match:
        return match.group(1) == "yes"
    for name in ("chronyc", "ntpq", "timedatectl"):
        if name in answer.sections:
            return answer.why_not(name, name)
    if isinstance(daemon, str):
        return Unknown(f"there is no means to ask {daemon}")
    return Unknown("no time service runs, and without systemd the kernel's state cannot be asked")


def _servers(answer: Answer) -> Fact[tuple[str, ...]]:
    """The time servers of the configuration files."""
    if "timekeeping" not in answer.sections:
        return answer.why_not("timekeeping", "the configuration")
    found: list[str] = []
    for text in answer.files("timekeeping").values():
        for line in text.split("\n")[:500]:
            key, equals, value = line.strip().partition("=")
            if equals and key.strip() in {"NTP", "FallbackNTP"}:
                found += value.split()[:20]
                continue
            words = line.split()
            if len(words) >= 2 and words[0] in {"server", "pool", "peer", "refclock"}:
                found.append(" ".join(words[1:3]) if words[0] == "refclock" else words[1])
    return unique(plain(name, 100) for name in found[:100])


_MOST_SOURCES: Final = 50
_CHRONY_SOURCE: Final = re.compile(r"^([\^=#])([*+?x~ -]) (\S{1,100}) +\d+ +-?\d+ +([0-7]{1,3}) ")
_NTPQ_PEER: Final = re.compile(
    r"^([ x.\-+#*o])(\S{1,100}) +(\S{1,40}) +\d+ +([a-zA-Z]) +\S+ +\S+ +([0-7]{1,3}) "
)


def _sources(answer: Answer) -> Fact[tuple[TimeSource, ...]]:
    """The sources as the time service tells them; the register of answers is in octal."""
    if "chronysources" in answer.sections:
        if not answer.succeeded("chronysources"):
            return answer.why_not("chronysources", "chronyc")
        found = [
            TimeSource(plain(match[3], 100), int(match[4], 8) > 0, match[2] == "*")
            for line in answer.lines("chronysources")
            if (match := _CHRONY_SOURCE.match(f"{line} "))
        ]
        return tuple(found[:_MOST_SOURCES])
    if "ntppeers" in answer.sections:
        if not answer.succeeded("ntppeers"):
            return answer.why_not("ntppeers", "ntpq")
        found = [
            TimeSource(plain(match[2], 100), int(match[5], 8) > 0, match[1] in "*o")
            for line in answer.lines("ntppeers")
            # What stands for a whole pool is no server that could answer.
            if (match := _NTPQ_PEER.match(f"{line} ")) and match[3] != ".POOL."
        ]
        return tuple(found[:_MOST_SOURCES])
    if "timesync" in answer.sections:
        if not answer.succeeded("timesync"):
            return answer.why_not("timesync", "timedatectl")
        return _timesync(answer)
    return Unknown("no time service tells whom it asks")


def _timesync(answer: Answer) -> tuple[TimeSource, ...]:
    """systemd-timesyncd asks one server at a time, and speaks of that one alone."""
    told = dict(line.split("=", 1) for line in answer.lines("timesync") if "=" in line)
    packets = re.search(r"\bPacketCount=(\d{1,12})", told.get("NTPMessage", ""))
    answers = packets is not None and int(packets[1]) > 0
    now = told.get("ServerName", "").strip() or told.get("ServerAddress", "").strip()
    named = f"{told.get('SystemNTPServers', '')} {told.get('LinkNTPServers', '')}".split()
    names = named or told.get("FallbackNTPServers", "").split()
    if now and now not in names:
        names.insert(0, now)
    return tuple(
        TimeSource(plain(name, 100), answers if name == now else None, answers and name == now)
        for name in names[:_MOST_SOURCES]
    )


def _kept_offset(answer: Answer) -> Fact[float]:
    """The distance from its sources that chrony or ntpd itself tells, seconds."""
    if answer.succeeded("chronyc"):
        match = re.search(
            r"^System time\s*: ([0-9.]{1,30}) seconds (fast|slow)", answer.text("chronyc"), re.M
        )
        value = real(match[1]) if match else None
        if match and value is not None:
            return value if match[2] == "fast" else -value
        return Unknown("chronyc tells no distance")
    if answer.succeeded("ntpq"):
        match = re.search(r"\boffset=([+-]?[0-9.]{1,30})", answer.text("ntpq"))
        value = real(match[1]) if match else None
        return value / 1000 if value is not None else Unknown("ntpq tells no distance")
    return Unknown("no time service tells how far it is")
