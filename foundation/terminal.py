"""The gate through which all text reaches a terminal: no control of it passes, whoever said it.

A machine, a file's name, a key of a site file, a server before its host key is known: each may
hold sequences that move the cursor, set the title, or turn the direction of writing round, so that
a person reads what was never said. `gated` puts the gate before standard output and standard
error for the life of a command, so whatever is printed passes it. Our own colours, the line that
is written over and the one question that we have for a terminal go through `styled`, `rewritten`
and `ask_ground`, which take those three things alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, TextIO, cast

# Escape sequences as terminals know them (ECMA-48): CSI, then OSC and its kin up to their end.
ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|\x9b[0-?]*[ -/]*[@-~]"
)
_PICTURES: Final = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421}
# C1 controls, line separators, marks that turn the direction of writing round, and characters that
# are not seen at all (Unicode's Default_Ignorable_Code_Point).
_UNSEEN: Final = dict.fromkeys(
    [*range(0x80, 0xA0), 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810),
     0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0x3164, 0xFEFF, 0xFFA0,
     *range(0xFFF0, 0xFFFC), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B),
     *range(0xE0000, 0xE1000)],
    0xFFFD,
)  # fmt: skip
_TABLE: Final = _PICTURES | _UNSEEN
_TEXT_TABLE: Final = {code: shown for code, shown in _TABLE.items() if code not in (9, 10)}
# A joiner joins letters of scripts that have them, and pictures, of which a selector chooses one;
# beside ASCII it only deceives.
_JOINERS: Final = re.compile(
    r"(?<![^\x00-\x7f])[\u200c\u200d\ufe00-\ufe0f]|[\u200c\u200d](?![^\x00-\x7f])"
)
_STYLE: Final = re.compile(r"(\x1b\[[0-9;]{0,20}m)")


def clean_line(raw: bytes | str, *, left_out: int = 0) -> str:
    """One line as text: UTF-8 as far as it is, colours removed, other controls made visible.

    `left_out` is the number of bytes beyond the limit, which the line then says.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    text = text.rstrip("\r\n")
    if not text.isprintable():
        text = ESCAPES.sub("", text).expandtabs(8).rstrip("\r")
        text = _whole(_JOINERS.sub("\ufffd", text).translate(_TABLE))
    return f"{text} … [{left_out} bytes more]" if left_out else text


def visible(text: str) -> str:
    """A text of any number of lines without what controls a terminal; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    text = ESCAPES.sub("", text).replace("\r\n", "\n")
    return _whole(_JOINERS.sub("\ufffd", text).translate(_TEXT_TABLE))


def _whole(text: str) -> str:
    # Lone surrogates, which JSON can hold, can be written to no file.
    return text.encode("utf-8", "replace").decode("utf-8")


class Gate:
    """A stream that takes controls away from whatever is written to it."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text as `visible` shows it."""
        self.stream.write(visible(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of these."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        # All that is no writing: whether it is a terminal, its encoding, its number.
        return getattr(self.stream, name)


@contextmanager
def gated() -> Iterator[None]:
    """Put the gate before standard output and standard error."""
    before = sys.stdout, sys.stderr
    for name, stream in zip(("stdout", "stderr"), before, strict=True):
        if stream is not None and not isinstance(stream, Gate):
            setattr(sys, name, cast(TextIO, Gate(stream)))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _behind(stream: IO[str]) -> IO[str]:
    return stream.stream if isinstance(stream, Gate) else stream


def styled(text: str, stream: IO[str]) -> None:
    """Write a text of ours that has colours in it; nothing else of a terminal's passes."""
    parts = _STYLE.split(text)
    _behind(stream).write(
        "".join(part if number % 2 else visible(part) for number, part in enumerate(parts))
    )
    stream.flush()


def ask_ground(stream: IO[str]) -> None:
    """Ask the terminal for the colour of its ground (OSC 11, xterm's control sequences)."""
    _behind(stream).write("\x1b]11;?\x07")
    stream.flush()


def rewritten(text: str, stream: IO[str], *, clear: bool = True) -> None:
    """Write a line over the one that stands there, without an end; `clear` what is left of it."""
    line = clean_line(text)
    _behind(stream).write(f"\r\x1b[K{line}" if clear else f"\r{line}")
    stream.flush()
