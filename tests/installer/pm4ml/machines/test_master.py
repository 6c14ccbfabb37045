"""A master is taken out: what its database is asked, and what stands against it.

The programs run as they do on a master that stays; dqlite's own client is a stand-in that tells
what lies in a file, as `-f json k8s .cluster` does, and members are sockets that listen.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from installer.commands.machine import removal_plan
from installer.sites.site import dump_site, load_site
from tests.installer.pm4ml.machines.cluster import (
    NO,
    UNTOLD,
    YES,
    volume,
)
from tests.installer.pm4ml.machines.masters import Masters, of_role


@pytest.mark.parametrize("roles", [(0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0), (2, 0)])
def test_a_master_goes_where_those_that_stay_can_agree_on_it(
    masters: Masters, roles: tuple[int, ...]
) -> None:
    """The first one as well: no place is a master's own."""
    masters.are(*roles)
    assert masters.ask("fit", 1, str(len(roles) - 1)) == (YES, "")


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        ((0, 2), "it has the only copy of the cluster's database that counts"),
        ((0, 0), "of 2 members of the database that vote 1 would stay, and 2 must agree"),
    ],
)
def test_one_without_which_nobody_could_agree_stays(
    masters: Masters, roles: tuple[int, ...], why: str
) -> None:
    masters.are(*roles)
    for action in (("fit", 1, "1"), ("empty", 1)):
        status, said = masters.ask(*action)
        assert status == NO
        assert why in said


def test_a_member_that_does_not_answer_keeps_the_others_in(masters: Masters) -> None:
    """Of three that vote one is dead: without another one alone has no majority."""
    masters.are(0, 0, 0)
    members = masters.members()
    members[2]["Address"] = members[2]["Address"].rpartition(":")[0] + ":1"
    masters.cluster.has(members=members)
    status, said = masters.ask("fit", 1, "2")
    assert status == NO
    assert "the database does not answer at 127.0.0.3:1" in said
    assert "of 3 members of the database that vote 1 would stay, and 2 must agree" in said


def test_what_the_database_does_not_say_is_no_leave_to_go_on(masters: Masters) -> None:
    masters.are(0, 0, 0)
    place = masters.cluster.place
    for text in ("no leader", ""):
        (place / "members.err").write_text(text)
        for action in ("quorum", "known", "copies", "empty", "remove"):
            status, said = masters.ask(action, 1)
            assert status == UNTOLD, action
            assert "It cannot be told: dqlite" in said
    (place / "members.err").unlink()
    (place / "members.json").write_text("{}")
    assert masters.ask("remove", 1)[0] == UNTOLD
    (place / "members.json").write_text("<html>")
    assert masters.ask("quorum", 1)[0] == UNTOLD
    assert "remove-node" not in masters.cluster.calls


def test_everything_that_stands_against_it_is_told_at_once(masters: Masters) -> None:
    masters.are(0, 2)
    nodes = json.loads((masters.cluster.place / "nodes.json").read_text())
    nodes[2]["status"]["conditions"][0]["status"] = "Unknown"
    masters.cluster.has(nodes=nodes, persistentvolumes=[volume("pvc-1", "m1")])
    status, said = masters.ask("fit", 1, "3")
    assert status == NO
    for sentence in (
        "of the masters 1 would stay (m2), and the site file names 3: have those that are missing",
        "it has the only copy",
        "w5 is not Ready",
        "pvc-1 lies on it",
    ):
        assert sentence in said


def test_a_worker_and_a_machine_that_is_no_member_are_no_masters_to_take_out(
    masters: Masters,
) -> None:
    masters.are(0, 0, 0)
    status, said = masters.cluster.ask(
        "known", "w5", address="10.0.0.5", program=masters.cluster.place / "members.py"
    )
    assert (status, said) == (NO, "w5 is no master of the cluster\n")
    masters.cluster.has(members=masters.members()[1:])
    status, said = masters.ask("known", 1)
    assert status == NO
    assert "m1 is no member of the cluster's database (127.0.0.2:" in said


