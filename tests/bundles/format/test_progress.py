"""Rate and time left, by a clock that the test turns."""

from __future__ import annotations

from bundles.format.progress import Event, Tracker


def test_rate_and_time_left_are_told_when_they_can_be_known() -> None:
    now = 0.0
    seen: list[Event] = []
    tracker = Tracker(seen.append, clock=lambda: now)
    tracker.resolving = 1
    tracker.expect(1000)
    for second in range(1, 5):
        now = float(second)
        tracker.gained(100)
    told = seen[-1]
    assert told.rate == 100
    assert told.left is None
    tracker.resolving = 0
    tracker.had(100)
    now = 5.0
    tracker.gained(100)
    assert seen[-1].left == 4.0
    assert (seen[-1].done, seen[-1].total) == (600, 1000)
    assert tracker.fetched == 500


def test_a_listener_is_not_told_more_often_than_an_eye_can_follow() -> None:
    now = 0.0
    seen: list[Event] = []
    tracker = Tracker(seen.append, clock=lambda: now)
    for number in range(1000):
        now = number / 1000
        tracker.gained(1)
    assert len(seen) <= 11
