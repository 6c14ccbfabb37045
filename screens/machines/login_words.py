"""A login from what was typed, for both faces."""

from __future__ import annotations

import os
from pathlib import Path

from foundation.problems import InputProblem
from foundation.typed_paths import typed_path
from screens.answers.answers import Login


def login_from(
    *, user: str, port: str, keys: str, bastion: str, known_hosts: str, sudo: str
) -> Login:
    """The shared login; raises InputProblem for a line that cannot be used."""
    if bastion:
        checked_bastion(bastion)
    if sudo.lower() not in ("", "yes", "y", "no", "n"):
        raise InputProblem("use sudo is yes or no", remedy="Write one of them.")
    return Login(
        user=user_name(user),
        port=port_of(port),
        identity_files=tuple(key_file(word) for word in words_of(keys)),
        bastion=bastion or None,
        known_hosts=tuple(typed_path(word) for word in words_of(known_hosts)),
        sudo=sudo.lower() not in ("no", "n"),
    )


def user_name(text: str) -> str | None:
    """The name of a login, or None where the line is empty; raises InputProblem."""
    from foundation.hosts.logins import user_fault

    if text and (fault := user_fault(text)):
        raise InputProblem(fault, remedy="Write the name alone.")
    return text or None


def checked_bastion(text: str) -> str:
    """A bastion, or several in order with commas; raises InputProblem."""
    from foundation.hosts.ansible.inventory import split_endpoint

    for hop in text.split(","):
        split_endpoint(hop.strip(), where="bastion")
    return text


def words_of(text: str) -> list[str]:
    """The parts of a line that commas divide."""
    return [word.strip() for word in text.split(",") if word.strip()]


def port_of(text: str) -> int | None:
    """A port, or None where the line is empty; raises InputProblem."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise InputProblem(f'"{text}" is not a port', remedy="A port is a number from 1 to 65535.")
    return int(text)


def key_file(text: str) -> Path:
    """A private key that can be read; raises InputProblem with the reason."""
    path = typed_path(text)
    try:
        there = path.is_file()
    except OSError:  # below a folder that one may not enter
        there = False
    if not there:
        raise InputProblem(f"there is no key {path}", remedy="Check the name and the folder.")
    if not os.access(path, os.R_OK):
        raise InputProblem(f"the key {path} cannot be read", remedy="Check the rights of the file.")
    return path
