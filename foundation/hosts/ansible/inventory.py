"""Inventory: machines as people name them, in arguments, in lists and in Ansible's files."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from foundation.documents import read_text
from foundation.hosts.logins import user_fault
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.problems import InputProblem
from foundation.typed_paths import is_folder

if TYPE_CHECKING:
    from foundation.hosts.ansible.ansible_process import Ask

HOST_LIMIT: Final = 5000
"""Machines in one site; more are a mistake in a range, or another tool's job."""

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NAME_LENGTH: Final = 253
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+)+\.?")
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%:-]{0,252}|::[A-Fa-f0-9:.]*")


_DRAWN_AS_NOTHING: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)
"""Default_Ignorable_Code_Point of Unicode beside the format characters, and the empty Braille."""
_MEANT: Final = frozenset("{}[]()<>|&!?*^~$\\`'\"#=")
"""Signs that no name of a machine has, and that programs which are given one read otherwise."""
_REMEDY: Final = "Write machines as user@address:port, [IPv6 address]:port or name=user@address."
_SHOWN: Final = 20
"""Mistakes that are told one by one."""


@dataclass(frozen=True, slots=True)
class Named:
    """A machine and the line on which it was named, 0 where there are no lines."""

    host: Host
    line: int = 0


def _wrong(cause: str, *, where: str | None, line: int = 0, remedy: str = "") -> InputProblem:
    return InputProblem(
        f"line {line}: {cause}" if line else cause,
        where=where,
        remedy=remedy or _REMEDY,
    )


def port_from(text: str, *, where: str | None = None, line: int = 0) -> int:
    """A port number from text; raises InputProblem unless it is 1 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise _wrong(
            f"{_quoted(text[:40])} is not a port",
            where=where,
            line=line,
            remedy="A port is a number from 1 to 65535; SSH's own is 22.",
        )
    return int(text)


def hidden_in(text: str) -> str | None:
    """The first character that cannot be seen or turns the order of letters, as U+…; None if none.

    Control characters of both tables, format characters such as the marks for writing from right
    to left, separators of lines, halves of pairs, and letters and marks that are drawn as nothing.
    """
    found = next(
        (c for c in text if unicodedata.category(c) in _HIDDEN or _DRAWN_AS_NOTHING.match(c)), None
    )
    return None if found is None else f"U+{ord(found):04X}"


def name_fault(name: str) -> str | None:
    """What is wrong with the name of a machine, as the end of a sentence about it; None if nothing.

    What cannot be seen, or turns the order of letters, could show one machine as another.
    """
    if not name:
        return "it is empty"
    if len(name) > _NAME_LENGTH:
        return f"it is longer than {_NAME_LENGTH} letters"
    if any(character.isspace() for character in name):
        return "a name has no space"
    if hidden := hidden_in(name):
        return f"it holds {hidden}, which cannot be seen or turns the letters round"
    if name.startswith("-") or "," in name or ";" in name:
        return "it begins with a dash, or has a comma or semicolon in it"
    if sign := next((one for one in name if one in _MEANT), None):
        return f"it has {sign} in it, which is a pattern or a template to Ansible and to shells"
    return None


def address_fault(text: str) -> str | None:
    """What is wrong with an address that is all numbers, as a clause; None if nothing is seen."""
    if ":" in text:
        address, _, scope = text.partition("%")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            return f'"{text[:80]}" is no IPv6 address'
        return None if not text.endswith("%") else f'"{scope}" names no interface'
    if not _IPV4.fullmatch(text):
        return None
    numbers = text.split(".")
    if len(numbers) != 4:
        return f'"{text[:80]}" has {len(numbers)} numbers, and an IPv4 address has 4'
    for number in numbers:
        if len(number) > 3 or int(number) > 255:
            return f"{number[:20]} is no number of an IPv4 address, in {text[:80]}; 255 is the most"
        if number != str(int(number)):
            return f"{number} begins with 0, which some read as octal, in {text[:80]}"
    return None


def checked_address(text: str, *, where: str | None = None, line: int = 0) -> str:
    """An address or DNS name that is safe to hand on; raises InputProblem."""
    fault = None
    if not _ADDRESS.fullmatch(text):
        fault = f"{_quoted(text)} is not an address or a host name"
    fault = fault or address_fault(text)
    if fault:
        raise _wrong(
            fault,
            where=where,
            line=line,
            remedy="Use an IPv4 or IPv6 address, a DNS name or a name from your ssh config.",
        )
    return text


def _quoted(text: str) -> str:
    """Words of others for a sentence: short, and nothing in them that cannot be seen."""
    return '"' + "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text[:80]) + '"'


def split_endpoint(
    text: str, *, where: str | None = None, line: int = 0
) -> tuple[str | None, str, int | None]:
    """User, address and port of `user@address:port`; raises InputProblem.

    The port is None where none is written. An IPv6 address may stand alone, or in brackets
    where a port follows.
    """
    user, at, rest = text.rpartition("@")
    if at and (fault := user_fault(user)):
        raise _wrong(fault, where=where, line=line)
    port: int | None = None
    if rest.startswith("["):
        address, closed, tail = rest[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")) or ":" not in address:
            raise _wrong(f'{_quoted(text)} has brackets that hold no IPv6 address', where=where,
                         line=line)  # fmt: skip
        if tail:
            port = port_from(tail[1:], where=where, line=line)
    elif rest.count(":") == 1:
        address, _, digits = rest.partition(":")
        port = port_from(digits, where=where, line=line)
    else:
        address = rest
    if not address:
        raise _wrong(f"{_quoted(text)} names no machine", where=where, line=line)
    return user or None, checked_address(address, where=where, line=line), port


def host_from_text(text: str, *, where: str | None = None, line: int = 0) -> Host:
    """One machine from `name=user@address:port`, any part but the address left out."""
    name, equals, rest = text.partition("=")
    endpoint = rest if equals else text
    if equals and (fault := name_fault(name)):
        if not name:
            raise _wrong(f'{_quoted(text)} has no name before the sign "="', where=where, line=line)
        raise _wrong(f"the name {_quoted(name)} cannot be used: {fault}", where=where, line=line)
    user, address, port = split_endpoint(endpoint, where=where, line=line)
    if address in (LOCAL_ADDRESS, "localhost") and user is None and port is None:
        # Without a user and a port nobody means an SSH login to the machine they sit at.
        return Host(name=name if equals else LOCAL_ADDRESS, address=LOCAL_ADDRESS)
    return Host(
        name=name if equals else address,
        address=address,
        port=22 if port is None else port,
        user=user,
        port_stated=port is not None,
    )


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a list of machines."""

    cause: str
    line: int = 0
    """0 where there are no lines."""
    remedy: str = ""


