"""A stand-in cluster in files, which the programs of the operations ask as they do on a master.

`microk8s` there keeps the API's answers in files, and does what it is told to them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installer.catalogue.solution import load_solution

PM4ML = load_solution("pm4ml")
OPERATIONS = PM4ML.folder / "operations"
PROGRAM = OPERATIONS / "leaving.py"
YES, NO, UNTOLD = 0, 1, 2

STAND_IN = f"""\
#!{sys.executable} -IS
# STAND-IN for microk8s 1.31: kubectl get, cordon, uncordon and drain over files; remove-node.
import json, os, pathlib, sys
place = pathlib.Path(os.environ["PLACE"])
words = sys.argv[1:]
with (place / "calls").open("a") as calls:
    calls.write(" ".join(words) + "\\n")
def read(kind):
    return json.loads((place / f"{{kind}}.json").read_text())
def write(kind, items):
    (place / f"{{kind}}.json").write_text(json.dumps(items))
if words[0] == "remove-node":
    if not (place / "sticks").exists():
        write("nodes", [n for n in read("nodes") if n["metadata"]["name"] != words[1]])
        if "--force" in words and (place / "members.json").exists():
            gone = (place / "forced").read_text().split()
            write("members", [m for m in read("members") if m["Address"] not in gone])
    sys.exit(1)  # as the real one may, though it did it
action, kind = words[1], words[2]
if action == "get" and kind == "--raw":
    print((place / words[3].strip("/").replace("/", "-")).read_text(), end="")
elif action == "patch":
    nodes = read("nodes")
    change = json.loads(next(w for w in words if w.startswith("--patch=")).partition("=")[2])
    for node in nodes:
        if node["metadata"]["name"] == words[3]:
            for part, said in change.items():
                said = said if part == "spec" else said["annotations"]
                notes = node["metadata"].setdefault("annotations", {{}})
                held = node["spec"] if part == "spec" else notes
                held.update(said)
                for key in [k for k, v in held.items() if v is None]:
                    del held[key]
    write("nodes", nodes)
elif action == "get":
    if (place / f"{{kind}}.err").exists():
        sys.exit((place / f"{{kind}}.err").read_text())
    items = read(kind)
    chosen = [w.partition("spec.nodeName=")[2] for w in words if "spec.nodeName=" in w]
    if chosen:
        items = [p for p in items if p["spec"].get("nodeName") == chosen[0]]
    print(json.dumps({{"items": items}}))
elif action in ("cordon", "uncordon", "drain"):
    nodes = read("nodes")
    for node in nodes:
        if node["metadata"]["name"] == kind:
            node["spec"]["unschedulable"] = action != "uncordon"
    write("nodes", nodes)
    if action == "drain" and not (place / "held").exists():
        write("pods", [p for p in read("pods") if p["spec"].get("nodeName") != kind])
    sys.exit(1 if (place / "held").exists() else 0)
"""


def node(name: str, *, ready: bool = True, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "addresses": [{"type": "InternalIP", "address": f"10.0.0.{name[1:]}"}],
        },
    }


def pod(name: str, on: str = "w2", *, owner: str = "ReplicaSet", **spec: Any) -> dict[str, Any]:
    owners = [{"kind": owner, "name": "x"}] if owner else []
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "shop"},
                     "ownerReferences": owners},
        "spec": {"nodeName": on, **spec},
        "status": {"phase": "Running"},
    }  # fmt: skip


def volume(name: str, on: str) -> dict[str, Any]:
    rule = {"key": "openebs.io/nodename", "operator": "In", "values": [on]}
    return {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "claimRef": {"namespace": "db", "name": "data-mysql-0"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}},
        },
    }


def budget(allowed: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"selector": {"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["shop"]}]}},
        "status": {"disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2},
    }  # fmt: skip


@dataclass
class Cluster:
    """A stand-in cluster of a master and three workers; w2 is to go."""

    place: Path

    def __post_init__(self) -> None:
        self.place.mkdir()
        (self.place / "microk8s").write_text(STAND_IN)
        (self.place / "microk8s").chmod(0o755)
        master = node("m1", labels={"node.kubernetes.io/microk8s-controlplane": ""})
        self.has(nodes=[master, node("w1"), node("w2"), node("w3")], pods=[pod("shop-1")],
                 persistentvolumes=[], poddisruptionbudgets=[budget(1)])  # fmt: skip

    def has(self, **kinds: list[dict[str, Any]]) -> None:
        for kind, items in kinds.items():
            (self.place / f"{kind}.json").write_text(json.dumps(items))

    def does_not_say(self, kind: str) -> None:
        (self.place / f"{kind}.err").write_text("The connection to the server was refused")

    def ask(
        self,
        action: str,
        name: str = "w2",
        *more: str,
        address: str = "",
        program: Path = PROGRAM,
    ) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-ISB", str(program), action, name, address or "10.0.0.2", *more],
            capture_output=True, text=True, check=False, timeout=120,
            env={"PATH": f"{self.place}:{os.environ['PATH']}", "PLACE": str(self.place)},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    @property
    def calls(self) -> str:
        file = self.place / "calls"
        return file.read_text() if file.exists() else ""
