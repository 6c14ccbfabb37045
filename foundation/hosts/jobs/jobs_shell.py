"""How the scripts of jobs are run, and what they say is read: bounded, never believed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final, cast

from foundation.hosts.connection import Become, Chunk, Closing, Completed, Connection
from foundation.hosts.jobs.output_lines import LineCutter, Turns, clean_line
from foundation.problems import MachineProblem, ProbeProblem
from foundation.secrets import cut
from foundation.sentences import understood

_SECONDS: Final = 60.0
"""How long a machine may take to start or stop a job, or to tell about it."""
_STANDING_LIMIT: Final = 100
"""Lines of a standing; there are about a dozen."""
_STDERR_LIMIT: Final = 4096


async def call(
    connection: Connection,
    script: str,
    arguments: Sequence[str],
    *,
    become: Become,
    stdin: bytes | None = None,
) -> Completed:
    """Run one of the constant scripts to its end."""
    command = ["sh", "-c", script, "sh", *arguments]
    return await connection.run(command, stdin=stdin, become=become, timeout=_SECONDS)


def problem(
    connection: Connection, what: str, done: Completed, *, where: str = "", remedy: str = ""
) -> MachineProblem:
    """The problem with a script that failed: its own last words, and what they mean."""
    said = cut(done.stderr.strip().rpartition(b"\n")[2], 400)
    known = understood(done.stderr.decode("utf-8", "replace"), user=connection.host.user or "")
    told = said or f"exit status {done.status}"
    return MachineProblem(
        f"{known.meaning}, so {what} ({told})" if known is not None else f"{what}: {told}",
        where=where or connection.host.name,
        remedy=known.remedy
        if known is not None
        else remedy
        or "Check the free space of /run and /var and that systemd answers: "
        "systemctl is-system-running",
    )


def read_standing(output: bytes) -> tuple[dict[str, str], bytes]:
    """The `key=value` lines up to an empty one, and what follows them."""
    head, _, rest = output.partition(b"\n\n")
    pairs = (clean_line(line).partition("=") for line in head.split(b"\n")[:_STANDING_LIMIT])
    return {key: value for key, _, value in pairs if key}, rest


class Records(Closing):
    """The lines of one running script; ends it when it is left."""

    def __init__(
        self,
        connection: Connection,
        script: str,
        arguments: Sequence[str],
        *,
        become: Become,
        limit: int,
        offset: int = 0,
        stdin: bytes | None = None,
    ) -> None:
        self._connection = connection
        command = ["sh", "-c", script, "sh", *arguments]
        # Every connection's stream is a generator, which must be closed to end the command.
        self._chunks = cast(
            "AsyncGenerator[Chunk, None]", connection.stream(command, stdin=stdin, become=become)
        )
        self._head = LineCutter(limit=4096)
        self._rest = b""
        self.cutter = LineCutter(limit=limit, offset=offset)
        self.stderr = bytearray()

    async def _data(self) -> AsyncIterator[bytes]:
        if self._rest:
            rest, self._rest = self._rest, b""
            yield rest
        async for chunk in self._chunks:
            if chunk.stream == "stdout":
                yield chunk.data
            else:
                self.stderr += chunk.data[: _STDERR_LIMIT - len(self.stderr)]

    async def standing(self) -> dict[str, str]:
        """The standing that the script printed first."""
        head = b""
        async for data in self._data():
            head += data
            if head.startswith(b"\n"):
                self._rest = head[1:]
                return {}
            if b"\n\n" in head:
                found, self._rest = read_standing(head)
                return found
            if len(head) > 65536:
                break
        raise ProbeProblem(
            "the machine's answer about a job cannot be read: "
            + (clean_line(self.told() or head[:200]) or "it said nothing"),
            where=self._connection.host.name,
            remedy="Log in and look at what a command prints: a login shell that writes to "
            "standard output is in the way.",
        )

    def told(self) -> bytes:
        """The last line of standard error."""
        return bytes(self.stderr).strip().rpartition(b"\n")[2]

    async def lines(self) -> AsyncIterator[tuple[bytes, int]]:
        """Whole lines and how many bytes of each were left out."""
        turns = Turns()
        async for data in self._data():
            for line, left_out, _ in self.cutter.feed(data):
                yield line, left_out
                await turns.after(line)

    async def close(self) -> None:
        """End the script, if it still runs."""
        await self._chunks.aclose()
