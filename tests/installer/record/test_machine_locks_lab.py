"""Two laptops and the machines of one site: one works, the other is told, or takes over."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts import machine_lock
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.events import Kind, Outcome
from installer.plans.pinned_playbooks import digest as carried_digest
from installer.plans.plan import Carry, Plan
from installer.record.journal import read
from installer.record.journal_lines import FIRST, BrokenJournal, digest, encode
from installer.record.runs import Run
from installer.record.site_lock import Lock, Locked
from tests.installer.engine_site import Watch, engine, new_run, plan, step, when
from tests.installer.run_engine import start_engine
from tests.installer.running.test_run_orphan import kill_ansible
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

LOG = "/root/effects"
WAITS = f"touch /root/begun; until [ -e /root/go ]; do sleep 0.05; done; echo a >> {LOG}"


@dataclass
class Site:
    """Two machines, and how processes are told of them."""

    lab: Lab
    machines: list[Machine]

    @property
    def inventory(self) -> Inventory:
        """The machines as m1 and m2."""
        hosts = tuple(
            Host(f"m{n}", one.address, user="ubuntu", identity_files=(self.lab.key,))
            for n, one in enumerate(self.machines, 1)
        )
        return Inventory(hosts, known_hosts=(self.lab.known_hosts,), use_ssh_config=False)

    def told(self, **more: Any) -> dict[str, Any]:
        """The same for another process."""
        hosts = [
            {"name": f"m{n}", "address": one.address, "port": 22, "user": "ubuntu"}
            for n, one in enumerate(self.machines, 1)
        ]
        lab = {"known_hosts": str(self.lab.known_hosts), "key": str(self.lab.key)}
        return {"hosts": hosts, **lab, **more}

    def effects(self) -> list[list[str]]:
        """What was done on each machine."""
        return [m.exec(["cat", LOG], check=False).stdout.split() for m in self.machines]

    def locked(self) -> list[bool]:
        """Whether each machine has a lock."""
        test = ["test", "-e", machine_lock.PATH]
        return [m.exec(test, check=False).returncode == 0 for m in self.machines]

    def begun(self) -> bool:
        """Whether the waiting step runs on both machines."""
        test = ["test", "-e", "/root/begun"]
        return all(m.exec(test, check=False).returncode == 0 for m in self.machines)


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Iterator[list[Machine]]:
    """Two machines for all tests of this file."""
    made = lab.machines(2)
    yield made
    for machine in made:
        lab.discard(machine)


@pytest.fixture
def site(lab: Lab, machines: list[Machine]) -> Site:
    """The machines with nothing on them."""
    for machine in machines:
        left = f"{LOG} /root/go* /root/begun /var/lib/sitewright {machine_lock.HOLDER}"
        machine.script(f"systemctl stop 'sw-*' 2>/dev/null; rm -rf {left}")
    return Site(lab, machines)


BOTH = ("m1", "m2")
THEIRS = plan(
    step("a", *BOTH, script=WAITS, done={"script": f"grep -qx a {LOG}"}),
    step("b", *BOTH, script=f"echo b >> {LOG}"),
)
OURS = plan(step("c", *BOTH, script=f"echo c >> {LOG}"))


def other_laptop(
    site: Site, home: Path, made: Plan, monkeypatch: pytest.MonkeyPatch
) -> tuple[subprocess.Popen[str], Run]:
    """Ko Ko's laptop, with a home of its own, at work."""
    with monkeypatch.context() as there:
        there.setenv("XDG_DATA_HOME", str(home))
        run = new_run(made)
    return start_engine(run.folder, site.told(by="Ko Ko"), home=home), run


