"""What is asked of nodes that stay.

The programs run as they do on a master, against the stand-in cluster of the machines' tests.
"""

from __future__ import annotations

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

UPKEEP = OPERATIONS / "upkeep.py"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path / "cluster")


def upkeep(cluster: Cluster, action: str, *more: str) -> tuple[int, str]:
    return cluster.ask(action, "w2", *more, program=UPKEEP)


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


def test_budgets_and_nodes_that_are_not_well_are_waited_for(cluster: Cluster) -> None:
    short = budget(0)
    short["status"]["currentHealthy"] = 1
    cluster.has(poddisruptionbudgets=[short], nodes=[node("w1", ready=False)])
    status, said = upkeep(cluster, "settled")
    assert status == NO
    assert said.splitlines() == ["w1 is not Ready", "shop/shop: 1 healthy, 2 wanted"]
