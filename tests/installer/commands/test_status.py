"""`sitewright status`: who works on which run now."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from installer.cli import main
from installer.events import Json, Kind
from installer.record.runs import runs_folder
from installer.record.site_lock import Lock
from tests.installer.told_run import BEGAN, ID, told, write_run

KEY = "pm4ml-production-0123456789"


def test_what_stops_a_site_is_under_way_as_long_as_somebody_holds_the_site(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It has runs of its own, and takes the lock of the site."""
    later = time.time() + 60 - BEGAN
    write_run(runs_folder() / KEY)
    events = [replace(event, time=event.time + later) for event in told(failed=True)]
    write_run(runs_folder() / f"{KEY}-stop", events)
    with Lock(KEY, by="Ko Ko"):
        assert main(["status"]) == 0
    assert f"  stop, run {ID}: under way: Ko Ko" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert f"  stop, run {ID}: interrupted: nobody is at work" in capsys.readouterr().out


def test_a_run_that_was_stopped_says_so_and_what_it_left_at_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = told(failed=True)[:-2]  # the last step began, and nobody waited for its end
    stop = replace(left[-1], stage="", step="", host="", time=left[-1].time + 10)
    by: dict[str, Json] = {"action": "stop", "by": "Ko Ko", "reason": ""}
    ended: dict[str, Json] = {"outcome": "stopped", "seconds": 60.0}
    more = [
        replace(stop, kind=Kind.CONTROL, data=by),
        replace(stop, kind=Kind.RUN_FINISHED, data=ended),
    ]
    write_run(runs_folder() / KEY, [*left, *more])
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert "  stopped 24 Nov " in said
    assert ": nobody is at work; what was begun on machines goes on there\n" in said
    assert main(["status", "--format", "json"]) == 0
    (told_one,) = json.loads(capsys.readouterr().out)
    assert (told_one["outcome"], told_one["interrupted"]) == ("stopped", False)


def test_what_was_skipped_is_not_counted_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """The hand-over says that one was left out, and so does this."""
    write_run(runs_folder() / KEY)
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert "complete, but for 1 skipped step" in said
    assert "done, 1 skipped" in said
    assert main(["status", "--format", "json"]) == 0
    (told_one,) = json.loads(capsys.readouterr().out)
    assert [stage["skipped"] for stage in told_one["stages"]] == [1, 0]
