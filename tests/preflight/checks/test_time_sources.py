"""The time servers that a machine asks, from what its own time service tells of them."""

from __future__ import annotations

import pytest

from preflight.facts import TimeSource, Unknown
from preflight.parse.clock import parse_clock
from tests.preflight.probe_answers import answer_of

TRACKING = """\
Reference ID    : 0A0A0005 (10.10.0.5)
System time     : 0.000123456 seconds slow of NTP time
Leap status     : Normal
"""
CHRONY = """\
MS Name/IP address         Stratum Poll Reach LastRx Last sample
===============================================================================
^* 10.10.0.5                     2   6   377    24    -12us[  -15us] +/-   12ms
^? 192.0.2.9                     0   8     0     -     +0ns[   +0ns] +/-    0ns
^- fd00::5                       3  10    10   12h   +120us[ +120us] +/-   40ms
#x PHC0                          0   3   377     9   +5000s[+5000s] +/-  101ns
"""
NTPQ = """\
     remote           refid      st t when poll reach   delay   offset  jitter
==============================================================================
 0.ubuntu.pool.n .POOL.          16 p    -   64    0    0.000    0.000   0.000
*10.10.0.5       10.10.0.1        2 u   24   64  377    0.310   -0.120   0.050
 192.0.2.9       .INIT.          16 u    -   64    0    0.000    0.000   0.000
"""
SILENT = """\
SystemNTPServers=
LinkNTPServers=10.10.0.9
FallbackNTPServers=ntp.ubuntu.com
ServerName=10.10.0.9
ServerAddress=10.10.0.9
"""
HEARD = SILENT + (
    "NTPMessage={ Leap=0, Version=4, Mode=4, Stratum=2, PacketCount=7, Jitter=1ms }\n"
)


def sources(**sections: str) -> object:
    """What is known of the sources."""
    return parse_clock(answer_of({"clock": "1795900000.5\n", **sections}), None).sources


def test_chrony_tells_who_answered_lately_and_whom_it_follows() -> None:
    """The register of the last eight answers is octal: 10 is one answer, some time ago."""
    assert sources(chronyc=TRACKING, chronysources=CHRONY) == (
        TimeSource("10.10.0.5", True, True),
        TimeSource("192.0.2.9", False),
        TimeSource("fd00::5", True),
        TimeSource("PHC0", True),
    )


def test_ntpd_s_pools_are_no_servers() -> None:
    assert sources(ntpq="offset=-0.12\n", ntppeers=NTPQ) == (
        TimeSource("10.10.0.5", True, True),
        TimeSource("192.0.2.9", False),
    )


@pytest.mark.parametrize(("text", "answers"), [(SILENT, False), (HEARD, True)])
def test_timesyncd_speaks_of_one_server_alone(text: str, answers: bool) -> None:
    assert sources(timesync=text) == (TimeSource("10.10.0.9", answers, answers),)


def test_the_servers_it_has_not_come_to_are_neither_silent_nor_answering() -> None:
    text = "SystemNTPServers=a.site b.site\nServerName=a.site\n"
    assert sources(timesync=text) == (TimeSource("a.site", False), TimeSource("b.site"))


def test_what_could_not_be_asked_is_unknown_and_not_none() -> None:
    assert isinstance(sources(), Unknown)
    answer = answer_of({"clock": "1.5\n", "chronysources": "506 Cannot talk to daemon\n"},
                       statuses={"chronysources": "1"})  # fmt: skip
    assert isinstance(parse_clock(answer, None).sources, Unknown)


def test_the_distance_that_the_service_itself_tells() -> None:
    facts = parse_clock(answer_of({"clock": "1.5\n", "chronyc": TRACKING}), None)
    assert facts.kept_offset_seconds == -0.000123456
    facts = parse_clock(answer_of({"clock": "1.5\n", "ntpq": "offset=-0.120, x=1\n"}), None)
    assert facts.kept_offset_seconds == pytest.approx(-0.00012)
