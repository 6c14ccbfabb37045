"""Faults of trust and time on real machines: a host key that changes in a run, a clock that jumps,
an operator who is not root."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts import machine_lock
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import HostKeyProblem
from installer.events import Outcome
from installer.plans.pinned_playbooks import digest
from installer.record.machine_locks import silence
from installer.record.runs import open_run
from installer.record.site_lock import Lock
from tests.installer.engine_site import Watch, engine, new_run, plan, step, when
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

LOG = "/root/effects"


@pytest.fixture
def machine(lab: Lab) -> Iterator[Machine]:
    """A machine of its own, since its keys and its clock suffer."""
    [made] = lab.machines(1)
    yield made
    lab.discard(made)


def inventory(lab: Lab, machine: Machine, known_hosts: Path | None = None) -> Inventory:
    """The machine as m1."""
    host = Host("m1", machine.address, user="ubuntu", identity_files=(lab.key,))
    return Inventory((host,), known_hosts=(known_hosts or lab.known_hosts,), use_ssh_config=False)


async def test_a_host_key_that_changes_in_a_run_ends_it_and_nothing_is_done_twice(
    lab: Lab, machine: Machine, tmp_path: Path
) -> None:
    """Nothing more is sent to whoever answers there now; what was begun goes on by itself."""
    known = tmp_path / "known_hosts"
    known.write_text(lab.known_hosts.read_text())
    made = plan(
        step("a", "m1", script=f"echo a >> {LOG}; until [ -e /root/go ]; do sleep 0.05; done"),
        step("b", "m1", script=f"echo b >> {LOG}"),
    )
    run, watch = new_run(made), Watch()
    with Lock("site", by="Ma Ma") as lock:
        async with Pool(inventory(lab, machine, known)) as pool:
            first = engine(made, run, pool=pool, lock=lock, watch=watch)
            running = asyncio.create_task(first.run())
            await when(lambda: machine.exec(["cat", LOG], check=False).stdout == "a\n")
            machine.script("mkdir /root/kept; cp -p /etc/ssh/ssh_host_* /root/kept")
            machine.script("rm /etc/ssh/ssh_host_*; ssh-keygen -A; systemctl restart ssh")
            machine.script("pkill -f 'sshd: ubuntu' || true")
            assert await running is Outcome.FAILED
        [failure] = first.failures
        assert isinstance(failure.problem, HostKeyProblem)
        assert machine.exec(["cat", LOG]).stdout == "a\n"
        machine.script("cp -p /root/kept/* /etc/ssh; systemctl restart ssh; touch /root/go")
        async with Pool(inventory(lab, machine, known)) as pool:
            again = engine(made, run, pool=pool, lock=lock, watch=watch)
            assert await again.run() is Outcome.DONE
    effects = machine.exec(["cat", LOG]).stdout.split()
    assert effects[-1] == "b"
    assert effects.count("b") == 1


async def test_a_clock_that_jumps_on_a_machine_makes_no_untrue_sign_of_life(
    lab: Lab, machine: Machine
) -> None:
    """The lock's time is set, as it would be seen by a clock that was put back or forward."""
    async with Pool(inventory(lab, machine)) as pool:
        connection = await pool.connect(pool.inventory.hosts[0])
        assert await machine_lock.take(connection, "1" * 32, "{}") is None
        machine.script(f"touch -d '+3 days' {machine_lock.PATH}")
        held = await machine_lock.take(connection, "2" * 32, "{}")
        assert held is not None
        assert "cannot be told" in silence(held)
        machine.script(f"touch -d '-400 days' {machine_lock.PATH}")
        held = await machine_lock.take(connection, "2" * 32, "{}")
        assert held is not None
        assert "minutes ago" in silence(held)
        # A sign of life puts it right, and it is still the first one's.
        assert await machine_lock.refresh(connection, "1" * 32, "{}") is None
        held = await machine_lock.refresh(connection, "2" * 32, "{}")
        assert held is not None
        assert held.silent < 24 * 3600  # and not 400 days


def as_nobody_special(folder: Path, told: dict[str, Any], home: Path) -> tuple[int, str]:
    """An engine as a user with no rights of their own but to read this checkout."""
    words = [
        "setpriv", "--reuid=1000", "--regid=1000", "--clear-groups",
        "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
        sys.executable, "-m", "tests.installer.run_engine", str(folder), json.dumps(told),
    ]  # fmt: skip
    done = subprocess.run(
        words, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "USER": "asha"},
        timeout=600,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user; this is not root")
async def test_an_operator_who_is_not_root_installs_and_asks_sudo_for_nothing_here(
    lab: Lab, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts as root on the machine, a playbook from here as the login, all once."""
    home = tmp_path / "home"
    (home / "theirs").mkdir(parents=True)
    (home / "theirs" / "x.yml").write_text(
        "- hosts: all\n  become: true\n  gather_facts: false\n  tasks:\n"
        f"    - ansible.builtin.shell: echo play >> {LOG}\n"
    )
    made = plan(
        step("a", "m1", script=f"echo a >> {LOG}"),
        step("play", "m1", stage="two", kind="playbook", playbook="x.yml"),
        playbooks=str(home / "theirs"),
    )
    theirs = home / "theirs"
    made = replace(made, carries=(("site", str(theirs), digest(theirs)),))
    with monkeypatch.context() as there:
        there.setenv("XDG_DATA_HOME", str(home / "data"))
        run = new_run(made)
    for path in (home, *home.rglob("*")):
        os.chown(path, 1000, 1000)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    key, known = home / "key", home / "known_hosts"
    key.write_text(lab.key.read_text())
    known.write_text(lab.known_hosts.read_text())
    for file in (key, known):
        os.chown(file, 1000, 1000)
        file.chmod(0o600)
    told = {
        "hosts": [{"name": "m1", "address": machine.address, "port": 22, "user": "ubuntu"}],
        "known_hosts": str(known), "key": str(key), "by": "Asha",
    }  # fmt: skip
    status, output = await asyncio.to_thread(as_nobody_special, run.folder, told, home)
    assert status == 0, output
    assert "outcome=done" in output, output
    assert machine.exec(["cat", LOG]).stdout.split() == ["a", "play"]
    assert open_run(run.folder).complete
