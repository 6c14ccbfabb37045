"""The forms in which a secret may be met again: as it is, and in the encodings of the trade.

A program that prints its request, its configuration or its command line prints a secret as base64
(alone, or behind a name in basic authentication), as hexadecimal, or quoted for a URL, JSON, YAML,
a shell, Python or HTML. Each form is a text to be looked for. What is escaped in ways that no
list has (each character, or once more) is found by `secret_views`.
"""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 4
"""Shorter secrets occur by chance in any text; masking them would make logs unreadable."""
_SHORTEST_ENCODED: Final = 6
"""Characters of an encoded piece: shorter ones are words of other things."""
_LINES: Final = (76, 64)
"""Characters of a line of base64, as `base64` and as OpenSSL break it."""


def forms(value: str) -> set[str]:
    """Every text that stands for a secret: it, its lines, and the encodings of each."""
    found: set[str] = set()
    for line in {value, value.strip(), *value.splitlines(), *map(str.strip, value.splitlines())}:
        if len(line) >= SHORTEST:
            found.add(line)
            found |= {form for form in _encodings(line) if len(form) >= _SHORTEST_ENCODED}
    return found


def base64_forms(value: str) -> set[str]:
    """What base64 makes of a secret and of each of its lines, wherever it stands."""
    lines = {value, *map(str.strip, value.splitlines())}
    return {
        form
        for line in lines
        if len(line) >= SHORTEST
        for form in _base64(line.encode("utf-8", "surrogatepass"))
        if len(form) >= _SHORTEST_ENCODED
    }


def _encodings(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "surrogatepass")
    yield from (raw.hex(), raw.hex().upper(), raw.hex(":"), raw.hex(" "))
    yield from _base64(raw)
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)) if _whole(value) else ():
        yield from (quoted, _lower_percent(quoted))
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        # A configuration in a JSON document is JSON in JSON.
        yield from (once, json.dumps(once, ensure_ascii=ascii_only)[1:-1], once.replace("/", "\\/"))
    yield from (shlex.quote(value).strip("'"), value.replace("'", "'\\''"), _backslashed(value))
    yield value.replace("'", "''")
    yield value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    yield from (repr(value)[1:-1], html.escape(value), html.escape(value, quote=False))
    yield html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _whole(value: str) -> bool:
    """Whether it has no lone surrogates, which no URL can hold."""
    return not any(0xD800 <= ord(c) < 0xE000 for c in value)


def _lower_percent(quoted: str) -> str:
    head, *rest = quoted.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])


def _backslashed(value: str) -> str:
    """As bash's printf %q and Ansible's quoting write it outside of quotes."""
    return "".join(c if c.isalnum() or c in "_-./:=@%+," else f"\\{c}" for c in value)


def _base64(raw: bytes) -> Iterator[str]:
    """What base64 makes of it wherever it stands in what is encoded: three ways it may fall."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode("ascii")
        # The first characters hold bits of what stands before it, the last of what comes after.
        first = (0, 2, 3)[before]
        last = (before + len(raw)) * 8 // 6
        piece = text[first:last]
        yield from (piece, piece.translate(_FOR_URLS))
        if not before:
            for width in _LINES:
                parts = [piece[at : at + width] for at in range(0, len(piece), width)]
                yield from (part for part in parts if len(parts) > 1 and len(part) >= 16)


_FOR_URLS: Final = str.maketrans("+/", "-_")
