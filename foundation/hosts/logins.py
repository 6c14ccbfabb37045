"""Logins: which names are taken, how one stands in a command that is pasted, and who sits here.

A name goes to SSH as a value and to no shell. OpenSSH takes much (`valid_ruser` in its ssh.c:
`DOMAIN\\user`, `user@REALM`, `host$`); what a shell would run is refused there and here.
"""

from __future__ import annotations

import getpass
import os
import re
from shlex import quote
from typing import Final

_LOGIN: Final = re.compile(r"\w(?:[\w.@$+\\-]{0,126}[\w.@$+-])?")
_LENGTH: Final = 128


def user_fault(user: str) -> str | None:
    """What is wrong with the name of a login, as a clause; None if nothing."""
    if _LOGIN.fullmatch(user):
        return None
    shown = '"' + "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in user[:80]) + '"'
    return f"{shown} is not a user name{_why(user)}"


def _why(user: str) -> str:
    if len(user) > _LENGTH:
        return f": it is longer than {_LENGTH} letters"
    if user.startswith("-"):
        return ": ssh would take it for an option"
    if user.endswith("\\"):
        return ": a backslash stands between a domain and a name"
    bad = [character for character in user if not re.fullmatch(r"[\w.@$+\\-]", character)]
    if bad and bad[0].isprintable() and not bad[0].isspace():
        return (
            f': there is "{bad[0]}" in it; letters, digits and . _ - + @ $ are taken, and \\ inside'
        )
    return ""


def destination(user: str | None, address: str) -> str:
    """`user@address` as a person pastes it into a shell: quoted where a shell would change it."""
    return quote(f"{user}@{address}" if user else address)


def login_name() -> str:
    """The name with which this session would log in where nothing else is said."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user without a name in passwd; the server will say whether it likes it.
        return "root"


def person_here() -> str:
    """Who sits here, for a record: a user without a name is told by the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
