"""Jobs as values: a command that lives on its machine whether or not anybody watches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from foundation.problems import Refused


class Fenced(Refused):
    """A job that was not started, because another holds the machine's lock."""

    code = "fenced"
    title = "Somebody else is working on this machine"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A command to be run durably on a machine, as root."""

    id: str
    """Unique on the machine for a run and an attempt: sw-<run>-<step>-<attempt>; [a-z0-9-] only."""
    command: tuple[str, ...]
    """An argument list; quoting is ours."""
    stdin: bytes | None = None
    """Given to the command over its standard input; may hold secrets, so it is never written to a
    disk that survives a reboot."""
    environment: tuple[tuple[str, str], ...] = ()
    """Never secrets: they would show in the unit."""
    directory: str = "/"
    timeout: float = 3600.0
    """Seconds after which the machine itself ends the job."""
    mark: bool = False
    """Whether services are to be followed from its start on, which is marked in the journal."""
    followed: bool = False
    """Whether it is followed at once, so that the command which starts it goes on with its lines;
    until it is, this keeps a session of the connection."""
    fence: str = ""
    """The token of the machine's lock (`machine_lock`): where another holds that, it is not
    started."""


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    GONE = "gone"
    """The machine knows nothing of it: it never began, or the machine was rebooted since."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's state as its machine tells it."""

    state: JobState
    exit_status: int | None = None
    result: str = ""
    """systemd's Result, or the words of the fallback."""
    boot_id: str = ""


@dataclass(frozen=True, slots=True)
class JobLine:
    """One line that a job or a service wrote, with the place from which to go on after it."""

    text: str
    stream: Literal["stdout", "stderr", "journal"]
    cursor: str
    """journald's cursor, or a byte offset of the fallback's log, as text."""
    time: float
    """Unix time on the machine, seconds."""
    unit: str = ""
    """The service, where another unit's journal is followed."""
