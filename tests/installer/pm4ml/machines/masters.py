"""The stand-in cluster with masters that are members of a database.

dqlite's own client is a stand-in that tells what lies in a file, as `-f json k8s .cluster` does;
members are sockets that listen.
"""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installer.sites.site import load_site
from tests.installer.pm4ml.machines.cluster import OPERATIONS, Cluster, node

MASTER = {"node.kubernetes.io/microk8s-controlplane": ""}
CLIENT = """\
#!/bin/sh
# STAND-IN for dqlite's client.
case "$*" in *"-f json k8s .cluster") ;; *) echo "what?" >&2; exit 1 ;; esac
[ ! -e "$PLACE/members.err" ] || { cat "$PLACE/members.err" >&2; exit 1; }
exec cat "$PLACE/members.json"
"""


@dataclass
class Masters:
    """The stand-in cluster with masters that are members: m1 to m4 and a worker w5."""

    cluster: Cluster
    held: ExitStack

    def __post_init__(self) -> None:
        place = self.cluster.place
        (place / "dqlite").write_text(CLIENT)
        (place / "dqlite").chmod(0o755)
        for name in ("nodes.py", "members.py", "dead.py"):
            text = (OPERATIONS / name).read_text()
            (place / name).write_text(
                text.replace("/snap/microk8s/current/bin/dqlite", str(place / "dqlite"))
            )
        self.ports: dict[str, int] = {}

    def are(self, *roles: int) -> None:
        """Masters m1, m2 …, each with its role in the database: 0 votes, 1 waits, 2 is spare."""
        nodes = []
        members = []
        for number, role in enumerate(roles, 1):
            one = node(f"m{number}", labels=MASTER)
            one["status"]["addresses"][0]["address"] = f"127.0.0.{number}"
            nodes.append(one)
            members.append({"ID": number, "Address": self.at(number), "Role": role})
        self.cluster.has(nodes=[*nodes, node("w5")], pods=[], members=members)
        subsets = [{"addresses": [{"ip": f"127.0.0.{n + 1}"} for n in range(len(roles))]}]
        self.cluster.has(endpoints=[{"metadata": {"name": "kubernetes"}, "subsets": subsets}])

    def at(self, number: int) -> str:
        """Where a member listens."""
        host = f"127.0.0.{number}"
        if host not in self.ports:
            listening = self.held.enter_context(socket.create_server((host, 0)))
            self.ports[host] = int(listening.getsockname()[1])
        return f"{host}:{self.ports[host]}"

    def members(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.cluster.place / "members.json").read_text())
        return found

    def ask(
        self, action: str, number: int, *more: str, program: str = "members.py"
    ) -> tuple[int, str]:
        return self.cluster.ask(
            action, f"m{number}", *more, address=f"127.0.0.{number}",
            program=self.cluster.place / program,
        )  # fmt: skip


def of_role(file: Path, role: str) -> list[str]:
    """The names of the machines of a site file that have a role."""
    return [host.name for host in load_site(file).hosts if role in host.roles]
