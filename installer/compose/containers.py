"""Containers: what Docker says of each container of a project, and whether its service stands.

A service with a health check is judged by it; one without by what is there to judge by: it runs,
is not restarted again and again, or it was meant to end and ended with 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from foundation.wording import counted

FORMAT: Final = (
    '{{index .Config.Labels "com.docker.compose.service"}}|{{slice .Name 1}}|{{.State.Status}}'
    "|{{.State.ExitCode}}|{{if .State.Health}}{{.State.Health.Status}}{{end}}"
    "|{{.RestartCount}}|{{.State.OOMKilled}}|{{.State.StartedAt}}"
)
"""For `docker inspect --format`: one line a container, as `container_of` reads it."""

MOST_RESTARTS: Final = 5
"""Restarts of a container after which it is not waited for any more."""
_KILLED: Final = 137
"""Exit code of what was ended by SIGKILL."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a project at one moment."""

    service: str
    name: str
    status: str
    """created, running, restarting, exited, paused, removing or dead."""
    exit_code: int = 0
    health: str = ""
    """starting, healthy or unhealthy; "" where the service has no health check."""
    restarts: int = 0
    out_of_memory: bool = False


class Stand(StrEnum):
    """Where a service stands."""

    READY = "ready"
    ENDED = "ended"
    """It was meant to end, and ended with 0."""
    STARTING = "starting"
    FAILED = "failed"
    MISSING = "missing"
    """It has no container."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A service, where it stands, and why in a few words."""

    service: str
    stand: Stand
    words: str

    @property
    def good(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.stand in (Stand.READY, Stand.ENDED)


def container_of(line: str) -> Container | None:
    """A line of `FORMAT`; None for one that is none."""
    parts = line.strip().split("|")
    if len(parts) != 8 or not parts[0]:
        return None
    service, name, status, exit_code, health, restarts, killed, _ = parts
    return Container(
        service, name, status, _number(exit_code), health if health != "none" else "",
        _number(restarts), killed == "true",
    )  # fmt: skip


def containers_of(text: str) -> tuple[Container, ...]:
    """Every container of such lines."""
    return tuple(c for line in text.splitlines() if (c := container_of(line)) is not None)


def _number(text: str) -> int:
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and len(digits) < 10 else 0


def judge(container: Container, *, ends: bool) -> Judged:
    """Where the service of one container stands; `ends` says that it is meant to end."""
    stand, words = _judged(container, ends=ends)
    return Judged(container.service, stand, words)


def _judged(one: Container, *, ends: bool) -> tuple[Stand, str]:
    match one.status:
        case "running":
            return _running(one)
        case "exited":
            return _exited(one, ends=ends)
        case "created":
            return Stand.STARTING, "waits for what it depends on"
        case "restarting" if one.restarts < MOST_RESTARTS:
            return Stand.STARTING, f"was restarted {_times(one.restarts)}"
        case "restarting":
            return Stand.FAILED, f"ends again and again, last with {_code(one)}"
        case "paused":
            return Stand.FAILED, "was paused by somebody"
        case other:
            return Stand.FAILED, f"is {other or 'in no state that is known'}"


def _running(one: Container) -> tuple[Stand, str]:
    match one.health:
        case "healthy":
            return Stand.READY, "healthy"
        case "unhealthy":
            return Stand.FAILED, "its health check says no"
        case "starting":
            return Stand.STARTING, "runs, and is not healthy yet"
        case _ if one.restarts >= MOST_RESTARTS:
            return Stand.FAILED, f"was restarted {_times(one.restarts)}"
        case _:
            return Stand.READY, "runs; it has no health check"


def _exited(one: Container, *, ends: bool) -> tuple[Stand, str]:
    if one.exit_code == 0 and ends:
        return Stand.ENDED, "ended with 0, as it should"
    if one.exit_code == 0:
        return Stand.FAILED, "ended with 0, and nothing expects it to end"
    return Stand.FAILED, f"ended with {_code(one)}"


def _code(one: Container) -> str:
    if one.out_of_memory:
        return f"{one.exit_code}: the kernel ended it, out of memory"
    if one.exit_code == _KILLED:
        return f"{one.exit_code}: it was killed"
    return str(one.exit_code)


def _times(number: int) -> str:
    return "once" if number == 1 else counted(number, "time")


def judge_all(
    containers: Sequence[Container], services: Collection[str], ending: Collection[str]
) -> tuple[Judged, ...]:
    """Every service of a project, by name; the worst container of a service counts."""
    by_service: dict[str, list[Judged]] = {name: [] for name in services}
    for container in containers:
        if container.service in by_service:
            judged = judge(container, ends=container.service in ending)
            by_service[container.service].append(judged)
    return tuple(
        min(found, key=lambda judged: _ORDER[judged.stand])
        if (found := by_service[name])
        else Judged(name, Stand.MISSING, "has no container")
        for name in sorted(by_service)
    )


_WHEN_STOPPED: Final = frozenset({0, _KILLED, 128 + 15})
"""Exit codes of programs that were told to end, and of those that had to be killed for it."""

_ORDER: Final[Mapping[Stand, int]] = {
    Stand.FAILED: 0, Stand.MISSING: 1, Stand.STARTING: 2, Stand.ENDED: 3, Stand.READY: 4,
}  # fmt: skip


def is_stopped(
    containers: Sequence[Container], services: Collection[str], ending: Collection[str]
) -> bool:
    """Whether a whole project stands still in order, as `stop` leaves it: none failed or runs."""
    own = [one for one in containers if one.service in services]
    seen = {one.service for one in own}
    return (
        seen == set(services)
        and not seen <= set(ending)
        and all(
            one.status == "exited" and one.exit_code in _WHEN_STOPPED and not one.out_of_memory
            for one in own
        )
    )


def progress_words(judged: Iterable[Judged]) -> str:
    """What is waited for, in one line: "central-ledger, kafka and 3 more"."""
    waiting = [one.service for one in judged if not one.good]
    if not waiting:
        return "every service stands"
    shown = ", ".join(waiting[:3])
    more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
    return f"waiting for {shown}{more}"
