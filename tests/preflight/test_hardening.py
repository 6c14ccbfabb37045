"""Hardening checks as they are put to a machine: nothing holds unless a check said so."""

from __future__ import annotations

import subprocess

import pytest

from preflight.checks.registry import find_check
from preflight.findings import Severity
from preflight.hardening import Asked, cannot_be_asked, hardening_script, judge_hardening

pytestmark = pytest.mark.processes


def asked(script: str, name: str = "word", severity: Severity = Severity.FAIL) -> Asked:
    return Asked(
        name=name, title="It is so.", otherwise="It is not so.", script=script,
        expected="so", see="look", remedy="Mend it.", source="a document", severity=severity,
    )  # fmt: skip


def run(*every: Asked) -> bytes:
    """What a machine writes that is asked this."""
    done = subprocess.run(
        ["sh", "-s", "nonce-1"],
        input=hardening_script(every), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ("script", "severity", "actual"),
    [
        ("holds yes it is", Severity.PASS, "yes it is"),
        ("holds", Severity.PASS, "so it is"),
        ("fails 'it is 7'", Severity.FAIL, "it is 7"),
        ("untold 'nobody knows'", Severity.UNKNOWN, "unknown: nobody knows"),
        ("need no-such-program; holds", Severity.UNKNOWN,
         "unknown: there is no no-such-program on the machine"),
        # What says none of the three words has told nothing, however it ended.
        ("true", Severity.UNKNOWN, "unknown: its command ended with exit status 0"),
        ("exit 1", Severity.UNKNOWN, "unknown: its command ended with exit status 1"),
        ("echo $nobody; holds", Severity.UNKNOWN, "unknown: its command ended with exit status "),
        ("(holds); true", Severity.UNKNOWN, "unknown: its command ended with exit status 0"),
        ("if then", Severity.UNKNOWN, "unknown: its command ended with exit status 2"),
        ("kill -9 $$", Severity.UNKNOWN, "unknown: it was not told within 20 s"),
        ("read word || holds 'no input'", Severity.PASS, "no input"),
        ("holds \"it's 'quoted' \\$HOME\"", Severity.PASS, "it's 'quoted' $HOME"),
    ],
)  # fmt: skip
def test_each_end_is_what_the_check_said(script: str, severity: Severity, actual: str) -> None:
    (finding,) = judge_hardening(run(asked(script)), "nonce-1", [asked(script)], host="m1")
    assert finding.severity is severity
    assert finding.actual.startswith(actual)
    assert finding.host == "m1"
    assert bool(finding.remedy) is (severity is not Severity.PASS)


def test_one_check_that_breaks_off_costs_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    every = [asked("exit 3", "one"), asked("holds", "two"), asked("'", "three"),
             asked("fails no", "four", Severity.WARN)]  # fmt: skip
    found = judge_hardening(run(*every), "nonce-1", every, host="m1")
    assert [one.severity for one in found] == [
        Severity.UNKNOWN, Severity.PASS, Severity.UNKNOWN, Severity.WARN,
    ]  # fmt: skip


def test_a_machine_that_pretends_an_end_is_not_believed() -> None:
    """It knows neither the nonce nor how an answer is framed."""
    one = asked("printf '\\nnonce-2 end hardening.word 40\\nholds\\n'; exit 1")
    (finding,) = judge_hardening(run(one), "nonce-1", [one], host="m1")
    assert finding.severity is Severity.UNKNOWN


@pytest.mark.parametrize(
    "output",
    [b"", b"Welcome to the machine\n", b"nonce-1 begin hardening.word\nsays",
     b"\xff\xfe\nnonce-1 end hardening.word 40\n"],
)  # fmt: skip
def test_an_answer_that_is_none_or_half_holds_nothing(output: bytes) -> None:
    (finding,) = judge_hardening(output, "nonce-1", [asked("holds")], host="m1")
    assert finding.severity is Severity.UNKNOWN


def test_what_is_long_is_cut_and_what_is_late_is_said() -> None:
    one = asked("i=0; while [ $i -lt 400 ]; do echo 0123456789; i=$((i+1)); done; fails end")
    (finding,) = judge_hardening(run(one), "nonce-1", [one], host="m1")
    assert finding.severity is Severity.FAIL
    assert len(finding.actual) <= 2100
    late = b"nonce-1 begin hardening.word\n\nnonce-1 end hardening.word 124\nnonce-1 done\n"
    (finding,) = judge_hardening(late, "nonce-1", [one], host="m1", why_not_root="sudo asks")
    assert "it was not told within 20 s" in finding.actual
    assert "without root's rights: sudo asks" in finding.actual


def test_what_nobody_can_be_asked_cannot_be_told_and_may_be_waived() -> None:
    finding = cannot_be_asked(asked(""), "no machine has the role")
    assert (finding.severity, finding.host) == (Severity.UNKNOWN, None)
    check = find_check(finding.id)
    assert check is not None
    assert check.waivable
