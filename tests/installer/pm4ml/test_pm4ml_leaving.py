"""A worker is taken out: what is asked of the cluster, what stands against it, and the plan.

The program runs as it does on a master; `microk8s` is a stand-in that keeps the API's answers in
files, and does what it is told to them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import ExitCode, InputProblem, Refused, Unreachable
from installer import cli
from installer.ansible.inventory import export_inventory
from installer.catalogue.solution import load_solution
from installer.commands.machine import _cut_off, removal_plan
from installer.commands.undo import last_of
from installer.events import Event, Kind, Outcome
from installer.plans.plan import Plan
from installer.record.identity import done_before, site_key
from installer.record.journal import Journal
from installer.record.runs import Run, create_run, runs_of
from installer.record.site_lock import Lock
from installer.running import begin
from installer.running.begin import Occasion, begun
from installer.running.order import Order
from installer.running.taken_out import TakenOut, not_joining_again, taken_out
from installer.sites.site import Site, dump_site, load_site
from installer.steps.kind import done_on
from installer.steps.stage_files import load_operations, operations_of_machines
from tests.installer.engine_site import nobody
from tests.installer.planning.test_planning import site as planned_site

PM4ML = load_solution("pm4ml")
PROGRAM = PM4ML.folder / "operations/leaving.py"
YES, NO, UNTOLD = 0, 1, 2

STAND_IN = f"""\
#!{sys.executable} -I
# STAND-IN for microk8s 1.31: kubectl get, cordon, uncordon and drain over files; remove-node.
import json, os, pathlib, sys
place = pathlib.Path(os.environ["PLACE"])
words = sys.argv[1:]
with (place / "calls").open("a") as calls:
    calls.write(" ".join(words) + "\\n")
def read(kind):
    return json.loads((place / f"{{kind}}.json").read_text())
def write(kind, items):
    (place / f"{{kind}}.json").write_text(json.dumps(items))
if words[0] == "remove-node":
    if not (place / "sticks").exists():
        write("nodes", [n for n in read("nodes") if n["metadata"]["name"] != words[1]])
    sys.exit(1)  # as the real one may, though it did it
action, kind = words[1], words[2]
if action == "get":
    if (place / f"{{kind}}.err").exists():
        sys.exit((place / f"{{kind}}.err").read_text())
    items = read(kind)
    chosen = [w.partition("spec.nodeName=")[2] for w in words if "spec.nodeName=" in w]
    if chosen:
        items = [p for p in items if p["spec"].get("nodeName") == chosen[0]]
    print(json.dumps({{"items": items}}))
elif action in ("cordon", "uncordon", "drain"):
    nodes = read("nodes")
    for node in nodes:
        if node["metadata"]["name"] == kind:
            node["spec"]["unschedulable"] = action != "uncordon"
    write("nodes", nodes)
    if action == "drain" and not (place / "held").exists():
        write("pods", [p for p in read("pods") if p["spec"].get("nodeName") != kind])
    sys.exit(1 if (place / "held").exists() else 0)
