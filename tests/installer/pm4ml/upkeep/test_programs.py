"""What is asked of nodes that stay, and of the versions that they run.

The programs run as they do on a master, against the stand-in cluster of the machines' tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.installer.pm4ml.machines.cluster import (
    NO,
    OPERATIONS,
    UNTOLD,
    YES,
    Cluster,
    budget,
    node,
    pod,
)

UPKEEP, MINORS = OPERATIONS / "upkeep.py", OPERATIONS / "minors.py"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path / "cluster")


def upkeep(cluster: Cluster, action: str, *more: str) -> tuple[int, str]:
    return cluster.ask(action, "w2", *more, program=UPKEEP)


def minors(cluster: Cluster, action: str, target: str) -> tuple[int, str]:
    """What is asked of a version alone, and of no machine."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", str(MINORS), action, target],
        capture_output=True, text=True, check=False, timeout=120,
        env={"PATH": f"{cluster.place}:{os.environ['PATH']}", "PLACE": str(cluster.place)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_what_was_cordoned_by_us_takes_work_again(cluster: Cluster) -> None:
    assert upkeep(cluster, "fit") == (YES, "")
    assert upkeep(cluster, "hold") == (YES, "")
    assert upkeep(cluster, "cordoned")[0] == YES
    assert upkeep(cluster, "release") == (YES, "")
    assert upkeep(cluster, "cordoned")[0] == NO
    assert upkeep(cluster, "release") == (YES, "")  # done again


def test_what_somebody_else_cordoned_stays_so(cluster: Cluster) -> None:
    held = node("w2")
    held["spec"]["unschedulable"] = True
    cluster.has(nodes=[node("m1"), node("w1"), held])
    status, said = upkeep(cluster, "hold")
    assert (status, "by somebody else" in said) == (NO, True)
    status, said = upkeep(cluster, "release")
    assert (status, "is left so" in said) == (YES, True)
    assert upkeep(cluster, "cordoned")[0] == YES
    assert "patch" not in cluster.calls


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        ({"nodes": [node("w1", ready=False), node("w2"), node("w3")]}, "w1 is not Ready"),
        ({"nodes": [node("w1"), node("w2", ready=False)]}, "w2 is not Ready, so that no pod"),
        ({"nodes": [node("w1")]}, "no node of this name or address"),
        ({"poddisruptionbudgets": [budget(0)]}, "shop/shop allows no disruption now"),
        ({"pods": [pod("lonely", owner="")]}, "shop/lonely is made by nobody"),
    ],
)
def test_what_stands_against_a_time_without_pods_is_told(
    cluster: Cluster, kinds: dict[str, list[dict[str, Any]]], says: str
) -> None:
    cluster.has(**kinds)
    status, said = upkeep(cluster, "fit")
    assert status == NO
    assert says in said


def test_an_answer_that_did_not_come_is_no_yes(cluster: Cluster) -> None:
    cluster.does_not_say("nodes")
    for action in ("fit", "hold", "release", "settled", "well"):
        assert upkeep(cluster, action)[0] == UNTOLD
    cluster.does_not_say("customresourcedefinitions")
    assert minors(cluster, "manifests", "1.32")[0] == UNTOLD


def test_budgets_and_nodes_that_are_not_well_are_waited_for(cluster: Cluster) -> None:
    short = budget(0)
    short["status"]["currentHealthy"] = 1
    cluster.has(poddisruptionbudgets=[short], nodes=[node("w1", ready=False)])
    status, said = upkeep(cluster, "settled")
    assert status == NO
    assert said.splitlines() == ["w1 is not Ready", "shop/shop: 1 healthy, 2 wanted"]


METRICS = """\
# HELP apiserver_requested_deprecated_apis Gauge of deprecated APIs that have been requested
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.32",\
resource="flowschemas",subresource="",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="",removed_release="",resource="componentstatuses",\
subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="batch",removed_release="1.25",resource="cronjobs",\
subresource="",version="v1beta1"} 0
"""


def test_what_is_asked_for_and_not_served_any_more_stands_against_it(cluster: Cluster) -> None:
    (cluster.place / "metrics").write_text(METRICS)
    status, said = minors(cluster, "deprecated", "1.32")
    assert status == NO
    assert "flowcontrol.apiserver.k8s.io/v1beta3/flowschemas is asked for here, and 1.32" in said
    assert "v1/componentstatuses is asked for here and deprecated; no version ends it" in said
    assert "cronjobs" not in said
    assert minors(cluster, "deprecated", "1.31")[0] == YES
    assert minors(cluster, "deprecated", "next")[0] == UNTOLD


def test_what_applications_name_is_read_from_argo_cd(cluster: Cluster) -> None:
    cluster.has(customresourcedefinitions=[])
    assert minors(cluster, "manifests", "1.32")[0] == YES
    one = {"group": "flowcontrol.apiserver.k8s.io", "version": "v1beta3", "kind": "FlowSchema",
           "name": "payments"}  # fmt: skip
    application = {"metadata": {"name": "pm4ml"}, "status": {"resources": [one, {"kind": "Pod"}]}}
    cluster.has(
        customresourcedefinitions=[{"metadata": {"name": "applications.argoproj.io"}}],
        **{"applications.argoproj.io": [application]},
    )
    status, said = minors(cluster, "manifests", "1.32")
    assert status == NO
    assert "pm4ml has FlowSchema payments as flowcontrol.apiserver.k8s.io/v1beta3" in said
    assert minors(cluster, "manifests", "1.31")[0] == YES
