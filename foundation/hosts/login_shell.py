"""The login shell of a machine: one form of command line that every shell passes on unharmed.

sshd hands a command line to whatever shell the account has. sh, bash, zsh, ksh, tcsh, fish and
busybox agree on little: a newline or `!` in quotes breaks tcsh, a doubled backslash is one in fish,
and any of them may run a start-up file that prints, or reads what was meant for the command. So
the line holds only words, single quotes, and characters in them that all shells leave alone; sh
makes the command of it, reads up to the place where the command's own input begins, and marks the
place where its own output begins.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final, Literal

from foundation.hosts.jobs.output_lines import clean_line
from foundation.problems import ProbeProblem
from foundation.secrets import cut, redact
from foundation.sentences import understood

GREETING_LIMIT: Final = 64 * 1024
"""Bytes that start-up files may write before the command begins."""
EATEN: Final = 96
"""Exit status: start-up files read all of the command's input, so nothing was begun."""

OTHER_SHELL: Final = 97
"""Exit status: start-up files put another shell in the place of the one that had the command."""

_BLANK_LINES: Final = b"\n" * 8
"""What a start-up file that asks questions gets for an answer: Enter."""
_UNSAFE: Final = re.compile(rb"[^\x20-\x7e]|['\\!]")
_CARRIER: Final = (
    'k=$1 i=$2; shift 2; if [ "$i" = 1 ]; then while IFS= read -r l || '
    '{ echo "start-up files read what was meant for the command" >&2; exit 96; }; '
    'do [ "$l" = "$k" ] && break; done; fi; '
    'n=$#; while [ "$n" -gt 0 ]; do l=$(printf %b. "$1"); shift; set -- "$@" "${l%.}"; '
    "n=$((n - 1)); done; "
    'printf %s "$k"; printf %s "$k" >&2; unset k i l n; exec "$@"'
)
"""A word of ours, 1 where there is input, and the command as `encoded` gives it."""
_REMEDY: Final = (
    "Log in by hand and run `sh -c 'echo ok'`: if anything else than \"ok\" appears, or nothing, "
    "the login shell or its start-up files need mending."
)

_SHOWN_OF: Final = 4096
"""Bytes of a line of which the first words are shown."""

Stream = Literal["stdout", "stderr"]


def encoded(text: str) -> str:
    """A text as printf's %b reads it, of characters that every shell leaves alone in quotes."""
    raw = text.encode("utf-8", "surrogateescape")
    return _UNSAFE.sub(lambda found: b"\\0%03o" % found.group()[0], raw).decode("ascii")


class Passage:
    """One command on its way through a login shell, and what the shell said meanwhile."""

    def __init__(self, argv: Sequence[str], *, with_input: bool) -> None:
        # A start-up file may put another shell in its place (exec zsh), which reads the input as
        # its own commands: then this line ends it before it reads any of what was meant for ours.
        mark = f"exit {OTHER_SHELL} # {secrets.token_hex(12)}"
        words = " ".join(f"'{encoded(word)}'" for word in argv)
        self.line = f"sh -c '{_CARRIER}' sh '{mark}' {int(with_input)} {words}"
        """The command line for the machine."""
        self.first = _BLANK_LINES + mark.encode() + b"\n" if with_input else b""
        """What goes in front of the command's own input."""
        self._mark = mark.encode()
        self._said: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._begun: dict[Stream, bool] = {"stdout": False, "stderr": False}
        self.overflown = False
        """Whether it said more than any greeting, so that it is to be ended."""

    @property
    def begun(self) -> bool:
        """Whether the command itself was begun."""
        return any(self._begun.values())

    @property
    def unfinished(self) -> str:
        """The line that the shell left without an end, as a prompt is."""
        last = max((bytes(said).rpartition(b"\n")[2] for said in self._said.values()), key=len)
        return "" if self.begun else clean_line(last[-400:])

    def without_mark(self, text: bytes) -> bytes:
        """What was heard, without our own word in it."""
        return text.replace(self._mark, b"\n")

    def feed(self, stream: Stream, data: bytes) -> bytes:
        """Take a piece of output; what of it is the command's own."""
        if self._begun[stream]:
            return data
        said = self._said[stream]
        said += data
        at = said.find(self._mark)
        if at >= 0:
            rest = bytes(said[at + len(self._mark) :])
            del said[at:]
            self._begun[stream] = True
            return rest
        if len(said) > GREETING_LIMIT:
            # The mark may have come in part.
            self.overflown = True
            del said[: -GREETING_LIMIT // 2]
        return b""

    def problem(self, status: int, where: str, *, user: str = "", asked: str = "") -> ProbeProblem:
        """Why the command never began, in the shell's own words; `asked` is its open question."""
        if asked:
            return ProbeProblem(
                f'the login asks "{redact(asked)}" before any command, and nobody answers that '
                "here",
                where=where,
                remedy="Let the start-up files ask only where somebody sits there, in bash: "
                "[ -t 0 ] || return",
            )
        out, err = (bytes(self._said[stream]) for stream in ("stdout", "stderr"))
        known = understood((err + b"\n" + out).decode("utf-8", "replace"), user=user)
        if status == EATEN:
            return ProbeProblem(
                "the start-up files of the login shell read what was meant for the command "
                "(read, cat or a menu in .bashrc, .cshrc, .profile or /etc/profile.d)",
                where=where,
                remedy="Let them ask only where somebody sits there, in bash: [ -t 0 ] || return",
            )
        if status == OTHER_SHELL:
            return ProbeProblem(
                "the start-up files of the login shell put another shell in its place, which does "
                "not begin the command",
                where=where,
                remedy="Let them do that only where somebody sits there, for example in .bashrc: "
                "[ -t 1 ] && exec fish",
            )
        if self.overflown:
            cause = "the login shell writes without an end and begins no command"
        elif status == -1:
            cause = "the login shell was ended before it began the command"
        else:
            cause = f"the login shell ended before it began the command (exit status {status})"
            if status == 0 and known is None:
                cause += (
                    " (as where a start-up file exits, or sshd runs another command in its place: "
                    "ForceCommand, or command= in authorized_keys)"
                )
        told = []
        if out.strip():
            told.append(f"it wrote {_beginning(out)}")
        if err.strip():
            told.append(f"the error output begins with {_beginning(err)}")
        if told:
            cause += ": " + "; ".join(told)
        elif known is None:
            cause += ", and said nothing"
        return ProbeProblem(
            f"{known.meaning}; {cause}" if known is not None else cause,
            where=where,
            remedy=known.remedy if known is not None else _REMEDY,
        )


def _beginning(output: bytes) -> str:
    """The first line with something to read in it, in quotes."""
    for raw in output[:GREETING_LIMIT].split(b"\n"):
        # Thousands of lines may have nothing to read in them, and one may have no end.
        left_out = max(0, len(raw) - _SHOWN_OF)
        if line := clean_line(raw[:_SHOWN_OF], left_out=left_out).strip():
            return f'"{cut(line, 160)}"'
    return "nothing printable"
