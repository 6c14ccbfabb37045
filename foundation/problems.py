"""Problems: the one way in which an error reaches a person.

A problem says what happened, to which machine or file, why, and what to do. It is raised where
the cause is known, passes through every floor unchanged, and is shown once. Its class carries the
title and the exit code; the instance carries what is particular to it.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import ClassVar

from foundation.terminal import clean_line, visible


class ExitCode(IntEnum):
    """The exit codes of the command, as docs/command.md promises them."""

    DONE = 0
    OUR_ERROR = 1
    USAGE = 2
    NOT_READY = 3
    UNREACHABLE = 4
    STAGE_FAILED = 5
    BUNDLE_INVALID = 6
    REFUSED = 7
    INTERRUPTED = 130


class Problem(Exception):
    """Something that a person must know: what, where, why, and what to do about it."""

    code: ClassVar[str] = "problem"
    """A stable name in kebab case, for JSON and for tests."""
    title: ClassVar[str] = "Something went wrong"
    exit_code: ClassVar[ExitCode] = ExitCode.OUR_ERROR
    default_remedy: ClassVar[str] = ""

    def __init__(self, cause: str, *, where: str | None = None, remedy: str | None = None) -> None:
        # What a machine or a file said is part of it: it reaches screens, files and reports as
        # text, and never as something that a terminal obeys.
        cause = visible(cause)
        super().__init__(cause)
        self.cause = cause
        self.where = None if where is None else clean_line(where)
        self.remedy = visible(remedy) if remedy is not None else self.default_remedy

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.title}{place}: {self.cause}"

    @property
    def sentence(self) -> str:
        """The cause with the end that a sentence has: one full stop, or its own mark."""
        cause = self.cause.rstrip().rstrip(".")
        return cause if cause.endswith(("?", "!", "…", ":")) else f"{cause}."

    def as_dict(self) -> dict[str, str | None]:
        """The problem as plain values for JSON: code, title, where, cause, remedy."""
        return {
            "code": self.code,
            "title": self.title,
            "where": self.where,
            "cause": self.cause,
            "remedy": self.remedy or None,
        }


class InputProblem(Problem):
    """A file, an option or an answer that cannot be used as it is."""

    code = "input"
    title = "This input cannot be used"
    exit_code = ExitCode.USAGE


class ConnectionProblem(Problem):
    """A machine that cannot be spoken to; the others go on."""

    code = "connection"
    title = "The machine cannot be reached"
    exit_code = ExitCode.UNREACHABLE


class Unreachable(ConnectionProblem):
    """Nobody answers at the address, or the name does not resolve."""

    code = "unreachable"


class ConnectTimeout(ConnectionProblem):
    """The address swallows what is sent to it, or the machine is silent after it answered."""

    code = "timeout"
    title = "The machine does not answer in time"


class LoginRefused(ConnectionProblem):
    """The machine speaks SSH and takes none of the keys or passwords offered."""

    code = "login-refused"
    title = "The login was refused"


class HostKeyProblem(ConnectionProblem):
    """A host key that may not be trusted."""

    code = "host-key"
    title = "The machine's identity is not confirmed"


class UnknownHostKey(HostKeyProblem):
    """A machine whose key is in no known_hosts file yet."""

    code = "host-key-unknown"

    def __init__(
        self,
        cause: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        fingerprint: str = "",
        public_key: str = "",
    ) -> None:
        super().__init__(cause, where=where, remedy=remedy)
        self.fingerprint = fingerprint
        self.public_key = public_key


class ChangedHostKey(UnknownHostKey):
    """A machine whose key differs from the one that was trusted: this stops, always."""

    code = "host-key-changed"
    title = "The machine's identity has changed"


class KeyProblem(ConnectionProblem):
    """A private key that cannot be read or opened."""

    code = "key"
    title = "The SSH key cannot be used"


class SudoRefused(ConnectionProblem):
    """The login works and sudo does not."""

    code = "sudo-refused"
    title = "sudo was refused"


class ConnectionLost(ConnectionProblem):
    """The connection ended while something was under way."""

    code = "connection-lost"
    title = "The connection was lost"


class ProbeProblem(ConnectionProblem):
    """A machine whose probe brought nothing that can be read."""

    code = "probe"
    title = "The machine's answer cannot be read"


class MachineProblem(ConnectionProblem):
    """A machine that answers, and cannot do what it is asked: a full disk, a dead service."""

    code = "machine"
    title = "The machine cannot do it"


class Refused(Problem):
    """Something that was refused on purpose: locked, or a confirmation is missing."""

    code = "refused"
    title = "This was refused"
    exit_code = ExitCode.REFUSED


class Interrupted(Problem):
    """A person stopped it."""

    code = "interrupted"
    title = "Interrupted"
    exit_code = ExitCode.INTERRUPTED


_A_NAME = re.compile(r"""[\d.:/_@"'`-]""")
"""What no plain word at the beginning of a sentence holds, and many a name of a machine does."""


def as_sentence(text: str) -> str:
    """A phrase as the beginning of a sentence: a name at its head keeps its small letters."""
    words = text.split(maxsplit=1)
    if not words or _A_NAME.search(words[0]):
        return text
    return text[:1].upper() + text[1:]
