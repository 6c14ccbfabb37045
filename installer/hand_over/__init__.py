"""Hand-over report: what was installed where, by whom, as text, JSON, HTML and JUnit.

Every form is made from the same values, which come from the folder of the run and nothing else.
Each form is imported only when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.report import ReportFormat

if TYPE_CHECKING:
    from installer.hand_over.model import HandOver


def render(report: HandOver, form: ReportFormat | str) -> str:
    """The report in one form; raises ValueError for a form that there is not."""
    match ReportFormat(form):
        case ReportFormat.TEXT:
            from installer.hand_over.text import render_text

            return render_text(report)
        case ReportFormat.JSON:
            from installer.hand_over.as_json import render_json

            return render_json(report)
        case ReportFormat.HTML:
            from installer.hand_over.page import render_page

            return render_page(report)
        case ReportFormat.JUNIT:
            from installer.hand_over.junit import render_junit

            return render_junit(report)
