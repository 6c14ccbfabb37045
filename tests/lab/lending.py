"""How tests get machines: plain ones lent from test to test, or machines of their own."""

from __future__ import annotations

from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.recipe import FULL, Recipe, StandIn


class LabMachines:
    """Plain machines, shared by the tests of a session: `lab_machines(3)`.

    A machine is given to one test at a time, and to the next only if it was not altered. A test
    that changes a machine over SSH, where the lab cannot see it, sets `machine.altered = True`.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._idle: list[Machine] = []
        self._lent: list[Machine] = []

    def __call__(
        self, count: int, *, recipe: Recipe = FULL, stand_in: StandIn | None = None
    ) -> list[Machine]:
        """Lend `count` machines, SSH-ready; those that are missing are started side by side."""
        fitting = [
            machine
            for machine in self._idle
            if machine.recipe == recipe and machine.stand_in == stand_in
        ][:count]
        for machine in fitting:
            self._idle.remove(machine)
            self._lent.append(machine)
        for machine in fitting:
            machine.wait_for_ssh()
        lacking = count - len(fitting)
        fresh = self._lab.machines(lacking, recipe=recipe, stand_in=stand_in) if lacking else []
        self._lent += fresh
        return fitting + fresh

    def take_back(self) -> None:
        """End a test: keep the machines that are as they were, remove the others."""
        for machine in self._lent:
            if machine.altered:
                self._lab.discard(machine)
            else:
                self._idle.append(machine)
        self._lent.clear()


class MachineFactory:
    """Machines of a test's own, removed when it ends: `machine_factory("db", recipe=MINIMAL)`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._made: list[Machine] = []

    def __call__(
        self,
        name: str | None = None,
        *,
        recipe: Recipe = FULL,
        stand_in: StandIn | None = None,
        keep_journal: bool = False,
    ) -> Machine:
        """Start a machine and wait until it can be logged in to."""
        machine = self._lab.machine(
            name, recipe=recipe, stand_in=stand_in, keep_journal=keep_journal
        )
        self._made.append(machine)
        return machine

    def several(
        self, *names: str, recipe: Recipe = FULL, stand_in: StandIn | None = None
    ) -> list[Machine]:
        """Start machines side by side, and wait until each can be logged in to."""
        made = self._lab.machines(names=names, recipe=recipe, stand_in=stand_in)
        self._made += made
        return made

    def remove_all(self) -> None:
        """End a test."""
        for machine in self._made:
            self._lab.discard(machine)
        self._made.clear()
