"""A load balancer is taken out of service, or replaced: the plans and their scripts as they run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from installer.commands.machine import removal_plan
from installer.commands.machine_replace import forgetting, replacement
from installer.plans.plan import Plan
from installer.sites.site import dump_site, load_site
from tests.installer.pm4ml.machines.test_replacing import host, options_of

VIP = {"vip": "yes", "vip_external": "192.168.50.10", "vip_internal": "10.10.0.10"}


def settings(file: Path, **changed: str) -> None:
    site = load_site(file)
    file.write_text(dump_site(site.model_copy(update={"settings": {**site.settings, **changed}})))


def replacing(file: Path) -> Plan:
    """The plan by which lb1, which is dead, is looked at, from a file that names its successor."""
    site = load_site(file)
    new = host("lb9", roles=["load-balancer"])
    file.write_text(dump_site(site.model_copy(update={"hosts": (*site.hosts, new)})))
    options = options_of(file, "lb1", "lb9")
    return forgetting(replacement(options), options)[0]


class Machine:
    """A load balancer's commands, each of which ends as a test says and is written down."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self.ends(systemctl="exit 0", haproxy="exit 0", timeout="exit 0", ip="echo none")
        (place / "keepalived.conf").write_text("192.168.50.10/32")

    def ends(self, **programs: str) -> None:
        for name, how in programs.items():
            text = f'#!/bin/sh\necho "{name} $*" >>{self.place}/calls\n{how}\n'
            (self.place / name).write_text(text)
            (self.place / name).chmod(0o755)

    def run(self, script: str) -> tuple[int, str]:
        script = script.replace("/etc/keepalived/", f"{self.place}/")
        done = subprocess.run(
            ["/bin/sh", "-euc", script], check=False, timeout=60, capture_output=True, text=True,
            env={"PATH": f"{self.place}:{os.environ['PATH']}"},
        )  # fmt: skip
        return done.returncode, done.stdout

    @property
    def calls(self) -> str:
        return (self.place / "calls").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "lb")


def script_of(plan: Plan, step: str, word: str = "script") -> str:
    (found,) = (one for one in plan.stages[0].steps if one.id == step)
    spec: Any = found.spec
    return str(spec["script"] if word == "script" else spec[word]["script"])


def test_the_others_have_the_virtual_address_before_it_goes(file: Path) -> None:
    settings(file, **VIP)
    _, _, plan, operation = removal_plan(file, "lb1")
    assert operation == "remove-load-balancer"
    on = {step.id: step.hosts for step in plan.stages[0].steps}
    assert on == {
        "fit": ("lb2",), "agreed": ("lb2",), "hand-over": ("lb1",), "taken": ("lb1",),
        "leave": ("lb1",),
    }  # fmt: skip
    assert list(on) == ["fit", "agreed", "hand-over", "taken", "leave"]
    assert "haproxy" in [stage.id for stage in plan.stages]
    settings(file, vip="no")
    _, _, plan, _ = removal_plan(file, "lb1")
    assert [step.id for step in plan.stages[0].steps] == ["fit", "agreed", "leave"]


def test_what_is_not_well_where_it_would_stay_stands_against_it(
    file: Path, machine: Machine
) -> None:
    settings(file, **VIP)
    _, _, plan, _ = removal_plan(file, "lb1")
    assert machine.run(script_of(plan, "fit")) == (0, "")
    machine.ends(systemctl="exit 3", haproxy="exit 1")
    (machine.place / "keepalived.conf").write_text("")
    status, said = machine.run(script_of(plan, "fit"))
    assert status == 1
    assert len(said.splitlines()) == 4


@pytest.mark.parametrize(
    ("vip", "wireguard", "balancers", "asked"),
    [("no", "no", 1, [1, 2]), ("yes", "no", 1, [1]), ("yes", "yes", 2, [3]), ("no", "no", 2, [2])],
)
def test_a_person_is_asked_what_no_program_can_tell(
    file: Path, machine: Machine, vip: str, wireguard: str, balancers: int, asked: list[int]
) -> None:
    """One that is left alone, names that point to it, and the tunnel: each by itself."""
    settings(file, **{**VIP, "vip": vip, "wireguard": wireguard})
    if balancers == 2:
        site = load_site(file)
        more = host("lb3", roles=["load-balancer"])
        file.write_text(dump_site(site.model_copy(update={"hosts": (*site.hosts, more)})))
    _, _, plan, _ = removal_plan(file, "lb1")
    (agreed,) = (step for step in plan.stages[0].steps if step.id == "agreed")
    items: Any = agreed.spec["items"]
    ends = [None if one["check"] is None else machine.run(one["check"]["script"])[0]
            for one in items]  # fmt: skip
    assert ends == [None, *(2 if number in asked else 0 for number in (1, 2, 3))]


def test_it_waits_until_somebody_else_answers_at_both_addresses(
    file: Path, machine: Machine
) -> None:
    settings(file, **VIP)
    _, _, plan, _ = removal_plan(file, "lb1")
    until = script_of(plan, "taken", "until")
    assert machine.run(until) == (0, "")
    assert "192.168.50.10" in machine.calls
    assert "10.10.0.10" in machine.calls
    machine.ends(timeout="exit 1")
    assert machine.run(until) == (1, "nobody answers at 192.168.50.10 yet\n")
    machine.ends(ip="echo 'eth0 inet 10.10.0.10/32 scope global'", timeout="exit 0")
    assert machine.run(until) == (1, "10.10.0.10 is here still\n")
    machine.ends(ip="exit 1")
    assert machine.run(until)[0] == 2


def test_it_is_off_after_a_boot_too_and_can_be_had_back(file: Path, machine: Machine) -> None:
    settings(file, **VIP)
    _, _, plan, _ = removal_plan(file, "lb1")
    assert machine.run(script_of(plan, "leave"))[0] == 0
    assert "systemctl disable --now haproxy.service" in machine.calls
    assert "systemctl disable --now keepalived.service" in machine.calls
    assert machine.run(script_of(plan, "leave", "done"))[0] == 1
    machine.ends(systemctl="case $1 in is-active) exit 3 ;; is-enabled) exit 1 ;; esac")
    assert machine.run(script_of(plan, "leave", "done"))[0] == 0
    assert machine.run(script_of(plan, "leave", "undo"))[0] == 0
    assert "systemctl enable --now keepalived.service" in machine.calls
    machine.ends(systemctl="exit 1")
    assert machine.run(script_of(plan, "leave"))[0] == 1


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        ("exit 124", 0, ""),
        ("echo 'connect: No route to host' >&2; exit 1", 0, ""),
        ("echo 'connect: Connection refused' >&2; exit 1", 1, "It answers at port 22, and lives."),
        ("exit 0", 1, "It answers at port 443, and lives."),
        ("echo 'connect: Network is unreachable' >&2; exit 1", 1, "cannot be told"),
    ],
)
def test_only_one_that_is_silent_is_replaced(
    file: Path, machine: Machine, answer: str, status: int, why: str
) -> None:
    settings(file, **VIP)
    plan = replacing(file)
    assert [step.id for step in plan.stages[0].steps] == ["fit", "taken", "agreed"]
    assert all(step.hosts == ("lb2",) for step in plan.stages[0].steps)
    machine.ends(timeout=answer)
    ended, said = machine.run(script_of(plan, "fit"))
    assert ended == status
    assert why in said
