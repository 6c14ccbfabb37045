"""Reports: an assessment as text for a person, JSON, HTML for the files, and JUnit for a machine.

Every form is made from the same assessment and nothing else, so they cannot disagree. Each form is
imported only when it is asked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterable

    from preflight.assessment import Assessment


class ReportFormat(StrEnum):
    """The forms of a report."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    JUNIT = "junit"


def render(
    assessment: Assessment,
    format: ReportFormat | str = ReportFormat.TEXT,  # noqa: A002 - the command's word for it
    *,
    width: int = 80,
    color: bool = False,
    ascii_only: bool = False,
) -> str:
    """The report in one form; raises ValueError for a form that there is not.

    Width is in terminal cells; it, the colour and the ASCII switch concern the text form only.
    """
    chosen = ReportFormat(format)
    if chosen is ReportFormat.TEXT:
        from preflight.report.text import render_text

        return render_text(assessment, width=width, color=color, ascii_only=ascii_only)
    if chosen is ReportFormat.JSON:
        from preflight.report.as_json import render_json

        return render_json(assessment)
    if chosen is ReportFormat.HTML:
        from preflight.report.page import render_page

        return render_page(assessment)
    if chosen is ReportFormat.JUNIT:
        from preflight.report.junit import render_junit

        return render_junit(assessment)
    assert_never(chosen)


def pieces(assessment: Assessment, form: ReportFormat | str, **style: Any) -> Iterable[str]:
    """What `render` gives, with the same `style`, in pieces to be written one behind the other."""
    if ReportFormat(form) is ReportFormat.JSON:
        from preflight.report.as_json import json_pieces

        return json_pieces(assessment)
    return (render(assessment, form, **style),)
