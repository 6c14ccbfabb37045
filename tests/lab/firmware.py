"""Machines that come up again when their own system restarts them, as their firmware has them do.

A container that ends stays down; `podman start` is what a machine's firmware does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab.host import run
from tests.lab.machine import Machine

_LOOK_SECONDS = 0.5


@contextmanager
def restarting(machines: Sequence[Machine]) -> Iterator[list[str]]:
    """Start each of these machines again whenever it goes down; yields their names, as they do."""
    ended = threading.Event()
    came_up: list[str] = []

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            for machine in machines:
                state = ["podman", "inspect", "-f", "{{.State.Status}}", machine.container]
                if run(state, check=False).stdout.strip() == "exited":
                    machine.start()
                    came_up.append(machine.name)

    for machine in machines:
        machine.altered = True
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield came_up
    finally:
        ended.set()
        thread.join()
