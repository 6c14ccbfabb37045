"""sudo: commands run as root, with at most one try of a password.

The strings handed to a machine's shell are constants; what varies is passed as quoted arguments.
A command that is to run as root first announces itself on standard error with a word that nobody
can guess, so a password never reaches the command, and sudo's own words are told apart from it.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from foundation.hosts.connection import Become
from foundation.problems import SudoRefused
from foundation.secrets import redact

NOISE_LIMIT: Final = 64 * 1024
"""Bytes that sudo may say before the command begins."""

# sudo's words are read, so they must be English; `--` ends sudo's options.
_ANNOUNCE: Final = 'printf %s "$0" >&2; exec "$@"'
_ROOT: Final = (
    'm=$1; shift; if [ "$(id -u)" = 0 ]; then printf %s "$m" >&2; exec "$@"; fi; '
    f'LC_ALL=C; export LC_ALL; exec sudo -n -- sh -c \'{_ANNOUNCE}\' "$m" "$@"'
)
_ROOT_WITH_PASSWORD: Final = (
    'p=$1; m=$2; shift 2; if [ "$(id -u)" = 0 ]; then printf %s "$m" >&2; exec "$@"; fi; '
    f'LC_ALL=C; export LC_ALL; exec sudo -S -p "$p" -- sh -c \'{_ANNOUNCE}\' "$m" "$@"'
)
_IF_ALLOWED: Final = (
    'if [ "$(id -u)" != 0 ] && sudo -n true </dev/null >/dev/null 2>&1; '
    'then exec sudo -n -- "$@"; fi; exec "$@"'
)


class Seen(Enum):
    """What the beginning of a command's standard error came to."""

    NOTHING = auto()
    PROMPT = auto()
    """sudo asks for the password: send it, once."""
    SECOND_PROMPT = auto()
    """sudo asks again: the password was wrong. End it now."""
    STARTED = auto()
    """The command runs as root: its standard input may be sent."""


