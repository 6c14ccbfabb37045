"""A service that is waited for and is stopped: told at once, since when, and how to start it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.terminal import clean_line
from installer.steps.unit_state import shown, unit_of, unit_state
from installer.steps.wait import _WAITING, GIVEN_UP, TIME_IS_UP

HAPROXY = "haproxy.service"
WHEN = "Sat 2026-11-28 15:05:00 UTC"

STOPPED = "LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success"
FAILED = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code"

SYSTEMCTL = """#!/bin/sh
# A stand-in for systemctl: the states in the file, one for each `show`, the last of them for ever.
case $1 in
show) state=$(head -n 1 "$STATES"); echo "ActiveState=$state"
    [ "$(wc -l <"$STATES")" -lt 2 ] || sed -i 1d "$STATES" ;;
is-active) state=$(head -n 1 "$STATES"); echo "$state"; [ "$state" = active ] || exit 3 ;;
esac
"""


def waited(folder: Path, states: list[str], *, seconds: int, unit: str = HAPROXY) -> int:
    """The exit status of the waiting script over a service that goes through these states."""
    (folder / "systemctl").write_text(SYSTEMCTL)
    (folder / "systemctl").chmod(0o755)
    (folder / "states").write_text("\n".join(states) + "\n")
    question = f"systemctl is-active {HAPROXY}"
    done = subprocess.run(
        ["sh", "-c", _WAITING, "sh", question, "", str(seconds), "5", "0.01", unit, "3"],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "STATES": str(folder / "states")},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_stopped_service_is_given_up_after_three_answers(tmp_path: Path, state: str) -> None:
    assert waited(tmp_path, [state], seconds=3600) == GIVEN_UP


@pytest.mark.processes
def test_a_service_on_its_way_is_waited_for(tmp_path: Path) -> None:
    states = ["inactive", "inactive", "activating", "inactive", "inactive", "activating", "active"]
    assert waited(tmp_path, states, seconds=3600) == 0
    assert waited(tmp_path, ["activating"], seconds=1) == TIME_IS_UP
    assert waited(tmp_path, ["inactive"], seconds=1, unit="") == TIME_IS_UP


@pytest.mark.parametrize(
    ("command", "unit"),
    [
        (("systemctl", "is-active", HAPROXY), HAPROXY),
        (("systemctl", "is-active", "--quiet", HAPROXY), HAPROXY),
        (("systemctl", "is-active", "a.service", "b.service"), ""),
        (("systemctl", "is-enabled", HAPROXY), ""),
        (("true",), ""),
        ((), ""),
    ],
)
def test_the_service_is_known_by_the_question(command: tuple[str, ...], unit: str) -> None:
    assert unit_of(command) == unit


@pytest.mark.parametrize(
    ("said", "sentence", "remedy"),
    [
        (f"{STOPPED}\nStateChangeTimestamp={WHEN}", f"is stopped since {WHEN}",
         f"systemctl enable --now {HAPROXY}"),
        (f"{FAILED}\nExecMainStatus=1\nStateChangeTimestamp={WHEN}",
         f"has failed since {WHEN}: its program ended with exit status 1", "journalctl -u"),
        ("LoadState=loaded\nActiveState=failed\nResult=start-limit-hit", "gave it up",
         "systemctl reset-failed"),
        ("LoadState=not-found\nActiveState=inactive", "there is no haproxy.service", "list-unit"),
        ("LoadState=masked\nActiveState=inactive", "masked", "systemctl unmask"),
        ("LoadState=loaded\nActiveState=activating\nSubState=start", "activating start", "status"),
        ("", "unknown", "systemctl status"),
    ],
)  # fmt: skip
def test_each_state_has_its_sentence(said: str, sentence: str, remedy: str) -> None:
    state = unit_state(HAPROXY, shown(said))
    assert sentence in state.sentence
    assert remedy in state.remedy


@given(st.text(max_size=600))
def test_any_words_of_systemctl_come_to_a_sentence(said: str) -> None:
    state = unit_state(HAPROXY, shown(said))
    assert state.sentence == clean_line(state.sentence)
    assert state.remedy
