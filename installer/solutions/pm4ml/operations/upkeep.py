"""A node that stays: what is asked before and after work on it, and its time without pods.

upkeep.py ACTION NAME ADDRESS [MORE], on a master, beside nodes.py. Written by Sitewright.

Exit status as of nodes.py. That a node was cordoned by us is noted on the node itself, in one
change with the cordon, so that one that somebody else had cordoned is left as it was.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))  # python3 -I does not

if TYPE_CHECKING:
    from installer.solutions.pm4ml.operations import nodes
else:
    import nodes

BEAT_SECONDS = 25
OURS = "sitewright-cordoned"
"""The annotation of a node that was cordoned by us."""


def no(text: str) -> int:
    return nodes.said([text])


def ours(node: nodes.Json) -> bool:
    return OURS in (node["metadata"].get("annotations") or {})


def patched(node: nodes.Json, change: nodes.Json) -> int:
    """Change a node; what the command says of itself is believed only where it says no."""
    words = ("patch", "node", nodes.name_of(node), "--type=merge", f"--patch={json.dumps(change)}")
    return nodes.told(*nodes.KUBECTL, *words)


def beats(node: str) -> bool:
    """Whether the kubelet of a node gives a new sign of life in time; it does every ten seconds."""

    def last() -> list[str]:
        named = f"--field-selector=metadata.name={node}"
        found = nodes.asked("leases", "--namespace=kube-node-lease", named)
        return [str(one["spec"].get("renewTime")) for one in found]

    began = last()
    until = time.monotonic() + BEAT_SECONDS
    while time.monotonic() < until:
        time.sleep(1)
        now = last()
        if now and now != began:
            return True
    return False


# ---- the actions


def well(name: str, address: str) -> int:
    """Is it Ready, and does every API that another program serves answer?"""
    every = nodes.asked("nodes")
    node = nodes.node_of(every, name, address)
    if node is None:
        return nodes.said(nodes.unknown(every))
    # What the API has of a node that just went down is of before, for as long as a minute.
    if not beats(nodes.name_of(node)):
        return no(f"{nodes.name_of(node)} gives no sign of life")
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    lines = [] if node is not None and nodes.ready(node) else [f"{name} is not Ready"]
    for one in nodes.asked("apiservices"):
        for condition in one.get("status", {}).get("conditions") or []:
            if condition.get("type") == "Available" and condition.get("status") != "True":
                why = condition.get("message") or condition.get("reason") or "no reason told"
                lines.append(f"{nodes.name_of(one)} does not answer: {why}")
    return nodes.said(lines)


def fit(name: str, address: str) -> int:
    """May it be without pods for a while? Everything that stands against it is told."""
    every = nodes.asked("nodes")
    node = nodes.node_of(every, name, address)
    if node is None:
        return nodes.said(nodes.unknown(every))
    answers = [one(name, address) for one in (nodes.others, nodes.alone, nodes.budgets)]
    if not nodes.ready(node):
        answers.append(no(f"{nodes.name_of(node)} is not Ready, so that no pod can leave it"))
    return nodes.NO if nodes.NO in answers else nodes.YES


def hold(name: str, address: str) -> int:
    """Have it take no more work, and note on it that it was us."""
    every = nodes.asked("nodes")
    node = nodes.node_of(every, name, address)
    if node is None:
        return nodes.said(nodes.unknown(every))
    if nodes.cordoned(name, address) == nodes.YES:
        return no(f"{nodes.name_of(node)} is cordoned by now, by somebody else; ask again")
    patched(node, {"metadata": {"annotations": {OURS: "yes"}}, "spec": {"unschedulable": True}})
    return nodes.cordoned(name, address)


def release(name: str, address: str) -> int:
    """Have it take work again, where it was us who had it take none."""
    every = nodes.asked("nodes")
    node = nodes.node_of(every, name, address)
    if node is None:
        return nodes.said(nodes.unknown(every))
    if not ours(node):
        if node["spec"].get("unschedulable"):
            print(f"{nodes.name_of(node)} was cordoned by somebody else, and is left so")
        return nodes.YES
    patched(node, {"metadata": {"annotations": {OURS: None}}, "spec": {"unschedulable": None}})
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    return nodes.NO if node is None or node["spec"].get("unschedulable") else nodes.YES


def settled(name: str, address: str) -> int:
    """Are all nodes Ready, and as many pods healthy as each disruption budget wants?"""
    lines = [f"{nodes.name_of(n)} is not Ready" for n in nodes.asked("nodes") if not nodes.ready(n)]
    for budget in nodes.asked("poddisruptionbudgets", "--all-namespaces"):
        status = budget.get("status") or {}
        healthy, wanted = (int(status.get(k) or 0) for k in ("currentHealthy", "desiredHealthy"))
        if healthy < wanted:
            lines.append(f"{nodes.full_name(budget)}: {healthy} healthy, {wanted} wanted")
    return nodes.said(lines)


ACTIONS: dict[str, Callable[..., int]] = {
    one.__name__: one
    for one in (
        fit, hold, release, settled, well, nodes.scratch, nodes.cordoned, nodes.drain,
        nodes.drained,
    )
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(nodes.answered(ACTIONS, sys.argv[1:]))
