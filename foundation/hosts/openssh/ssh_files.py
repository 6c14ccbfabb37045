"""The files of an OpenSSH client configuration as lines, and the programs that they would run.

Nothing is run or looked up here. A file that somebody else named (a site file, say) may have no
line that starts a program on this machine: such lines are found before anything asks OpenSSH or
another parser, for `Match exec` runs while the file is read.
"""

from __future__ import annotations

import glob
import os
import pwd
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.hosts.openssh.ssh_directives import KNOWN
from foundation.problems import InputProblem

_SIZE_LIMIT: Final = 1024 * 1024
_LINES_LIMIT: Final = 100_000
_DEPTH_LIMIT: Final = 16
"""OpenSSH's own limit of files that include one another."""
_LINE = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9]*)(?:[ \t]*=[ \t]*|[ \t]+)([^ \t].*?)[ \t\r\f]*")
_PLAIN_FILES = re.compile(
    r"""(?:^|[ \t]+)(?:"(?:~/)?[\w./*@:+,= -]+"|(?:~/)?[\w./*@:+,=-]+)(?=[ \t]|$)"""
)
"""A file of an Include whose name means the same to OpenSSH, whatever the machine is called."""
_RUN: Final = {
    "proxycommand": "none",
    "localcommand": "none",
    "knownhostscommand": "none",
    "pkcs11provider": "none",
    "smartcarddevice": "none",
    "securitykeyprovider": "internal",
    "xauthlocation": "none",
}
"""Directives that start a program or load a library here, with the word that turns each off."""


@dataclass(frozen=True, slots=True)
class Line:
    """One directive of a configuration."""

    file: Path
    number: int
    keyword: str
    """In lower case; empty for a line that is not plainly written."""
    value: str

    @property
    def place(self) -> str:
        """The file and line, for a person."""
        return f"{self.file} line {self.number}"


@dataclass(frozen=True, slots=True)
class Program:
    """A program of this machine that a file of somebody else would start."""

    what: str
    """The directive or variable that names it."""
    command: str
    place: str
    words: tuple[str, ...] = ()
    """What a machine's own options would put into the command, such as its HostName."""

    @property
    def sentence(self) -> str:
        """For a person: where it stands and what it would run, shortened."""
        shown = f"{self.what} {_seen(self.command)[:300]}"
        more = _seen(", ".join(self.words))[:200]
        return f"{self.place}: {shown}" + (f" (with {more})" if more else "")

    @property
    def whole(self) -> str:
        """All of what it would run, as it is shown to whoever is to allow it."""
        more = _seen(", ".join(self.words))
        return f"{self.what} {_seen(self.command)}" + (f" (with {more})" if more else "")


