"""A program that keeps logins (docker-credential-NAME), asked for one of them.

It is looked for on the PATH alone, is told the registry's name on its standard input, and answers
with JSON; how long it may take and how much it may say is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from dataclasses import dataclass
from typing import Final

from bundles.format.budgets import HELPER_BYTES, HELPER_SECONDS
from bundles.format.problems import SourceProblem
from bundles.format.strict_json import parse_json
from foundation.isolation import environment
from foundation.secrets import Secret

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NOT_THERE: Final = ("credentials not found", "no credentials server url", "not found in keychain")


@dataclass(frozen=True, slots=True)
class Helped:
    """What such a program answered: a login, nothing at all, or a problem in words."""

    user: str = ""
    secret: Secret | None = None
    problem: str = ""


async def ask_helper(name: str, server: str, *, seconds: float = HELPER_SECONDS) -> Helped:
    """Ask for the login to a server; whatever goes wrong is in the answer."""
    program = _find(name)
    if program is None:
        return Helped(problem="there is no such program on the PATH")
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=environment(),
        )
    except OSError as error:
        return Helped(problem=f"it cannot be started: {error.strerror}")
    try:
        output, errors = await asyncio.wait_for(_talk(process, server), seconds)
    except TimeoutError:
        return Helped(problem=f"it did not answer within {seconds:.0f} seconds")
    finally:
        if process.returncode is None:
            _end(process)
            await process.wait()
    if len(output) > HELPER_BYTES:
        return Helped(problem=f"it says more than {HELPER_BYTES} bytes")
    return judge(process.returncode or 0, output, errors)


def judge(status: int, output: bytes, errors: bytes) -> Helped:
    """What a program's exit status and its words mean."""
    if status:
        said = (output.strip() or errors.strip()).decode("utf-8", "replace")
        if any(words in said.lower() for words in _NOT_THERE):
            return Helped()
        clean = "".join(sign if sign.isprintable() else " " for sign in said)[:300]
        return Helped(problem=f"it fails: {clean or f'exit status {status}'}")
    try:
        value = parse_json(output, where="", limit=HELPER_BYTES, problem=SourceProblem)
    except SourceProblem:
        return Helped(problem="its answer is no JSON")
    user = value.get("Username") if isinstance(value, dict) else None
    secret = value.get("Secret") if isinstance(value, dict) else None
    if not isinstance(user, str) or not isinstance(secret, str):
        return Helped(problem="its answer holds no login")
    # An empty one is how some programs say that they have none.
    return Helped(user, Secret(secret)) if secret else Helped()


def _find(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return None
    folders = [one for one in os.environ.get("PATH", "").split(":") if one.startswith("/")]
    return shutil.which(f"docker-credential-{name}", path=":".join(folders) or "/nonexistent")


async def _talk(process: asyncio.subprocess.Process, server: str) -> tuple[bytes, bytes]:
    async def say() -> None:
        if process.stdin is not None:
            try:
                process.stdin.write(server.encode())
                await process.stdin.drain()
                process.stdin.close()
            except (BrokenPipeError, ConnectionResetError):
                pass  # whoever does not listen may answer all the same

    async def hear(stream: asyncio.StreamReader | None) -> bytes:
        said = b""
        while stream is not None and (more := await stream.read(1 << 16)):
            said += more
            if len(said) > HELPER_BYTES:
                _end(process)
                break
        return said

    _, output, errors = await asyncio.gather(say(), hear(process.stdout), hear(process.stderr))
    await process.wait()
    return output, errors


def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
