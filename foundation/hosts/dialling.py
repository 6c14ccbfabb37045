"""Dialling: the state of a port as another machine sees it."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from foundation.hosts.connection import Completed, Dialled, PortState
from foundation.problems import ConnectTimeout

if TYPE_CHECKING:
    import asyncssh

_SPARE_SECONDS: Final = 10.0
"""What a command that dials may take beyond the attempt itself."""

# bash first, since a minimal server has it; the answer is one word and the rest of a line.
_SCRIPT: Final = (
    'LC_ALL=C; export LC_ALL; t=; command -v timeout >/dev/null 2>&1 && t="timeout $3"; '
    "if command -v bash >/dev/null 2>&1; then echo via bash; "
    '$t bash -c \'exec 3<>"/dev/tcp/$0/$1" && echo open\' "$1" "$2" 2>&1; echo "ended $?"; '
    "elif command -v python3 >/dev/null 2>&1; then echo via python3; "
    "python3 -I -c 'import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), "
    'float(sys.argv[3])); print("open")\' "$1" "$2" "$3" 2>&1; echo "ended $?"; '
    "else echo via none; fi"
)
_TIMED_OUT: Final = 124
"""The status of timeout(1) where the time was up."""


class _Run(Protocol):
    def __call__(
        self, command: list[str], *, timeout: float, limit: int
    ) -> Awaitable[Completed]: ...


def state_of(text: str) -> PortState:
    """The state that the words of a failed connection tell, in any of the tools' wordings."""
    lower = text.lower()
    if "refused" in lower:
        return PortState.REFUSED
    if "timed out" in lower or "timeout" in lower:
        return PortState.FILTERED
    if any(
        word in lower
        for word in ("no route", "unreachable", "host is down", "network is down", "prohibited")
    ):
        return PortState.UNREACHABLE
    return PortState.UNKNOWN


async def through_channel(
    connection: asyncssh.SSHClientConnection,
    address: str,
    port: int,
    timeout: float,
    pending: set[asyncio.Task[None]],
) -> Dialled | None:
    """Dial with a TCP channel; None where the machine's sshd forbids it or the connection ended.

    An attempt that is not answered in time is left in `pending` until sshd gives it up, since a
    channel that is being opened cannot be taken back.
    """
    # This machine's own dials have no need of a library that takes half a second to load.
    import asyncssh

    began = time.monotonic()

    async def attempt() -> None:
        channel, _ = await connection.create_connection(
            asyncssh.SSHTCPSession, address, port, encoding=None
        )
        channel.abort()

    task = asyncio.create_task(attempt())
    pending.add(task)
    task.add_done_callback(lambda done: _forget(done, pending))
    done, _ = await asyncio.wait({task}, timeout=timeout)
    seconds = time.monotonic() - began
    if not done:
        return Dialled(PortState.FILTERED, "channel", f"no answer in {timeout:g} s", seconds)
    error = None if task.cancelled() else task.exception()
    if error is None:
        return Dialled(PortState.OPEN, "channel", seconds=seconds)
    if isinstance(error, asyncssh.ChannelOpenError) and not connection.is_closed():
        if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            return None
        reason = " ".join(error.reason.split())[:200]
        return Dialled(state_of(reason), "channel", reason, seconds)
    return None


def _forget(task: asyncio.Task[None], pending: set[asyncio.Task[None]]) -> None:
    pending.discard(task)
    if not task.cancelled():
        task.exception()  # seen, so that asyncio does not complain of it


async def through_command(run: _Run, address: str, port: int, timeout: float) -> Dialled:
    """Dial with bash or python3 on the machine, where its sshd forbids channels."""
    began = time.monotonic()
    seconds_text = f"{max(timeout, 0.1):.3f}"
    try:
        done = await run(
            ["sh", "-c", _SCRIPT, "sh", address, str(port), seconds_text],
            timeout=timeout + _SPARE_SECONDS,
            limit=8192,
        )
    except ConnectTimeout:
        return Dialled(PortState.FILTERED, "bash", "no answer in time", time.monotonic() - began)
    return read_answer(done.stdout.decode("utf-8", "replace"), time.monotonic() - began)


def read_answer(text: str, seconds: float) -> Dialled:
    """What the script above said, as a state."""
    lines = text.splitlines()
    tool = next((line.removeprefix("via ") for line in lines if line.startswith("via ")), "none")
    via: Literal["bash", "python3", "none"] = (
        "bash" if tool == "bash" else "python3" if tool == "python3" else "none"
    )
    if via == "none":
        return Dialled(
            PortState.UNKNOWN,
            "none",
            "sshd forbids forwarding (AllowTcpForwarding no), and there is no bash or python3",
            seconds,
        )
    if "open" in lines:
        return Dialled(PortState.OPEN, via, seconds=seconds)
    if f"ended {_TIMED_OUT}" in lines:
        return Dialled(PortState.FILTERED, via, "no answer in time", seconds)
    said = [line for line in lines if not line.startswith(("via ", "ended "))]
    detail = next((line.strip()[:200] for line in reversed(said) if line.strip()), "")
    return Dialled(state_of(detail), via, detail, seconds)


async def directly(address: str, port: int, timeout: float) -> Dialled:
    """Dial from this machine."""
    began = time.monotonic()

    def dialled(state: PortState, detail: str = "") -> Dialled:
        return Dialled(state, "local", detail, time.monotonic() - began)

    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address, port)
        writer.transport.abort()
    except TimeoutError as error:
        # The system's own time-out is an OSError with a number; ours has none.
        detail = error.strerror if error.errno else f"no answer in {timeout:g} s"
        return dialled(PortState.FILTERED, detail or "")
    except socket.gaierror as error:
        return dialled(PortState.UNKNOWN, f"the name does not resolve: {error.strerror}")
    except OSError as error:
        return dialled(_state_of_error(error), error.strerror or str(error))
    return dialled(PortState.OPEN)


def _state_of_error(error: OSError) -> PortState:
    states: dict[Any, PortState] = {
        errno.ECONNREFUSED: PortState.REFUSED,
        errno.EHOSTUNREACH: PortState.UNREACHABLE,
        errno.ENETUNREACH: PortState.UNREACHABLE,
        errno.EHOSTDOWN: PortState.UNREACHABLE,
        errno.EACCES: PortState.UNREACHABLE,
        errno.EPERM: PortState.UNREACHABLE,
        errno.ETIMEDOUT: PortState.FILTERED,
    }
    return states.get(error.errno, state_of(str(error)))