def _seen(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def read_lines(file: Path, *, inside: Path | None = None) -> list[Line]:
    """The directives of a configuration and of what it includes, in their order.

    With `inside`, for a file of somebody else, an Include that leaves that folder is told as a
    line of its own, before the lines of the file; one whose files cannot be told is refused.
    Raises InputProblem where the file itself cannot be read.
    """
    lines: list[Line] = []
    _read(file, lines, 0, inside)
    return lines


def _read(file: Path, lines: list[Line], depth: int, inside: Path | None) -> None:
    try:
        text = bounded_files.read_bytes(file, _SIZE_LIMIT).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputProblem(
            f"the ssh config cannot be read: {error.strerror or error}",
            where=str(file),
            remedy="Check the name and the rights of the file.",
        ) from error
    block = Line(file, 0, "host", "*")
    for number, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip(" \t\r") or raw.lstrip(" \t").startswith("#"):
            continue
        found = _LINE.fullmatch(raw)
        line = (
            Line(file, number, found.group(1).lower(), found.group(2))
            if found is not None
            else Line(file, number, "", raw.strip())
        )
        if len(lines) >= _LINES_LIMIT:
            raise InputProblem(
                f"the ssh config has more than {_LINES_LIMIT} lines", where=str(file),
                remedy="Check what it includes.",
            )  # fmt: skip
        if line.keyword != "include":
            lines.append(line)
            block = line if line.keyword in ("host", "match") else block
            continue
        before = len(lines)
        if inside is not None and _PLAIN_FILES.sub("", line.value):
            raise _not_plain(line)
        for other in _included(line, everywhere=inside is not None):
            if inside is not None and not other.resolve().is_relative_to(inside):
                lines.append(line)
            if inside is not None and other.exists() and not (other.is_file() or other.is_dir()):
                raise _not_plain(line)
            if depth < _DEPTH_LIMIT and other.is_file():
                _read(other, lines, depth + 1, inside)
        if any(one.keyword in ("host", "match") for one in lines[before:]):
            # What follows belongs to the block in which the Include stands, as for OpenSSH.
            lines.append(block)


def _not_plain(line: Line) -> InputProblem:
    shown = "".join(c if c.isprintable() else "?" for c in line.value[:120])
    return InputProblem(
        f"which file this Include means cannot be told before OpenSSH reads it: {shown}",
        where=line.place,
        remedy="Name the file in full and plainly, without \\, %, $, ? or brackets, or write its "
        "lines here.",
    )


def _included(line: Line, *, everywhere: bool = False) -> Iterable[Path]:
    """The files that an Include means: relative ones lie in ~/.ssh, as for OpenSSH.

    With `everywhere` also below the home that passwd knows, which is OpenSSH's whatever HOME says.
    """
    homes = [Path.home()]
    if everywhere and (entry := home_in_passwd()) is not None and entry not in homes:
        homes.append(entry)
    for word in _unquoted(line.value):
        for home in homes:
            if word.startswith("~/"):
                pattern = home / word[2:].lstrip("/")
            else:
                # A home of nobody is a name that matches nothing, as for OpenSSH.
                pattern = Path(os.path.expanduser(word))  # noqa: PTH111 - a missing home must not raise
            if not pattern.is_absolute():
                pattern = home / ".ssh" / pattern
            # Path.glob wants a pattern below a folder; this one is a name with or without one.
            yield from [Path(name) for name in sorted(glob.glob(str(pattern)))] or [pattern]  # noqa: PTH207


def home_in_passwd() -> Path | None:
    """The home that the user's entry in passwd names."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def _unquoted(value: str) -> list[str]:
    return [first or second for first, second in re.findall(r'"([^"]*)"|([^\s"]+)', value)]


def programs_in(lines: Sequence[Line]) -> tuple[Program, ...]:
    """Every line that would run a program or load a library here, or leave the file's folder.

    A line is found unless it is known to be harmless: OpenSSH takes words apart in ways of its own
    (`=ProxyCommand …`, `"" Match e"xec" …`), and its newer versions have further directives.
    """
    found = []
    for line in lines:
        value = line.value.strip()
        if value.count('"') == 2 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if line.keyword == "match" and "exec" in _QUOTING.sub("", line.value).lower():
            found.append(Program("Match", value, line.place))
        elif line.keyword == "include":
            found.append(Program("Include of a file outside its folder,", value, line.place))
        elif line.keyword in _RUN and line.value.lower() != _RUN[line.keyword]:
            found.append(Program(_spelled(line), value, line.place))
        elif line.keyword not in _HARMLESS:
            what = line.keyword or "a line that is not plainly written:"
            found.append(Program(what, value, line.place))
    return tuple(dict.fromkeys(found))


_QUOTING = re.compile(r"""["'\\]""")
_HARMLESS: Final = KNOWN
"""Directives that start nothing, and those that are looked at one by one."""


_SPELLED: Final = {
    "proxycommand": "ProxyCommand",
    "localcommand": "LocalCommand",
    "knownhostscommand": "KnownHostsCommand",
    "pkcs11provider": "PKCS11Provider",
    "smartcarddevice": "SmartcardDevice",
    "securitykeyprovider": "SecurityKeyProvider",
    "xauthlocation": "XAuthLocation",
}


def _spelled(line: Line) -> str:
    return _SPELLED.get(line.keyword, line.keyword)
