"""A timer that looks for updates: written, begun, taken away.

systemctl is a stand-in that notes what it is told; whether systemd takes the units, its own
`systemd-analyze verify` says where it is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation.problems import InputProblem, Refused
from installer.cli import main
from installer.updates import schedule
from installer.updates.schedule import Units, remove_units, texts, unit_word, write_units

WORDS = ["--cluster", "--kubeconfig", "/root/.kube/config", "--webhook-file", "/root/a %h $b"]


@pytest.fixture
def units(tmp_path: Path) -> Units:
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/told\n[ ! -e {tmp_path}/ill ]\n')
    program.chmod(0o755)
    return Units(tmp_path / "units", (str(program),))


def test_it_is_written_begun_and_taken_away(units: Units, tmp_path: Path) -> None:
    write_units(units, WORDS, 6)
    write_units(units, WORDS, 12)
    assert "OnUnitActiveSec=12h" in units.timer.read_text()
    told = (tmp_path / "told").read_text().splitlines()
    assert told[:3] == ["daemon-reload", "enable --now sitewright-updates.timer",
                        "restart sitewright-updates.timer"]  # fmt: skip
    assert remove_units(units)
    assert not units.timer.exists()
    assert not units.service.exists()
    assert (tmp_path / "told").read_text().splitlines()[-2:] == [
        "disable --now sitewright-updates.timer", "daemon-reload",
    ]  # fmt: skip
    assert not remove_units(units)


def test_what_somebody_else_wrote_is_left(units: Units) -> None:
    units.folder.mkdir()
    units.timer.write_text("[Timer]\n")
    for act in (lambda: write_units(units, WORDS, 6), lambda: remove_units(units)):
        with pytest.raises(Refused, match="did not write it"):
            act()
    assert units.timer.read_text() == "[Timer]\n"
    assert not units.service.exists()


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.write_bytes(b"\xff\xfe")]
)
def test_what_is_no_unit_at_all_is_left_too(units: Units, make: Callable[[Path], object]) -> None:
    units.folder.mkdir()
    make(units.service)
    for act in (lambda: write_units(units, WORDS, 6), lambda: remove_units(units)):
        with pytest.raises(Refused, match="did not write it"):
            act()


def test_a_systemd_that_refuses_is_told(units: Units, tmp_path: Path) -> None:
    (tmp_path / "ill").touch()
    with pytest.raises(InputProblem, match="systemctl daemon-reload"):
        write_units(units, WORDS, 6)


def test_words_are_written_as_systemd_reads_them() -> None:
    assert unit_word('a "b" \\ %h $HOME') == '"a \\"b\\" \\\\ %%h $$HOME"'
    with pytest.raises(InputProblem, match="no unit can"):
        unit_word("a\nExecStart=x")
    assert unit_word("HOME=/home/a$b", command=False) == '"HOME=/home/a$b"'
    service, _ = texts(WORDS, 6)
    assert '"updates" "--cluster"' in service
    assert '"/root/a %%h $$b"' in service


def test_another_look_has_a_timer_of_its_own(units: Units, tmp_path: Path) -> None:
    timed = schedule.Timed(
        name="sitewright-drift-hub-a", command=("environments", "drift"),
        what="Look for drift of hub-a", written_by="environments schedule",
    )  # fmt: skip
    drift = Units(units.folder, units.systemctl, timed)
    write_units(units, WORDS, 6)
    write_units(drift, ["hub-a"], 24)
    assert '"environments" "drift" "hub-a"' in drift.service.read_text()
    assert "Description=Look for drift of hub-a" in drift.timer.read_text()
    assert remove_units(drift)
    assert units.timer.exists()
    assert "enable --now sitewright-drift-hub-a.timer" in (tmp_path / "told").read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
@pytest.mark.parametrize("at", ["", "Sun 03:00 Africa/Nairobi"])
def test_systemd_takes_the_units(tmp_path: Path, at: str) -> None:
    for name, text in zip(("service", "timer"), texts(WORDS, 6, at=at), strict=True):
        (tmp_path / f"{schedule.NAME}.{name}").write_text(text)
    subprocess.run(
        ["systemd-analyze", "verify", f"{tmp_path}/{schedule.NAME}.timer"],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_a_calendar_is_read_by_systemd_before_anything_is_written(
    units: Units, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schedule, "units_here", lambda: units)
    for at in ("nonsense", "2001-01-01", "daily\nOnBootSec=1"):
        assert main(["updates", "schedule", "--at", at, "--", *WORDS]) == 2
        assert "is no moment that comes again" in " ".join(capsys.readouterr().err.split())
        assert not units.timer.exists()
    assert main(["updates", "schedule", "--at", "Sun 03:00 Africa/Nairobi", "--", *WORDS]) == 0
    assert "Sun 03:00 Africa/Nairobi, first Sun " in capsys.readouterr().err
    timer = units.timer.read_text()
    assert "OnCalendar=Sun 03:00 Africa/Nairobi\nPersistent=true\n" in timer
    assert "OnUnitActiveSec" not in timer


def test_the_command_refuses_what_updates_would_not_take(
    units: Units, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schedule, "units_here", lambda: units)
    for words, why in (
        ([], "what is to be looked at is not said"),
        (["--clutser"], "unrecognized arguments: --clutser"),
        (["--kubeconfig", "config"], "config is no whole path"),
        (["--cluster", "--ask-sudo-password"], "a timer has nobody to ask"),
    ):
        assert main(["updates", "schedule", "--", *words]) == 2
        assert why in " ".join(capsys.readouterr().err.split())
        assert not units.timer.exists()
    assert main(["updates", "schedule", "--every", "3", "--", *WORDS]) == 0
    assert "OnUnitActiveSec=3h" in units.timer.read_text()
    assert main(["updates", "schedule", "--remove"]) == 0
    assert "The timer is gone." in capsys.readouterr().err
