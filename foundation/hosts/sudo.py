"""sudo: commands run as root, with at most one try of a password.

The strings handed to a machine's shell are constants; what varies is passed as quoted arguments.
A command that is to run as root first announces itself on standard error with a word that nobody
can guess, so a password never reaches the command, and sudo's own words are told apart from it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from foundation.hosts.connection import Become
from foundation.hosts.jobs.output_lines import clean_line
from foundation.problems import SudoRefused
from foundation.secrets import cut, redact
from foundation.sentences import understood, wants_a_code

if TYPE_CHECKING:
    from foundation.hosts.running import Ended

NOISE_LIMIT: Final = 64 * 1024
"""Bytes that sudo may say before the command begins."""
_TOLD_OF: Final = 16 * 1024
"""Bytes of the end of what it says that are looked at for why nothing began."""

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


_RUST: Final = b"[sudo: "
"""What sudo-rs puts before a prompt that it was given; PAM's own stands behind it."""
_RUST_ASKS: Final = re.compile(rb"\] ([^\n]{1,400}?(?::|\xef\xbc\x9a)) ?")


IS_THERE: Final = ("sudo asks ", "sudo did not begin ")
"""How sentences begin that are about a sudo which was heard, and let nobody through yet."""


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
    """What sudo's question begins with; whose password it asks for and `>` follow. Empty where no
    password is to be given."""
    marker: bytes = b""
    """What the command announces itself with; empty where it does not."""
    started: bool = False
    prompted: bool = False
    asks_of: str = ""
    """Whose password sudo asks for, in its own word; "" where it does not say."""
    asked_for_more: bool = False
    """Whether it asked again without a word that the password was wrong."""
    _noise: bytearray = field(default_factory=bytearray)

    @property
    def waits(self) -> bool:
        """Whether standard input must be kept until the command has announced itself."""
        return bool(self.marker) and not self.started

    def _questions(self, text: bytes) -> list[tuple[int, int, str]]:
        """Where sudo asks for a password in the prompt that it was given, and whose."""
        if not self.prompt:
            return []
        found = []
        for asked in re.finditer(re.escape(self.prompt) + rb"([^>\n]{0,256})>", text):
            begin, end = asked.span()
            if text[:begin].endswith(_RUST):
                # sudo-rs gives the prompt to whatever PAM asks: a second factor is no password.
                own = _RUST_ASKS.match(text, end)
                if own is None or wants_a_code(own[1].decode("utf-8", "replace")):
                    continue
                begin, end = begin - len(_RUST), own.end()
            found.append((begin, end, asked[1].decode("utf-8", "replace")))
        return found

    @property
    def unfinished(self) -> str:
        """The line that sudo left without an end, as a prompt is; "" where it left none."""
        if not self.waits:
            return ""
        text = bytes(self._noise)
        answered = self._questions(text)
        line = text[answered[-1][1] if answered else 0 :].rpartition(b"\n")[2]
        return cut(self._without_prompt(line, b""), 400, last=True)

    def _without_prompt(self, text: bytes, instead: bytes) -> bytes:
        if not self.prompt:
            return text
        ours = re.escape(self.prompt) + rb"[^>\n]{0,256}>"
        return re.sub(rb"\[sudo: " + ours + rb"\] |" + ours, instead, text)

    @property
    def noise(self) -> str:
        """What sudo said, without our own words."""
        text = self._without_prompt(bytes(self._noise), b"\n")
        return redact(text.decode("utf-8", "replace"))

    def feed(self, data: bytes) -> tuple[Seen, bytes]:
        """Take a piece of standard error: what it came to, and what belongs to the command."""
        if not self.waits:
            return Seen.NOTHING, data
        before = len(self._questions(bytes(self._noise)))
        self._noise += data
        at = self._noise.find(self.marker)
        if at >= 0:
            rest = bytes(self._noise[at + len(self.marker) :])
            del self._noise[at:]
            self.started = True
            return Seen.STARTED, rest
        text = bytes(self._noise)
        prompts = self._questions(text)
        if len(self._noise) > NOISE_LIMIT:
            del self._noise[: -NOISE_LIMIT // 2]
        if len(prompts) > before:
            self.asks_of = prompts[-1][2]
            if self.prompted or len(prompts) > before + 1:
                # Where the password was wrong sudo says so in between, in words of a site's own.
                between = text[prompts[-2][1] : prompts[-1][0]] if len(prompts) > 1 else b"x"
                self.asked_for_more = not between.strip()
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
    prompt = f"<{secrets.token_hex(12)}?"
    return Elevation(
        # sudo writes for %p whose password it asks for (rootpw, targetpw, runaspw).
        ["sh", "-c", _ROOT_WITH_PASSWORD, "sh", f"{prompt}%p>", marker, *words],
        prompt=prompt.encode(),
        marker=marker.encode(),
    )


@dataclass(slots=True)
class SudoState:
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
        self, elevation: Elevation, become: Become, ended: Ended, stderr: bytes
    ) -> bool:
        """Judge a command's end: raise what sudo refused, or say that no root rights will do."""
        if not elevation.waits:
            return False
        self.password_was_wrong = ended.wrong_password
        self.problem = (
            _wrong_password(self.user, self.where, elevation.asks_of)
            if ended.wrong_password
            else self._never_began(elevation, ended, stderr)
        )
        # A password that was given and is wrong is told, not passed over: the person can mend it.
        if become is Become.ROOT or ended.wrong_password:
            raise self.problem
        return True

    def _never_began(self, elevation: Elevation, ended: Ended, stderr: bytes) -> SudoRefused:
        if ended.asked or elevation.asked_for_more:
            return asks_in_its_own_words(
                ended.asked, user=self.user, where=self.where, sent=elevation.prompted
            )
        if ended.silent_for:
            return _never_ends(elevation, ended.silent_for, user=self.user, where=self.where)
        return refusal(elevation, stderr, ended.status, user=self.user, where=self.where)

    @property
    def why_not_root(self) -> str:
        """Why a command that might have run as root did not; "" where nothing was in the way."""
        return self.problem.cause if self.problem is not None else ""


