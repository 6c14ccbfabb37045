"""Answers of a probe made from the text of some sections, for the tests of the parsers."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

from preflight.parse.frames import Answer, split_frames


def answer_of(sections: Mapping[str, str], *, statuses: Mapping[str, str] | None = None) -> Answer:
    """The answer that has these sections, whose status is 0 where nothing else is given."""
    output = "n hello 1\n"
    for name, text in sections.items():
        status = (statuses or {}).get(name, "0")
        body = dedent(text).strip("\n")
        output += f"n begin {name}\n{body}\nn end {name} {status}\n"
    return split_frames((output + "n done\n").encode(), "n")
