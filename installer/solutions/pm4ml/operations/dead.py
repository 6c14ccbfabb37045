"""A node that is dead: the proof of it, what lies on it, and that the cluster forgets it by force.

dead.py ACTION NAME ADDRESS [SECONDS [MASTERS]], on a master that stays, beside nodes.py and
members.py. SECONDS is how long the cluster must have heard nothing of it. Written by Sitewright.

Exit status as of nodes.py. What lives and is forgotten goes on with its pods and its volumes while
they begin anew elsewhere, and a member of the database that is gone is never one again: so all is
asked that could show that it lives, and asked again right before.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))  # python3 -I does not

if TYPE_CHECKING:
    from installer.solutions.pm4ml.operations import members, nodes
else:
    import members
    import nodes

PORTS = (22, 16443, 10250, 19001, 25000)
"""SSH, the API, the kubelet, dqlite and the cluster agent, of MicroK8s 1.31."""
ANSWER_SECONDS = 5
GONE_SECONDS = 120


def answer_of(host: str, port: int) -> str:
    """How a machine shows at a port that it lives; "" where it does not. Raises Untold.

    A refusal is an answer too. Where this machine has no way there, or is not let out, nothing is
    told of the other.
    """
    try:
        socket.create_connection((host, port), ANSWER_SECONDS).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return f"{host} refuses connections to port {port}, so the machine runs"
    except TimeoutError:
        return ""
    except OSError as error:
        # No route to host: its network has nobody of that address.
        if error.errno == 113:
            return ""
        raise nodes.Untold(f"{host}, port {port}: {error}") from error
    return f"{host} answers at port {port}"


def known(name: str, address: str) -> int:
    """Does the cluster count it still, as a node or as a member of its database?"""
    every = nodes.asked("nodes")
    if nodes.node_of(every, name, address) is not None or members.parted(name, address)[0]:
        return nodes.YES
    lines = nodes.unknown(every)[:1]
    return nodes.said([*lines, "it is forgotten already: have the new one join (machine add)"])


def silent(name: str, address: str) -> int:
    """Does nothing of it answer, at any address that is known of it?"""
    places = [(host, port) for host in sorted(members.hosts_of(name, address)) for port in PORTS]
    places = [(host, port) for host, port in places if host[:1].isdigit() or ":" in host]
    with ThreadPoolExecutor(len(places) or 1) as pool:
        found = list(pool.map(lambda place: answer_of(*place), places))
    return nodes.said([line for line in found if line])


def unheard(name: str, address: str, seconds: str) -> int:
    """Has the cluster heard nothing of it for so long?"""
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    if node is None:
        return nodes.YES
    if nodes.ready(node):
        return nodes.said([f"{nodes.name_of(node)} is Ready: its kubelet speaks to the API"])
    conditions = node.get("status", {}).get("conditions") or []
    since = [one.get("lastTransitionTime") for one in conditions if one.get("type") == "Ready"]
    try:
        heard = datetime.fromisoformat(str(since[0]))
        passed = int(time.time() - heard.timestamp())
    except (IndexError, ValueError) as error:
        raise nodes.Untold("the API does not say since when it is not Ready") from error
    if passed >= int(seconds):
        return nodes.YES
    return nodes.said(
        [f"{nodes.name_of(node)} is not Ready for {passed} s only; ask after {seconds} s"]
    )


def fit(name: str, address: str, seconds: str, stay: str) -> int:
    """May it be forgotten? Everything that stands against it is told."""
    answers = [
        known(name, address),
        silent(name, address),
        unheard(name, address, seconds),
        nodes.others(name, address),
    ]
    if members.parted(name, address)[0]:
        answers += [members.quorum(name, address), members.complete(name, address, stay)]
    return nodes.NO if nodes.NO in answers else nodes.YES


def volumes(name: str, address: str) -> int:
    """Does no volume lie on it? What lies on a machine that is dead is lost to the cluster."""
    return nodes.UNTOLD if nodes.volumes(name, address) == nodes.NO else nodes.YES


def pods(name: str, address: str) -> int:
    """Is no pod bound to it but what runs on every node?"""
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    lines = []
    for pod in nodes.pods_on(node) if node is not None else []:
        owners = pod["metadata"].get("ownerReferences") or []
        anew = owners[0].get("kind") if owners else "made by nobody: it will be gone"
        lines.append(f"{nodes.full_name(pod)} ({anew})")
    return nodes.UNTOLD if nodes.said(lines) else nodes.YES


def copies(name: str, address: str) -> int:
    """Do enough members stay for more than one copy of the database?"""
    if not members.parted(name, address)[0]:
        return nodes.YES
    return members.copies(name, address)


def forget(name: str, address: str, seconds: str) -> int:
    """Have the cluster forget it by force, once it was seen again that it is dead."""
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    own, _ = members.parted(name, address)
    if node is None and not own:
        return nodes.YES
    answers = [silent(name, address), unheard(name, address, seconds)]
    answers += [members.quorum(name, address)] if own else []
    if nodes.NO in answers:
        return nodes.NO
    was = {member.host for member in own}

    def still() -> set[str]:
        return was & {member.host for member in members.members()}

    if node is not None:
        nodes.told("microk8s", "remove-node", nodes.name_of(node), "--force", seconds=GONE_SECONDS)
    # A member that the API does not know as a node is taken out by its address.
    for host in still():
        nodes.told("microk8s", "remove-node", host, "--force", seconds=GONE_SECONDS)
    until = time.monotonic() + GONE_SECONDS
    while time.monotonic() < until:
        if not still() and members.gone(name, address) == nodes.YES:
            return nodes.YES
        time.sleep(2)
    return nodes.said([f"{name} is still known to the cluster"])


def gone(name: str, address: str) -> int:
    return members.gone(name, address)


def places_of(volume: nodes.Json) -> Iterator[nodes.Json]:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required") or {}
    yield from required.get("nodeSelectorTerms") or []


def lost(name: str, address: str) -> int:
    """Name the claims whose volumes no node has any more: nothing makes them anew by itself."""
    every = nodes.asked("nodes")
    for volume in nodes.asked("persistentvolumes"):
        terms = list(places_of(volume))
        claim = volume["spec"].get("claimRef") or {}
        if not terms or not claim or any(nodes.usable_on(terms, one) for one in every):
            continue
        space, called = claim.get("namespace"), claim.get("name")
        print(
            f"{space}/{called} waits for {nodes.name_of(volume)}, which no node has any more. Once "
            "what was in it is had from elsewhere (a replica, a backup), its pod gets a new one: "
            f"sudo microk8s kubectl -n {space} delete pvc {called}"
        )
    return nodes.YES


ACTIONS: dict[str, Callable[..., int]] = {
    one.__name__: one
    for one in (fit, known, silent, unheard, volumes, pods, copies, forget, gone, lost)
}


if __name__ == "__main__":
    sys.exit(nodes.answered(ACTIONS, sys.argv[1:]))
