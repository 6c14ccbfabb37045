"""How a node of the cluster is taken out: what stands against it, and that it is forgotten.

leaving.py ACTION NAME ADDRESS [SECONDS], on a master. Written by Sitewright.

Exit status: 0 yes or done, 1 no, 2 it cannot be told. An answer that did not come is never a no:
where the API does not answer, nothing is done.
"""

from __future__ import annotations

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

GONE_SECONDS = 120


def known(name: str, address: str) -> int:
    """Is it a node of the cluster that only works?"""
    every = nodes.asked("nodes")
    node = nodes.node_of(every, name, address)
    if node is None:
        return nodes.said(nodes.unknown(every))
    masters = [label for label in nodes.MASTERS if label in nodes.labels_of(node)]
    return nodes.said([f"{nodes.name_of(node)} is a master ({label})" for label in masters])


def fit(name: str, address: str) -> int:
    """May it be taken out? Everything that stands against it is told."""
    asked = (known, nodes.others, nodes.volumes, nodes.alone, nodes.budgets)
    answers = [one(name, address) for one in asked]
    return nodes.NO if nodes.NO in answers else nodes.YES


def empty(name: str, address: str) -> int:
    """May it leave now? Between the drain and a person's word a day may lie."""
    if nodes.node_of(nodes.asked("nodes"), name, address) is None:
        return nodes.YES
    answers = [one(name, address) for one in (known, nodes.others, nodes.volumes, nodes.drained)]
    return nodes.NO if nodes.NO in answers else nodes.YES


def gone(name: str, address: str) -> int:
    return nodes.YES if nodes.node_of(nodes.asked("nodes"), name, address) is None else nodes.NO


def remove(name: str, address: str) -> int:
    """Have the cluster forget it. To delete a node may delete what lies on it: asked once more."""
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    if node is None:
        return nodes.YES
    if known(name, address) or nodes.volumes(name, address) or nodes.drained(name, address):
        return nodes.NO
    nodes.told("microk8s", "remove-node", nodes.name_of(node), seconds=GONE_SECONDS)
    until = time.monotonic() + GONE_SECONDS
    while time.monotonic() < until:
        if gone(name, address) == nodes.YES:
            return nodes.YES
        time.sleep(2)
    return nodes.said([f"{nodes.name_of(node)} is still a node of the cluster"])


ACTIONS: dict[str, Callable[..., int]] = {
    one.__name__: one
    for one in (
        fit, known, empty, gone, remove, nodes.others, nodes.volumes, nodes.alone, nodes.budgets,
        nodes.scratch, nodes.cordoned, nodes.cordon, nodes.uncordon, nodes.drained, nodes.drain,
    )
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(nodes.answered(ACTIONS, sys.argv[1:]))
