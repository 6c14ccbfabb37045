"""The laptop's clock is put back or forward between runs, and while one waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from installer.record import runs
from installer.record.runs import Run, create_run, latest_run, runs_folder, runs_of
from tests.installer.engine_site import plan, step

KEY = "pm4ml-production-0123456789"


class Clock:
    """A clock that somebody sets."""

    at = datetime(2026, 11, 29, 22, 0, tzinfo=UTC)

    @classmethod
    def now(cls, zone: Any) -> datetime:
        return cls.at

    strptime = datetime.strptime


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    class Set(Clock):
        pass

    monkeypatch.setattr(runs, "datetime", Set)
    return Set


def begun(key: str = KEY) -> Run:
    run = create_run(key, plan(step("a")))
    run.note_begun()
    return run


@pytest.mark.parametrize("back", [timedelta(0), timedelta(seconds=30), timedelta(days=400)])
def test_the_run_begun_last_is_the_last_one_though_the_clock_was_put_back(
    clock: type[Clock], back: timedelta
) -> None:
    """Else `resume` would go on with the one before, whose plan is another."""
    first = begun()
    clock.at -= back
    second = begun()
    assert latest_run(KEY) == second
    assert runs_of(KEY) == (second, first)
    # What operates on the site has runs beside: they are in the same order.
    third = begun(f"{KEY}-reboot")
    assert first.id < second.id < third.id
    clock.at += timedelta(days=500)
    assert begun().id[:8] == f"{clock.at:%Y%m%d}"


@pytest.mark.parametrize("name", ["99991231-235959-ffff", "20261399-256199-0000"])
def test_a_name_that_no_calendar_has_stops_no_run(name: str, clock: type[Clock]) -> None:
    (runs_folder() / KEY / name).mkdir(parents=True)
    assert begun().id.startswith("20261129-220000-")
