"""Texts: made clean and plain, and measured in cells; needs nothing, so the first paint has it.

What a machine told is hostile until it went through `clean`: no control character, no character
that turns the direction of the text round, nothing that XML forbids comes out of it.
"""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners: Persian and Sinhala are misspelt without them, and they do no harm."""


def clean(text: str) -> str:
    """A text on one line with nothing in it that acts on a terminal, a page or a parser."""
    if text.isprintable():
        return text
    kept = []
    for character in text:
        if character.isprintable() or character in _JOINERS:
            kept.append(character)
            continue
        category = unicodedata.category(character)
        if category.startswith("Z") or character in "\t\n\r\v\f":
            kept.append(" ")
        elif category in {"Cs", "Co", "Cn"}:
            kept.append("\ufffd")
    return "".join(kept)


def clean_lines(text: str) -> list[str]:
    """The lines of a text, each made clean; empty lines at both ends are dropped."""
    return [clean(line).rstrip() for line in text.strip("\r\n").splitlines()]


def capital(text: str) -> str:
    """A phrase as the beginning of a line."""
    return text[:1].upper() + text[1:]


_TYPOGRAPHY = str.maketrans(
    {
        "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "…": "...", "–": "-", "—": "-",
        "‑": "-", "−": "-", "×": "x", "≥": ">=", "≤": "<=", "→": "->", "·": "-", "•": "*",
        "±": "+-", "µ": "u", "§": "section ", "ß": "ss", "\u200c": "", "\u200d": "",
    }
)  # fmt: skip


def to_ascii(text: str) -> str:
    """A text in ASCII: typography by its plain form, accents dropped, the rest as "?"."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text.translate(_TYPOGRAPHY))
    return "".join(
        character if character.isascii() else "?"
        for character in plain
        if not unicodedata.combining(character)
    )


def cells(text: str) -> int:
    """The width of a clean text in terminal cells."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if character in _JOINERS or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> tuple[str, str]:
    """The part of a text that fits a number of cells (at least one character), and the rest."""
    used = 0
    for place, character in enumerate(text):
        used += _cells_of(character)
        if used > width and place:
            return text[:place], text[place:]
    return text, ""
