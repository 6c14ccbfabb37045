"""A service that is waited for: which it is, how it stands, since when, and how it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.terminal import clean_line

PROPERTIES: Final = "Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,StateChangeTimestamp"
"""What `systemctl show -p` is asked for (systemd's D-Bus properties of units and services)."""
_RESULTS: Final = {
    "exit-code": "its program ended with exit status {status}",
    "signal": "its program was ended by a signal",
    "core-dump": "its program crashed",
    "timeout": "it took too long to start or to stop",
    "oom-kill": "the machine ran out of memory and ended it",
    "start-limit-hit": "it fell over at every start, so systemd gave it up",
    "watchdog": "it gave no sign of life",
    "resources": "the machine had nothing left to start it with",
}
"""`Result` of a service, in systemd.exec(5)'s and systemd.service(5)'s words."""


@dataclass(frozen=True, slots=True)
class UnitState:
    """How a service stands, as a sentence, and what to do about it."""

    sentence: str
    remedy: str


def unit_of(command: Sequence[str]) -> str:
    """The one service whose being active a command asks for, or ""."""
    if tuple(command[:2]) != ("systemctl", "is-active"):
        return ""
    names = [word for word in command[2:] if not word.startswith("-")]
    return names[0] if len(names) == 1 else ""


def shown(output: str) -> dict[str, str]:
    """What `systemctl show` printed."""
    pairs = (clean_line(line[:500]).partition("=") for line in output.splitlines()[:50])
    return {name: value for name, _, value in pairs}


def unit_state(unit: str, said: Mapping[str, str]) -> UnitState:
    """What the properties of a service that is not active come to."""
    active, result = said.get("ActiveState", ""), said.get("Result", "")
    when = said.get("StateChangeTimestamp", "")
    since = f" since {when}" if when and when != "n/a" else ""
    if said.get("LoadState") == "not-found":
        return UnitState(
            f"there is no {unit} on the machine",
            f"See what its package is called and whether it is installed: "
            f"systemctl list-unit-files '*{unit.partition('.')[0]}*'",
        )
    if said.get("LoadState") == "masked":
        return UnitState(
            f"{unit} is switched off for good (masked){since}",
            f"See who did it and why, then: systemctl unmask {unit} && "
            f"systemctl enable --now {unit}",
        )
    if active == "failed" or (active == "inactive" and result not in ("", "success")):
        reason = _RESULTS.get(result, result or "unknown")
        reason = reason.format(status=said.get("ExecMainStatus", "?"))
        return UnitState(
            f"{unit} has failed{since}: {reason}",
            f"See why: journalctl -u {unit} -n 50 --no-pager. Mend that, then: "
            f"systemctl reset-failed {unit}; systemctl start {unit}",
        )
    if active == "inactive":
        return UnitState(
            f"{unit} is stopped{since}: it was never started since the machine's start, or "
            "somebody stopped it",
            f"Start it, now and at every start: systemctl enable --now {unit}",
        )
    state = " ".join(word for word in (active, said.get("SubState", "")) if word) or "unknown"
    return UnitState(f"{unit} is {state}{since}", f"Look at it: systemctl status {unit}")
