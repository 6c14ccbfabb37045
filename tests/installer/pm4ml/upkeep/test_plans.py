"""The plans of the second day, and what their scripts ask of a Ceph."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import ExitCode, InputProblem
from installer import cli
from installer.commands.operate import operation_plan
from installer.commands.restarts import in_turn
from installer.planning.each_machine import in_order
from installer.planning.groups import machines_of
from installer.plans.plan import Plan
from installer.sites.site import dump_site
from installer.steps.stage_files import each_machine_of
from tests.installer.planning.test_planning import site
from tests.installer.pm4ml.machines.cluster import PM4ML
from tests.installer.supply.test_supplies import with_items


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(dump_site(site(microk8s_channel="1.32/stable")))
    return path


def ids(plan: Plan) -> list[str]:
    return [stage.id for stage in plan.stages]


def test_certificates_are_renewed_on_masters_alone(file: Path) -> None:
    plan = operation_plan(file, "renew")[2]
    assert ids(plan) == ["renew", "renew-m1", "renew-m2", "renew-m3"]


def test_a_site_without_masters_is_told_that_there_is_nothing_to_do(file: Path) -> None:
    workers = tuple(host for host in site().hosts if "worker" in host.roles)
    file.write_text(dump_site(site().model_copy(update={"hosts": workers})))
    with pytest.raises(InputProblem, match="no machine of this site is one to renew"):
        operation_plan(file, "renew")


def test_machines_are_restarted_in_the_order_of_their_roles(file: Path) -> None:
    plan = operation_plan(file, "reboot")[2]
    assert ids(plan)[1:] == [
        f"reboot-{name}" for name in ("lb1", "lb2", "s1", "s2", "w1", "w2", "m1", "m2", "m3")
    ]
    by_id = {stage.id: [step.id for step in stage.steps] for stage in plan.stages}
    assert "drain" not in by_id["reboot-lb1"]
    assert "no-rebuild" not in by_id["reboot-w1"]
    assert ("api" in by_id["reboot-w1"], "api" in by_id["reboot-m1"]) == (False, True)
    each = each_machine_of(PM4ML, "reboot")
    assert each is not None
    names = in_order(each, machines_of(site(), ()))
    turn = in_turn(site(), each, names, {"lb1", "m2"})
    assert turn == ["lb2", "lb1", "s1", "s2", "w1", "w2", "m1", "m3", "m2"]


def test_masters_are_raised_before_workers_and_the_first_is_accepted(file: Path) -> None:
    plan = operation_plan(file, "upgrade")[2]
    assert ids(plan) == [
        "upgrade", "upgrade-m1", "upgrade-m2", "upgrade-m3", "upgrade-w1", "upgrade-w2",
    ]  # fmt: skip
    accepted = [stage.id for stage in plan.stages for step in stage.steps if step.id == "accepted"]
    calico = [stage.id for stage in plan.stages for step in stage.steps if step.id == "calico"]
    assert accepted == ["upgrade-m1"]
    assert calico == ["upgrade-w1", "upgrade-w2"]


@pytest.mark.parametrize("command", ["renew", "reboot", "upgrade"])
def test_a_solution_without_such_an_operation_is_told(command: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("solution: core-test-harness\nhosts: [{name: box, address: 10.0.0.1}]\n")
    with pytest.raises(InputProblem, match=f"cannot be told to {command}"):
        operation_plan(path, command)


def test_a_version_that_nobody_knows_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(dump_site(site(microk8s_channel="1.99/stable")))
    assert cli.main(["upgrade", "--site", str(path)]) == ExitCode.USAGE
    assert "nothing is known here of Kubernetes 1.99" in capsys.readouterr().err


CEPH = """\
#!/bin/sh
# STAND-IN for microceph.ceph: the answers that a test laid down.
case "$*" in
"health detail"*|status*) cat "$PLACE/health" ;;
"osd ls-tree"*) echo 0; echo 1 ;;
"osd ok-to-stop 0 1") exit "$(cat "$PLACE/stop")" ;;
*) exit 22 ;;
esac
"""


def asked(folder: Path, file: Path, step: str, answer: Any, *, stop: int = 0) -> tuple[int, str]:
    """What a step of a storage server's restart makes of Ceph's answer."""
    plan = operation_plan(file, "reboot", one_by_one=["s1"])[2]
    spec: Any = next(one.spec for one in plan.stages[1].steps if one.id == step)
    script = spec["script"] if step == "ceph" else spec["until"]["script"]
    (folder / "microceph.ceph").write_text(CEPH)
    (folder / "microceph.ceph").chmod(0o755)
    (folder / "health").write_text(answer if isinstance(answer, str) else json.dumps(answer))
    (folder / "stop").write_text(str(stop))
    done = subprocess.run(
        ["sh", "-eu"], input=script, capture_output=True, text=True, check=False,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "PLACE": str(folder)},
    )  # fmt: skip
    return done.returncode, done.stdout


def check(message: str) -> dict[str, Any]:
    return {"severity": "HEALTH_WARN", "summary": {"message": message, "count": 1}}


def test_a_storage_server_rests_only_where_ceph_is_whole(tmp_path: Path, file: Path) -> None:
    well: dict[str, Any] = {"status": "HEALTH_OK", "checks": {}}
    assert asked(tmp_path, file, "ceph", well) == (0, "")
    flags = {"status": "HEALTH_WARN", "checks": {"OSDMAP_FLAGS": check("noout flag(s) set")}}
    assert asked(tmp_path, file, "ceph", flags)[0] == 0
    down = {"status": "HEALTH_WARN", "checks": {"OSD_DOWN": check("1 osds down")}}
    assert asked(tmp_path, file, "ceph", down) == (1, "OSD_DOWN: 1 osds down\n")
    assert asked(tmp_path, file, "ceph", well, stop=16)[0] == 16
    assert asked(tmp_path, file, "ceph", "Error: no answer")[0] != 0


def test_ceph_is_whole_when_every_group_is_clean_and_every_disk_is_up(
    tmp_path: Path, file: Path
) -> None:
    def status(up: int, state: str, **checks: Any) -> dict[str, Any]:
        groups = [{"state_name": "active+clean", "count": 9}, {"state_name": state, "count": 2}]
        return {
            "health": {"status": "HEALTH_WARN", "checks": checks},
            "osdmap": {"num_osds": 3, "num_up_osds": up},
            "pgmap": {"pgs_by_state": groups},
        }

    flags = check("noout flag(s) set")
    assert asked(tmp_path, file, "whole", status(3, "active+clean+scrubbing")) == (0, "whole\n")
    assert asked(tmp_path, file, "whole", status(3, "active+clean", OSDMAP_FLAGS=flags))[0] == 0
    told = asked(tmp_path, file, "whole", status(2, "active+undersized", MON_DOWN=flags))
    assert told[0] == 1
    assert told[1].strip() == (
        "MON_DOWN; 2 of 3 OSDs are up; 2 placement groups are active+undersized"
    )


SNAP = """\
#!/bin/sh
# STAND-IN for snap: what it is told; snapd alone is there already.
[ "$1" != list ] || { [ "$2" = snapd ]; exit; }
echo "$*" >> "$PLACE/calls"
"""


def test_without_the_internet_the_delivered_snap_is_taken(tmp_path: Path) -> None:
    """The newest of those that lie there, by its assertions; a base only where none is."""
    folder, lock = tmp_path / "snaps", tmp_path / "var/lock"
    folder.mkdir()
    lock.mkdir(parents=True)
    for name in ("microk8s_7000", "microk8s_10000", "core20_2600", "snapd_1"):
        (folder / f"{name}.snap").touch()
        (folder / f"{name}.assert").touch()
    (tmp_path / "snap").write_text(SNAP)
    (tmp_path / "snap").chmod(0o755)
    path = tmp_path / "site.yaml"
    path.write_text(dump_site(site(microk8s_channel="1.32/stable", snap_folder=str(folder))))
    plan = operation_plan(path, "upgrade")[2]
    spec: Any = next(step.spec for step in plan.stages[1].steps if step.id == "refresh")
    script = spec["script"].replace("/var/snap/microk8s/current", str(tmp_path))
    subprocess.run(
        ["sh", "-eu"], input=script, text=True, check=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PLACE": str(tmp_path)},
    )  # fmt: skip
    assert (lock / "no-manage-calico").exists()
    assert (tmp_path / "calls").read_text().splitlines() == [
        "ack core20_2600.assert", "ack microk8s_10000.assert", "ack microk8s_7000.assert",
        "ack snapd_1.assert", "install ./core20_2600.snap",
        "install ./microk8s_10000.snap --classic", "switch microk8s --channel=1.32/stable",
        "refresh --hold microk8s",
    ]  # fmt: skip


def test_a_bundle_without_the_snap_is_refused_before_anything_starts(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = with_items("snap microk8s", "snap core20", "snap snapd")
    monkeypatch.setattr("installer.supply.supplies.read_supplies", lambda *_: old)
    assert cli.main(["upgrade", "--site", str(file)]) == ExitCode.USAGE
    assert "the bundle has no MicroK8s 1.32; it has no version" in capsys.readouterr().err