class ListProblem(InputProblem):
    """All mistakes of a list of machines at once, in the order of its lines."""

    def __init__(self, mistakes: Sequence[Mistake], *, where: str | None) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))
        shown = [
            f"line {mistake.line}: {mistake.cause}" if mistake.line else mistake.cause
            for mistake in self.mistakes[:_SHOWN]
        ]
        if len(self.mistakes) > _SHOWN:
            shown.append(f"and {len(self.mistakes) - _SHOWN} more")
        remedies = dict.fromkeys(mistake.remedy or _REMEDY for mistake in self.mistakes[:_SHOWN])
        super().__init__("; ".join(shown), where=where, remedy=" ".join(list(remedies)[:3]))


def checked(
    named: Sequence[Named], *, where: str | None, mistakes: Sequence[Mistake] = ()
) -> tuple[Host, ...]:
    """The machines, after looking for too many of them and for two that are one.

    Raises one ListProblem with `mistakes` and every further one.
    """
    if not named and not mistakes:
        raise _wrong("it names no machine", where=where)
    if len(named) > HOST_LIMIT:
        raise _wrong(
            f"it names {len(named)} machines, and {HOST_LIMIT} are the most",
            where=where,
            line=named[HOST_LIMIT].line,
            remedy="Check the ranges; split a larger site into several.",
        )
    found = [*mistakes, *_doubles(named)]
    if found:
        raise ListProblem(found, where=where)
    return tuple(item.host for item in named)


