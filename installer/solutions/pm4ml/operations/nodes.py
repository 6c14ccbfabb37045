"""Nodes of the cluster: what is asked of one, and what is done with it, for programs beside this.

Each action takes the name and the address of a machine and returns an exit status: 0 yes or done,
1 no, 2 it cannot be told. An answer that did not come is never a no. Written by Sitewright.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

YES, NO, UNTOLD = 0, 1, 2
KUBECTL = ("microk8s", "kubectl")
HOSTNAME = "kubernetes.io/hostname"
MASTERS = ("node.kubernetes.io/microk8s-controlplane", "node-role.kubernetes.io/control-plane")
QUESTION_SECONDS = 60

Json = dict[str, Any]


class Untold(Exception):
    """A question that got no answer."""


def asked(*words: str) -> list[Json]:
    """What the API has of a kind; raises Untold."""
    try:
        done = subprocess.run(
            [*KUBECTL, "get", *words, "-o", "json"],
            capture_output=True, text=True, check=False, timeout=QUESTION_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Untold(f"kubectl get {words[0]}: {error}") from error
    if done.returncode != 0:
        raise Untold(f"kubectl get {words[0]}: {done.stderr.strip() or done.returncode}")
    try:
        items: list[Json] = json.loads(done.stdout)["items"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Untold(f"kubectl get {words[0]} answered something else: {error}") from error
    return items


def told(*words: str, seconds: int = QUESTION_SECONDS) -> int:
    """Have something done; its output is passed on. What it says of itself is not believed."""
    try:
        return subprocess.run(list(words), check=False, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        print(f"{' '.join(words[:3])} came to no end within {seconds} s")
        return NO
    except OSError as error:
        raise Untold(f"{words[0]}: {error}") from error


# ---- what is asked


def name_of(thing: Json) -> str:
    return str(thing["metadata"]["name"])


def full_name(thing: Json) -> str:
    return f"{thing['metadata'].get('namespace', '')}/{name_of(thing)}"


def labels_of(thing: Json) -> Mapping[str, str]:
    return thing["metadata"].get("labels") or {}


def plain(address: str) -> str:
    """An address as every other writing of it; a name in small letters."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.lower()


def addresses_of(node: Json) -> set[str]:
    return {plain(str(one.get("address"))) for one in node.get("status", {}).get("addresses") or []}


def node_of(nodes: list[Json], name: str, address: str) -> Json | None:
    """The node that this machine is, by its name and by its address; raises Untold for two.

    What a site file calls a machine another node may be called: where the address is that node's
    and not this one's, one would be drained and the other would leave.
    """
    found = [
        one
        for one in nodes
        if name_of(one) == name
        or labels_of(one).get(HOSTNAME) == name
        or plain(address) in addresses_of(one)
    ]
    if len(found) > 1:
        raise Untold(f"{name} at {address} may be {' or '.join(map(name_of, found))}")
    return found[0] if found else None


def ready(node: Json) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def stays(pod: Json) -> bool:
    """Whether a drain leaves a pod where it is, or it has ended by itself."""
    owners = pod["metadata"].get("ownerReferences") or []
    mirror = "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {})
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return mirror or ended or any(one.get("kind") == "DaemonSet" for one in owners)


def pods_on(node: Json) -> list[Json]:
    on = f"--field-selector=spec.nodeName={name_of(node)}"
    return [pod for pod in asked("pods", "--all-namespaces", on) if not stays(pod)]


