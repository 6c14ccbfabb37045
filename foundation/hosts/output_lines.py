"""Output as lines: bytes of a hostile stream cut into bounded lines, fit to be kept and shown."""

from __future__ import annotations

import re
from typing import Final

LINE_LIMIT: Final = 64 * 1024
"""Bytes of one line that are kept; what is beyond is counted and left out."""

# Escape sequences as terminals know them (ECMA-48): CSI, then OSC and its kin up to their end.
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|\x9b[0-?]*[ -/]*[@-~]"
)
_PICTURES: Final = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421}
# C1 controls, line separators, and marks that turn the direction of writing round.
_UNSEEN: Final = dict.fromkeys(
    [*range(0x80, 0xA0), 0x2028, 0x2029, 0x200E, 0x200F, 0x061C, 0xFEFF,
     *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
    0xFFFD,
)  # fmt: skip
_TABLE: Final = _PICTURES | _UNSEEN


def clean_line(raw: bytes | str, *, left_out: int = 0) -> str:
    """One line as text: UTF-8 as far as it is, colours removed, other controls made visible.

    `left_out` is the number of bytes beyond the limit, which the line then says.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    text = text.rstrip("\r\n")
    if not text.isprintable():
        text = _ESCAPES.sub("", text).expandtabs(8).rstrip("\r").translate(_TABLE)
        # Lone surrogates, which JSON can hold, can be written to no file.
        text = text.encode("utf-8", "replace").decode("utf-8")
    return f"{text} … [{left_out} bytes more]" if left_out else text


class LineCutter:
    """Cuts a stream of bytes into lines, keeping at most `limit` bytes of each.

    `feed` gives (line without its end, bytes left out, offset after it in the stream).
    """

    def __init__(self, *, offset: int = 0, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._left_out = 0
        self.offset = offset
        """Bytes of the stream up to the end of the last whole line."""

    def feed(self, data: bytes) -> list[tuple[bytes, int, int]]:
        """Take a piece of the stream; the lines that it completes."""
        *whole, rest = data.split(b"\n")
        lines = []
        for part in whole:
            self._keep(part)
            lines.append(self._take(newline=1))
        self._keep(rest)
        return lines

    def last(self) -> tuple[bytes, int, int] | None:
        """What stands after the last newline, as a line of its own; None where nothing does."""
        return self._take(newline=0) if self._kept or self._left_out else None

    def _keep(self, part: bytes) -> None:
        room = self._limit - len(self._kept)
        self._kept += part[:room]
        self._left_out += max(len(part) - room, 0)

    def _take(self, *, newline: int) -> tuple[bytes, int, int]:
        line, left_out = bytes(self._kept), self._left_out
        self.offset += len(line) + left_out + newline
        self._kept.clear()
        self._left_out = 0
        return line, left_out, self.offset
