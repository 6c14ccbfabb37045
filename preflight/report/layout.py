"""Layout: lines of plain text that never leave the width, coloured after they are measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from preflight.report.words import cells, clean, clean_lines, cut, to_ascii


class Style(StrEnum):
    """SGR codes of the sixteen colours, which every terminal and serial console has."""

    PLAIN = ""
    HEADING = "1;36"
    """The one accent colour."""
    STRONG = "1"
    DIM = "2"
    FAIL = "1;31"
    WARN = "33"
    UNKNOWN = "35"
    OK = "32"


class Page:
    """Lines as they grow; every text that comes in is cleaned, wrapped and, if asked, put in ASCII.

    The one thing that may be wider than the page is a command, because it is there to be copied.
    """

    def __init__(self, width: int, *, color: bool, ascii_only: bool) -> None:
        self.width = max(width, 40)
        self.color = color
        self.ascii_only = ascii_only
        self.lines: list[str] = []

    def text(self) -> str:
        """The whole page, ending with one newline."""
        return "\n".join(self.lines).strip("\n") + "\n"

    def plain(self, text: str) -> str:
        """A text as it may stand on a line of this page."""
        text = clean(text)
        return to_ascii(text) if self.ascii_only else text

    def styled(self, text: str, style: Style) -> str:
        """A text that was measured already, in a style."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.color and style and text else text

    def blank(self) -> None:
        """An empty line, never two in a row."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def heading(self, title: str) -> None:
        """A section begins."""
        self.blank()
        for line in wrap(self.plain(title), self.width):
            self.lines.append(self.styled(line, Style.HEADING))

    def paragraph(
        self, text: str, *, indent: int = 0, hang: int | None = None, style: Style = Style.PLAIN
    ) -> None:
        """A text wrapped with an indent; `hang` is that of its later lines."""
        later = indent if hang is None else hang
        room = self.width - later
        pieces = wrap(self.plain(text), room, first=self.width - indent)
        for place, piece in enumerate(pieces):
            self.lines.append(" " * (later if place else indent) + self.styled(piece, style))

    def item(self, bullet: str, text: str, *, indent: int, style: Style = Style.STRONG) -> None:
        """A text beside a bullet that fills the indent."""
        start = pad(self.plain(bullet), indent)
        for line in wrap(self.plain(text), self.width - indent) or [""]:
            self.lines.append((start + self.styled(line, style)).rstrip())
            start = " " * indent

    def field(self, label: str, text: str, *, indent: int, label_width: int) -> None:
        """A label and what belongs to it, wrapped beside it."""
        self._beside(label, wrap(self.plain(text), self.width - indent - label_width),
                     indent, label_width)  # fmt: skip

    def instructions(self, label: str, text: str, *, indent: int, label_width: int) -> None:
        """What to do, line by line: prose is wrapped, a command stays whole on a line of its own.

        The function `instructions` tells what is a command.
        """
        room = self.width - indent - label_width
        lines: list[str] = []
        parts = list(instructions(text, longest=room // 2))
        indent_of_commands = "  " if not all(command for command, _ in parts) else ""
        for command, part in parts:
            if command:
                lines.append(indent_of_commands + self.plain(part))
            else:
                lines += wrap(self.plain(part), room, commands=True)
        self._beside(label, lines, indent, label_width)

    def commands(self, label: str, text: str, *, indent: int, label_width: int) -> None:
        """Commands, each whole on its line."""
        self._beside(label, [self.plain(line) for line in clean_lines(text)], indent, label_width)

    def _beside(self, label: str, lines: Sequence[str], indent: int, label_width: int) -> None:
        # A label that does not fit its column is cut: those that come from outside are names that
        # whoever gave them knows.
        start = cut(self.plain(label), label_width - 1)[0] if label else ""
        for line in lines:
            gap = " " * (label_width - cells(start))
            self.lines.append(f"{' ' * indent}{self.styled(start, Style.DIM)}{gap}{line}".rstrip())
            start = ""


def instructions(text: str, *, longest: int) -> Iterator[tuple[bool, str]]:
    """The parts of a remedy in order, each with whether it is a command to be copied.

    A command is a line that is indented or begins with "$ ", or with "sudo " and is no sentence,
    or a part in `backquotes` of more than `longest` characters; shorter ones stay where they are.
    """
    for line in clean_lines(text):
        bare = line.startswith("sudo ") and not line.endswith(".")
        if bare or line.startswith(("  ", "$ ", "\t")):
            yield True, line.strip().removeprefix("$ ")
            continue
        pieces = line.split("`")
        if len(pieces) % 2 == 0:
            yield False, line
            continue
        prose = ""
        for place, piece in enumerate(pieces):
            if place % 2 == 0:
                # The punctuation after a command that stands on a line of its own goes with it.
                prose += piece if prose or place == 0 else piece.lstrip(".,;:")
            elif len(piece) <= longest:
                prose += f"`{piece}`"
            else:
                if prose.strip():
                    yield False, prose
                yield True, piece.strip()
                prose = ""
        if prose.strip():
            yield False, prose


_TOKEN = re.compile(r"\S+")
_TOKEN_WITH_COMMANDS = re.compile(r"(?:`[^`]+`|[^\s`])+|`")


def wrap(text: str, width: int, *, first: int | None = None, commands: bool = False) -> list[str]:
    """A clean text in lines of at most `width` cells, broken at spaces, or in words that are wider.

    `first` is the width of the first line where it differs. With `commands` a part in `backquotes`
    is never broken, even where it is wider than the line.
    """
    width = max(width, 1)
    room = width if first is None else max(first, 1)
    if len(text) <= room and text.isascii() and "  " not in text:
        return [text.strip()] if text.strip() else []
    lines: list[str] = []
    line, used = "", 0
    for token in (_TOKEN_WITH_COMMANDS if commands else _TOKEN).findall(text):
        length = cells(token)
        if line and used + 1 + length <= room:
            line, used = f"{line} {token}", used + 1 + length
            continue
        if line:
            lines.append(line)
            room = width
        rest = token
        while cells(rest) > room and not (commands and "`" in rest):
            part, rest = cut(rest, room)
            lines.append(part)
            room = width
        line, used = rest, cells(rest)
    if line:
        lines.append(line)
    return lines


def pad(text: str, width: int) -> str:
    """A text filled up with spaces to a number of cells."""
    return text + " " * (width - cells(text))


def widest(texts: Iterable[str]) -> int:
    """The width of the widest text."""
    return max(map(cells, texts), default=0)