@dataclass(slots=True)
class Elevation:
    """One command on its way to run with other rights, and what sudo said so far."""

    argv: list[str]
    prompt: bytes = b""
    """What sudo will ask with; empty where no password is to be given."""
    marker: bytes = b""
    """What the command announces itself with; empty where it does not."""
    started: bool = False
    prompted: bool = False
    _noise: bytearray = field(default_factory=bytearray)

    @property
    def line(self) -> str:
        """The command line for the login shell of a machine."""
        return shlex.join(self.argv)

    @property
    def waits(self) -> bool:
        """Whether standard input must be kept until the command has announced itself."""
        return bool(self.marker) and not self.started

    @property
    def noise(self) -> str:
        """What sudo said, without our own words."""
        text = bytes(self._noise)
        if self.prompt:
            text = text.replace(self.prompt, b"\n")
        return redact(text.decode("utf-8", "replace"))

    def feed(self, data: bytes) -> tuple[Seen, bytes]:
        """Take a piece of standard error: what it came to, and what belongs to the command."""
        if not self.waits:
            return Seen.NOTHING, data
        before = self._noise.count(self.prompt) if self.prompt else 0
        self._noise += data
        at = self._noise.find(self.marker)
        if at >= 0:
            rest = bytes(self._noise[at + len(self.marker) :])
            del self._noise[at:]
            self.started = True
            return Seen.STARTED, rest
        prompts = self._noise.count(self.prompt) if self.prompt else 0
        if len(self._noise) > NOISE_LIMIT:
            del self._noise[: -NOISE_LIMIT // 2]
        if prompts > before:
            if self.prompted or prompts > before + 1:
                return Seen.SECOND_PROMPT, b""
            self.prompted = True
            return Seen.PROMPT, b""
        return Seen.NOTHING, b""


def elevate(command: Sequence[str], become: Become, *, with_password: bool) -> Elevation:
    """The command wrapped for the rights it is to have."""
    words = list(command)
    if become is Become.LOGIN:
        return Elevation(words)
    if become is Become.IF_ALLOWED and not with_password:
        return Elevation(["sh", "-c", _IF_ALLOWED, "sh", *words])
    marker = f"<{secrets.token_hex(12)}>"
    if not with_password:
        return Elevation(["sh", "-c", _ROOT, "sh", marker, *words], marker=marker.encode())
    prompt = f"<{secrets.token_hex(12)}?>"
    return Elevation(
        ["sh", "-c", _ROOT_WITH_PASSWORD, "sh", prompt, marker, *words],
        prompt=prompt.encode(),
        marker=marker.encode(),
    )


@dataclass(slots=True)
class Standing:
    """What one connection has learned of sudo on its machine, so that nothing is tried twice."""

    user: str
    where: str
    has_password: bool
    problem: SudoRefused | None = None
    password_was_wrong: bool = False

    def elevate(self, command: Sequence[str], become: Become, *, is_root: bool) -> Elevation:
        """The command wrapped for its rights; raises SudoRefused where that is known to fail."""
        if become is Become.LOGIN or is_root:
            return elevate(command, Become.LOGIN, with_password=False)
        if self.problem is None:
            return elevate(command, become, with_password=self.has_password)
        if become is Become.ROOT or self.password_was_wrong:
            raise SudoRefused(
                self.problem.cause, where=self.problem.where, remedy=self.problem.remedy
            )
        return elevate(command, Become.LOGIN, with_password=False)

    def must_run_plainly(
        self,
        elevation: Elevation,
        become: Become,
        *,
        wrong_password: bool,
        stderr: bytes,
        status: int,
    ) -> bool:
        """Judge a command's end: raise what sudo refused, or say that no root rights will do."""
        if not elevation.waits:
            return False
        self.password_was_wrong = wrong_password
        self.problem = (
            _wrong_password(self.user, self.where)
            if wrong_password
            else refusal(elevation, stderr, status, user=self.user, where=self.where)
        )
        # A password that was given and is wrong is told, not passed over: the person can mend it.
        if become is Become.ROOT or wrong_password:
            raise self.problem
        return True


@dataclass(frozen=True, slots=True)
class _Refusal:
    words: tuple[str, ...]
    """Any of these, in lower case, tells it by what sudo (or sudo-rs) says."""
    cause: str
    remedy: str


_REFUSALS: Final = (
    _Refusal(
        ("not in the sudoers file", "may not run sudo", "i'm sorry {user}. i'm afraid i can't"),
        'the user "{user}" may not use sudo on this machine (is not in the sudoers file)',
        "As root on the machine: usermod -aG sudo {user}; or log in as a user who may.",
    ),
    _Refusal(
        ("not allowed to execute", "not allowed to run"),
        'sudo lets "{user}" run some commands only, and not this one',
        "Give the user the right to run everything for the time of the installation, in "
        "/etc/sudoers.d: {user} ALL=(ALL) ALL",
    ),
    _Refusal(
        ("must have a tty", "a terminal is required to read", "no tty present"),
        "sudo on this machine asks for a terminal (requiretty), which a program does not have",
        "As root on the machine, in /etc/sudoers.d: Defaults:{user} !requiretty",
    ),
    _Refusal(
        ("expired", "change your password", "password change required", "account validation"),
        'the password or the account of "{user}" has expired on this machine',
        "Log in once by hand and set a new password: ssh {user}@… passwd",
    ),
    _Refusal(
        ("locked",),
        'the account of "{user}" is locked on this machine',
        "As root on the machine: faillock --user {user} --reset",
    ),
    _Refusal(
        ("sudo: not found", "sudo: command not found", "sudo: no such file", "not found: sudo"),
        "there is no sudo on this machine",
        "Log in as root, or as root on the machine: apt-get install sudo",
    ),
    _Refusal(
        ("setuid", "effective uid", "no new privileges", "nosuid"),
        "sudo on this machine has lost its rights (it is not setuid root, or may not be)",
        "As root on the machine: chmod 4755 /usr/bin/sudo; check the mount options of /usr",
    ),
    _Refusal(
        ("parse error", "syntax error", "no valid sudoers", "bad permissions", "is world writable"),
        "the sudoers files of this machine are broken",
        "As root on the machine: visudo -c",
    ),
    _Refusal(
        ("a password is required", "authentication is required", "askpass"),
        'sudo asks for the password of "{user}", and none was given',
        "Give the sudo password when asked (or SITEWRIGHT_SUDO_PASSWORD), or allow sudo without "
        "one for the time of the installation.",
    ),
)


def _wrong_password(user: str, where: str) -> SudoRefused:
    """The problem with a password that sudo did not take; it was tried once and not again."""
    return SudoRefused(
        f'sudo did not take the password of "{user}"; it was tried once and is not tried again',
        where=where,
        remedy="Check the sudo password; it may differ from the login's and between machines.",
    )


def refusal(
    elevation: Elevation, stderr: bytes, status: int, *, user: str, where: str
) -> SudoRefused:
    """The problem with a command that did not get to run as root, in sudo's own words."""
    said = elevation.noise + redact(stderr.decode("utf-8", "replace"))
    lower = said.lower()
    for known in _REFUSALS:
        if any(word in lower for word in known.words):
            return SudoRefused(
                known.cause.format(user=user), where=where, remedy=known.remedy.format(user=user)
            )
    if "incorrect password" in lower or "try again" in lower or "authentication fail" in lower:
        return _wrong_password(user, where)
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    return SudoRefused(
        f'sudo did not run the command: "{last[:200]}"'
        if last
        else f"sudo did not run the command and said nothing (status {status})",
        where=where,
        remedy=f"Log in by hand and try: sudo -v (as {user})",
    )
