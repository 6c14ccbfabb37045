"""What was measured, in four forms, and as lines while it is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from installer.acceptance.result import Result


def render(result: Result, form: str, width: int = 80) -> str:
    """The result in a form: text, json, html or junit."""
    if form == "json":
        from installer.acceptance.report.as_json import as_json

        return as_json(result)
    if form == "html":
        from installer.acceptance.report.page import as_page

        return as_page(result)
    if form == "junit":
        from installer.acceptance.report.junit import as_junit

        return as_junit(result)
    from installer.acceptance.report.text import text_lines

    return "\n".join(text_lines(result, width)) + "\n"
