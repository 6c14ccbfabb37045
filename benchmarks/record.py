"""The record of a run with many lines: `status`, `report`, `support-bundle` and `replay` of it.

Each is a whole process that reads the run of twelve machines from its folder; told is its own
processor time and its memory at its peak, and of `replay` the time until its screen is there. The
floor beside them is a process that does nothing but read the journal and hash its lines.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.startup import first_paint
from installer.events import Event, Json, Kind
from installer.plans.plan import Plan, PlannedStage, PlannedStep
from installer.record.journal import Journal
from installer.record.runs import HostLogs, Run, create_run

HOSTS = tuple(f"m{number:02}" for number in range(1, 13))
TITLE = "Pour"
KEY = "pm4ml-measure-0123456789"
FLOOR = """
import hashlib, sys
with open(sys.argv[1], "rb") as file:
    for line in file:
        hashlib.sha256(line[:-1]).hexdigest()
"""


@dataclass(frozen=True)
class Spent:
    """What a process took."""

    cpu: float
    """Seconds."""
    memory: float
    """MB at its peak."""


def written_run(lines: int) -> Run:
    """A finished run of so many lines, by the journal and the logs that an engine writes."""
    step = PlannedStep("pour", "lines", "script", TITLE, HOSTS)
    stage = PlannedStage("pour", TITLE, "To measure.", "none", (), (), (step,))
    plan = Plan("pm4ml", "lab", (stage,), tuple((name, ()) for name in HOSTS), ())
    hosts = "".join(f"  - {{name: {name}, address: 192.0.2.{n}}}\n" for n, name in enumerate(HOSTS))
    run = create_run(KEY, plan, site_text=f"solution: pm4ml\nhosts:\n{hosts}")
    now = time.time()
    with Journal(run.journal) as journal:
        journal.subscribe(HostLogs(run))

        def say(kind: Kind, host: str = "", **data: Json) -> None:
            place = ("pour", "lines", host) if host else ("", "", "")
            journal.append(Event(kind, now, *place, data))

        say(Kind.RUN_STARTED, run=run.id, solution="pm4ml", environment="lab", by="measure",
            plan_sha256=plan.sha256, until="", only="", site=KEY)  # fmt: skip
        for host in HOSTS:
            say(Kind.STEP_STARTED, host, title=TITLE, attempt=1)
        for number in range(lines):
            now += 0.0001
            say(
                Kind.LINE,
                HOSTS[number % len(HOSTS)],
                text=f"{number // len(HOSTS)} jumps over the lazy dog, and writes on",
                stream="stdout",
                # As long as those of systemd.
                cursor=f"s={7:032x};i={number:x};b={9:032x};m={number:09x};t={number:013x};x={3:016x}",
                unit="",
            )
        for host in HOSTS:
            say(Kind.STEP_FINISHED, host, outcome="done", seconds=1.0, sentence="")
        say(Kind.RUN_FINISHED, outcome="done", seconds=2.0)
    run.note_begun()
    return run


def spent(*command: str) -> Spent:
    """What a process takes from its start to its end; one that fails measures nothing."""
    null = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measured(lines: int, folder: Path) -> dict[str, tuple[Spent, float | None]]:
    """What each command takes with a run of so many lines, and of a screen the seconds to it."""
    home = folder / str(lines)
    home.mkdir()
    os.environ["XDG_DATA_HOME"] = os.environ["XDG_STATE_HOME"] = str(home)
    run = written_run(lines)
    program = str(Path(sys.executable).with_name("sitewright"))
    where = str(run.folder)
    found: dict[str, tuple[Spent, float | None]] = {}
    found["the journal hashed, nothing else"] = (
        spent(sys.executable, "-c", FLOOR, str(run.journal)),
        None,
    )
    for name, words in {
        "status": ("status",),
        "report": ("report", where),
        "support-bundle": ("support-bundle", where, "--output", str(home / "bundle.tar.gz")),
        "replay --lines --quiet": ("replay", where, "--lines", "--quiet"),
    }.items():
        found[name] = spent(program, *words), None
    for name, what in {
        "replay": where,
        "replay of the bundle": str(home / "bundle.tar.gz"),
    }.items():
        command = [program, "replay", what]
        paints = [first_paint(command, TITLE.encode(), str(home)) for _ in range(3)]
        found[f"{name}, its screen"] = Spent(0.0, 0.0), min(paints)
    return found


def main() -> None:
    """Print a row for each command and each number of lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="sitewright-record-") as name:
        for lines in options.lines:
            found = measured(lines, Path(name))
            floor = next(iter(found.values()))[0].cpu
            for what, (one, paint) in found.items():
                told = (
                    f"CPU {one.cpu:7.2f} s  x {one.cpu / floor:5.2f}  memory {one.memory:5.0f} MB"
                    if paint is None
                    else f"there after {paint * 1000:6.0f} ms (the fastest of three)"
                )
                print(f"{lines:>9} lines  {what:<34}{told}")


if __name__ == "__main__":
    main()
