"""The HTML report: one file that loads nothing, escapes everything and can be read by all."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts.model import Host
from preflight.assessment import Assessment, HostResult
from preflight.facts import Disk, Facts
from preflight.report import render
from preflight.report.page_style import DARK, LIGHT, STYLE
from tests.preflight import assessment_factory as factory
from tests.preflight.report.test_report_text import assessments

VOID = {"meta", "br"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "article",
    "footer", "h1", "h2", "h3", "h4", "p", "strong", "span", "a", "dl", "dt", "dd", "div", "table",
    "thead", "tbody", "tr", "th", "td", "pre", "code", "br", "ul", "li", "details", "summary",
    "time",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "href", "id", "scope", "colspan",
    "role", "tabindex", "aria-label",
}  # fmt: skip


class Outline(HTMLParser):
    """The elements of a page, with a check that they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.headings: list[int] = []
        self.feed(page)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must close the one that was opened last."""
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def check_harmless(page: str) -> Outline:
    """Only known elements and attributes, no link out of the page, nothing loaded."""
    outline = Outline(page)
    assert {tag for tag, _ in outline.tags} <= KNOWN
    for _, attributes in outline.tags:
        assert set(attributes) <= ATTRIBUTES
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    return outline


@pytest.mark.parametrize("site", [factory.site(), factory.one_machine(), factory.good_site()])
def test_a_page_is_well_formed_and_loads_nothing(site: Assessment) -> None:
    """Elements nest, headings go down one level at a time, links lead to a place in the page."""
    outline = check_harmless(render(site, "html"))
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    for before, after in zip(outline.headings, outline.headings[1:], strict=False):
        assert after <= before + 1
    places = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(places) == len(set(places))
    links = {attributes["href"] for _, attributes in outline.tags if "href" in attributes}
    assert links <= {f"#{place}" for place in places}
    assert dict(outline.tags)["html"] == {"lang": "en"}


def test_the_policy_allows_the_one_style_sheet_only() -> None:
    """By its digest, so that no style that slipped in is used."""
    page = render(factory.site(), "html")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_hostile_names_and_models_are_text() -> None:
    """Whatever a machine calls itself or its disks."""
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=y>\u202e&\x1b[2J"
    shown = "<script>alert(1)</script>\"'><img src=x onerror=y>&[2J"
    machine = Host(name=hostile, address=hostile, roles=(hostile,))
    seen = replace(
        factory.seen(machine),
        facts=replace(Facts(), disks=(Disk(name=hostile, model=hostile),), notes=(hostile,)),
    )
    fail = replace(
        factory.cpu_fails("x", 1),
        host=hostile, title=hostile, expected=hostile, actual=hostile, source=hostile,
        evidence=hostile, remedy=f"`{hostile}` {hostile}", undo=hostile, subject=hostile,
    )  # fmt: skip
    site = Assessment(
        factory.NEEDS.model_copy(update={"title": hostile}),
        (HostResult(seen, (hostile,), (fail,)),),
        findings=(fail,),
        extra={"site": hostile, hostile: hostile},
    )
    page = render(site, "html")
    outline = check_harmless(page)
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert any(shown in text for text in outline.texts)


@settings(max_examples=50, deadline=None)
@given(assessments(commands=st.text(max_size=60)))
def test_anything_is_well_formed(site: Assessment) -> None:
    """For any findings of any machines."""
    check_harmless(render(site, "html"))


def test_an_auditor_finds_what_an_auditor_asks_for() -> None:
    """Who demands it, who waived it and why and until when, and where to sign."""
    text = " ".join(Outline(render(factory.site(), "html")).texts)
    for wanted in (
        "Formal risk acceptance",
        "Signature",
        "U Thant Zin, Head of Operations",
        "Two of three masters until the fourth server is delivered",
        "2026-12-24",
        "PM4ML Guide, section 4.4 (1.0)",
        "Who demands what",
        "NOT READY",
        "2026-11-21 12:30 UTC",
        "site.yaml",
    ):
        assert wanted in text


def test_every_color_has_a_word_beside_it() -> None:
    """A result in colour is a word, never an empty mark."""
    page = render(factory.site(), "html")
    colored = re.findall(r'class="word (\w+)">([^<]*)<', page)
    assert {name for name, _ in colored} >= {"fail", "warn", "unknown", "ok", "waived"}
    assert all(word.strip() for _, word in colored)


def luminance(color: str) -> float:
    """The relative luminance of #rrggbb, by WCAG 2."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "soft"])
@pytest.mark.parametrize("ink", ["ink", "dim", "accent", "fail", "warn", "unknown", "ok"])
def test_contrast_is_enough(colors: dict[str, str], ground: str, ink: str) -> None:
    """WCAG AA asks 4.5 to 1 for text."""
    light, dark = sorted((luminance(colors[ground]), luminance(colors[ink])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
