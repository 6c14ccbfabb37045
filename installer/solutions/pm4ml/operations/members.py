"""The database of a cluster's masters (dqlite): what is asked before one of them leaves, and after.

members.py ACTION NAME ADDRESS [MASTERS], on a master that stays, beside nodes.py. MASTERS is how
many stay by the site file. Written by Sitewright.

Exit status as of nodes.py. Sources: canonical/go-dqlite, app/roles.go (who votes); canonical/
microk8s 1.31, scripts/wrappers/leave.py and remove_node.py (who may leave, and how it is asked).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))  # python3 -I does not

if TYPE_CHECKING:
    from installer.solutions.pm4ml.operations import nodes
else:
    import nodes

CLIENT = "/snap/microk8s/current/bin/dqlite"
BACKEND = "/var/snap/microk8s/current/var/kubernetes/backend"
VOTERS = 3
"""Members that vote, where there are as many; below, one alone has a copy that counts."""
ANSWER_SECONDS = 3
GONE_SECONDS = 120


@dataclass(frozen=True)
class Member:
    """A member of the database."""

    address: str
    """With its port, as dqlite writes it."""
    votes: bool

    @property
    def host(self) -> str:
        return nodes.plain(self.address.rpartition(":")[0].strip("[]"))

    @property
    def answers(self) -> bool:
        """Whether something listens where it is."""
        port = int(self.address.rpartition(":")[2])
        try:
            socket.create_connection((self.host, port), ANSWER_SECONDS).close()
        except OSError:
            return False
        return True


def members() -> list[Member]:
    """The members by what the database itself says; raises Untold."""
    words = [
        CLIENT, "-s", f"file://{BACKEND}/cluster.yaml", "-c", f"{BACKEND}/cluster.crt",
        "-k", f"{BACKEND}/cluster.key", "-f", "json", "k8s", ".cluster",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=nodes.QUESTION_SECONDS
        )
        if done.returncode != 0:
            raise nodes.Untold(f"dqlite: {done.stderr.strip() or done.returncode}")
        found = [Member(str(one["Address"]), one["Role"] == 0) for one in json.loads(done.stdout)]
    except (OSError, subprocess.TimeoutExpired) as error:
        raise nodes.Untold(f"dqlite: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise nodes.Untold(f"dqlite answered something else: {error}") from error
    if not found:
        raise nodes.Untold("dqlite names no member at all")
    return found


def hosts_of(name: str, address: str) -> set[str]:
    """Every address of a machine that is known here."""
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    return {nodes.plain(address), *(nodes.addresses_of(node) if node is not None else ())}


def parted(name: str, address: str) -> tuple[list[Member], list[Member]]:
    """The members that are this machine, and the others."""
    own = hosts_of(name, address)
    found = members()
    return [m for m in found if m.host in own], [m for m in found if m.host not in own]


def no(text: str) -> int:
    print(text)
    return nodes.NO


def at(found: list[Member]) -> str:
    return ", ".join(m.address for m in found)


def masters(every: list[nodes.Json]) -> list[nodes.Json]:
    return [one for one in every if any(label in nodes.labels_of(one) for label in nodes.MASTERS)]


# ---- the actions


def known(name: str, address: str) -> int:
    """Is it a master of the cluster, and a member of its database?"""
    every = nodes.asked("nodes")
    node = nodes.node_of(every, name, address)
    if node is None:
        return nodes.said(nodes.unknown(every))
    if node not in masters(every):
        return no(f"{nodes.name_of(node)} is no master of the cluster")
    own, others = parted(name, address)
    if not own:
        name = nodes.name_of(node)
        return no(f"{name} is no member of the cluster's database ({at(others)})")
    return nodes.YES


def complete(name: str, address: str, stay: str) -> int:
    """Are the masters that stay those of the site file? One that is yet to join keeps nothing."""
    every = nodes.asked("nodes")
    node = nodes.node_of(every, name, address)
    left = [nodes.name_of(one) for one in masters(every) if one is not node]
    if len(left) == int(stay):
        return nodes.YES
    return no(
        f"of the masters {len(left)} would stay ({', '.join(left) or 'none'}), and the site file "
        f"names {stay}: have those that are missing join first (sitewright machine add), or take "
        "them out of it"
    )


def quorum(name: str, address: str) -> int:
    """Do enough members stay to agree that it goes, and does each of them answer?"""
    own, others = parted(name, address)
    lines = [f"the database does not answer at {m.address}" for m in others if not m.answers]
    voters = [m for m in (*own, *others) if m.votes]
    stay = [m for m in others if m.votes and m.answers]
    needed = len(voters) // 2 + 1
    if own and not stay and any(m.votes for m in own):
        lines.append(
            "it has the only copy of the cluster's database that counts: have two more masters "
            "join first, so that three vote"
        )
    elif len(stay) < needed:
        lines.append(
            f"of {len(voters)} members of the database that vote {len(stay)} would stay, and "
            f"{needed} must agree that one goes: have another master join first"
        )
    return nodes.said(lines)


def fit(name: str, address: str, stay: str) -> int:
    """May it be taken out? Everything that stands against it is told."""
    answers = [known(name, address), complete(name, address, stay)]
    answers += [
        one(name, address)
        for one in (
            quorum, nodes.others, nodes.volumes, nodes.alone, nodes.budgets,
        )
    ]  # fmt: skip
    return nodes.NO if nodes.NO in answers else nodes.YES


def copies(name: str, address: str) -> int:
    """Do as many members stay as are needed for more than one copy of the database?"""
    _, others = parted(name, address)
    if len(others) >= VOTERS:
        return nodes.YES
    print(
        f"{len(others)} of the members stay ({at(others)}). Below {VOTERS} one alone has a "
        "copy of the cluster's database that counts: whoever loses that machine loses the cluster. "
        "Better have the new master join first (sitewright machine add)"
    )
    return nodes.UNTOLD


def empty(name: str, address: str) -> int:
    """May it leave now? Between the drain and a person's word a day may lie."""
    if gone(name, address) == nodes.YES:
        return nodes.YES
    asked = (known, quorum, nodes.others, nodes.volumes, nodes.drained)
    answers = [one(name, address) for one in asked]
    return nodes.NO if nodes.NO in answers else nodes.YES


