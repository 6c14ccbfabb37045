"""What was seen for a bundle and not resolved: nothing of it is left out in silence.

A source that meets a name which it can neither bring nor understand says so here. The list is
printed when the bundle is made, kept in the bundle's lock, and told again by everything that looks
into the bundle; `--strict` makes a failure of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

Kind = Literal["untold", "perhaps", "note"]
"""`untold`: it is not in the bundle, or nobody can say what is meant; a strict run fails on it.
`perhaps`: it was brought though only a guess led to it, or left out because a second reader does
not know it. `note`: good to know."""

_LONGEST: Final = 600
_MOST_NAMED: Final = 8
_SOME: Final = 5
_HEADS: Final = {
    "untold": "cannot be told, so it may be missing",
    "perhaps": "perhaps needed, perhaps not",
    "note": "good to know",
}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that cannot be shown")
    return text


_Text = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_printable)]


class Untold(BaseModel):
    """One thing that could not be told, as a sentence, and whose it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "untold"
    of: _Text
    """As it stands in a list: the chart loki 6.1.0."""
    what: _Text
    image: _Text | None = None
    """The image in full, where it is one that was named and not brought."""

    def __str__(self) -> str:
        return f"{self.of}: {self.what}"


def told(of: str, what: str, kind: Kind = "untold", *, image: str | None = None) -> Untold:
    """An entry of the list, whatever signs a source's own words hold."""
    return Untold(kind=kind, of=_shown(of), what=_shown(what), image=image)


def _shown(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


def serious(entries: Iterable[Untold]) -> tuple[Untold, ...]:
    """Those on which a strict run fails."""
    return tuple(entry for entry in entries if entry.kind == "untold")


def some_names(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are, for a sentence of the list."""
    shown = ", ".join(names[:_SOME])
    more = len(names) - _SOME
    return f"{shown} and {more} more" if more > 0 else shown


def untold_lines(entries: Sequence[Untold]) -> list[str]:
    """The list for people, the serious ones first, what is the same of several told once."""
    lines: list[str] = []
    for kind, head in _HEADS.items():
        chosen = [entry for entry in entries if entry.kind == kind]
        if chosen:
            lines.append(f"{len(chosen)} {head}:")
            of: dict[str, list[str]] = {}
            for entry in chosen:
                of.setdefault(entry.what, []).append(entry.of)
            lines += [f"  {_together(names)}: {what}" for what, names in of.items()]
    return lines


def _together(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def untold_dicts(entries: Iterable[Untold]) -> list[dict[str, str | None]]:
    """The list as plain values for JSON."""
    return [entry.model_dump() for entry in entries]
