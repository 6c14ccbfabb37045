"""The minor version of Kubernetes that nodes run: what is asked before one is raised, and after.

minors.py ACTION [MORE], on a master, beside nodes.py and members.py. A minor version is written as
1.32. Written by Sitewright.

Exit status as of nodes.py. Sources: Kubernetes, version skew policy; kube-apiserver's metric
apiserver_requested_deprecated_apis; deprecation guide.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))  # python3 -I does not

if TYPE_CHECKING:
    from installer.solutions.pm4ml.operations import members, nodes
else:
    import members
    import nodes

METRIC = "apiserver_requested_deprecated_apis"
LABEL = re.compile(r'(\w+)="([^"]*)"')
VERSION = re.compile(r"v?(\d+)\.(\d+)")
REMOVED = {
    (1, 25): {("batch", "v1beta1"), ("discovery.k8s.io", "v1beta1"), ("events.k8s.io", "v1beta1"),
              ("policy", "v1beta1"), ("node.k8s.io", "v1beta1"), ("autoscaling", "v2beta1")},
    (1, 26): {("flowcontrol.apiserver.k8s.io", "v1beta1"), ("autoscaling", "v2beta2")},
    (1, 29): {("flowcontrol.apiserver.k8s.io", "v1beta2")},
    (1, 32): {("flowcontrol.apiserver.k8s.io", "v1beta3")},
}  # fmt: skip
"""API versions that a minor version serves no more: Kubernetes, deprecated API migration guide."""
APPLICATIONS = "applications.argoproj.io"
DAEMON_SET = "calico-node"
CALICO_SECONDS = 300


def minor(text: str) -> tuple[int, int]:
    """The minor version that a text begins with; raises Untold."""
    found = VERSION.match(text)
    if found is None:
        raise nodes.Untold(f"{text!r} is no version of Kubernetes")
    return int(found[1]), int(found[2])


def shown(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def running(node: nodes.Json) -> tuple[int, int]:
    return minor(str((node.get("status", {}).get("nodeInfo") or {}).get("kubeletVersion")))


def raw(path: str) -> str:
    """What the API server on this machine says at a path; raises Untold."""
    words = [*nodes.KUBECTL, "get", "--raw", path]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=nodes.QUESTION_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise nodes.Untold(f"{path}: {error}") from error
    if done.returncode != 0:
        raise nodes.Untold(f"{path}: {done.stderr.strip() or done.returncode}")
    return done.stdout


# ---- the actions


def fit(target: str) -> int:
    """Is every node well, and one minor version below the target or there already?"""
    wanted = minor(target)
    lines = []
    for node in nodes.asked("nodes"):
        name, has = nodes.name_of(node), running(node)
        if not nodes.ready(node):
            lines.append(f"{name} is not Ready")
        if has > wanted:
            lines.append(f"{name} runs {shown(has)}, which is newer than {target}")
        elif has[0] != wanted[0] or wanted[1] - has[1] > 1:
            lines.append(
                f"{name} runs {shown(has)}, and {target} is more than one minor version further: "
                f"go by {shown((has[0], has[1] + 1))} first (microk8s_channel in the site file)"
            )
    lines += [
        f"the database does not answer at {one.address}"
        for one in members.members()
        if not one.answers
    ]
    return nodes.said(lines)


def deprecated(target: str) -> int:
    """Did nobody ask the API server on this machine for what the target does not serve?

    It counts since it was started. What a later version will not serve is told, and stands against
    nothing.
    """
    wanted = minor(target)
    lines = []
    for line in raw("/metrics").splitlines():
        if not line.startswith(METRIC + "{") or line.split()[-1] in ("0", "0.0"):
            continue
        said = dict(LABEL.findall(line))
        what = "/".join(
            filter(None, (said.get("group"), said.get("version"), said.get("resource")))
        )
        gone = said.get("removed_release") or ""
        if gone and minor(gone) <= wanted:
            lines.append(f"{what} is asked for here, and {gone} does not serve it any more")
        else:
            print(f"{what} is asked for here and deprecated; {gone or 'no version'} ends it")
    if lines:
        lines.append(
            "who asks is told by the API's audit log, or by the user agents of what was installed; "
            "it counts since this API server was started"
        )
    return nodes.said(lines)


def manifests(target: str) -> int:
    """Does no application that Argo CD deploys name what the target does not serve?"""
    gone = set().union(*(found for at, found in REMOVED.items() if at <= minor(target)))
    if not any(
        nodes.name_of(one) == APPLICATIONS for one in nodes.asked("customresourcedefinitions")
    ):
        print("Argo CD is not there, so that nobody tells what its applications hold")
        return nodes.YES
    lines = []
    for application in nodes.asked(APPLICATIONS, "--all-namespaces"):
        for one in (application.get("status") or {}).get("resources") or []:
            if (one.get("group", ""), one.get("version", "")) in gone:
                lines.append(
                    f"{nodes.name_of(application)} has {one.get('kind')} {one.get('name')} as "
                    f"{one['group']}/{one['version']}, which {target} does not serve"
                )
    return nodes.said(lines)


def at(name: str, address: str, target: str) -> int:
    """Does the node run the target?"""
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    if node is None:
        return nodes.said(nodes.unknown(nodes.asked("nodes")))
    has = running(node)
    if has != minor(target):
        return nodes.said([f"{nodes.name_of(node)} says that it runs {shown(has)}"])
    return nodes.YES


def voting(name: str, address: str) -> int:
    """Is the machine a member of the cluster's database, and does every member answer?"""
    own, others = members.parted(name, address)
    lines = [
        f"the database does not answer at {m.address}" for m in (*own, *others) if not m.answers
    ]
    if not own:
        lines.append(f"{name} is no member of the cluster's database")
    return nodes.said(lines)


def calico(name: str, address: str) -> int:
    """Have the node's pod of Calico made anew, and wait for it: MicroK8s does so on masters alone.

    Its mounts and its token are of the revision before; a day later new pods there would get no
    network any more.
    """
    node = nodes.node_of(nodes.asked("nodes"), name, address)
    if node is None:
        return nodes.said(nodes.unknown(nodes.asked("nodes")))
    on = (
        "--namespace=kube-system", f"--selector=k8s-app={DAEMON_SET}",
        f"--field-selector=spec.nodeName={nodes.name_of(node)}",
    )  # fmt: skip
    before = [str(pod["metadata"].get("uid")) for pod in nodes.asked("pods", *on)]
    if not before:
        print(f"no pod of {DAEMON_SET} is on {nodes.name_of(node)}")
        return nodes.YES
    nodes.told(*nodes.KUBECTL, "delete", "pods", "--wait=false", *on)
    until = time.monotonic() + CALICO_SECONDS
    while time.monotonic() < until:
        fresh = [
            pod for pod in nodes.asked("pods", *on) if pod["metadata"].get("uid") not in before
        ]
        if fresh and all(nodes.ready(pod) for pod in fresh):
            return nodes.YES
        time.sleep(2)
    return nodes.said([f"{DAEMON_SET} on {nodes.name_of(node)} is not Ready again"])


ACTIONS: dict[str, Callable[..., int]] = {
    one.__name__: one for one in (fit, deprecated, manifests, at, voting, calico)
}


if __name__ == "__main__":
    sys.exit(nodes.answered(ACTIONS, sys.argv[1:]))
