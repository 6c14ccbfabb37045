"""What each machine is doing, as events tell it."""

from __future__ import annotations

import pytest

from installer.events import Event, Kind
from screens.machine_tasks import MachineTasks


def progress(host: str, **data: object) -> Event:
    return Event(Kind.STEP_PROGRESS, 1.0, "bring", "images", host, data)  # type: ignore[arg-type] # JSON


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (0, 100, "[..........]   0 % of it"),
        (45, 100, "[####......]  45 % of it"),
        (100, 100, "[##########] 100 % of it"),
        (700, 100, "[##########] 100 % of it"),
        (0, 0, "of it"),
    ],
)
def test_each_machine_has_a_bar_of_its_own(done: int, total: int, shown: str) -> None:
    tasks = MachineTasks()
    tasks.take(progress("w1", done=done, total=total, text="of it"))
    tasks.take(progress("w2", done=1, total=4, text="1 GB of 4 GB"))
    assert tasks.doing == {"w1": shown, "w2": "[##........]  25 % 1 GB of 4 GB"}