"""


def node(name: str, *, ready: bool = True, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "addresses": [{"type": "InternalIP", "address": f"10.0.0.{name[1:]}"}],
        },
    }


def pod(name: str, on: str = "w2", *, owner: str = "ReplicaSet", **spec: Any) -> dict[str, Any]:
    owners = [{"kind": owner, "name": "x"}] if owner else []
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "shop"},
                     "ownerReferences": owners},
        "spec": {"nodeName": on, **spec},
        "status": {"phase": "Running"},
    }  # fmt: skip


def volume(name: str, on: str) -> dict[str, Any]:
    rule = {"key": "openebs.io/nodename", "operator": "In", "values": [on]}
    return {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "claimRef": {"namespace": "db", "name": "data-mysql-0"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}},
        },
    }


def budget(allowed: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"selector": {"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["shop"]}]}},
        "status": {"disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2},
    }  # fmt: skip


@dataclass
class Cluster:
    """A stand-in cluster of a master and three workers; w2 is to go."""

    place: Path

    def __post_init__(self) -> None:
        self.place.mkdir()
        (self.place / "microk8s").write_text(STAND_IN)
        (self.place / "microk8s").chmod(0o755)
        master = node("m1", labels={"node.kubernetes.io/microk8s-controlplane": ""})
        self.has(nodes=[master, node("w1"), node("w2"), node("w3")], pods=[pod("shop-1")],
                 persistentvolumes=[], poddisruptionbudgets=[budget(1)])  # fmt: skip

    def has(self, **kinds: list[dict[str, Any]]) -> None:
        for kind, items in kinds.items():
            (self.place / f"{kind}.json").write_text(json.dumps(items))

    def does_not_say(self, kind: str) -> None:
        (self.place / f"{kind}.err").write_text("The connection to the server was refused")

    def ask(self, action: str, name: str = "w2", *more: str, address: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", "-B", str(PROGRAM), action, name, address or "10.0.0.2", *more],
            capture_output=True, text=True, check=False, timeout=120,
            env={"PATH": f"{self.place}:{os.environ['PATH']}", "PLACE": str(self.place)},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    @property
    def calls(self) -> str:
        file = self.place / "calls"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path / "cluster")


def test_a_worker_on_which_nothing_lies_is_taken_out(cluster: Cluster) -> None:
    assert cluster.ask("fit") == (YES, "")
    assert cluster.ask("cordoned")[0] == NO
    assert cluster.ask("cordon")[0] == YES
    assert cluster.ask("cordoned")[0] == YES
    assert cluster.ask("drained")[0] == NO
    assert cluster.ask("drain", "w2", "30")[0] == YES
    assert cluster.ask("drained")[0] == YES
    assert cluster.ask("gone")[0] == NO
    assert cluster.ask("remove")[0] == YES  # though it said 1, by what the cluster has now
    assert cluster.ask("gone")[0] == YES
    assert "--force" not in cluster.calls
    # Done again, from wherever it stood.
    for action in ("drained", "remove", "cordoned", "volumes"):
        assert cluster.ask(action)[0] == YES


@pytest.mark.parametrize("kind", ["nodes", "pods", "persistentvolumes"])
def test_a_worker_goes_only_where_every_question_got_an_answer(cluster: Cluster, kind: str) -> None:
    """An API that is down has no volumes to tell of, and no pods: that is no leave to go on."""
    cluster.does_not_say(kind)
    status, said = cluster.ask("fit")
    assert status == UNTOLD
    assert "It cannot be told" in said
    assert "was refused" in said
    cluster.has(pods=[])
    nodes = json.loads((cluster.place / "nodes.json").read_text())
    nodes[2]["spec"]["unschedulable"] = True
    cluster.has(nodes=nodes)
    assert cluster.ask("remove")[0] == UNTOLD
    assert cluster.ask("drained")[0] == (YES if kind == "persistentvolumes" else UNTOLD)
    assert cluster.ask("gone")[0] == (UNTOLD if kind == "nodes" else NO)
    if kind == "nodes":
        assert cluster.ask("drain", "w2", "30")[0] == UNTOLD
        assert "drain" not in cluster.calls
    assert "remove-node" not in cluster.calls


def test_a_volume_that_lies_on_it_is_named_and_keeps_it(cluster: Cluster) -> None:
    """To delete a node may delete the volumes on it, by the driver that made them."""
    cluster.has(persistentvolumes=[volume("pvc-1", "w2"), volume("pvc-2", "w1")])
    status, said = cluster.ask("fit")
    assert status == NO
    assert "pvc-1 lies on it (10Gi, db/data-mysql-0)" in said
    assert "pvc-2" not in said
    cluster.ask("drain", "w2", "30")
    status, said = cluster.ask("remove")
    assert status == NO
    assert "pvc-1" in said
    assert "remove-node" not in cluster.calls


def test_a_volume_that_could_be_used_on_no_other_node_keeps_it(cluster: Cluster) -> None:
    """A label that only it has pins a volume as its name does."""
    by_label = volume("pvc-1", "w2")
    (term,) = by_label["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    term["matchExpressions"] = [{"key": "disk", "operator": "Exists"}]
    fast = {"disk": "fast"}
    master = node("m1", labels={"node.kubernetes.io/microk8s-controlplane": ""})
    cluster.has(nodes=[master, node("w1"), node("w2", labels=fast)], persistentvolumes=[by_label])
    status, said = cluster.ask("fit")
    assert status == NO
    assert "pvc-1 lies on it" in said
    cluster.has(nodes=[master, node("w1", labels=fast), node("w2", labels=fast)])
    assert cluster.ask("fit") == (YES, "")


def test_a_folder_of_the_node_that_says_of_no_node_keeps_it(cluster: Cluster) -> None:
    """Such a volume is empty on the next node, and nobody is told."""
    folder = volume("pvc-1", "w2")
    del folder["spec"]["nodeAffinity"]
    folder["spec"]["hostPath"] = {"path": "/data"}
    claimed = {"name": "data", "persistentVolumeClaim": {"claimName": "data-mysql-0"}}
    mysql = pod("mysql-0", owner="StatefulSet", volumes=[claimed])
    mysql["metadata"]["namespace"] = "db"
    cluster.has(persistentvolumes=[folder], pods=[mysql])
    status, said = cluster.ask("fit")
    assert status == NO
    assert "pvc-1 lies on it (10Gi, db/data-mysql-0)" in said
    mysql["spec"]["nodeName"] = "w1"
    cluster.has(pods=[mysql])
    assert cluster.ask("fit") == (YES, "")


def test_everything_that_stands_against_it_is_told_at_once(cluster: Cluster) -> None:
    cluster.has(
        nodes=[node("m1"), node("w1", ready=False), node("w2")],
        pods=[pod("shop-1"), pod("mine", owner=""), pod("log", owner="DaemonSet")],
        persistentvolumes=[volume("pvc-1", "w2")],
        poddisruptionbudgets=[budget(0)],
    )
    status, said = cluster.ask("fit")
    assert status == NO
    for sentence in (
        "w1 is not Ready",
        "pvc-1 lies on it",
        "shop/mine is made by nobody, and would be gone",
        "shop/shop allows no disruption now (2 healthy, 2 wanted): shop-1",
    ):
        assert sentence in said
    assert "log" not in said


def test_a_master_and_a_machine_that_the_cluster_does_not_know_are_refused(
    cluster: Cluster,
) -> None:
    assert "m1 is a master" in cluster.ask("fit", "m1", address="192.0.2.1")[1]
    status, said = cluster.ask("fit", "strange", address="10.9.9.9")
    assert status == NO
    assert "it has m1, w1, w2, w3" in said
    # One whose node is called otherwise is found by its address.
    assert cluster.ask("known", "called-otherwise")[0] == YES


def test_one_machine_is_never_taken_for_another_that_is_called_alike(cluster: Cluster) -> None:
    """A w2 of the site file at the address of the node w3: w2 would be drained, w3 leave."""
    for action in ("fit", "cordon", "cordoned", "drained", "empty", "gone", "remove"):
        status, said = cluster.ask(action, "w2", address="10.0.0.3")
        assert status == UNTOLD, action
        assert "w2 at 10.0.0.3 may be w2 or w3" in said
    assert "cordon" not in cluster.calls
    # One address has many writings, and an address that no node has says nothing (a NAT).
    nodes = json.loads((cluster.place / "nodes.json").read_text())
    nodes[3]["status"]["addresses"].append({"type": "InternalIP", "address": "fd00::3"})
    cluster.has(nodes=nodes)
    assert cluster.ask("fit", "w2", address="FD00:0:0::3")[0] == UNTOLD
    assert cluster.ask("fit", "w2", address="192.0.2.7")[0] == YES


def test_it_is_looked_at_once_more_before_it_leaves(cluster: Cluster) -> None:
    """For the last word a person has a day, in which somebody may have had it take work again."""
    cluster.ask("cordon")
    cluster.ask("drain", "w2", "30")
    assert cluster.ask("empty") == (YES, "")
    cluster.ask("uncordon")
    cluster.has(pods=[pod("shop-2")], persistentvolumes=[volume("pvc-1", "w2")])
    status, said = cluster.ask("empty")
    assert status == NO
    for sentence in ("w2 takes work", "shop/shop-2 is on it", "pvc-1 lies on it"):
        assert sentence in said
    cluster.does_not_say("persistentvolumes")
    assert cluster.ask("empty")[0] == UNTOLD
    assert cluster.ask("empty", "gone-by-now", address="10.9.9.9")[0] == YES


def test_what_somebody_else_cordoned_is_never_made_ours(cluster: Cluster) -> None:
    """Where the API did not say whether it is cordoned, the step would else have it for its own."""
    cluster.does_not_say("nodes")
    assert cluster.ask("cordoned")[0] == UNTOLD
    (cluster.place / "nodes.err").unlink()
    nodes = json.loads((cluster.place / "nodes.json").read_text())
    nodes[2]["spec"]["unschedulable"] = True
    cluster.has(nodes=nodes)
    status, said = cluster.ask("cordon")
    assert status == NO
    assert "by somebody else" in said


def test_what_a_budget_holds_stays_and_is_told(cluster: Cluster) -> None:
    (cluster.place / "held").touch()
    cluster.has(poddisruptionbudgets=[budget(0)])
    status, said = cluster.ask("drain", "w2", "1")
    assert status == NO
    assert "shop/shop-1 is still on it" in said
    assert "shop/shop allows no disruption now" in said
    assert "Nothing was forced" in said
    # Given back: by whom it was cordoned is for the journal to say.
    assert cluster.ask("uncordon")[0] == YES
    assert cluster.ask("cordoned")[0] == NO


def test_what_lies_in_scratch_volumes_is_shown_for_a_person_to_judge(cluster: Cluster) -> None:
    assert cluster.ask("scratch") == (YES, "")
    cluster.has(pods=[pod("shop-1", volumes=[{"name": "cache", "emptyDir": {}}])])
    status, said = cluster.ask("scratch")
    assert status == UNTOLD
    assert "shop/shop-1: cache" in said


# ---- the plan


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(dump_site(planned_site()))
    return path


def workers(file: Path) -> list[str]:
    return [host.name for host in load_site(file).hosts if host.roles == ("worker",)]


def test_the_plan_is_for_the_machine_and_for_those_that_stay(file: Path) -> None:
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    assert operation == "remove-worker"
    ids = [stage.id for stage in plan.stages]
    assert ids[0] == "remove-worker"
    assert "haproxy" in ids
    assert "microk8s" not in ids
    steps = {step.id: step for step in plan.stages[0].steps}
    assert steps["leave"].hosts == (name,)
    assert steps["cordon"].hosts == (min(h.name for h in site.hosts if "master" in h.roles),)
    order = list(steps)
    assert order.index("fit") < order.index("agreed") < order.index("cordon")
    assert order.index("last-word") + 1 == order.index("empty") == order.index("leave") - 1
    assert order.index("leave") < order.index("forget")
    # The others know it no more: it has no role, and none of their steps is done on it.
    assert dict(plan.hosts)[name] == ()
    assert all(name not in members for _, members in plan.groups)
    for stage in plan.stages[1:]:
        assert all(name not in step.hosts for step in stage.steps)
    assert name in str(steps["fit"].spec["script"])
    # So HAProxy's backends and the firewalls' peers are written without it.
    inventory = export_inventory(
        site.inventory(file.parent).hosts, roles=dict(plan.hosts), groups=dict(plan.groups)
    )
    groups = inventory[inventory.index("\n[") :]
    assert "\n[worker]\n" in groups
    assert name not in groups.split()


@pytest.mark.parametrize(
    ("role", "why"), [("master", "takes no such machine"), (None, "no machine")]
)
def test_what_cannot_be_taken_out_is_refused(file: Path, role: str | None, why: str) -> None:
    hosts = load_site(file).hosts
    name = next((h.name for h in hosts if role in h.roles), "strange")
    with pytest.raises((Refused, InputProblem), match=why):
        removal_plan(file, name)


def test_the_last_worker_stays(file: Path) -> None:
    site = load_site(file)
    left = workers(file)[0]
    hosts = tuple(h for h in site.hosts if "worker" not in h.roles or h.name == left)
    file.write_text(dump_site(site.model_copy(update={"hosts": hosts})))
    with pytest.raises(Refused, match="the last worker"):
        removal_plan(file, left)


def test_an_operation_on_a_machine_is_no_command_of_the_whole_site() -> None:
    assert load_operations(PM4ML) == {}
    assert set(operations_of_machines(PM4ML)) == {"remove-worker"}


def test_nothing_is_begun_unless_a_person_says_so(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["machine", "remove", workers(file)[0], "--site", str(file)]
    assert cli.main(words) == ExitCode.REFUSED
    said = " ".join(capsys.readouterr().err.split())
    assert "not confirmed" in said
    # `sitewright plan` has another plan, which is no review of this one.
    assert f"Have {workers(file)[0]} leave" in said
    assert "sitewright plan" not in said


def test_a_site_that_is_held_is_taken_over_by_the_same_command(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`resume` goes on with an installation, which is another thing, and may have it join."""
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    ran(site, plan, operation, "fit")
    again = f"machine remove {name} --site {file}"
    with Lock(site_key(site)):
        for words in (again, f"undo remove-worker --site {file}"):
            assert cli.main([*words.split(), "--yes"]) == ExitCode.REFUSED
            said = " ".join(capsys.readouterr().err.split())
            assert f"sitewright {words} --take-over" in said
            assert "resume" not in said


