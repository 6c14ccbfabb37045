"""The forms of a result: each says the verdict, and no word of the hub becomes more than a word."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from installer.acceptance.report import render
from installer.acceptance.report.charts import Line, chart
from tests.installer.acceptance.made import judged, measured, result


def test_json_has_every_figure() -> None:
    said = json.loads(render(result(), "json"))
    assert said["schema"] == "sitewright.acceptance/1"
    assert said["verdict"] == "missed"
    assert said["document_001"] is False
    by_id = {one["id"]: one for one in said["criteria"]}
    assert by_id["losses"]["figures"]["stuck"] == 2
    assert by_id["availability"]["source"] == "? 4/5 9's?"
    assert len(said["slots"]["counts"]) == 6
    assert said["slots"]["counts"][0]["clearing"]["within"] == 1000


def test_junit_counts_what_it_holds() -> None:
    whole = ET.fromstring(render(result(), "junit"))  # noqa: S314 - our own text
    suite = whole[0]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "0", "1")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "No lost transfer"
    ]


def test_junit_tells_what_a_late_driver_spoilt_as_an_error() -> None:
    limited = result(judged(measured(within=900)), ["it was late"])
    suite = ET.fromstring(render(limited, "junit"))[0]  # noqa: S314 - our own text
    assert (suite.get("failures"), suite.get("errors")) == ("0", "5")


def test_what_could_not_be_measured_is_no_pass_in_any_form() -> None:
    unproved = result(judged(probe=None))
    suite = ET.fromstring(render(unproved, "junit"))[0]  # noqa: S314 - our own text
    assert (suite.get("errors"), suite.get("skipped")) == ("1", "1")
    assert json.loads(render(unproved, "json"))["verdict"] == "not proved"
    assert render(unproved, "text").startswith("Acceptance: NOT PROVED\n")
    assert "NOT PROVED" in render(unproved, "html")


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "src"]


def test_the_page_loads_nothing_and_shows_words_as_words() -> None:
    page = render(result(), "html")
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "b", "link", "iframe"} & set(tags.seen)
    assert tags.seen.count("svg") == 4
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    for word in ("MISSED", "NOT MEASURED", "4/5 9", "id-2", "as close to zero as possible"):
        assert word in page


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_text_keeps_its_width(width: int) -> None:
    text = render(result(), "text", width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "\x1b" not in text
    assert text.startswith("Acceptance: MISSED\n")


def test_a_chart_keeps_its_peak_and_its_gap() -> None:
    points = [(float(n), 1.0 if n != 777 else 50.0) for n in range(3600)]
    drawn = str(chart("a <title>", "1/s", [Line("x", points)], (40.0, "limit")))
    assert "&lt;title&gt;" in drawn
    path = drawn.partition('d="M')[2].partition('"')[0]
    top = min(float(pair.split()[1]) for pair in path.split("L"))
    assert top < 60
    gap = str(chart("t", "", [Line("x", [(0, 1.0), (1, 2.0), (2, None), (3, 1.0), (4, 2.0)])]))
    assert gap.count("<path") == 2


def test_nothing_to_draw_is_nothing() -> None:
    assert str(chart("t", "", [Line("x", [])])) == ""
    assert str(chart("t", "", [Line("x", [(0, None), (1, None)])])) == ""
