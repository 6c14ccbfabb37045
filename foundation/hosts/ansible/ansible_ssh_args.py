"""The words that an inventory hands to `ssh`: each honoured, of no consequence, or refused."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from foundation.hosts.openssh.ssh_directives import NO_CONSEQUENCE, note_on

_HONOURED: Final = frozenset(
    (
        "addressfamily", "bindaddress", "bindinterface", "certificatefile", "checkhostip",
        "ciphers", "connecttimeout", "hostkeyalgorithms", "hostkeyalias", "hostname",
        "identitiesonly", "identityagent", "identityfile", "kbdinteractiveauthentication",
        "kexalgorithms", "macs", "passwordauthentication", "port", "preferredauthentications",
        "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "pubkeyauthentication",
        "revokedhostkeys", "user",
    )
)  # fmt: skip
_VERIFYING: Final = frozenset(
    (
        "globalknownhostsfile", "nohostauthenticationforlocalhost", "stricthostkeychecking",
        "userknownhostsfile",
    )
)  # fmt: skip
_FLAGS: Final = "AaCkKnqTtvxXYyMN"
"""Flags without a value, of no consequence here."""
_FAMILIES: Final = {"4": "inet", "6": "inet6"}
_NOTED: Final = frozenset(("hostbasedauthentication", "verifyhostkeydns"))
"""Options that are told and not honoured; further ones of that kind are refused."""
_WITH_VALUE: Final = {
    "B": "BindInterface", "b": "BindAddress", "i": "IdentityFile", "l": "User", "p": "Port",
    "c": "Ciphers", "m": "MACs",
}  # fmt: skip
_NOTHING: Final = ("", "none")

VERIFIED: Final = "host keys are verified all the same: confirm them with `sitewright trust`"

Refuse = Callable[[str, str], Exception]
"""Makes the problem from a cause and a remedy."""


@dataclass(slots=True)
class SshWords:
    """What the words mean for a machine."""

    options: list[str] = field(default_factory=list)
    """For OpenSSH's `-o`, in order; the first of a kind counts."""
    jump: str | None = None
    """The bastions, "none" where that is what is said, None where nothing is."""
    program: str | None = None
    """The ProxyCommand, where it is no plain way through a bastion."""
    bastion_keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(text: str, told: SshWords, refuse: Refuse) -> None:
    """Add what some words say to what earlier words said; raises what `refuse` makes."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise refuse(f"a quotation mark is not closed ({error})", "") from error
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            raise refuse(f'"{word[:60]}" is no option of ssh', "")
        letter, rest = word[1], word[2:]
        if letter in _FLAGS and not rest.strip(_FLAGS):
            continue
        if letter in _FAMILIES and not rest.strip(_FLAGS + "46"):
            _option(f"AddressFamily={_FAMILIES[letter]}", told, refuse)
        elif letter in "oJBbilpcm":
            value = rest or (words.pop(0) if words else "")
            if not value:
                raise refuse(f'"-{letter}" has no value', "")
            option = f"ProxyJump={value}" if letter == "J" else f"{_WITH_VALUE.get(letter)}={value}"
            _option(value if letter == "o" else option, told, refuse)
        elif letter == "S" and (rest or (words and words.pop(0))):
            continue
        else:
            raise refuse(
                f'"{word[:60]}" is an option of ssh that Sitewright does not go by',
                "Take it out, or give an ssh config that says the same with --ssh-config."
                if letter != "F"
                else "Name that file with --ssh-config instead.",
            )


def _option(text: str, told: SshWords, refuse: Refuse) -> None:
    found = re.fullmatch(r"\s*([A-Za-z0-9]+)\s*(?:=|\s)\s*(.*?)\s*", text, re.DOTALL)
    if found is None or "\n" in text:
        raise refuse(f'"{text[:60]}" is no option of ssh', "")
    key, value = found[1].lower(), found[2]
    if key == "proxyjump":
        if told.jump is None and told.program is None:
            told.jump = value.strip('"')
    elif key == "proxycommand":
        if told.jump is None and told.program is None:
            _command(value, told)
    elif key in _VERIFYING:
        if (key, value.lower()) not in (("stricthostkeychecking", "yes"),
                                        ("stricthostkeychecking", "ask")):  # fmt: skip
            told.notes.append(f"{found[1]}={value[:60]}: {VERIFIED}")
    elif key in _HONOURED:
        told.options.append(f"{found[1]}={value}")
    elif key in _NOTED:
        if note := note_on(key, value):
            told.notes.append(note.replace(" of the ssh config", ""))
    elif key == "serveraliveinterval":
        return  # for the connections of Ansible; ours ask every 15 s
    elif key not in NO_CONSEQUENCE or key in ("host", "match", "ignoreunknown"):
        raise refuse(
            f'the option "{found[1]}" of ssh is one that Sitewright does not go by',
            "Take it out, or give an ssh config that says the same with --ssh-config.",
        )


class _NotOurs(Exception):
    """An option that no file may give a machine."""


def option_fault(option: str) -> str | None:
    """Why a site file may not give a machine this option of ssh; None where it may."""
    if option == "ProxyJump=none":
        return None
    told = SshWords()
    try:
        _option(option, told, lambda cause, _: _NotOurs(cause))
    except _NotOurs as error:
        return str(error)
    if told.options != [option]:
        return f'"{option[:60]}" is no option of ssh that decides how a machine is reached'
    return None


def _command(command: str, told: SshWords) -> None:
    """A ProxyCommand: `ssh -W %h:%p BASTION` is a bastion, anything else a program."""
    inner = command.strip()
    if len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "\"'":
        inner = inner[1:-1]
    if inner.lower() in _NOTHING:
        told.jump = "none"
        return
    if not _bastion(inner, told):
        told.program = inner


def _bastion(command: str, told: SshWords) -> bool:
    """Take a command as a way through a bastion; False where it is anything else."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    if not words or words.pop(0) not in ("ssh", "/usr/bin/ssh"):
        return False
    user = port = target = None
    forwards = False
    keys, notes = [], []
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            if target is not None:
                return False
            target = word
            continue
        letter, rest = word[1:2], word[2:]
        if letter and letter in _FLAGS and not rest.strip(_FLAGS):
            continue
        if letter not in ("W", "p", "l", "i", "o"):
            return False
        value = rest or (words.pop(0) if words else "")
        if letter == "W":
            forwards = value in ("%h:%p", "[%h]:%p")
        elif letter == "p":
            port = value
        elif letter == "l":
            user = value
        elif letter == "i":
            keys.append(value)
        else:
            key, _, said = value.partition("=")
            key = key.strip().lower()
            if key == "port":
                port = said
            elif key == "user":
                user = said
            elif key == "identityfile":
                keys.append(said)
            elif key in _VERIFYING:
                notes.append(f"{value[:60]}: {VERIFIED}")
            elif key not in (*NO_CONSEQUENCE, "identitiesonly", "serveraliveinterval"):
                return False
    if not forwards or target is None or "%" in target or any("%" in key for key in keys):
        return False
    target = target.removeprefix("ssh://").rstrip("/")
    if user and "@" not in target:
        target = f"{user}@{target}"
    if port and not re.search(r":\d+$", target):
        target = f"{target}:{port}"
    told.jump = target
    told.bastion_keys += keys
    told.notes += notes
    return True
