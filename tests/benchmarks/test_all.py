"""The benchmarks together: each has a row, and the table says only what was measured."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import all as every
from benchmarks import flame, growth, record
from installer.record.record_check import check_record

FOLDER = Path(every.__file__).parent
ALONE = {"all", "growth", "flame", "bundle_command"}
"""What runs others, and what one of them runs."""


def test_every_benchmark_has_a_row_and_takes_the_options_that_it_gives() -> None:
    measures = {
        path.stem: text
        for path in FOLDER.glob("*.py")
        if "argparse" in (text := path.read_text(encoding="utf-8")) and "__main__" in text
    }
    assert {row.name for row in every.ROWS} == measures.keys() - ALONE
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [
        name
        for name in measures.keys() - {"bundle_command"}
        if f"`python -m benchmarks.{name}" not in readme
    ] == []
    for row in every.ROWS:
        options = [word for word in row.words if word.startswith("--")]
        assert [word for word in options if f'"{word}"' not in measures[row.name]] == []


@pytest.mark.parametrize(
    ("figure", "text", "told"),
    [
        (every.Figure("a", r"ratio ([\d.,]+)", goal=1.5), "ratio 1.20", "| 1.2 x | 1.5 x | yes |"),
        (every.Figure("b", r"ratio ([\d.,]+)", goal=1.5), "ratio 1.60", "| 1.6 x | 1.5 x | no |"),
        (
            every.Figure("c", r" ([\d.,]+) /s", "/s", 2, more=True),
            "so 3 /s",
            "| 3 /s | 2 /s | yes |",
        ),
        (every.Figure("d", r" ([\d.,]+) MB"), "it took 1,234 MB", "| 1234 x |  |  |"),
    ],
    ids=["reached", "not", "more", "no-goal"],
)
def test_a_figure_stands_beside_its_goal(figure: every.Figure, text: str, told: str) -> None:
    assert every.line(figure, text).endswith(told)


def test_what_was_not_measured_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(
        every.Row(name, (), (every.Figure(name, r"([\d.]+) s", "s", 1),))
        for name in ("quick", "broken", "late")
    )
    answers = {"quick": ("0.5 s", ""), "broken": ("oh", "oh (exit status 1)")}
    now = [0.0]

    def measured(row: every.Row, seconds: float) -> tuple[str, str]:
        now[0] += 30
        return answers[row.name]

    monkeypatch.setattr(every, "measured", measured)
    assert list(every.table(rows, 1.3, lambda: now[0]))[2:] == [
        "| quick | 0.5 s | 1 s | yes |",
        "| broken | not measured: oh (exit status 1) | 1 s |  |",
        "| late | not measured: no time was left | 1 s |  |",
    ]


def test_a_plot_shows_every_point_within_its_frame() -> None:
    text = "\n".join(
        f"{count:>9} lines  {name:<34}CPU {cpu:7.2f} s  x  1.00  memory    40 MB"
        for name in ("status", "replay --lines <quiet>")
        for count, cpu in ((1000, 0.0), (10_000, 0.4), (100_000, 12.5))
    )
    series = growth.lines(text)
    assert series["status"] == [(1000, 0.01), (10_000, 0.4), (100_000, 12.5)]
    drawn = ET.fromstring(growth.plot("Lines", "lines", "s", series))  # noqa: S314 - our own
    circles = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 6
    for circle in circles:
        assert growth.LEFT <= float(circle.attrib["cx"]) <= growth.WIDTH - growth.RIGHT
        assert growth.TOP <= float(circle.attrib["cy"]) <= growth.HEIGHT - growth.BOTTOM


def test_a_flame_graph_shows_each_function_above_the_one_that_called_it() -> None:
    stacks: Counter[flame.Stack] = Counter({("main", "a<b"): 30, ("main",): 10, ("late",): 10})
    drawn = ET.fromstring(flame.drawn(flame.tree(stacks), "all"))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    shown = {
        box.findtext(f"{space}title"): box.attrib["transform"] for box in drawn.iter(f"{space}g")
    }
    assert shown == {
        "all: 100.0 %": "translate(0.0 0)",
        "main: 80.0 %": "translate(0.0 -17)",
        "a<b: 60.0 %": "translate(0.0 -34)",
        "late: 20.0 %": "translate(1120.0 -17)",
    }


def test_the_run_that_is_measured_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    run = record.written_run(30)
    assert check_record(run).complete(run.plan())
    assert len(list((run.folder / "logs").iterdir())) == len(record.HOSTS)
