"""All benchmarks, one after the other, within a quarter of an hour; one table with their figures.

Each runs in a process of its own, in the size of `ROWS`, which is smaller than by itself. What
there was no time for, what failed and what a machine cannot measure stands in the table as not
measured: no figure is there that nobody measured. Those with lab machines come last.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A figure that a benchmark prints."""

    what: str
    pattern: str
    """Finds it in what is printed: its first group is the number."""
    unit: str = "x"
    """`x` for a ratio of two sides that were measured in turn."""
    goal: float | None = None
    more: bool = False
    """Whether a larger one is better."""


@dataclass(frozen=True)
class Row:
    """A benchmark, its size here, and what is taken from it."""

    name: str
    words: tuple[str, ...]
    figures: tuple[Figure, ...]
    lab: bool = False
    """Whether it needs lab machines."""


_N = r"([\d.,]+)"
ROWS = (
    Row("startup", ("--runs", "7"), (
        Figure("the wizard, first paint", rf"wizard, first paint +{_N} ms", "ms", 250),
        Figure("`--version`, above a bare Python", rf"--version .*\(\+{_N} ms", "ms"),
    )),
    Row("guide", ("--runs", "5"), (
        Figure("guide, one machine, beside `--version`", rf"guide, one machine .* ms +{_N} x"),
    )),
    Row("redaction", ("--lines", "20000", "--rounds", "2"), (
        Figure("the search for secrets in a line, beside json.dumps", rf"x {_N} of json.dumps"),
    )),
    Row("record", ("--lines", "100000"), (
        Figure("status, 100,000 lines, beside hashing them", rf"lines  status .*x +{_N} "),
        Figure("report, the same", rf"lines  report .*x +{_N} "),
        Figure("support bundle, the same", rf"lines  support-bundle .*x +{_N} "),
        Figure("support bundle, memory", rf"lines  support-bundle .*memory +{_N} MB", "MB"),
        Figure("replay until its screen is there", rf"replay, its screen +there after +{_N} ms",
               "ms", 1000),
    )),
    Row("live_log", ("--lines", "60000"), (
        Figure("journal and logs, longest stall of our own computing",
               rf"journal and logs .*own computing +{_N} ms", "ms", 50),
        Figure("… with the install screen", rf"install screen .*own computing +{_N} ms", "ms", 50),
    )),
    Row("farm", ("--machines", "500"), (
        Figure("500 machines, CPU of one", rf"client CPU +{_N} ms", "ms", 7),
        Figure("500 machines, memory", rf"client memory, peak +{_N} MB", "MB", 150),
    )),
    Row("cluster", ("--runs", "2"), (
        Figure("a cluster of 5,000 pods, beside a bare client", rf"ratio +{_N}"),
    )),
    Row("acceptance", ("--rounds", "1", "--seconds", "4"), (
        Figure("a journey of `accept`, beside a bare client", rf"x {_N} of bare"),
    )),
    Row("bundle", ("--rounds", "2", "--size", "16"), (
        Figure("bundle create, beside `skopeo copy`", rf"skopeo copy .*ratio {_N}", "x", 0.8),
        Figure("bundle verify, beside openssl", rf"openssl .*ratio {_N}", "x", 1, more=True),
    )),
    Row("image_watcher", ("--images", "300", "--requests", "500"), (
        Figure("the image-watcher, images again", rf"images, again: +{_N} s", "s", 2),
        Figure("… look-ups of 16 connections", rf"16 connections +{_N} look-ups/s", "/s", 2000,
               more=True),
    )),
    Row("serving", ("--size", "64", "--rounds", "1"), (
        Figure("serve to one client, time beside docker-registry", rf" 1 clients .*time {_N}",
               "x", 1),
        Figure("… to twelve", rf"12 clients .*time {_N}", "x", 1),
    )),
    Row("engine", ("--rounds", "2", "--lines", "120000"), (
        Figure("a finished plan again, beside asyncssh alone",
               rf"everything asked and found done .*x +{_N}", "x", 1.5),
        Figure("a script step, more than the same by ssh", rf"of the step over ssh +{_N} ms",
               "ms", 40),
        Figure("lines through the engine, longest stall", rf"its own work +{_N} ms", "ms", 50),
    ), lab=True),
    Row("lab", ("--runs", "2"), (
        Figure("preflight of twelve, beside a bare login", rf"preflight with report  .*x +{_N}"),
        Figure("Ansible's setup beside preflight", rf"sitewright: {_N};", "x", 4.5, more=True),
    ), lab=True),
    Row("deliver", ("--rounds", "1", "--size", "256", "--twelve", "32"), (
        Figure("delivery beside scp", rf"to 1 machine.*x{_N} as fast", "x", 1, more=True),
        Figure("a second delivery with 5 % changed", rf" s \({_N} %\)", "%", 8),
    ), lab=True),
    Row("harness", ("--rounds", "1"), (
        Figure("added to `docker compose up`", rf"what Sitewright adds, .* +{_N} s \(", "s", 1.5),
    ), lab=True),
)  # fmt: skip
"""In the order in which they run."""
LEAST = 20.0
"""Seconds that must be left to begin another."""


def line(figure: Figure, text: str, why: str = "") -> str:
    """A row of the table: what was measured, its goal, and whether it is reached."""
    found = re.search(figure.pattern, text)
    goal = "" if figure.goal is None else f"{figure.goal:g} {figure.unit}"
    if found is None:
        told = f"not measured{': ' + why if why else ''}"
        return f"| {figure.what} | {told} | {goal} |  |"
    value = float(found[1].replace(",", "").rstrip("."))
    reached = ""
    if figure.goal is not None:
        good = value >= figure.goal if figure.more else value <= figure.goal
        reached = "yes" if good else "no"
    return f"| {figure.what} | {value:g} {figure.unit} | {goal} | {reached} |"


def measured(row: Row, seconds: float) -> tuple[str, str]:
    """What a benchmark printed, and why nothing more; it and what it started end in time."""
    command = [sys.executable, "-m", f"benchmarks.{row.name}", *row.words]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # Asked first, so that lab machines are taken away.
        os.killpg(process.pid, signal.SIGINT)
        try:
            text, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
        return text, f"no end after {seconds:.0f} s"
    last = (text.strip().splitlines() or ["it says nothing"])[-1][:100]
    return text, f"{last} (exit status {process.returncode})" if process.returncode else ""


def table(
    rows: tuple[Row, ...], minutes: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[str]:
    """The lines of the table, each once it is measured."""
    end = clock() + minutes * 60
    yield "| what | measured | goal | reached |"
    yield "|---|---|---|---|"
    for row in rows:
        left = end - clock()
        text, why = measured(row, left) if left >= LEAST else ("", "no time was left")
        for figure in row.figures:
            yield line(figure, text, why)


def main() -> None:
    """Print the table, and under what load it came about."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="names of benchmarks; all of them by default")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--without-lab", action="store_true", help="none that needs lab machines")
    options = parser.parse_args()
    if unknown := set(options.only) - {row.name for row in ROWS}:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    rows = tuple(
        row
        for row in ROWS
        if (not options.only or row.name in options.only) and not (options.without_lab and row.lab)
    )
    began = time.monotonic()
    for text in table(rows, options.minutes):
        print(text, flush=True)
    minutes = (time.monotonic() - began) / 60
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"\n{minutes:.1f} minutes on {os.cpu_count()} cores; load of 1, 5 and 15 minutes: {load}")


if __name__ == "__main__":
    main()