def _sudoer(user: str) -> str:
    """A login as sudoers files have it, where a backslash is written twice."""
    return user.replace("\\", "\\\\")


def _wrong_password(user: str, where: str, asks_of: str = "") -> SudoRefused:
    """The problem with a password that sudo did not take; it was tried once and not again."""
    if asks_of not in {"", "%p", user}:
        return SudoRefused(
            f'sudo asks for the password of "{cut(asks_of, 80)}" on this machine, '
            f'not for that of "{user}" (rootpw, targetpw or runaspw in its sudoers); it did not '
            "take the one that was given, which was tried once and is not tried again",
            where=where,
            remedy="Give that one as the sudo password, or as root on the machine, in "
            f"/etc/sudoers.d: Defaults:{_sudoer(user)} !rootpw, !targetpw, !runaspw",
        )
    return SudoRefused(
        f'sudo did not take the password of "{user}"; it was tried once and is not tried again',
        where=where,
        remedy="Check the sudo password; it may differ from the login's and between machines, "
        "and is root's where sudoers has rootpw or targetpw.",
    )


def asks_in_its_own_words(asked: str, *, user: str, where: str, sent: bool = False) -> SudoRefused:
    """The problem with a question of PAM's that is not the one for the password.

    `sent` says that the password was asked for before, and given.
    """
    without = (
        "A second factor cannot be given: allow sudo without one for the time of the "
        f"installation: {_sudoer(user)} ALL=(ALL) NOPASSWD: ALL"
    )
    question = f'"{asked.strip()}"' if asked else "for a second answer"
    if sent:
        return SudoRefused(
            f"sudo asks {question} after the password, and did not say that it was wrong; nobody "
            "answers that here",
            where=where,
            remedy=without,
        )
    return SudoRefused(
        f"sudo asks {question}, and not for the password that was given; nobody answers "
        "that here, and the password was not sent",
        where=where,
        remedy=without
        if wants_a_code(asked)
        else "If it is the password in other words (PAM, LDAP, Kerberos): as root on the "
        f"machine, in /etc/sudoers.d: Defaults:{_sudoer(user)} passprompt_override. {without}",
    )


def _never_ends(elevation: Elevation, seconds: float, *, user: str, where: str) -> SudoRefused:
    last = _last_words(elevation.noise)
    said = f'; its last words: "{last}"' if last else ", and said nothing"
    known = understood(elevation.noise, user=user)
    return SudoRefused(
        f"sudo did not begin the command within {seconds:g} s{said}",
        where=where,
        remedy=known.remedy
        if known is not None
        else "It may wait for a token to be touched, or for a server of names or passwords (LDAP, "
        f"Kerberos). Log in by hand and look at what it does: time sudo -v (as {user})",
    )


def _last_words(text: str) -> str:
    lines = (clean_line(line).strip() for line in reversed(text.splitlines()))
    return next((line[:200] for line in lines if line), "")


def refusal(
    elevation: Elevation, stderr: bytes, status: int, *, user: str, where: str
) -> SudoRefused:
    """The problem with a command that did not get to run as root, in sudo's own words."""
    if len(stderr) > _TOLD_OF:
        # From a line's begin on, so that no half of a secret is left.
        stderr = stderr[-_TOLD_OF:].partition(b"\n")[2]
    said = elevation.noise + redact(stderr.decode("utf-8", "replace"))
    lower = said.lower()
    last = _last_words(said)
    known = understood(said, user=user)
    wrong = "incorrect password" in lower or "try again" in lower or "authentication fail" in lower
    if wrong and (known is None or known.program not in {"sudo", "pam"}):
        return _wrong_password(user, where, elevation.asks_of)
    if known is not None:
        told = f' ("{last}")' if last else ""
        return SudoRefused(f"{known.meaning}{told}", where=where, remedy=known.remedy)
    return SudoRefused(
        f'sudo did not run the command: "{last}"'
        if last
        else f"sudo did not run the command and said nothing (status {status})",
        where=where,
        remedy=f"Log in by hand and try: sudo -v (as {user})",
    )