def _doubles(named: Sequence[Named]) -> Iterable[Mistake]:
    names: dict[str, Named] = {}
    endpoints: dict[tuple[str, int, str | None], Named] = {}
    for item in named:
        host = item.host
        first = names.setdefault(host.name, item)
        if first is not item:
            yield Mistake(
                f'two machines are called "{host.name}"' + _first(first),
                item.line,
                "Give each machine a name of its own.",
            )
            continue
        # Behind different bastions the same private address is another machine.
        first = endpoints.setdefault((host.address.lower(), host.port, host.bastion), item)
        if first is not item:
            yield Mistake(
                f'"{first.host.name}" and "{host.name}" have the same address, {host.endpoint}'
                + _first(first),
                item.line,
                "Name each machine once; give it several roles instead.",
            )


def _first(item: Named) -> str:
    return f" (the first in line {item.line})" if item.line else ""


_FILES: Final = frozenset({".yaml", ".yml", ".ini", ".json", ".txt"})
"""Ends of names that are no machine's where such a file is there."""


def hosts_from_arguments(arguments: list[str]) -> tuple[Host, ...]:
    """Machines from the command line: `user@host:port`, `[v6]:port`, `name=user@host`, `local`."""
    words = [word for argument in arguments for word in argument.split(",") if word.strip()]
    for word in words:
        if Path(word).suffix in _FILES and Path(word).is_file():
            raise InputProblem(
                f"{word} is a file, and a machine is meant here",
                where="the command line",
                remedy=f"A site file is named by --site {quote(word)}, an inventory or a list by"
                f" --inventory {quote(word)}.",
            )
    return checked(
        [Named(host_from_text(word.strip(), where=word.strip())) for word in words],
        where="the command line",
    )


def hosts_from_text(text: str, *, where: str = "the list of machines") -> tuple[Host, ...]:
    """Machines from a plain list, parted by lines, commas or spaces; # begins a comment.

    Raises one ListProblem with every mistake and its line.
    """
    named: list[Named] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        bare = re.sub(r"(^|\s)#.*", "", line)
        for part in re.split(r"[,;]", bare):
            words = part.split()
            if fault := _space_in_a_name(words):
                mistakes.append(Mistake(fault, number))
                continue
            for word in words:
                try:
                    named.append(Named(host_from_text(word), number))
                except InputProblem as problem:
                    mistakes.append(Mistake(problem.cause, number, problem.remedy or ""))
    return checked(named, where=where, mistakes=mistakes)


def _space_in_a_name(words: Sequence[str]) -> str | None:
    """What is wrong where `w 1=…` or `w1 = …` stands: the first words would be lost or machines."""
    for before, word in pairwise(words):
        if word.startswith("=") or before.endswith("="):
            return f'there is no space round the sign "=", in {_quoted(f"{before} {word}")}'
        if "=" in word and "=" not in before:
            name = word.partition("=")[0]
            return (
                f"a name has no space, in {_quoted(f'{before} {name}')}; two machines are parted "
                "by a comma or a line"
            )
    return None


@dataclass(frozen=True, slots=True)
class ReadInventory:
    """The machines of a file, and what a person should know of how they were read."""

    hosts: tuple[Host, ...]
    notes: tuple[str, ...] = ()


def read_inventory_file(path: Path, *, ask: Ask | None = None) -> ReadInventory:
    """Machines from a file or folder: an inventory of Ansible, or a plain list.

    Of an inventory Ansible itself is asked (`ask` in its place), in a process that takes about
    half a second: use a thread where a screen waits. Raises InputProblem.
    """
    text = None
    if not is_folder(path):
        text = read_text(path)
        from foundation.hosts.ansible import inventories

        if not inventories.is_inventory(path, text):
            plain = text.removeprefix("\ufeff")
            return ReadInventory(hosts_from_text(plain, where=str(path)))
    from foundation.hosts.ansible import ansible_process, inventories

    found = inventories.read(path, ask or ansible_process.ask, text=text)
    return ReadInventory(checked(found.machines, where=str(path)), tuple(found.notes))


def read_inventory(path: Path, *, ask: Ask | None = None) -> tuple[Host, ...]:
    """The machines of `read_inventory_file` alone."""
    return read_inventory_file(path, ask=ask).hosts