def test_that_one_copy_stays_is_for_a_person_to_say(masters: Masters) -> None:
    masters.are(0, 0, 0, 1)
    assert masters.ask("copies", 1) == (YES, "")
    masters.are(0, 0, 0)
    status, said = masters.ask("copies", 1)
    assert status == UNTOLD
    assert "2 of the members stay" in said
    assert "Better have the new master join first" in said


def test_it_is_forgotten_once_it_left_and_then_those_that_stay_settle(masters: Masters) -> None:
    masters.are(0, 0, 0)
    status, said = masters.ask("remove", 1)
    assert status == NO  # it did not leave, and nothing is forced
    assert "is a member of the cluster's database still" in said
    assert "remove-node" not in masters.cluster.calls
    assert masters.ask("gone", 1)[0] == NO
    masters.cluster.has(members=masters.members()[1:])
    assert masters.ask("gone", 1)[0] == NO
    masters.ask("drain", 1, "30")
    assert masters.ask("remove", 1)[0] == YES
    assert "--force" not in masters.cluster.calls
    for action in ("gone", "remove", "empty"):
        assert masters.ask(action, 1)[0] == YES
    # The API is told at its address until its lease has ended.
    status, said = masters.ask("settled", 1, "2")
    assert status == NO
    assert "the API is at 127.0.0.1, 127.0.0.2, 127.0.0.3" in said
    endpoints = json.loads((masters.cluster.place / "endpoints.json").read_text())
    del endpoints[0]["subsets"][0]["addresses"][0]
    masters.cluster.has(endpoints=endpoints)
    assert masters.ask("settled", 1, "2")[0] == YES
    assert masters.ask("settled", 1, "3")[0] == NO


# ---- the plan


def test_the_plan_of_the_first_master_asks_one_that_stays(file: Path) -> None:
    name = min(of_role(file, "master"))
    stay = sorted(set(of_role(file, "master")) - {name})
    _, _, plan, operation = removal_plan(file, name)
    assert operation == "remove-master"
    assert dict(plan.hosts)[name] == ()
    steps = {step.id: step for step in plan.stages[0].steps}
    assert {step.id for step in plan.stages[0].steps if name in step.hosts} == {"leave", "stop"}
    assert steps["fit"].hosts == (stay[0],)
    assert str(steps["fit"].spec["script"]).split()[-1] == str(len(stay))
    assert steps["workers-know"].hosts == tuple(of_role(file, "worker"))
    order = list(steps)
    assert order.index("last-word") < order.index("empty") == order.index("leave") - 1
    assert order[order.index("leave") :] == ["leave", "stop", "forget", "settled", "workers-know"]
    for stage in plan.stages[1:]:
        assert all(name not in step.hosts for step in stage.steps)


def test_a_master_that_works_too_is_taken_out_as_a_master(file: Path) -> None:
    site = load_site(file)
    both = tuple(
        host.model_copy(update={"roles": ("master", "worker")}) if "master" in host.roles else host
        for host in site.hosts
    )
    file.write_text(dump_site(site.model_copy(update={"hosts": both})))
    assert removal_plan(file, of_role(file, "master")[0])[3] == "remove-master"
    assert removal_plan(file, of_role(file, "worker")[-1])[3] == "remove-worker"


@dataclass
class Machine:
    """The folders of a master, and a `microk8s` that does what it is told to do there."""

    place: Path

    def __post_init__(self) -> None:
        self.data = self.place / "snap"
        for folder in ("var/kubernetes/backend", "var/lock", "args"):
            (self.data / folder).mkdir(parents=True)
        (self.data / "args/kube-apiserver").write_text("--secure-port=16443")
        (self.place / "first-master").touch()
        self.are(3)

    def are(self, members: int) -> None:
        lines = "".join(f"- Address: 10.0.0.{n}:19001\n  ID: {n}\n" for n in range(members))
        (self.data / "var/kubernetes/backend/cluster.yaml").write_text(lines)

    def does(self, *lines: str) -> None:
        text = "\n".join(["#!/bin/sh", f'echo "$*" >>{self.place}/called', *lines])
        (self.place / "microk8s").write_text(text + "\n")
        (self.place / "microk8s").chmod(0o755)

    def run(self, script: str) -> int:
        for there, here in (
            ("/var/snap/microk8s/current", self.data),
            ("/etc/sitewright/first-master", self.place / "first-master"),
        ):
            script = script.replace(there, str(here))
        return subprocess.run(
            ["/bin/sh", "-euc", script], check=False, timeout=60, stderr=subprocess.DEVNULL,
            env={"PATH": f"{self.place}:{os.environ['PATH']}"},
        ).returncode  # fmt: skip

    @property
    def arguments(self) -> list[str]:
        return (self.data / "args/kube-apiserver").read_text().splitlines()

    @property
    def called(self) -> str:
        file = self.place / "called"
        return file.read_text() if file.exists() else ""