def pinned_to(volume: Json, node: Json, left: list[Json]) -> bool:
    """Whether a volume lies on this node, or can be used on none of those that are left."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required") or {}
    terms = required.get("nodeSelectorTerms") or []
    values = {
        value
        for term in terms
        for rule in (term.get("matchExpressions") or []) + (term.get("matchFields") or [])
        if rule.get("operator") == "In"
        for value in rule.get("values") or []
    }
    # A topology key of a driver has the node's own name for its value, as the label has.
    if values & {name_of(node), str(labels_of(node).get(HOSTNAME, name_of(node)))}:
        return True
    return usable_on(terms, node) and not any(usable_on(terms, one) for one in left)


def usable_on(terms: list[Json], node: Json) -> bool:
    """Whether any term of a volume's affinity chooses a node; without terms none does."""
    fields = {"metadata.name": name_of(node)}
    return any(
        matches({"matchExpressions": term.get("matchExpressions")}, labels_of(node))
        and matches({"matchExpressions": term.get("matchFields")}, fields)
        for term in terms
    )


def mounted_on(volume: Json, pods: list[Json]) -> list[str]:
    """The pods that use a folder of their node through a volume that does not say of which."""
    spec = volume["spec"]
    claim = spec.get("claimRef") or {}
    if "hostPath" not in spec or spec.get("nodeAffinity") or not claim:
        return []
    return [
        full_name(pod)
        for pod in pods
        if pod["metadata"].get("namespace") == claim.get("namespace")
        for one in pod["spec"].get("volumes") or []
        if (one.get("persistentVolumeClaim") or {}).get("claimName") == claim.get("name")
    ]


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector of Kubernetes chooses these labels; an empty one chooses all."""
    if selector is None:
        return False
    plain = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in plain.items()):
        return False
    rules: dict[str, Callable[[str, list[str]], bool]] = {
        "In": lambda key, values: labels.get(key) in values,
        "NotIn": lambda key, values: labels.get(key) not in values,
        "Exists": lambda key, _: key in labels,
        "DoesNotExist": lambda key, _: key not in labels,
        "Gt": lambda key, values: int(labels.get(key, "0")) > int(values[0]),
        "Lt": lambda key, values: int(labels.get(key, "0")) < int(values[0]),
    }
    return all(
        rules[one["operator"]](one["key"], one.get("values") or [])
        for one in selector.get("matchExpressions") or []
    )


def held_by(pods: list[Json], budgets: list[Json]) -> list[str]:
    """The disruption budgets that let none of these pods go now, each with what it holds."""
    found = []
    for budget in budgets:
        space = budget["metadata"].get("namespace")
        chosen = [
            name_of(pod)
            for pod in pods
            if pod["metadata"].get("namespace") == space
            and matches(budget["spec"].get("selector"), labels_of(pod))
        ]
        status = budget.get("status") or {}
        if chosen and int(status.get("disruptionsAllowed") or 0) < 1:
            found.append(
                f"{full_name(budget)} allows no disruption now "
                f"({status.get('currentHealthy', '?')} healthy, "
                f"{status.get('desiredHealthy', '?')} wanted): {', '.join(chosen)}"
            )
    return found


def said(lines: list[str]) -> int:
    """No, where there is anything to say."""
    for line in lines:
        print(line)
    return NO if lines else YES


def unknown(every: list[Json]) -> list[str]:
    """That the cluster does not know a machine, and whom it knows."""
    there = ", ".join(map(name_of, every))
    return [
        f"the cluster has no node of this name or address; it has {there}",
        "if it was taken out already, leave this step out by its name for what is left",
    ]


# ---- the actions


def others(name: str, address: str) -> int:
    """Are all other nodes well, and can another one take work?"""
    nodes = asked("nodes")
    node = node_of(nodes, name, address)
    left = [one for one in nodes if one is not node]
    lines = [f"{name_of(one)} is not Ready" for one in left if not ready(one)]
    if not any(not one["spec"].get("unschedulable") for one in left if ready(one)):
        lines.append("no other node takes work")
    return said(lines)


def volumes(name: str, address: str) -> int:
    """Does no volume lie on it?"""
    nodes = asked("nodes")
    node = node_of(nodes, name, address)
    if node is None:
        return YES
    left = [one for one in nodes if one is not node]
    here = pods_on(node)
    lines = []
    for volume in asked("persistentvolumes"):
        if pinned_to(volume, node, left) or mounted_on(volume, here):
            claim = volume["spec"].get("claimRef") or {}
            whose = f"{claim.get('namespace')}/{claim.get('name')}" if claim else "nobody's"
            size = (volume["spec"].get("capacity") or {}).get("storage", "?")
            lines.append(f"{name_of(volume)} lies on it ({size}, {whose})")
    return said(lines)


def alone(name: str, address: str) -> int:
    """Is every pod on it one that is made anew elsewhere?"""
    node = node_of(asked("nodes"), name, address)
    pods = pods_on(node) if node is not None else []
    return said(
        [
            f"{full_name(pod)} is made by nobody, and would be gone"
            for pod in pods
            if not pod["metadata"].get("ownerReferences")
        ]
    )


def budgets(name: str, address: str) -> int:
    """Does every disruption budget let a pod of it go?"""
    node = node_of(asked("nodes"), name, address)
    pods = pods_on(node) if node is not None else []
    return said(held_by(pods, asked("poddisruptionbudgets", "--all-namespaces")) if pods else [])


def scratch(name: str, address: str) -> int:
    """Does nothing lie in emptyDir volumes there, which go with their pods?

    Whether what lies there is worth anything no program can tell.
    """
    node = node_of(asked("nodes"), name, address)
    lines = []
    for pod in pods_on(node) if node is not None else []:
        found = [str(one["name"]) for one in pod["spec"].get("volumes") or [] if "emptyDir" in one]
        if found:
            lines.append(f"{full_name(pod)}: {', '.join(found)}")
    return UNTOLD if said(lines) else YES


def cordoned(name: str, address: str) -> int:
    node = node_of(asked("nodes"), name, address)
    return YES if node is None or node["spec"].get("unschedulable") else NO


def cordon(name: str, address: str) -> int:
    """Have it take no more work, where nobody else saw to that: what is done here is ours."""
    if cordoned(name, address) == YES:
        return said([f"{name} is cordoned by now, by somebody else; ask again"])
    return _marked("cordon", name, address)


def uncordon(name: str, address: str) -> int:
    return _marked("uncordon", name, address)


def _marked(word: str, name: str, address: str) -> int:
    node = node_of(asked("nodes"), name, address)
    if node is None:
        return said([f"the cluster has no node {name}"])
    told(*KUBECTL, word, name_of(node))
    node = node_of(asked("nodes"), name, address)
    if node is None:
        return NO
    return YES if bool(node["spec"].get("unschedulable")) is (word == "cordon") else NO


def drained(name: str, address: str) -> int:
    """Is nothing on it but what stays on every node?"""
    node = node_of(asked("nodes"), name, address)
    if node is None:
        return YES
    lines = [] if node["spec"].get("unschedulable") else [f"{name_of(node)} takes work"]
    return said([*lines, *(f"{full_name(pod)} is on it" for pod in pods_on(node))])


def drain(name: str, address: str, seconds: str) -> int:
    """Evict what is on it, by the disruption budgets and never past them, within a bound."""
    node = node_of(asked("nodes"), name, address)
    if node is None:
        return YES
    told(
        "microk8s", "kubectl", "drain", name_of(node),
        "--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={seconds}s",
        seconds=int(seconds) + QUESTION_SECONDS,
    )  # fmt: skip
    left = pods_on(node)
    if left:
        said([f"{full_name(pod)} is still on it" for pod in left])
        said(held_by(left, asked("poddisruptionbudgets", "--all-namespaces")))
        print("Nothing was forced. Mend what holds them and go on, or let it take work again.")
    return NO if left else YES


def answered(actions: Mapping[str, Callable[..., int]], words: list[str]) -> int:
    """Carry out the action that a command line names."""
    if words[0] not in actions:
        print(f"there is no action {words[0]}", file=sys.stderr)
        return UNTOLD
    try:
        return actions[words[0]](*words[1:])
    except Untold as reason:
        print(f"It cannot be told: {reason}", file=sys.stderr)
        return UNTOLD
