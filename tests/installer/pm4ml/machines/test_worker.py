"""A worker is taken out: what is asked of the cluster, and what stands against it.

The program runs as it does on a master, against the stand-in of cluster.py.
"""

from __future__ import annotations

import json

import pytest

from tests.installer.pm4ml.machines.cluster import (
    NO,
    UNTOLD,
    YES,
    Cluster,
    budget,
    node,
    pod,
    volume,
)


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
