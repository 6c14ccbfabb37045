"""Playbooks run by the engine against lab machines, with the real ansible-playbook."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.hosts.pool import Pool
from foundation.secrets import Secret
from installer.events import Event, Kind
from installer.plans import pinned_playbooks
from tests.installer.engine_site import Watch, engine, new_run
from tests.installer.playbook_site import CHANGES, Site
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


def left_over() -> list[Path]:
    """Private folders whose drivers have ended; other runs on this machine may be at work."""
    folders = [*Path("/run").glob("sitewright-ansible-*"), *Path("/dev/shm").glob("sitewright-*")]
    return [one for one in folders if not Path("/proc", one.name.split("-")[2]).exists()]


def files_with(text: str) -> str:
    """The files in which a secret might have been left that hold a text."""
    places = ["/run", "/dev/shm", "/var/lib/sitewright"]
    return subprocess.run(
        ["grep", "-rlI", text, *places], capture_output=True, text=True, check=False
    ).stdout


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Iterator[list[Machine]]:
    """Three machines for all tests of this file."""
    made = lab.machines(3)
    yield made
    for machine in made:
        lab.discard(machine)


@pytest.fixture
def site(lab: Lab, machines: list[Machine], tmp_path: Path) -> Iterator[Site]:
    """The three machines, with nothing on them of an earlier test."""
    yield Site(lab, machines, tmp_path)
    for machine in machines:
        machine.script("rm -f /etc/sitewright-*; systemctl start ssh.service")
        lab.trust(machine)


async def test_tasks_are_told_machine_by_machine(site: Site) -> None:
    watch = Watch()
    made = site.plan(CHANGES, variables={"word": "{{ no }} template"})
    assert await site.run(made, watch) == "done"
    told = {(e.host, e.data["task"], e.data["status"]) for e in watch.of(Kind.TASK)}
    assert told == {(m.name, "A file", "changed") for m in site.machines}
    for machine in site.machines:
        assert machine.exec(["cat", "/etc/sitewright-test"]).stdout == "{{ no }} template\n"
    assert "TASK A file" in watch.lines()
    assert left_over() == []


@pytest.fixture
def ours(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The folder of playbooks is the solution's own: `--check` is believed of no other."""
    monkeypatch.setattr(pinned_playbooks, "playbooks_folder", lambda *_: site.folder)
    return site


async def test_check_mode_finds_what_is_done(ours: Site) -> None:
    """Where `--check` is honest a step that would change nothing is done already."""
    site = ours
    made = site.plan(CHANGES, variables={"word": "x"}, check_mode=True)
    assert await site.run(made, Watch()) == "done"
    watch = Watch()
    assert await site.run(made, watch) == "already"
    assert watch.of(Kind.JOB_STARTED) == []


async def test_a_failure_on_one_machine_of_three(site: Site) -> None:
    """The machine, the task and what it said are told; the others went on."""
    fails = site.machines[1].name
    watch = Watch()
    made = site.plan(
        CHANGES + "    - name: Break\n"
        '      ansible.builtin.command: sh -c "echo the disk is full >&2; exit 3"\n'
        f"      when: inventory_hostname == '{fails}'\n",
        variables={"word": "x"},
    )
    assert await site.run(made, watch) == "failed"
    [finished] = watch.of(Kind.STEP_FINISHED)
    sentence = str(finished.data["sentence"])
    for part in (fails, "Break", "1 of 3 machines", "the disk is full"):
        assert part in sentence
    failed = [(e.host, e.data["task"]) for e in watch.of(Kind.TASK) if e.data["status"] == "failed"]
    assert failed == [(fails, "Break")]


async def test_a_machine_that_is_away_is_named(site: Site) -> None:
    """Its being away is told as that, and the others are dealt with."""
    gone = site.machines[2]
    gone.exec(["systemctl", "stop", "ssh.service"])
    watch = Watch()
    assert await site.run(site.plan(CHANGES, variables={"word": "x"}), watch) == "failed"
    sentence = str(watch.of(Kind.STEP_FINISHED)[0].data["sentence"])
    assert f"{gone.name} could not be reached" in sentence
    assert site.machines[0].exec(["cat", "/etc/sitewright-test"]).stdout == "x\n"


async def test_a_changed_host_key_stops_ansible_too(site: Site) -> None:
    """What is not the known machine is not logged in to."""
    site.machines[0].new_host_keys()
    watch = Watch()
    assert await site.run(site.plan(CHANGES, variables={"word": "x"}), watch) == "failed"
    sentence = str(watch.of(Kind.STEP_FINISHED)[0].data["sentence"])
    assert f"{site.machines[0].name} could not be reached" in sentence
    assert site.machines[0].exec(["ls", "/etc/sitewright-test"], check=False).returncode != 0


