"""The protocol that every way to a machine keeps, over SSH and locally."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from foundation.hosts.model import Host
from foundation.secrets import Secret

OUTPUT_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of output that `run` keeps of one command and stream before it ends the command."""


Feed = Callable[[], AsyncIterator[bytes | memoryview]]
"""Gives a command's standard input piece by piece, no faster than the machine takes it.

A piece need only be valid until the next one is asked for."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended: what it wrote and how it ended."""

    status: int
    """The exit status; 128 + n where signal n ended it, -1 where the machine did not say."""
    stdout: bytes
    stderr: bytes
    started: float
    """Unix time on this machine when the command was sent, seconds."""
    seconds: float
    truncated: bool = False
    """Whether the output passed the limit, so that the command was ended and the rest is gone."""
    why_not_root: str = ""
    """Why it ran as the login where it might have run as root (`IF_ALLOWED`)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a running command's output, as it arrived."""

    stream: Literal["stdout", "stderr"]
    data: bytes


class PortState(StrEnum):
    """What a TCP connection attempt through a machine met."""

    OPEN = "open"
    REFUSED = "refused"
    FILTERED = "filtered"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Dialled:
    """The state of another machine's port as seen from this one."""

    state: PortState
    via: Literal["channel", "bash", "python3", "local", "none"]
    """The means by which it was seen; a hardened sshd forbids channels."""
    detail: str = ""
    seconds: float = 0.0


class Become(StrEnum):
    """With whose rights a command runs."""

    LOGIN = "login"
    """As the user who logged in."""
    IF_ALLOWED = "if-allowed"
    """As root where sudo asks for no password or one was given, else as the login user."""
    ROOT = "root"
    """As root, or not at all: raises SudoRefused."""


class Closing(ABC):
    """What is closed at the end of its block."""

    @abstractmethod
    async def close(self) -> None:
        """End it; safe to call twice."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Connection(Protocol):
    """A live way to one machine. All methods raise ConnectionProblem classes and nothing else."""

    @property
    def host(self) -> Host: ...

    @property
    def round_trip(self) -> float | None:
        """Seconds for one question and answer on the open connection, or None if not measured."""

    async def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | None = None,
        become: Become = Become.LOGIN,
        timeout: float = 60.0,
        limit: int = OUTPUT_LIMIT,
    ) -> Completed:
        """Run one command (an argument list, quoted for the machine's shell by us) to its end.

        Raises ConnectTimeout after `timeout` seconds, ConnectionLost, SudoRefused.
        """

    def stream(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | Feed | None = None,
        become: Become = Become.LOGIN,
        timeout: float | None = None,
    ) -> AsyncIterator[Chunk]:
        """Run one command and give its output while it runs; ends when the command ends.

        What a Feed raises ends the command and is raised here.
        """

    async def put(self, source: Path, target: str, *, mode: int = 0o600) -> None:
        """Copy a file to the machine, whole or not at all."""

    async def get(self, source: str, target: Path) -> None:
        """Copy a file from the machine, whole or not at all."""

    async def dial(self, address: str, port: int, *, timeout: float = 3.0) -> Dialled:
        """Try a TCP connection from that machine to another and say what it met."""

    async def close(self) -> None:
        """End the connection; safe to call twice."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Connector(Protocol):
    """What opens connections, as foundation.hosts.pool.Pool does."""

    async def connect(self, host: Host) -> Connection:
        """The one connection to a machine, opened at the first call and when it was lost."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets with which to log in; they live in memory for the time of one run."""

    password: Secret | None = None
    """For the login, where the machine takes passwords."""
    passphrase: Secret | None = None
    """For private keys that are encrypted."""
    sudo_password: Secret | None = None
    """For sudo, where it asks; the login password is not tried unless it is given here too."""