async def test_another_laptop_is_refused_and_may_take_over_knowingly(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom it was taken from begins nothing more; what runs there already is waited for."""
    other, _ = other_laptop(site, tmp_path / "other", THEIRS, monkeypatch)
    try:
        await when(site.begun)
        async with Pool(site.inventory) as pool:
            with Lock("site", by="Ma Ma") as lock:
                run, watch = new_run(OURS), Watch()
                with pytest.raises(Locked, match="Ko Ko") as caught:
                    await engine(OURS, run, pool=pool, lock=lock, watch=watch).run()
            assert "at work" in caught.value.cause
            assert caught.value.exit_code == 7
            assert not run.journal.exists()
            assert site.locked() == [True, True]
            with Lock("site", by="Ma Ma", take_over=True) as lock:
                ours = engine(OURS, run, pool=pool, lock=lock, watch=watch)
                waiting = asyncio.create_task(ours.run())
                await when(lambda: len(told(watch, "runs what others began")) == 2)
                assert any("taken over: Ko Ko" in text for text in told(watch, "taken over"))
                output, _ = await asyncio.to_thread(other.communicate, timeout=300)
                assert other.returncode == 7, output
                assert "the site was taken over: Ma Ma" in output
                assert watch.of(Kind.STEP_STARTED) == []
                for machine in site.machines:
                    machine.exec(["touch", "/root/go"])
                assert await waiting is Outcome.DONE
    finally:
        other.kill()
        other.communicate()
    assert site.effects() == [["a", "c"], ["a", "c"]]
    assert site.locked() == [False, False]


async def test_a_laptop_that_died_goes_on_by_itself_and_another_must_take_over(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "other"
    other, run = other_laptop(site, home, THEIRS, monkeypatch)
    await when(site.begun)
    other.kill()
    other.communicate()
    assert other.returncode == -signal.SIGKILL
    assert site.locked() == [True, True]
    async with Pool(site.inventory) as pool:
        with Lock("site", by="Ma Ma") as lock, pytest.raises(Locked, match="Ko Ko"):
            await engine(OURS, pool=pool, lock=lock).run()
    for machine in site.machines:
        machine.exec(["touch", "/root/go"])
    again = start_engine(run.folder, site.told(by="Ko Ko"), home=home)
    output, _ = await asyncio.to_thread(again.communicate, timeout=300)
    assert again.returncode == 0, output
    assert site.effects() == [["a", "b"], ["a", "b"]]
    assert site.locked() == [False, False]
    assert run.complete


def told(watch: Watch, words: str) -> list[str]:
    """The notes in which these words stand."""
    notes = [str(event.data["text"]) for event in watch.of(Kind.NOTE)]
    return [text for text in notes if words in text]


async def test_what_others_began_is_ended_on_a_persons_word(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = other_laptop(site, tmp_path / "other", THEIRS, monkeypatch)
    try:
        await when(site.begun)
        other.kill()
        async with Pool(site.inventory) as pool:
            with Lock("site", by="Ma Ma", take_over=True) as lock:
                watch = Watch()
                ours = engine(OURS, pool=pool, lock=lock, watch=watch, end_theirs=True)
                assert await ours.run() is Outcome.DONE
        assert len(told(watch, "Ending on m")) == 2
        for machine in site.machines:
            machine.exec(["touch", "/root/go"])
            running = machine.exec(["systemctl", "list-units", "sw-*", "--no-legend"]).stdout
            assert "running" not in running
    finally:
        other.kill()
        other.communicate()
    assert site.effects() == [["c"], ["c"]]


async def test_who_was_killed_learns_that_another_finished_meanwhile(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first goes on with nothing by itself; knowingly it may."""
    home = tmp_path / "other"
    other, run = other_laptop(site, home, THEIRS, monkeypatch)
    await when(site.begun)
    other.kill()
    other.communicate()
    for machine in site.machines:
        machine.exec(["touch", "/root/go"])
    async with Pool(site.inventory) as pool:
        with Lock("site", by="Ma Ma", take_over=True) as lock:
            assert await engine(OURS, pool=pool, lock=lock).run() is Outcome.DONE
    before = run.journal.read_bytes()
    for _ in "ab":  # to be refused once must not make it right
        again = start_engine(run.folder, site.told(by="Ko Ko"), home=home)
        output, _ = await asyncio.to_thread(again.communicate, timeout=300)
        assert again.returncode == 7, output
        assert "Ma Ma" in output
        assert "which ended as done" in output
    assert run.journal.read_bytes().startswith(before)
    assert site.effects() == [["a", "c"], ["a", "c"]]
    assert site.locked() == [False, False]
    knowingly = start_engine(run.folder, site.told(by="Ko Ko", take_over=True), home=home)
    output, _ = await asyncio.to_thread(knowingly.communicate, timeout=300)
    assert knowingly.returncode == 0, output
    assert site.effects() == [["a", "c", "b"], ["a", "c", "b"]]


async def test_a_laptop_that_wakes_after_another_took_over_and_ended_begins_nothing_more(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's lock is gone again, so that no lock tells of it."""
    other, run = other_laptop(site, tmp_path / "other", THEIRS, monkeypatch)
    try:
        await when(site.begun)
        other.send_signal(signal.SIGSTOP)
        async with Pool(site.inventory) as pool:
            with Lock("site", by="Ma Ma", take_over=True) as lock:
                watch = Watch()
                ours = asyncio.create_task(engine(OURS, pool=pool, lock=lock, watch=watch).run())
                await when(lambda: len(told(watch, "runs what others began")) == 2)
                for machine in site.machines:
                    machine.exec(["touch", "/root/go"])
                assert await ours is Outcome.DONE
        assert site.locked() == [False, False]
        other.send_signal(signal.SIGCONT)
        output, _ = await asyncio.to_thread(other.communicate, timeout=300)
        assert other.returncode == 7, output
        assert "the site was taken over: Ma Ma" in output
    finally:
        other.kill()
        other.communicate()
    assert site.effects() == [["a", "c"], ["a", "c"]]
    # Their next try is told too, before anything.
    again = start_engine(run.folder, site.told(by="Ko Ko"), home=tmp_path / "other")
    output, _ = await asyncio.to_thread(again.communicate, timeout=300)
    assert again.returncode == 7, output
    assert "Ma Ma" in output
    assert site.effects() == [["a", "c"], ["a", "c"]]


async def test_a_machine_that_was_away_in_the_beginning_is_held_before_its_first_step(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another site with that machine in it would find it free, and call it nobody's."""
    m1, m2 = site.machines
    m2.altered = True
    m2.script("systemctl stop ssh.socket ssh.service 2>/dev/null; true")
    theirs = plan(step("a", "m1", script=WAITS), step("b", "m2", script=WAITS))
    other, run = other_laptop(site, tmp_path / "other", theirs, monkeypatch)
    try:
        await when(lambda: m1.exec(["test", "-e", "/root/begun"], check=False).returncode == 0)
        assert site.locked() == [True, False]
        m2.script("systemctl start ssh.service")
        m2.wait_for_ssh()
        m1.exec(["touch", "/root/go"])
        await when(site.begun)
        ours = plan(step("c", "m2", script=f"echo c >> {LOG}"))
        async with Pool(site.inventory) as pool:
            with Lock("another", by="Ma Ma") as lock, pytest.raises(Locked, match="Ko Ko"):
                await engine(ours, pool=pool, lock=lock).run()
        m2.exec(["touch", "/root/go"])
        output, _ = await asyncio.to_thread(other.communicate, timeout=300)
        assert other.returncode == 0, output
    finally:
        other.kill()
        other.communicate()
    notes = [str(one.data["text"]) for one in read(run.journal) if one.kind is Kind.NOTE]
    assert any(text.startswith("m2 did not answer") for text in notes)
    assert any(text.startswith("m2 answers now") for text in notes)
    assert site.effects() == [["a"], ["a"]]
    assert site.locked() == [False, False]


@pytest.mark.parametrize("harm", ["shortened", "another's"])
async def test_a_journal_is_held_against_the_hash_that_the_machines_keep(
    site: Site, harm: str
) -> None:
    """Cut at a record, or written anew with a chain that is right in itself."""
    async with Pool(site.inventory) as pool:
        run = new_run(THEIRS)
        for machine in site.machines:
            machine.exec(["touch", "/root/go"])
        with Lock("site", by="Ma Ma") as lock:
            ours = engine(THEIRS, run, pool=pool, lock=lock, until="one")
            assert await ours.run() is Outcome.DONE
        events = list(read(run.journal))
        kept = events[:-3] if harm == "shortened" else [*events[:4], *events[5:], events[-1]]
        previous, lines = FIRST, []
        for event in kept:
            lines.append(encode(event, previous))
            previous = digest(lines[-1][:-1])
        run.journal.write_bytes(b"".join(lines))
        for _ in "ab":  # to be refused once must not make it right
            with Lock("site", by="Ma Ma") as lock, pytest.raises(BrokenJournal) as broken:
                await engine(THEIRS, run, pool=pool, lock=lock).run()
            said = "its end is gone" if harm == "shortened" else "it is another's"
            assert said in broken.value.cause
            assert broken.value.cause.count("m1") + broken.value.cause.count("m2") == 1


TASKS = """\
- hosts: all
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.shell: |
        echo {word}1 >> {log}; touch /root/begun; until [ -e /root/go ]; do sleep 0.05; done
    - ansible.builtin.shell: "echo {word}2 >> {log}"
    - ansible.builtin.shell: "echo {word}3 >> {log}"
"""


def playing(tmp_path: Path, word: str) -> Plan:
    """A plan of a playbook that waits in its first task, and writes a word."""
    folder = tmp_path / word
    folder.mkdir()
    (folder / "x.yml").write_text(TASKS.format(word=word, log=LOG))
    play = step("play", *BOTH, kind="playbook", playbook="x.yml")
    carry: Carry = ("site", str(folder), carried_digest(folder))
    return replace(plan(play, playbooks=str(folder)), carries=(carry,))


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "killed"])
async def test_a_playbook_ends_before_its_next_task_when_the_site_is_taken_over(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    """Also where nobody watches it any more: it asks the machines itself."""
    plans = {word: playing(tmp_path, word) for word in "ab"}
    other, _ = other_laptop(site, tmp_path / "other", plans["a"], monkeypatch)
    try:
        await when(site.begun)
        if dies:
            other.kill()
        async with Pool(site.inventory) as pool:
            with Lock("site", by="Ma Ma", take_over=True) as lock:
                watch = Watch()
                ours = engine(plans["b"], pool=pool, lock=lock, watch=watch)
                waiting = asyncio.create_task(ours.run())
                await when(lambda: len(told(watch, "a task of Ansible")) == 2)
                for machine in site.machines:
                    machine.exec(["touch", "/root/go"])
                assert await waiting is Outcome.DONE
        output, _ = await asyncio.to_thread(other.communicate, timeout=300)
        assert dies or other.returncode == 7, output
    finally:
        other.kill()
        other.communicate()
    # What was in a task when the site was taken over ends it; then nothing of it comes any more.
    assert site.effects() == [["a1", "b1", "b2", "b3"], ["a1", "b1", "b2", "b3"]]


@pytest.mark.parametrize("how", ["resumed", "begun anew", "ended on a word"])
async def test_the_task_of_a_playbook_that_was_killed_is_met_by_no_other(
    site: Site, tmp_path: Path, how: str
) -> None:
    """ansible-playbook is killed here; what it was at on the machines goes on there."""
    made = playing(tmp_path, "a")
    run = new_run(made)
    ended = how == "ended on a word"
    async with Pool(site.inventory) as pool:
        with Lock("site", by="Ma Ma") as lock:
            first = asyncio.create_task(engine(made, run, pool=pool, lock=lock).run())
            await when(site.begun)
            kill_ansible(run)
            assert await first is Outcome.FAILED
        with Lock("site", by="Ma Ma") as lock:
            watch = Watch()
            on = new_run(made) if how == "begun anew" else run
            ours = engine(made, on, pool=pool, lock=lock, watch=watch, end_theirs=ended)
            again = asyncio.create_task(ours.run())
            if ended:
                await when(lambda: site.effects() == [["a1", "a1"]] * 2)
            else:
                await when(lambda: len(told(watch, "was left there: a task of Ansible")) == 2)
                assert site.effects() == [["a1"]] * 2
            for machine in site.machines:
                machine.exec(["touch", "/root/go"])
            assert await again is Outcome.DONE
    assert site.effects() == [["a1", "a1", "a2", "a3"]] * 2


async def test_of_many_who_come_at_once_one_gets_the_machine(site: Site) -> None:
    async with Pool(site.inventory) as pool:
        connection = await pool.connect(site.inventory.hosts[0])
        tokens = [secrets.token_hex(16) for _ in range(8)]
        answers = await asyncio.gather(
            *(machine_lock.take(connection, token, token) for token in tokens)
        )
        [winner] = [t for t, answer in zip(tokens, answers, strict=True) if answer is None]
        assert {answer.token for answer in answers if answer is not None} == {winner}
        for token in tokens:
            await machine_lock.release(connection, token)
    assert site.locked() == [False, False]


async def test_a_lock_that_is_none_of_ours_is_left_alone(site: Site) -> None:
    site.machines[1].script("mkdir -p /var/lib/sitewright; echo rubbish >/var/lib/sitewright/lock")
    async with Pool(site.inventory) as pool:
        with Lock("site", by="Ma Ma", take_over=True) as lock, pytest.raises(Locked) as caught:
            await engine(OURS, pool=pool, lock=lock).run()
    assert caught.value.where == f"m2:{machine_lock.PATH}"
    assert site.locked() == [False, True]
    assert site.effects() == [[], []]
