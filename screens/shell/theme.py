"""Looks: dark, light, high contrast, mono and plain ASCII, chosen with F4 and remembered.

Mono uses no colour at all, not even grey: what colour says is said by words, bold and reverse.
ASCII is mono whose every character is replaced on its way to the terminal, so that no widget can
forget it.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter, NoColor
from textual.scrollbar import ScrollBarRender
from textual.theme import Theme

from foundation.paths import state_folder, write_private


class Look(StrEnum):
    """How the screen is drawn."""

    COLOUR = "colour"
    """Dark or light, as the terminal is."""
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "contrast"
    MONO = "mono"
    ASCII = "ascii"

    @property
    def plain(self) -> bool:
        """Whether it has no colour at all."""
        return self in (Look.MONO, Look.ASCII)


LOOK_WORDS: Final = {
    Look.COLOUR: ("Auto", "dark or light, as the terminal is"),
    Look.DARK: ("Dark", "light letters on a dark ground"),
    Look.LIGHT: ("Light", "dark letters on a light ground"),
    Look.CONTRAST: ("High contrast", "white and strong colours on black"),
    Look.MONO: ("No colour", "bold and reverse; not even grey"),
    Look.ASCII: ("ASCII", "no colour, and no sign beyond ASCII"),
}
"""Each look in a word, and what it is."""

DARK: Final = Theme(
    name="sitewright",
    dark=True,
    primary="#6cb6d9",
    secondary="#6cb6d9",
    accent="#6cb6d9",
    foreground="#d5dbe3",
    background="#11161d",
    surface="#1a212b",
    panel="#232c38",
    success="#93c98f",
    warning="#e3b65c",
    error="#f2858b",
    variables={
        "text-muted": "#9fabba",
        "block-cursor-background": "#223b4b",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#232c38",
        "block-cursor-blurred-foreground": "#d5dbe3",
        "block-cursor-blurred-text-style": "none",
        "input-selection-background": "#2f4a5e",
        "scrollbar": "#3a4756",
        "scrollbar-hover": "#55657a",
        "scrollbar-active": "#6cb6d9",
        "scrollbar-background": "#161c25",
        "scrollbar-background-hover": "#161c25",
        "scrollbar-background-active": "#161c25",
        "scrollbar-corner-color": "#161c25",
    },
)

LIGHT: Final = Theme(
    name="sitewright-light",
    dark=False,
    primary="#1c6a8c",
    secondary="#1c6a8c",
    accent="#1c6a8c",
    foreground="#1f252c",
    background="#f8f8f5",
    surface="#ecedea",
    panel="#e0e3e2",
    success="#2f6f35",
    warning="#855900",
    error="#b3232b",
    variables={
        "text-muted": "#4f5963",
        "block-cursor-background": "#d0e5ef",
        "block-cursor-foreground": "#0f1419",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#e0e3e2",
        "block-cursor-blurred-foreground": "#1f252c",
        "block-cursor-blurred-text-style": "none",
        "scrollbar": "#b7bfc4",
        "scrollbar-hover": "#8d979e",
        "scrollbar-active": "#1c6a8c",
        "scrollbar-background": "#ecedea",
        "scrollbar-background-hover": "#ecedea",
        "scrollbar-background-active": "#ecedea",
        "scrollbar-corner-color": "#ecedea",
    },
)

CONTRAST: Final = Theme(
    name="sitewright-contrast",
    dark=True,
    primary="#5cd6ff",
    secondary="#5cd6ff",
    accent="#5cd6ff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    success="#7dff7d",
    warning="#ffdf5e",
    error="#ff9b9b",
    variables={
        "text-muted": "#e6e6e6",
        "block-cursor-background": "#003f66",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#3a3a3a",
        "block-cursor-blurred-foreground": "#ffffff",
        "block-cursor-blurred-text-style": "none",
        "input-selection-background": "#555555",
        "scrollbar": "#bbbbbb",
        "scrollbar-hover": "#ffffff",
        "scrollbar-active": "#5cd6ff",
        "scrollbar-background": "#1c1c1c",
        "scrollbar-background-hover": "#1c1c1c",
        "scrollbar-background-active": "#1c1c1c",
        "scrollbar-corner-color": "#1c1c1c",
    },
)

_PLAIN_CURSOR: Final = {
    "ansi-background": "ansi_default",
    "ansi-foreground": "ansi_default",
    "text-muted": "ansi_default",
    "text-disabled": "ansi_default",
    "block-cursor-foreground": "ansi_default",
    "block-cursor-background": "ansi_default",
    "block-cursor-text-style": "reverse",
    "block-cursor-blurred-foreground": "ansi_default",
    "block-cursor-blurred-background": "ansi_default",
    "block-cursor-blurred-text-style": "underline",
    "input-cursor-text-style": "reverse",
    "input-selection-background": "ansi_default",
    "input-selection-foreground": "ansi_default",
    "scrollbar-background": "ansi_default",
    "scrollbar-background-hover": "ansi_default",
    "scrollbar-background-active": "ansi_default",
    "border": "ansi_default",
    "border-blurred": "ansi_default",
}

SIXTEEN: Final = Theme(
    name="sitewright-16",
    dark=True,
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={**_PLAIN_CURSOR, "scrollbar": "ansi_cyan", "scrollbar-active": "ansi_cyan"},
)


def _without_colour(name: str) -> Theme:
    return Theme(
        name=name,
        dark=True,
        ansi=True,
        primary="ansi_default",
        secondary="ansi_default",
        accent="ansi_default",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        success="ansi_default",
        warning="ansi_default",
        error="ansi_default",
        variables=_PLAIN_CURSOR,
    )


MONO: Final = _without_colour("sitewright-mono")
ASCII: Final = _without_colour("sitewright-ascii")
THEMES: Final = (DARK, LIGHT, CONTRAST, SIXTEEN, MONO, ASCII)


def theme_for(
    look: Look, environment: Mapping[str, str] | None = None, *, light: bool | None = None
) -> str:
    """The theme of a look on this terminal: few colours, or a light background, change it.

    `light` is what the terminal said of its ground, None where it said nothing.
    """
    env = os.environ if environment is None else environment
    if look is Look.MONO:
        return MONO.name
    if look is Look.ASCII:
        return ASCII.name
    term = env.get("TERM", "")
    many = "256color" in term or env.get("COLORTERM") in ("truecolor", "24bit") or "kitty" in term
    # systemd gives serial consoles COLORTERM=truecolor, so TERM has the last word for these.
    if not many or term in ("linux", "vt100", "vt102", "vt220", "ansi", "xterm"):
        return SIXTEEN.name
    chosen = {Look.DARK: DARK, Look.LIGHT: LIGHT, Look.CONTRAST: CONTRAST}.get(look)
    if chosen is not None:
        return chosen.name
    if light is not None:
        return LIGHT.name if light else DARK.name
    background = env.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in ("7", "15") else DARK.name


def first_look(environment: Mapping[str, str] | None = None) -> Look:
    """The look to begin with: what was chosen last, else what the environment asks for."""
    env = os.environ if environment is None else environment
    try:
        return Look(look_file().read_text(encoding="utf-8")[:20].strip())
    except (OSError, ValueError):
        pass
    if env.get("NO_COLOR"):
        return Look.MONO
    return Look.COLOUR


def look_file() -> Path:
    """Where the chosen look is remembered."""
    return state_folder() / "look"


def remember_look(look: Look) -> None:
    """Remember the look for the next start; a full or read-only disk only loses the habit."""
    try:
        write_private(look_file(), f"{look.value}\n")
    except OSError:
        return


_ASCII_FOR: Final = {
    "✓": "+", "▸": ">", "·": ".", "•": "*", "…": "~", "–": "-", "—": "-", "−": "-", "×": "x",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "≥": ">", "≤": "<", "→": ">", "←": "<",
    "↑": "^", "↓": "v", "│": "|", "┃": "|", "─": "-", "━": "-", "█": "#", "▌": "|", "▐": "|",
    "✗": "x", "⚠": "!", "°": "o", "µ": "u", "€": "E", "\u00a0": " ", "├": "|", "└": "`", "┐": "+",
    "┌": "+", "┘": "+", "┬": "+", "┴": "+", "┼": "+", "┤": "+",
    "≈": "~", "±": "~", "∙": ".", "○": "o", "●": "+",
}  # fmt: skip


@lru_cache(4096)
def ascii_text(text: str) -> str:
    """The text in ASCII, as many cells wide as before, so that nothing on the screen shifts."""
    if text.isascii():
        return text
    result = []
    for character in text:
        if character.isascii():
            result.append(character)
        elif character in _ASCII_FOR:
            result.append(_ASCII_FOR[character])
        else:
            plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
            width = cell_len(character)
            result.append((plain or "?" * width)[:width].ljust(width, "?"))
    return "".join(result)


class AsciiOnly(LineFilter):
    """Replaces every character that is not ASCII by one of the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII."""
        return [
            segment if segment.text.isascii() else segment._replace(text=ascii_text(segment.text))
            for segment in segments
        ]


NO_COLOUR_FILTER: Final = NoColor()
ASCII_FILTER: Final = AsciiOnly()


class PlainScrollBar(ScrollBarRender):
    """A scroll bar of whole cells, which every terminal and font can draw."""

    VERTICAL_BARS = [" "]  # noqa: RUF012 - the name and type that Textual's class has
    HORIZONTAL_BARS = [" "]  # noqa: RUF012 - Textual's own type
