"""Remedies that must outlive the next start, tried on a machine that starts anew.

One machine has its host name and /etc/hosts to itself, without what podman lays over them, and the
real cloud-init; swap has a machine in test_swap_lab.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.preflight.checks.trials import (
    OF_FIREWALLD,
    OF_NAMES,
    OWN_FILES,
    PREPARED,
    TRIALS,
    Trial,
)

pytestmark = pytest.mark.lab


def states(machine: Machine, trials: Sequence[Trial]) -> dict[str, str]:
    """How everything stands that the remedies are about, a word after another."""
    return {one.name: " ".join(machine.script(one.look).split()) for one in trials}


def tried(machine: Machine, trials: Sequence[Trial]) -> None:
    """See that each is needed after a start, heals what it is for, and does so after the next."""
    for one in trials:
        machine.script(one.spoil, timeout=600)
    machine.restart()
    machine.wait_for_boot()
    assert states(machine, trials) == {one.name: one.spoiled for one in trials}

    for one in trials:
        machine.script(one.by_hand)
        for command in one.commands():
            machine.script(command)
    healed = {one.name: one.healed for one in trials}
    assert states(machine, trials) == healed
    machine.restart()
    machine.wait_for_boot()
    assert states(machine, trials) == healed


def test_the_printed_remedies_outlive_the_next_start(machine_factory: MachineFactory) -> None:
    machine = machine_factory("w1")
    machine.script(PREPARED, timeout=600)
    tried(machine, TRIALS)


def test_that_of_firewalld_does_too(machine_factory: MachineFactory) -> None:
    tried(machine_factory("w1"), OF_FIREWALLD)


def test_those_of_names_outlive_cloud_init_too(machine_factory: MachineFactory) -> None:
    machine = machine_factory("w1")
    machine.script(OWN_FILES, timeout=600)
    tried(machine, OF_NAMES)
