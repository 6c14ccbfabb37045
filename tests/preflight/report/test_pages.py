"""What stands in a page is escaped by the one environment, and nothing goes round it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from preflight.report.pages import rendered

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted(
    path for top in ("preflight", "installer") for path in (ROOT / top).rglob("templates/*.html")
)


def test_a_text_is_made_clean_and_escaped_wherever_it_comes_in(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text(
        '{% import "forms.html" as forms %}{{ text }}|{{ forms.paragraph(text) }}|'
        "{{ forms.commands(text) }}|{{ forms.instructions(text) }}|{{ text ~ text }}"
    )
    page = rendered("one.html", tmp_path, text='<b a="1">\x1b[1m&\u202e{{ 7*7 }}')
    assert page.count("&lt;b a=&#34;1&#34;&gt;") == 6
    assert page.count("{{ 7*7 }}") == 6
    assert not re.search("[\x1b\u202e]|<b", page)


def test_a_word_that_a_template_was_not_given_is_no_empty_place(tmp_path: Path) -> None:
    (tmp_path / "two.html").write_text("{{ nothing }}")
    with pytest.raises(UndefinedError):
        rendered("two.html", tmp_path)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_goes_round_the_escaping(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\bsafe\b|autoescape|<script|\son\w+=|https?://", text)


def test_html_is_made_by_templates_alone() -> None:
    """No tag in a string of the reports' code, and HTML of ours is declared in one place."""
    tag = re.compile(r"""["'f]\s*</?(?:p|div|span|td|th|tr|table|section|h[1-4]|ul|li|code)[ >]""")
    made = [
        str(path.relative_to(ROOT))
        for folder in ("preflight/report", "installer/hand_over")
        for path in sorted((ROOT / folder).glob("*.py"))
        if tag.search(path.read_text(encoding="utf-8"))
        or ("Markup(" in path.read_text(encoding="utf-8") and path.name != "pages.py")
    ]
    assert made == []