async def test_services_are_followed_meanwhile(site: Site) -> None:
    """Lines of a unit on the machines come while the playbook still runs."""
    playbook = """\
- hosts: load_balancer
  become: true
  gather_facts: false
  tasks:
    - name: Say until it is heard
      ansible.builtin.command: >-
        systemd-run --quiet --wait --collect --unit=chatty echo from {{ inventory_hostname }}
      loop: "{{ range(12) | list }}"
      loop_control: {pause: 0.25}
"""
    watch = Watch()
    assert await site.run(site.plan(playbook, follow=["chatty.service"]), watch) == "done"
    for machine in site.machines:
        assert f"from {machine.name}" in watch.lines(machine.name)


async def test_secrets_reach_the_playbook_and_nothing_else(site: Site) -> None:
    """A secret that a task shows by mistake is masked, and it is in no argument or file."""
    secret = Secret("hush-hush-7261")
    playbook = """\
- hosts: load_balancer
  gather_facts: false
  tasks:
    - name: Arguments on the control host
      ansible.builtin.command: ps axww -o args=
      delegate_to: localhost
      vars: {ansible_connection: local}
      register: shown
      run_once: true
    - name: None holds it
      ansible.builtin.assert: {that: token not in shown.stdout}
    - name: A task that shows it
      ansible.builtin.fail: {msg: "it is {{ token }}!"}
"""
    watch = Watch()
    made = replace(site.plan(playbook, secrets=["token"]), secrets=("token",))
    assert await site.run(made, watch, secrets={"token": secret}) == "failed"
    told = "\n".join(str(event) for event in watch.events)
    assert "it is ******!" in told
    assert secret.reveal() not in told
    assert files_with(secret.reveal()) == ""


async def test_forged_events_are_output(site: Site) -> None:
    """A machine that prints an event of its own is quoted, not believed."""
    playbook = """\
- hosts: load_balancer
  gather_facts: false
  tasks:
    - name: Forge
      ansible.builtin.fail:
        msg: 'sitewright {"event": "stats", "hosts": {}}'
"""
    watch = Watch()
    assert await site.run(site.plan(playbook), watch) == "failed"
    assert {e.data["task"] for e in watch.of(Kind.TASK)} == {"Forge"}


async def test_a_dry_run_checks_and_changes_nothing(ours: Site) -> None:
    site = ours
    made = site.plan(CHANGES, variables={"word": "x"}, check_mode=True)
    watch = Watch()
    await site.run(made, watch, dry_run=True)
    assert any("would change 3 things" in str(e.data["text"]) for e in watch.of(Kind.NOTE))
    for machine in site.machines:
        assert machine.exec(["ls", "/etc/sitewright-test"], check=False).returncode != 0


async def test_a_run_that_is_cut_off_goes_on_with_the_same_playbook(site: Site) -> None:
    """ansible-playbook outlives the one who started it, and no task is done or told twice."""
    playbook = """\
- hosts: load_balancer
  become: true
  gather_facts: false
  tasks:
    - name: First
      ansible.builtin.shell: echo first >>/etc/sitewright-tasks
    - name: Wait
      ansible.builtin.shell: until [ -e /run/go ]; do sleep 0.1; done
    - name: Last
      ansible.builtin.shell: echo last >>/etc/sitewright-tasks
"""
    made = site.plan(playbook)
    run = new_run(made)
    before, after = Watch(), Watch()

    def cut(batch: Sequence[Event]) -> None:
        before(batch)
        if any(e.kind is Kind.STEP_PROGRESS and e.data["text"] == "Wait" for e in batch):
            task.cancel()

    async with Pool(site.inventory) as pool:
        built = engine(made, run, pool=pool, watch=cut)
        task = asyncio.create_task(built.run())
        with pytest.raises(asyncio.CancelledError):
            await task
    for machine in site.machines:
        machine.exec(["touch", "/run/go"])
    async with Pool(site.inventory) as pool:
        await engine(made, run, pool=pool, watch=after).run()
    assert [outcome for *_, outcome in after.outcomes()] == ["done"]
    for machine in site.machines:
        assert machine.exec(["cat", "/etc/sitewright-tasks"]).stdout == "first\nlast\n"
    told = [
        (e.host, e.data["task"]) for e in before.of(Kind.TASK) + after.of(Kind.TASK)
        if e.data["status"] == "changed"
    ]  # fmt: skip
    assert len(told) == len(set(told)) == 9
