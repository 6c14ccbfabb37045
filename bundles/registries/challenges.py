"""What a server asks for with WWW-Authenticate, as RFC 9110 writes it (11.3, 11.6.1).

One line may hold several challenges, and there may be several lines. Names of schemes and of
parameters are the same in any case, values are tokens or quoted strings, in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bundles.format.budgets import CHALLENGE_CHARACTERS

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(
    rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', re.DOTALL
)
_SCHEME: Final = re.compile(rf"({_WORD})(?:[ \t]+|(?=,)|\Z)")
_SIXTYEIGHT: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|\Z))")
_BETWEEN: Final = re.compile(r"[ \t,]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: its scheme in lower case, and its parameters by lower-case name."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(lines: Iterable[str]) -> tuple[Challenge, ...]:
    """Every challenge of the lines of an answer; what is malformed ends its own line."""
    found: list[Challenge] = []
    for line in lines:
        found += _of_line(line[:CHALLENGE_CHARACTERS])
    return tuple(found)


def _of_line(line: str) -> list[Challenge]:
    found: list[Challenge] = []
    parameters: dict[str, str] | None = None
    place = _skip(line, 0)
    while place < len(line):
        # A name with "=" after it belongs to the challenge before; a name alone begins another.
        parameter = _PARAMETER.match(line, place)
        if parameter is not None and parameters is not None:
            value = parameter[2] if parameter[2] is not None else parameter[3]
            parameters.setdefault(parameter[1].lower(), re.sub(r"\\(.)", r"\1", value))
            place = _skip(line, parameter.end())
            continue
        scheme = _SCHEME.match(line, place)
        if scheme is None:
            break
        parameters = {}
        found.append(Challenge(scheme[1].lower(), parameters))
        place = scheme.end()
        token68 = _SIXTYEIGHT.match(line, place)
        if token68 is not None and not _begins_another(line, place):
            place = token68.end()
        place = _skip(line, place)
    return found


def _begins_another(line: str, place: int) -> bool:
    # After "Negotiate, " there is no token68 but the next challenge.
    return line[place - 1] not in " \t"


def _skip(line: str, place: int) -> int:
    between = _BETWEEN.match(line, place)
    return between.end() if between else place
