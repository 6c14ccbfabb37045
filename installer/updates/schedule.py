"""A systemd timer of this computer that looks every few hours; written, and removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.isolation import environment
from foundation.paths import write_whole
from foundation.problems import InputProblem, Refused
from foundation.terminal import clean_line
from installer.supply.own_versions import front_here

NAME: Final = "sitewright-updates"
_SECONDS: Final = 60
_LARGEST: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Timed:
    """What a timer does, and how it is called."""

    name: str = NAME
    command: tuple[str, ...] = ("updates",)
    """Of Sitewright, before the words that it is given."""
    what: str = "Look for updates of what runs"
    written_by: str = "updates schedule"

    @property
    def head(self) -> str:
        """The first line of its units, by which they are known as ours."""
        return f"# Written by Sitewright: sitewright {self.written_by}.\n"


UPDATES: Final = Timed()


@dataclass(frozen=True, slots=True)
class Units:
    """Where the units lie, and the systemctl that knows them: root's, or the login's own."""

    folder: Path
    systemctl: tuple[str, ...]
    timed: Timed = UPDATES

    @property
    def service(self) -> Path:
        """The service's file."""
        return self.folder / f"{self.timed.name}.service"

    @property
    def timer(self) -> Path:
        """The timer's file."""
        return self.folder / f"{self.timed.name}.timer"


def units_here(timed: Timed = UPDATES) -> Units:
    """Those of whoever calls."""
    if os.geteuid() == 0:
        return Units(Path("/etc/systemd/system"), ("systemctl",), timed)
    return Units(Path.home() / ".config/systemd/user", ("systemctl", "--user"), timed)


def program_here() -> tuple[str, ...]:
    """This Sitewright, as a unit starts it; what a later self-update puts in its place, too."""
    if front := front_here():
        return (str(front),)
    beside = Path(sys.executable).with_name("sitewright")
    return (str(beside),) if beside.exists() else (sys.executable, "-I", "-m", "installer")


def texts(
    words: Sequence[str], every_hours: int, timed: Timed = UPDATES, *, at: str = ""
) -> tuple[str, str]:
    """The service and the timer: every few hours, or `at` what systemd.time(7) calls a calendar."""
    when, elapses = (
        f"every {every_hours} h",
        (f"OnBootSec=10min\nOnActiveSec=1min\nOnUnitActiveSec={every_hours}h\n"),
    )
    if at:
        # What a machine that was off then missed is made up for as it begins.
        when, elapses = "by the calendar", f"OnCalendar={at}\nPersistent=true\n"
    line = " ".join(unit_word(word) for word in (*program_here(), *timed.command, *words))
    service = (
        f"{timed.head}[Unit]\nDescription={timed.what}, by Sitewright\n"
        "Wants=network-online.target\nAfter=network-online.target\n"
        f"[Service]\nType=oneshot\nEnvironment={unit_word(f'HOME={Path.home()}', command=False)}\n"
        f"ExecStart={line}\nTimeoutStartSec=1h\nNice=10\n"
    )
    timer = (
        f"{timed.head}[Unit]\nDescription={timed.what} {when}\n[Timer]\n{elapses}"
        "RandomizedDelaySec=5min\n[Install]\nWantedBy=timers.target\n"
    )
    return service, timer


def unit_word(word: str, *, command: bool = True) -> str:
    """A word as systemd reads it in a unit (systemd.service(5), Command lines).

    A dollar has a meaning in a command alone: in an assignment (systemd.exec(5)) it stands for one.
    """
    if not word.isprintable():
        raise InputProblem("a word of it holds a sign that no unit can", where="the command line")
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain.replace("$", "$$") if command else plain}"'


def check_calendar(text: str) -> str:
    """When a calendar elapses next, in systemd's own words; raises InputProblem for none."""
    said = ""
    if text.isprintable():
        try:
            done = subprocess.run(
                ["systemd-analyze", "calendar", "--", text], capture_output=True, text=True,
                errors="replace", timeout=_SECONDS, check=False, env=environment(),
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise InputProblem(
                "this computer has no systemd-analyze, which reads calendars",
                where="--at",
                remedy="Have it look every few hours: --every HOURS.",
            ) from error
        lines = [line.strip() for line in done.stdout.splitlines()]
        found = next((line for line in lines if line.startswith("Next elapse: ")), "")
        if done.returncode == 0 and not found.endswith("never"):
            return clean_line(found.removeprefix("Next elapse: "))
        said = clean_line(done.stderr.strip() or found)
    raise InputProblem(
        f"{text[:100]!r} is no moment that comes again" + (f": {said}" if said else ""),
        where="--at",
        remedy='Write it as systemd does: --at "Sun 03:00 Africa/Nairobi". Try it with: '
        "systemd-analyze calendar WHEN",
    )


def write_units(units: Units, words: Sequence[str], every_hours: int, *, at: str = "") -> None:
    """Write both and begin the timer; raises Refused where another's stand there, InputProblem."""
    _ours(units)
    for path, text in zip(
        (units.service, units.timer), texts(words, every_hours, units.timed, at=at), strict=True
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text, mode=0o644)
    _systemctl(units, "daemon-reload")
    _systemctl(units, "enable", "--now", units.timer.name)
    _systemctl(units, "restart", units.timer.name)


def remove_units(units: Units) -> bool:
    """End the timer and take both files away; False where there are none. Raises as above."""
    _ours(units)
    there = [path for path in (units.timer, units.service) if path.exists()]
    if not there:
        return False
    if units.timer in there:
        _systemctl(units, "disable", "--now", units.timer.name)
    for path in there:
        path.unlink()
    _systemctl(units, "daemon-reload")
    return True


def _ours(units: Units) -> None:
    for path in (units.service, units.timer):
        try:
            text = bounded_files.read_text(path, _LARGEST)
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            text = ""  # a folder, a pipe, no text: nothing that was written here
        if not text.startswith(units.timed.head):
            raise Refused(
                "a unit of that name stands there, and Sitewright did not write it so",
                where=str(path),
                remedy="Look at it, and move it away.",
            )


def _systemctl(units: Units, *words: str) -> None:
    try:
        done = subprocess.run(
            [*units.systemctl, *words], capture_output=True, text=True, errors="replace",
            timeout=_SECONDS, check=False, env=environment(), stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise InputProblem(
            "this computer has no systemd that answers",
            where=" ".join(units.systemctl),
            remedy="Have another timer start it: sitewright updates … --webhook-file FILE.",
        ) from error
    if done.returncode != 0:
        raise InputProblem(
            f"systemctl {words[0]}: {clean_line(done.stderr.strip().rpartition(chr(10))[2])}",
            where=" ".join(units.systemctl),
            remedy="Mend what it names, then give the same command again.",
        )
