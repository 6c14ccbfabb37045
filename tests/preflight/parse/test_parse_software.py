"""The clock, software and identity from text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import ABSENT, Unknown, known
from preflight.parse.clock import Timing, parse_clock, probe_seconds
from preflight.parse.identity import parse_identity, without_password
from preflight.parse.software import parse_software
from tests.preflight.probe_answers import answer_of

# ---- clock


@given(st.floats(-1e6, 1e6), st.floats(0, 2), st.floats(0, 2), st.floats(0, 2), st.floats(0, 1))
def test_the_true_offset_lies_within_what_is_claimed(
    offset: float, before: float, ran: float, after: float, share: float
) -> None:
    started = 1_800_000_000.0
    stamp = started + before + offset
    answer = answer_of({"clock": f"{stamp:.9f}", "ended": f"{stamp + ran:.9f}"})
    # No round trip is longer than all the time that is spent outside the script.
    trip = min(before, after) * 2 * share
    facts = parse_clock(answer, Timing(started, before + ran + after, trip))
    told, uncertainty = known(facts.offset_seconds), known(facts.uncertainty_seconds)
    assert told is not None
    assert uncertainty is not None
    assert abs(told - offset) <= uncertainty + 1e-5


def test_a_clock_without_fractions_is_known_to_half_a_second() -> None:
    answer = answer_of({"clock": "1800000000", "ended": "1800000000\nuptime 10.00 10.05"})
    assert probe_seconds(answer) == pytest.approx(0.05)
    facts = parse_clock(answer, Timing(1_800_000_000.2, 0.15))
    assert (known(facts.uncertainty_seconds) or 0) >= 0.5
    assert abs(known(facts.offset_seconds) or 0) <= 0.5


@pytest.mark.parametrize(
    ("sections", "daemon", "synchronized"),
    [
        ({"services": "chrony.service", "chronyc": "Reference ID    : A0B0C0D0 (ntp1)\n"
          "Leap status     : Normal"}, "chrony", True),
        ({"services": "chrony.service", "chronyc": "Reference ID    : 00000000 ()\n"
          "Leap status     : Not synchronised"}, "chrony", False),
        ({"services": "systemd-timesyncd.service", "timekeeping": "synchronized"},
         "systemd-timesyncd", True),
        ({"services": "systemd-timesyncd.service", "timekeeping": ""},
         "systemd-timesyncd", False),
        ({"services": "ssh.service", "timedatectl": "NTPSynchronized=yes"}, ABSENT, True),
    ],
)  # fmt: skip
def test_what_keeps_the_time(sections: dict[str, str], daemon: object, synchronized: bool) -> None:
    facts = parse_clock(answer_of({"clock": "1", "units": "", **sections}), None)
    assert facts.daemon == daemon
    assert facts.synchronized is synchronized


def test_time_servers_of_every_kind_of_file() -> None:
    text = """
        /etc/chrony/chrony.conf:pool 2.debian.pool.ntp.org iburst
        /etc/chrony/chrony.conf:server 10.0.0.5 prefer
        /etc/chrony/chrony.conf:refclock PHC /dev/ptp0
        /etc/systemd/timesyncd.conf:NTP=ntp.example.org 10.0.0.6
    """
    facts = parse_clock(answer_of({"clock": "1", "timekeeping": text}), None)
    assert facts.servers == (
        "2.debian.pool.ntp.org", "10.0.0.5", "PHC /dev/ptp0", "ntp.example.org", "10.0.0.6",
    )  # fmt: skip


# ---- software


def test_software_by_package_snap_command_unit_and_process() -> None:
    facts = parse_software(
        answer_of(
            {
                "commands": "/usr/bin/docker\n/snap/bin/microk8s\n/usr/local/bin/k3s\nhttpd",
                "packages": "Package: docker.io\nStatus: install ok installed\nVersion: 26.1\n"
                "Package: nginx\nStatus: deinstall ok config-files\nVersion: 1.22",
                "snaps": "/snap/microk8s/current/meta/snap.yaml:name: microk8s\n"
                "/snap/microk8s/current/meta/snap.yaml:version: v1.31.9",
                "units": "docker=/lib/systemd/system/docker.service\n"
                "haproxy=/lib/systemd/system/haproxy.service",
                "services": "snap.microk8s.daemon-kubelite.service\nssh.service",
                "processes": "/proc/1/comm:systemd\n/proc/900/comm:dockerd\n/proc/901/comm:etcd",
            }
        )
    )
    found = {one.name: one for one in known(facts) or ()}
    assert sorted(found) == ["docker", "etcd", "haproxy", "k3s", "microk8s"]
    assert (found["docker"].version, found["docker"].active) == ("26.1", True)
    assert (found["microk8s"].version, found["microk8s"].active) == ("v1.31.9", True)
    assert found["k3s"].path == "/usr/local/bin/k3s"
    assert found["k3s"].active is False
    assert isinstance(found["k3s"].version, Unknown)
    assert found["haproxy"].active is False
    assert found["etcd"].active is True


# ---- identity


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://sam:geheim@proxy:3128", "http://***@proxy:3128"),
        ("sam:geheim@proxy:3128", "***@proxy:3128"),
        ("http://sam:ge@heim@proxy:3128/", "http://***@proxy:3128/"),
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://sam:p/w@proxy:3128", "http://***@proxy:3128"),
        ("localhost,127.0.0.1,.example.org", "localhost,127.0.0.1,.example.org"),
    ],
)
def test_no_password_of_a_proxy_is_kept(value: str, shown: str) -> None:
    assert without_password(value) == shown


@pytest.mark.parametrize(
    ("login", "text", "status", "sudo"),
    [
        ("uid=0", "", "", "passwordless"),
        ("uid=0\nsudo_user=sam\nsudo_uid=1000", "(ALL) NOPASSWD: ALL", "0", "passwordless"),
        ("uid=0\nsudo_user=sam\nsudo_uid=1000", "(ALL : ALL) ALL", "0", "password"),
        ("uid=1000", "sudo: a password is required", "1", "asks"),
        ("uid=1000", "Sorry, user sam may not run sudo on w1.", "1", "none"),
        ("uid=1000", "(ALL) NOPASSWD: ALL", "0", "passwordless"),
        ("uid=1000", "", "missing", "none"),
        ("uid=1000", "", "137", Unknown("sudo did not answer in 2 s")),
    ],
)
def test_what_sudo_allows(login: str, text: str, status: str, sudo: object) -> None:
    sections = {"login": login, "passwd": "/etc/passwd:sam:x:1000:1000::/home/sam:/bin/bash"}
    if status:
        sections["sudo"] = text
    facts = parse_identity(answer_of(sections, statuses={"sudo": status}))
    assert facts.sudo == sudo
    if "sudo_user" in login or login == "uid=1000":
        assert (facts.user, facts.uid, facts.home) == ("sam", 1000, "/home/sam")
