"""The lock that a machine itself keeps: one file that names who works on it, for every laptop.

The file is made whole or not at all, so that of two who come at the same moment one gets it. Its
holder touches it now and then; how long ago is told by the machine's own clock. Jobs that carry
the token of another holder are not started (see `jobs_scripts.FENCE`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.hosts.connection import Become, Completed, Connection
from foundation.hosts.jobs_shell import call, problem
from foundation.hosts.output_lines import clean_line
from foundation.problems import MachineProblem

PATH: Final = "/var/lib/sitewright/lock"
TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_TEXT_LIMIT: Final = 8192

# The guard is held for the moment of looking and writing, where the machine has flock.
_HEAD: Final = rf"""
umask 077
f={PATH} d=${{f%/*}} token=$1
mkdir -p "$d" || exit 92
exec 9>"$f.guard" || exit 92
if command -v flock >/dev/null; then flock 9; fi
held_by() {{ head -c {_TEXT_LIMIT} "$f" 2>/dev/null | head -n 1 | grep -qxF -- "$1"; }}
"""

_TAKE: Final = (
    _HEAD
    + r"""
instead=$2
t=$(mktemp "$f.XXXXXXXX") || exit 92
trap 'rm -f "$t"' EXIT
cat >"$t" && [ -s "$t" ] || exit 92
if ln "$t" "$f" 2>/dev/null; then echo taken; exit 0; fi
if held_by "$token" || { [ -n "$instead" ] && held_by "$instead"; }; then
    mv -f "$t" "$f" && echo taken
    exit
fi
echo "held $(($(date +%s) - $(stat -c %Y "$f")))"
cat "$f"
"""
)
"""token, token of the holder who may be put out or ""; the file's text by standard input."""

_REFRESH: Final = (
    _HEAD
    + r"""
if held_by "$token"; then touch "$f"; echo held; exit 0; fi
[ -e "$f" ] || exit 0
echo "held $(($(date +%s) - $(stat -c %Y "$f")))"
cat "$f"
"""
)
"""token: "held" where it is still ours, nothing where nobody holds it, else who does."""

_RELEASE: Final = _HEAD + 'if held_by "$token"; then rm -f "$f"; fi\nexit 0\n'
"""token."""


@dataclass(frozen=True, slots=True)
class HeldBy:
    """The lock of a machine that somebody else holds."""

    token: str
    """That of the holder; "" where the file is none of ours."""
    text: str
    """What the holder says of itself."""
    silent: float
    """Seconds since its last sign of life, by the machine's clock."""


async def take(
    connection: Connection, token: str, text: str, *, instead: str = ""
) -> HeldBy | None:
    """Take a machine's lock, or tell who holds it; None where it is ours now.

    `instead` is the token of a holder that may be put out. Raises ConnectionProblem classes.
    """
    file = f"{token}\n{text}\n".encode()
    done = await call(connection, _TAKE, [token, instead], stdin=file, become=Become.ROOT)
    if done.status != 0:
        raise _problem(connection, done)
    return None if done.stdout.strip() == b"taken" else _held(done.stdout)


async def refresh(connection: Connection, token: str) -> HeldBy | None:
    """Give a sign of life; who holds the lock where it is no longer ours, else None.

    A lock that is not there is nobody's: None.
    """
    done = await call(connection, _REFRESH, [token], become=Become.ROOT)
    if done.status != 0 or done.stdout.strip() in (b"held", b""):
        return None
    return _held(done.stdout)


async def release(connection: Connection, token: str) -> None:
    """Give a machine's lock back, where it is ours."""
    await call(connection, _RELEASE, [token], become=Become.ROOT)


def _held(output: bytes) -> HeldBy:
    first, _, rest = output[:_TEXT_LIMIT].partition(b"\n")
    token, _, text = rest.partition(b"\n")
    seconds = first.decode("ascii", "replace").removeprefix("held ")
    found = clean_line(token)
    return HeldBy(
        found if TOKEN.fullmatch(found) else "",
        text.decode("utf-8", "replace"),
        float(seconds) if seconds.isdecimal() and len(seconds) < 12 else 0.0,
    )


def _problem(connection: Connection, done: Completed) -> MachineProblem:
    return problem(
        connection,
        "the lock of the machine could not be taken",
        done,
        where=f"{connection.host.name}:{PATH}",
        remedy="Check the free space of /var and that it can be written to.",
    )
