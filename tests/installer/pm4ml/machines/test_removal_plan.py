"""The plan by which a machine is taken out, and what its commands refuse."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from foundation.problems import ExitCode, InputProblem, Refused
from installer import cli
from installer.ansible.inventory import export_inventory
from installer.commands.machine import removal_plan
from installer.record.identity import site_key
from installer.record.runs import create_run
from installer.record.site_lock import Lock
from installer.sites.site import dump_site, load_site
from installer.steps.stage_files import load_operations, operations_of_machines
from tests.installer.pm4ml.machines.cluster import PM4ML
from tests.installer.pm4ml.machines.removals import ran, workers


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
    ("role", "why"), [("storage", "takes no such machine"), (None, "no machine")]
)
def test_what_cannot_be_taken_out_is_refused(file: Path, role: str | None, why: str) -> None:
    hosts = load_site(file).hosts
    name = next((h.name for h in hosts if role in h.roles), "strange")
    with pytest.raises((Refused, InputProblem), match=why):
        removal_plan(file, name)


def test_what_microceph_refuses_is_told_with_its_figures(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["machine", "remove", "s1", "--site", str(file)]) == ExitCode.REFUSED
    said = " ".join(capsys.readouterr().err.split())
    assert "3 monitors, 1 manager and 1 metadata server stay on others" in said
    assert "It can take out a machine that is load-balancer, master or worker." in said


def test_the_last_worker_stays(file: Path) -> None:
    site = load_site(file)
    left = workers(file)[0]
    hosts = tuple(h for h in site.hosts if "worker" not in h.roles or h.name == left)
    file.write_text(dump_site(site.model_copy(update={"hosts": hosts})))
    with pytest.raises(Refused, match="the last worker"):
        removal_plan(file, left)


def test_an_operation_on_a_machine_is_no_command_of_the_whole_site() -> None:
    assert set(load_operations(PM4ML)).isdisjoint(operations_of_machines(PM4ML))
    assert set(operations_of_machines(PM4ML)) == {
        "remove-load-balancer", "remove-master", "remove-worker", "replace-load-balancer",
        "replace-node",
    }  # fmt: skip


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
