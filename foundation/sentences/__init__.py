"""Sentences of programs that are known: what each means, and what to do about it.

Tables and nothing else, one file for those who say them. The program's own words are always shown
beside what is said here; the tables add the meaning and a command. Patterns are asked in order, the
particular before the general, each against the whole of what was heard, without regard to case.
`{user}` stands for the login's name, `{sudoer}` for it as sudoers files have it. The remedies are
run on the machine that said it, as root where they need it.
"""

from __future__ import annotations

import re
from functools import cache
from shlex import quote
from typing import Final

from foundation.sentences import logins, machine, network, packages, shells, sources
from foundation.sentences.model import Meaning, Sentence

__all__ = ["SENTENCES", "Meaning", "Sentence", "asks", "understood", "wants_a_code"]

SENTENCES: Final = (
    *logins.SENTENCES,
    *machine.SENTENCES,
    *packages.SENTENCES,
    *network.SENTENCES,
    *sources.SENTENCES,
    *shells.SENTENCES,
    *packages.LAST,
)
"""Every sentence that is known."""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Sentence], ...]:
    flags = re.IGNORECASE | re.MULTILINE
    return tuple((re.compile(sentence.words, flags), sentence) for sentence in SENTENCES)


LOOKED_AT: Final = 16 * 1024
"""Characters of the end of what was heard that are looked through."""


_OF_NO_WEIGHT: Final = re.compile(
    r"^.*(?:sudo: unable to resolve host|setting locale failed|cannot change locale"
    r"|permanently added .{1,200} to the list of known hosts|debconf: (?:unable to|delaying)"
    r"|pseudo-terminal will not be allocated|does not have a stable cli interface"
    r"|running pip as the 'root' user|mesg: ttyname failed|stdin: is not a tty"
    r"|could not chdir to home directory \S+: permission denied).*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Lines that programs say on machines that are well: none of them is why something failed."""


def understood(
    text: str, *, user: str = "", programs: frozenset[str] | None = None
) -> Meaning | None:
    """What a program's words come to, by the first known sentence in them; None for none.

    `programs` are those that are asked for; all where it is not given.
    """
    heard = _OF_NO_WEIGHT.sub("", text[-LOOKED_AT:])
    for pattern, sentence in _patterns():
        if programs is not None and sentence.program not in programs:
            continue
        if pattern.search(heard):
            who = user or "the user"
            return Meaning(
                sentence.program,
                sentence.meaning.replace('"{user}"' if not user else "{user}", who),
                sentence.remedy.replace("{user}", quote(user) if user else "USER").replace(
                    # In a sudoers file a backslash is written twice.
                    "{sudoer}",
                    user.replace("\\", "\\\\") if user else "USER",
                ),
            )
    return None


_ASKED_FOR: Final = re.compile(
    r"\b(?:password|passwort|kennwort|passphrase|passcode|token|factor|code|pin|otp|one-time"
    r"|verification|user ?name|continue|accept|confirm|press|enter|choose|\(?yes/no|\[?y/n"
    r"|response|challenge|yubi ?key"
    # The word for a password in the languages that PAM and sudo are translated into.
    r"|mot de passe|contrase(?:ñ|n)a|contrasenya|senha|palavra-passe|parola d.ordine|parola"
    r"|wachtwoord|lösenord|passord|adgangskode|aðgangsorð|salasana|hasło|heslo|geslo|jelsz(?:ó|ava)"
    r"|lozinka|şifre|пароль|пароля|парола|лозинка|κωδικός|slaptažodis|parole|parool|pasfhocal"
    r"|mật khẩu|kata sandi)\b"
    r"|パスワード|密码|密碼|口令|비밀번호|암호|סיסמה|ססמה|كلمة (?:السر|المرور)|รหัสผ่าน",
    re.IGNORECASE,
)
"""What a login asks for. A start-up file leaves lines open too, and then works: `quota: `."""
_ASKS: Final = re.compile(r"[:：>)\]]$")
_ASKS_ALONE: Final = re.compile(
    r"\?$|\bpress\b.{0,60}\b(?:key|enter|return)\b|\btouch (?:the|your) (?:device|token|yubi ?key)"
    r"|\b(?:password|passphrase|passcode|factor|token|code|pin)$",
    re.IGNORECASE,
)


def asks(line: str) -> bool:
    """Whether a line that has no end yet is a question of a login, which waits for an answer."""
    line = line.strip()
    if _ASKS_ALONE.search(line) is not None:
        return True
    return _ASKS.search(line) is not None and _ASKED_FOR.search(line) is not None


_A_CODE: Final = re.compile(
    r"verification|authenticat(?:or|ion) code|one.?time|\b[th]?otp\b|\boath\b|\btoken|pass ?code"
    r"|\bcode\b|second.factor|\b2fa\b|\bmfa\b|\bpin\b|yubi ?key|\bduo\b|\bchallenge\b"
    r"|dynamic|s/key|otp-",
    re.IGNORECASE,
)
"""What questions for a second factor are called: pam_google_authenticator, pam_oath, pam_duo,
pam_yubico, pam_radius, pam_sss, RSA's agent."""


def wants_a_code(question: str) -> bool:
    """Whether a question of PAM's is for a second factor, so that no password is its answer."""
    return _A_CODE.search(question) is not None
