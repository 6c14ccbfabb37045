"""Pages: templates become HTML files that load nothing; every text in them is cleaned and escaped.

The templates lie in `templates/`, those of another report beside it. What is no HTML already is a
text from anywhere: it is made clean of control characters, then escaped.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from preflight.report import layout
from preflight.report.page_style import STYLE
from preflight.report.words import capital, clean, clean_lines

_TEMPLATES: Final = Path(__file__).parent / "templates"
_LONGEST_INLINE: Final = 60
"""A command of more characters than this stands on a line of its own."""
_DIGEST: Final = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
)


def rendered(name: str, folder: Path | None = None, **values: object) -> str:
    """A template of `folder` filled in; a word that it is not given is an error of ours."""
    template = _environment(folder).get_template(name)
    return template.render(
        # Both are ours, and no text from outside reaches them.
        style=Markup(STYLE),  # noqa: S704
        policy=Markup(_POLICY),  # noqa: S704
        **values,
    )


@lru_cache(maxsize=4)
def _environment(folder: Path | None) -> Environment:
    made = Environment(
        loader=FileSystemLoader([*([folder] if folder else []), _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_text,
    )
    made.globals["NEWLINE"] = Markup("\n")
    made.filters.update(
        capital=capital, lines=clean_lines, instructions=_instructions, pieces=_pieces
    )
    return made


def _text(value: object) -> object:
    """What may be escaped and shown: HTML of ours as it is, anything else as a clean text."""
    return value if isinstance(value, Markup) else clean(str(value))


def _instructions(text: str) -> list[tuple[bool, str]]:
    return list(layout.instructions(text, longest=_LONGEST_INLINE))


def _pieces(sentence: str) -> list[tuple[bool, str]]:
    """A sentence in pieces, those between backticks as code; whole where they do not pair."""
    pieces = sentence.split("`")
    if len(pieces) % 2 == 0:
        return [(False, sentence)]
    return [(bool(place % 2), piece) for place, piece in enumerate(pieces)]
