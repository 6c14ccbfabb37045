"""Hardening: what a solution's list asks of a machine that runs, over one login and by one script.

Each check of the list is a piece of POSIX shell that only looks. It says by one of three words how
it ended: that it holds, that it does not, or that it cannot be told; whatever ends in another way,
is late, or is cut off, cannot be told either, so that nothing holds by silence.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.hosts.connection import Become, Connection
from preflight.checks.check import Say
from preflight.findings import Finding, Severity
from preflight.parse.frames import Answer, split_frames
from preflight.parse.text import plain

SECONDS: Final = 20
"""What one check may take on its machine."""
OUTPUT_LIMIT: Final = 1024 * 1024
_SAID_BYTES: Final = 2000
"""Of what one check wrote; its reasons are short."""
_HOLDS, _FAILS, _UNTOLD = "40", "41", "42"
_LATE: Final = frozenset({"124", "137", "143"})

_WORDS: Final = f"""\
holds() {{ [ $# = 0 ] || printf '%s\\n' "$*"; exit {_HOLDS}; }}
fails() {{ printf '%s\\n' "$*"; exit {_FAILS}; }}
untold() {{ printf '%s\\n' "$*"; exit {_UNTOLD}; }}
need() {{ command -v "$1" >/dev/null 2>&1 || untold "there is no $1 on the machine"; }}
root() {{ [ "$(id -u)" = 0 ] || untold "root's rights are needed to see it"; }}
"""
"""What the piece of each check may say."""

_BEGINNING: Final = f"""\
n=$1
unset ENV BASH_ENV CDPATH IFS
LC_ALL=C LANG=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin
export LC_ALL LANG PATH
limit=
if command -v timeout >/dev/null 2>&1; then limit='timeout -k 2 {SECONDS}'; fi
printf '\\n%s hello 1\\n' "$n"
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One check of a list, as it is put to machines."""

    name: str
    """As the list calls it; with its area it is the id of a finding."""
    title: str
    """What is so where it holds, a sentence."""
    otherwise: str
    """What is so where it does not, a sentence."""
    script: str
    expected: str
    see: str
    """A command that shows it to a person."""
    remedy: str
    source: str
    severity: Severity = Severity.FAIL
    """What it is where it does not hold: a failure or a warning."""
    unasked: str = ""
    """Why it cannot be put to anybody; "" where it can."""

    @property
    def id(self) -> str:
        """The id of its findings: hardening.swap."""
        return f"hardening.{self.name}"


def hardening_script(asked: Sequence[Asked]) -> bytes:
    """The one script that puts every check to a machine, each in a shell of its own."""
    parts = [_BEGINNING]
    for one in asked:
        piece = shlex.quote(f"set -u\n{_WORDS}{one.script}\n")
        parts.append(
            f"printf '%s begin %s\\n' \"$n\" {one.id}\n"
            f"said=$($limit sh -c {piece} </dev/null 2>&1); status=$?\n"
            f"printf '%s\\n' \"$said\" | head -c {_SAID_BYTES}\n"
            f'printf \'\\n%s end %s %s\\n\' "$n" {one.id} "$status"\n'
        )
    parts.append("printf '%s done\\n' \"$n\"\n")
    return "".join(parts).encode()


async def ask_hardening(
    connection: Connection, asked: Sequence[Asked], *, become: Become = Become.IF_ALLOWED
) -> tuple[Finding, ...]:
    """What each check says of a machine; raises ConnectionProblem where it cannot be reached."""
    nonce = f"hardening-{secrets.token_hex(8)}"
    done = await connection.run(
        ["sh", "-s", nonce],
        stdin=hardening_script(asked),
        become=become,
        timeout=30.0 + SECONDS * len(asked),
        limit=OUTPUT_LIMIT,
    )
    return judge_hardening(
        done.stdout, nonce, asked, host=connection.host.name, why_not_root=done.why_not_root
    )


def judge_hardening(
    output: bytes, nonce: str, asked: Iterable[Asked], *, host: str, why_not_root: str = ""
) -> tuple[Finding, ...]:
    """The findings in what a machine wrote: one for each check, whatever came of it."""
    answer = split_frames(output[:OUTPUT_LIMIT], nonce)
    return tuple(_finding(one, answer, host, why_not_root) for one in asked)


def cannot_be_asked(one: Asked, reason: str, host: str | None = None) -> Finding:
    """The finding of a check that no machine, or not this one, could be asked."""
    return Say(f"hardening.{one.name}", host).unknown(
        f"It cannot be told: {one.title}",
        expected=one.expected,
        reason=reason,
        source=one.source,
        evidence=one.see,
    )


def _finding(one: Asked, answer: Answer, host: str, why_not_root: str) -> Finding:
    status = answer.status(one.id)
    said = plain(" ".join(answer.text(one.id).split()), _SAID_BYTES)
    say = Say(f"hardening.{one.name}", host)
    if status == _HOLDS:
        return say.at(
            Severity.PASS, one.title, expected=one.expected, actual=said or "so it is",
            source=one.source, evidence=one.see,
        )  # fmt: skip
    if status == _FAILS:
        return say.at(
            one.severity, one.otherwise, expected=one.expected, actual=said or "it is not so",
            source=one.source, evidence=one.see, remedy=one.remedy,
        )  # fmt: skip
    reason = _why_untold(answer, status, said)
    if why_not_root:
        reason = f"{reason} (looked at without root's rights: {why_not_root})"
    return cannot_be_asked(one, reason, host)


def _why_untold(answer: Answer, status: str, said: str) -> str:
    if status == _UNTOLD:
        return said or "it gives no reason"
    if status in _LATE:
        return f"it was not told within {SECONDS} s"
    if status in ("", "cut"):
        return "the machine did not report it" if answer.complete else "the answer was cut short"
    # A command that failed is no answer, whatever its number means elsewhere.
    return f"its command ended with exit status {status[:8]}" + (f": {said}" if said else "")
