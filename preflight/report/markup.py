"""Markup: the few HTML forms the page is made of; every text goes through `safe`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from preflight.findings import Verdict
from preflight.report import layout
from preflight.report.words import VERDICT_WORDS, clean, clean_lines

VERDICT_CLASSES = {
    Verdict.READY: "ok",
    Verdict.READY_WITH_WARNINGS: "warn",
    Verdict.NOT_READY: "fail",
    Verdict.INCOMPLETE: "unknown",
}

_LONGEST_INLINE = 60
"""A command of more characters than this stands on a line of its own."""


def safe(text: str) -> str:
    """A text from anywhere as it may stand in an element or a quoted attribute."""
    return escape(clean(text), quote=True)


def word(text: str, name: str) -> str:
    """A word with the colour of a class; the word says by itself what the colour says."""
    return f'<span class="word {name}">{safe(text)}</span>'


def verdict_word(verdict: Verdict) -> str:
    """The word of a verdict in its colour."""
    return word(VERDICT_WORDS[verdict], VERDICT_CLASSES[verdict])


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels with what belongs to them, in HTML already; those with nothing are left out."""
    rows = [f"<dt>{label}</dt><dd>{inside}</dd>" for label, inside in pairs if inside]
    return f"<dl>{''.join(rows)}</dl>" if rows else ""


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    name: str = "",
    spans: Mapping[int, int] = {},
    heads: bool = True,
) -> str:
    """A table; cells are HTML already, the first of a row its heading where `heads` says so.

    `spans` tells for a row how many columns its last cell takes.
    """
    titles = "".join(f'<th scope="col">{safe(title)}</th>' for title in head)
    body = []
    for place, row in enumerate(rows):
        cells = []
        for column, cell in enumerate(row):
            if column == 0 and heads:
                cells.append(f'<th scope="row">{cell}</th>')
            elif column == len(row) - 1 and spans.get(place, 1) > 1:
                cells.append(f'<td colspan="{spans[place]}">{cell}</td>')
            else:
                cells.append(f"<td>{cell}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    attribute = f' class="{name}"' if name else ""
    newline = "\n"
    return (
        f"<table{attribute}><thead><tr>{titles}</tr></thead>\n"
        f"<tbody>{newline.join(body)}</tbody></table>"
    )


def scrolling(inside: str, label: str) -> str:
    """Something wide that scrolls by itself on a narrow screen, reachable by keyboard."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{safe(label)}">{inside}</div>'
    )


def command_block(text: str) -> str:
    """Commands to be copied, one a line."""
    lines = [safe(line) for line in clean_lines(text)]
    joined = "\n".join(lines)
    return f"<pre><code>{joined}</code></pre>" if lines else ""


def instructions(text: str) -> str:
    """What to do: sentences as paragraphs, commands as code."""
    made = []
    for command, part in layout.instructions(text, longest=_LONGEST_INLINE):
        if command:
            made.append(f"<pre><code>{safe(part)}</code></pre>")
            continue
        pieces = part.split("`")
        if len(pieces) % 2 == 0:
            made.append(f"<p>{safe(part)}</p>")
        else:
            inside = "".join(
                f"<code>{safe(piece)}</code>" if place % 2 else safe(piece)
                for place, piece in enumerate(pieces)
            )
            made.append(f"<p>{inside}</p>")
    return "".join(made)


def paragraph(text: str) -> str:
    """A text as a paragraph; nothing of nothing."""
    return f"<p>{safe(text)}</p>" if text else ""


def section(title: str, *parts: str, name: str = "") -> str:
    """A section of the page under its heading."""
    attribute = f' class="{name}"' if name else ""
    return f"<section{attribute}><h2>{safe(title)}</h2>{''.join(parts)}</section>"


def capital(text: str) -> str:
    """A phrase as the beginning of a line."""
    return text[:1].upper() + text[1:]