def gone(name: str, address: str) -> int:
    """Is it no node any more, and no member?"""
    if nodes.node_of(nodes.asked("nodes"), name, address) is not None:
        return nodes.NO
    return nodes.NO if parted(name, address)[0] else nodes.YES


def remove(name: str, address: str) -> int:
    """Have the cluster forget a master that left. One that is a member still did not leave."""
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    own, _ = parted(name, address)
    if own:
        return no(
            f"{at(own)} is a member of the cluster's database still. Look whether {name} left: "
            "sudo microk8s status, there"
        )
    if node is None:
        return nodes.YES
    if nodes.volumes(name, address) or nodes.drained(name, address):
        return nodes.NO
    nodes.told("microk8s", "remove-node", nodes.name_of(node), seconds=GONE_SECONDS)
    until = time.monotonic() + GONE_SECONDS
    while time.monotonic() < until:
        if gone(name, address) == nodes.YES:
            return nodes.YES
        time.sleep(2)
    return no(f"{nodes.name_of(node)} is still known to the cluster")


def settled(name: str, address: str, stay: str) -> int:
    """Do those that stay have the database, and is the API told at their addresses alone?"""
    own, others = parted(name, address)
    voting = [m for m in others if m.votes]
    of_api = ("--namespace=default", "--field-selector=metadata.name=kubernetes")
    api = {
        str(one.get("ip"))
        for endpoints in nodes.asked("endpoints", *of_api)
        for subset in endpoints.get("subsets") or []
        for one in subset.get("addresses") or []
    }
    wanted = VOTERS if int(stay) >= VOTERS else 1
    print(
        f"members: {at(others)}; {len(voting)} vote; the API is at {', '.join(sorted(api))}",
    )
    well = not own and len(others) == int(stay) == len(api) and len(voting) >= wanted
    return nodes.YES if well else nodes.NO


ACTIONS: dict[str, Callable[..., int]] = {
    one.__name__: one
    for one in (
        fit, known, complete, quorum, copies, empty, gone, remove, settled, nodes.scratch,
        nodes.cordoned, nodes.cordon, nodes.uncordon, nodes.drained, nodes.drain,
    )
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(nodes.answered(ACTIONS, sys.argv[1:]))
