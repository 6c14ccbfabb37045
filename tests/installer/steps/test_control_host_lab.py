"""Playbooks run from a machine of the site without Ansible, on machines that trust it only then.

The control host of these tests has Python and an SSH client, and can reach no package source.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.hosts.pool import Pool
from foundation.problems import Refused
from installer.events import Kind, Outcome
from installer.plans.plan import Plan
from installer.record.journal import read, verify
from tests.installer.engine_site import Watch, engine, new_run, plan, step
from tests.installer.playbook_site import Site
from tests.installer.run_engine import run_engine
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

KEYS = "/home/ubuntu/.ssh/authorized_keys"
SHOWN = ["stat", "-c", "%a %U %G", KEYS]

LOOKS = """\
- hosts: load_balancer
  gather_facts: false
  tasks:
    - name: From where
      ansible.builtin.shell: echo $SSH_CONNECTION | cut -d' ' -f1 >/tmp/from
      args: {creates: /tmp/from}
    - name: What lets it in
      ansible.builtin.shell: grep sitewright-20 .ssh/authorized_keys >/tmp/entry
      args: {creates: /tmp/entry}
    - name: An effect
      become: true
      ansible.builtin.shell: echo x >>/root/effects
      args: {creates: /root/effects}
    - name: Wait
      ansible.builtin.wait_for: {path: /tmp/go, timeout: 900}
"""


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Iterator[list[Machine]]:
    """A control host without a way out, and two machines."""
    made = lab.machines(3)
    made[0].no_route()
    yield made
    for machine in made:
        lab.discard(machine)


@pytest.fixture
def site(lab: Lab, machines: list[Machine], tmp_path: Path) -> Site:
    """The machines with nothing on them of an earlier test."""
    for machine in machines:
        machine.exec(["sh", "-c", "rm -rf /tmp/from /tmp/entry /tmp/go /root/effects"])
    return Site(lab, machines, tmp_path)


def on_two(site: Site) -> Plan:
    """A plan for the second and third machine."""
    made = site.plan(LOOKS)
    names = tuple(machine.name for machine in site.machines[1:])
    [stage] = made.stages
    stage = replace(stage, steps=tuple(replace(one, hosts=names) for one in stage.steps))
    control = site.machines[0].name
    made = replace(made, stages=(stage,), control=control)
    return replace(made, hosts=tuple((name, ("load-balancer",)) for name in names))


async def test_a_control_host_without_ansible_is_brought_it_and_let_in_for_the_time(
    site: Site,
) -> None:
    control, *others = site.machines
    before = [(m.exec(["cat", KEYS]).stdout, m.exec(SHOWN).stdout) for m in others]
    for machine in others:
        machine.exec(["touch", "/tmp/go"])
    made, watch = on_two(site), Watch()
    async with Pool(site.inventory) as pool:
        first = engine(made, new_run(made), pool=pool, watch=watch)
        assert await first.run() is Outcome.DONE, watch.of(Kind.PROBLEM)
        again = Watch()
        second = engine(made, new_run(made), pool=pool, watch=again)
        assert await second.run() is Outcome.DONE
    brought = [len(one.of(Kind.JOB_STARTED)) for one in (watch, again)]
    assert brought == [2, 1]  # Ansible itself is brought once
    told = {(e.host, e.data["status"]) for e in watch.of(Kind.TASK) if "effect" in str(e.data)}
    assert told == {(machine.name, "changed") for machine in others}
    for machine, (keys, shown) in zip(others, before, strict=True):
        assert machine.exec(["cat", "/tmp/from"]).stdout.strip() == control.address
        entry = machine.exec(["cat", "/tmp/entry"]).stdout
        assert entry.startswith('restrict,pty,expiry-time="')
        assert f'from="{control.address}"' in entry
        assert machine.exec(["cat", KEYS]).stdout == keys
        assert machine.exec(SHOWN).stdout == shown
    assert control.exec(["ls", "/run/sitewright/keys"]).stdout == ""
    assert any("makes a key of its own" in str(e.data["text"]) for e in watch.of(Kind.NOTE))


async def test_killed_while_the_playbook_runs_there_and_gone_on_with(site: Site, lab: Lab) -> None:
    """The playbook goes on without the laptop; the next start follows it to its end."""
    made = on_two(site)
    run = new_run(made)
    told = {
        "hosts": [
            {"name": m.name, "address": m.address, "port": 22, "user": "ubuntu"}
            for m in site.machines
        ],
        "known_hosts": str(lab.known_hosts),
        "key": str(lab.key),
    }
    # Enough events for the effect's task to be told of; then it waits.
    code, output = await asyncio.to_thread(run_engine, run.folder, {**told, "kill_text": "Wait"})
    assert code == -signal.SIGKILL, output
    others = site.machines[1:]
    for machine in others:
        assert "sitewright-20" in machine.exec(["cat", KEYS]).stdout
        machine.exec(["touch", "/tmp/go"])
    code, output = await asyncio.to_thread(run_engine, run.folder, told)
    assert code == 0, output
    for machine in others:
        assert machine.exec(["cat", "/root/effects"]).stdout == "x\n"
        assert "sitewright-20" not in machine.exec(["cat", KEYS]).stdout
    verify(run.journal)
    seen = list(read(run.journal))
    assert [e.data["attempt"] for e in seen if e.kind is Kind.STEP_STARTED] == [1]
    tasks = [(e.host, e.data["task"]) for e in seen if e.kind is Kind.TASK]
    assert len(tasks) == len(set(tasks)) == 8


async def test_helm_is_brought_before_anything_runs_or_nothing_is(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From this machine, since the control host has none; kubectl is nowhere, and stops the run."""
    folder = tmp_path / "path"
    folder.mkdir()
    shutil.copy("/bin/true", folder / "helm")  # a program that says yes to everything
    control = site.machines[0]
    release = {"release": "r", "namespace": "n", "chart": "c", "version": "1"}
    verify = {"command": ["true"]}
    made = plan(step("h", "control", kind="helm", **release, verify=verify))
    made = replace(made, control=control.name)
    watch = Watch()
    more = plan(
        step("h", "control", kind="helm", **release, verify=verify),
        step("k", "control", stage="two", kind="kubectl", manifest="m"),
    )
    more = replace(more, control=control.name)
    refused = new_run(more)
    async with Pool(site.inventory) as pool:
        with monkeypatch.context() as path:
            path.setenv("PATH", str(folder))
            assert await engine(made, pool=pool, watch=watch).run() is Outcome.DONE
            with pytest.raises(Refused, match="kubectl is not installed there"):
                await engine(more, refused, pool=pool).run()
    [note] = [str(event.data["text"]) for event in watch.of(Kind.NOTE) if not event.stage]
    assert f"from this machine ({folder}/helm)" in note
    control.exec(["test", "-x", "/var/lib/sitewright/bin/helm"])
    refused.forget_unbegun()
    assert not refused.folder.exists()