def test_what_says_that_it_is_no_master_does_not_leave(file: Path, tmp_path: Path) -> None:
    """The scripts of the steps themselves."""
    _, _, plan, _ = removal_plan(file, of_role(file, "master")[0])
    steps = {step.id: step.spec for step in plan.stages[0].steps}

    def script(step: str, word: str = "script") -> str:
        spec: Any = steps[step]
        return str(spec["script"] if word == "script" else spec["done"]["script"])

    (tmp_path / "m").mkdir()
    machine = Machine(tmp_path / "m")
    machine.does()
    machine.are(1)
    assert machine.run(script("leave")) != 0
    lock = machine.data / "var/lock/clustered.lock"
    machine.are(3)
    lock.touch()
    assert machine.run(script("leave")) != 0
    lock.unlink()
    assert machine.called == ""
    assert machine.run(script("leave", "done")) == 1
    # It refuses, or says 0 and is still in: its API is reached by the others as before.
    for ends in ("exit 3", "exit 0"):
        machine.does(ends)
        assert machine.run(script("leave")) != 0
        assert machine.arguments == ["--secure-port=16443"]
    # It leaves: from the first moment nobody else asks the API that it begins anew.
    yaml = machine.data / "var/kubernetes/backend/cluster.yaml"
    machine.does(f"cp {machine.data}/args/kube-apiserver {machine.place}/seen",
                 f"echo '- Address: 127.0.0.1:19001' >{yaml}", "exit 1")  # fmt: skip
    assert machine.run(script("leave")) == 0
    seen = (machine.place / "seen").read_text().splitlines()
    assert seen == machine.arguments == ["--secure-port=16443", "--bind-address=127.0.0.1"]
    assert machine.run(script("leave", "done")) == 0
    yaml.unlink()
    assert machine.run(script("leave", "done")) == 2  # nothing is told
    # It is stopped, and may be started to join again.
    machine.does()
    assert machine.run(script("stop")) != 0
    assert machine.run(script("stop", "done")) == 1
    machine.does(f"touch {machine.data}/var/lock/stopped.lock")
    assert machine.run(script("stop")) == 0
    assert machine.run(script("stop", "done")) == 0
    assert machine.arguments == ["--secure-port=16443"]
    assert not (machine.place / "first-master").exists()
    shutil.rmtree(machine.data)
    for step in ("leave", "stop"):
        assert machine.run(script(step, "done")) == 0


def test_a_worker_is_waited_for_until_it_asks_those_that_stay(file: Path, tmp_path: Path) -> None:
    name = of_role(file, "master")[0]
    site, _, plan, _ = removal_plan(file, name)
    (wait,) = (step for step in plan.stages[0].steps if step.id == "workers-know")
    until: Any = wait.spec["until"]
    (tmp_path / "m").mkdir()
    machine = Machine(tmp_path / "m")
    (machine.data / "args/traefik").mkdir()
    addresses = {h.name: h.address for h in site.hosts if "master" in h.roles}

    def knows(*names: str) -> int:
        lines = "".join(f"      - address: {addresses[one]}:16443\n" for one in names)
        (machine.data / "args/traefik/provider.yaml").write_text(f"tcp:\n  servers:\n{lines}")
        return machine.run(str(until["script"]))

    stay = sorted(set(addresses) - {name})
    assert knows(*addresses) == 0  # it is a master itself
    (machine.data / "var/lock/clustered.lock").touch()
    assert knows(*addresses) == 1
    assert knows(name, *stay[1:]) == 1
    assert knows() == 1
    assert knows(*stay) == 0
