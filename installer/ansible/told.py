"""What the callback plugin tells, line by line; parsed as hostile, for machines answer in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from foundation.hosts.jobs.output_lines import clean_line

STATUSES: Final = frozenset(
    {"ok", "changed", "failed", "ignored", "skipped", "unreachable", "retry"}
)
_HOSTS: Final = 10_000
_NUMBERS: Final = ("ok", "changed", "failures", "unreachable", "skipped", "rescued", "ignored")


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that Ansible did."""

    event: str
    """play, task, host, note or stats."""
    play: str = ""
    task: str = ""
    host: str = ""
    status: str = ""
    sentence: str = ""
    stats: dict[str, dict[str, int]] = field(default_factory=dict)
    """Numbers by machine and kind, with "stats"."""
    failures: tuple[Told, ...] = ()

    @property
    def text(self) -> str:
        """The line for a person."""
        if self.event == "play":
            return f"PLAY {self.play}"
        if self.event == "task":
            return f"TASK {self.task}"
        if self.event == "note":
            return self.sentence
        if self.event == "stats":
            return "; ".join(
                f"{host}: {', '.join(f'{n} {kind}' for kind, n in numbers.items() if n) or 'none'}"
                for host, numbers in self.stats.items()
            )
        said = f": {self.sentence}" if self.sentence else ""
        return f"{self.status} on {self.host} ({self.task}){said}"


_ENDED: Final = re.compile(r"(ok|changed|skipped|failed|unreachable|ignored|retry) on \S+ \(.*\)")


def is_echo(text: str) -> bool:
    """Whether a line of the control host says what the machine's own task says too."""
    return _ENDED.match(text) is not None


def parse(line: str, word: str) -> Told | None:
    """The event of a line that begins with the word; None for every other line."""
    begin = f"{word} "
    if not line.startswith(begin):
        return None
    try:
        value = json.loads(line[len(begin) :])
    except (ValueError, RecursionError):
        return None
    return _told(value) if isinstance(value, dict) else None


def _told(value: dict[str, Any]) -> Told | None:
    def text(key: str, limit: int = 700) -> str:
        found = value.get(key, "")
        return clean_line(found[:limit]) if isinstance(found, str) else ""

    event = text("event")
    if event == "stats":
        failures = value.get("failures")
        known = [
            told
            for each in (failures if isinstance(failures, list) else [])[:100]
            if isinstance(each, dict) and (told := _told({**each, "event": "host"})) is not None
        ]
        return Told("stats", stats=_stats(value.get("hosts")), failures=tuple(known))
    if event == "note":
        return Told("note", sentence=text("text"))
    if event in {"play", "task"}:
        return Told(event, text("play"), text("task"))
    if event == "host" and text("status") in STATUSES and text("host"):
        return Told(
            "host", text("play"), text("task"), text("host"), text("status"), text("sentence")
        )
    return None


def _stats(found: Any) -> dict[str, dict[str, int]]:
    if not isinstance(found, dict) or len(found) > _HOSTS:
        return {}
    return {
        clean_line(str(host)[:255]): {
            kind: numbers[kind]
            for kind in _NUMBERS
            if isinstance(numbers.get(kind), int) and 0 <= numbers[kind] < 10**9
        }
        for host, numbers in found.items()
        if isinstance(numbers, dict)
    }