def test_what_says_that_it_is_no_worker_does_not_leave(file: Path, tmp_path: Path) -> None:
    """The script of the step itself: a machine with peers of its own would leave them."""
    name = workers(file)[0]
    _, _, plan, _ = removal_plan(file, name)
    (leave,) = (step for step in plan.stages[0].steps if step.id == "leave")
    programs = tmp_path / "bin"
    programs.mkdir()
    called = tmp_path / "called"
    (programs / "microk8s").write_text(f"#!/bin/sh\necho $* >>{called}\n")
    (programs / "microk8s").chmod(0o755)
    lock = tmp_path / "clustered.lock"
    script = str(leave.spec["script"]).replace(
        "/var/snap/microk8s/current/var/lock/clustered.lock", str(lock)
    )

    def leaves() -> int:
        return subprocess.run(
            ["/bin/sh", "-c", script], check=False, timeout=60,
            env={"PATH": f"{programs}:{os.environ['PATH']}"},
        ).returncode  # fmt: skip

    assert leaves() != 0
    assert not called.exists()
    lock.touch()
    assert leaves() != 0  # it said 0, and is still in its cluster
    (programs / "microk8s").write_text(f"#!/bin/sh\nrm {lock}\nexit 1\n")
    assert leaves() == 0


def test_a_machine_that_is_added_has_to_be_new_to_the_record(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = load_site(file)
    name = workers(file)[0]
    words = ["machine", "add", name, "--site", str(file)]
    assert cli.main(words) == ExitCode.REFUSED
    assert "no record of this site" in " ".join(capsys.readouterr().err.split())
    _, _, plan, _ = removal_plan(file, name)
    create_run(site_key(site), plan, site_text=dump_site(site)).note_begun()
    assert cli.main(words) == ExitCode.USAGE
    assert "was in this site already" in " ".join(capsys.readouterr().err.split())
    (host,) = (h for h in site.hosts if h.name == name)
    more = host.model_copy(update={"name": "w99", "address": "10.99.0.99"})
    file.write_text(dump_site(site.model_copy(update={"hosts": (*site.hosts, more)})))
    # It comes as far as a person's word, with the plan of the whole.
    assert cli.main(["machine", "add", "w99", "--site", str(file)]) == ExitCode.REFUSED
    said = " ".join(capsys.readouterr().err.split())
    assert f"w99 comes into the site {site_key(site)}" in said
    assert "the plan is not confirmed" in said


# ---- what a removal means for what comes after it


_SECONDS = count(1)


def ran(site: Site, plan: Plan, operation: str = "", ends: str = "", **outcomes: Outcome) -> Run:
    """A run of a site that did all steps of its first stage, or those up to `ends`."""
    key = "-".join(filter(None, (site_key(site), operation)))
    made = create_run(key, plan, site_text=dump_site(site))
    run = Run(made.folder.rename(made.folder.parent / f"20261121-{next(_SECONDS):06d}-1f3a"))
    with Journal(run.journal) as journal:
        journal.append(Event(Kind.RUN_STARTED, 1.0, data={"run": run.id}))
        for step in plan.stages[0].steps:
            for host in done_on(step):
                how = outcomes.get(step.id, Outcome.DONE).value
                journal.append(Event(Kind.STEP_FINISHED, 2.0, step.stage, step.id, host,
                                     {"outcome": how}))  # fmt: skip
            if step.id == ends:
                break
    run.note_begun()
    return run


def whole(plan: Plan) -> Plan:
    """As the installation has it: nobody leaves."""
    return replace(plan, leaving="")


async def begins(
    site: Site, plan: Plan, file: Path, run: Run | None = None, joins: str = ""
) -> None:
    """Whether an installation comes as far as the machines, which are not asked here."""
    occasion = Occasion(site=site, base=file.parent, solution=PM4ML, run=run, joins=joins,
                        inventory=site.inventory(file.parent), site_file=file)  # fmt: skip
    async with begun(Order(plan=plan), occasion, nobody):
        raise AssertionError("no machine answers here")


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked(*_: object) -> tuple[str, None]:
        raise Unreachable("as far as the machines", where="w1")

    monkeypatch.setattr(begin._Beginning, "looked", looked)


@pytest.mark.usefixtures("reached")
async def test_a_machine_that_was_taken_out_joins_again_only_by_a_word(file: Path) -> None:
    """The site file names it as before, and `install` is what one types on the second day."""
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    ran(site, whole(plan))
    with pytest.raises(Unreachable):
        await begins(site, whole(plan), file)
    removal = ran(site, plan, operation)
    with pytest.raises(Refused, match=f"{name} was taken out of this site by the run") as caught:
        await begins(site, whole(plan), file)
    assert f"sitewright machine add {name} --site {file}" in str(caught.value.remedy)
    assert "machine remove" not in str(caught.value.remedy)
    # Nor does one that was begun before go on with it.
    first = next(run for run in runs_of(site_key(site)))
    with pytest.raises(Refused, match=removal.id):
        await begins(site, whole(plan), file, run=first)
    # Out of the file, at another address, or by the word: nothing stands against it.
    rest = tuple(host for host in site.hosts if host.name != name)
    (host,) = (one for one in site.hosts if one.name == name)
    other = host.model_copy(update={"address": "10.88.0.1"})
    for hosts in (rest, (*rest, other)):
        with pytest.raises(Unreachable):
            await begins(site.model_copy(update={"hosts": hosts}), whole(plan), file)
    with pytest.raises(Unreachable):
        await begins(site, whole(plan), file, joins=name)
    # Brought in again, it is one of them.
    ran(site, whole(plan))
    with pytest.raises(Unreachable):
        await begins(site, whole(plan), file)


@pytest.mark.parametrize(
    ("ends", "out"), [("agreed", None), ("drain", False), ("leave", False), ("", True)]
)
def test_what_was_begun_and_ended_on_the_way_counts_from_what_cannot_be_had_back(
    file: Path, ends: str, out: bool | None
) -> None:
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    run = ran(site, plan, operation, ends)
    found = taken_out(site_key(site), site)
    assert found == (() if out is None else (TakenOut(name, run.id, out),))
    if out is False:
        with pytest.raises(Refused, match="not to the end") as caught:
            not_joining_again(site_key(site), site, "", file=str(file))
        assert f"sitewright machine remove {name}" in str(caught.value.remedy)


def test_a_removal_that_was_given_up_leaves_the_machine_in(file: Path) -> None:
    site, _, plan, operation = removal_plan(file, workers(file)[0])
    ran(site, plan, operation, "drain", cordon=Outcome.UNDONE)
    assert taken_out(site_key(site), site) == ()


def test_the_same_command_goes_on_though_another_machine_was_taken_out_since(file: Path) -> None:
    """A new run would ask for a node that is gone, and the others would never be told."""
    one, other = workers(file)[:2]
    site, _, plan, operation = removal_plan(file, one)
    run = ran(site, plan, operation)
    _, _, second, _ = removal_plan(file, other)
    ran(site, second, operation, "fit")
    assert _cut_off(site, operation, plan) == run


def test_a_removal_is_given_up_though_another_came_to_its_end_since(file: Path) -> None:
    """The machine that is out cannot be had back, and the one in the midst of it could never be."""
    one, other = workers(file)[:2]
    site, _, plan, operation = removal_plan(file, one)
    begun_first = ran(site, plan, operation, "cordon")
    _, _, second, _ = removal_plan(file, other)
    out = ran(site, replace(second, stages=second.stages[:1]), operation)
    assert last_of((out, begun_first), "remove-worker") == begun_first
    assert last_of((out,), "remove-worker") == out


def test_a_machine_that_was_taken_out_can_be_added_again(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    ran(site, plan, operation)
    assert cli.main(["machine", "add", name, "--site", str(file)]) == ExitCode.REFUSED
    said = " ".join(capsys.readouterr().err.split())
    assert "was in this site already" not in said
    assert f"{name} comes into the site" in said


def test_what_was_done_for_one_machine_is_not_taken_back_for_another(file: Path) -> None:
    """The cordon is done on the first master, whichever worker leaves: somebody's would go."""
    one, other = workers(file)[:2]
    site, _, first, operation = removal_plan(file, one)
    ran(site, first, operation, "drain")
    again = ran(site, first, operation, "program")
    cordon = next(step for step in first.stages[0].steps if step.id == "cordon")
    key = (cordon.stage, "cordon", cordon.hosts[0])
    assert key in done_before(again)  # the same machine, whose removal came to no end
    _, _, second, _ = removal_plan(file, other)
    assert key not in done_before(ran(site, second, operation, "program"))
    # Nor for the same one, once it was out and came back.
    ran(site, second, operation, "drain")
    alone = replace(second, stages=second.stages[:1])
    ran(site, alone, operation)
    assert key not in done_before(ran(site, second, operation, "program"))


def test_the_others_are_not_told_before_it_left(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Firewalls without a node of the cluster cut off the pods that still run there."""
    name = workers(file)[0]
    words = ["machine", "remove", name, "--site", str(file), "--yes", "--only", "firewall"]
    assert cli.main(words) == ExitCode.REFUSED
    assert f"{name} has not left yet" in " ".join(capsys.readouterr().err.split())
