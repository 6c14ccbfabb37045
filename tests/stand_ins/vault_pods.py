"""STAND-IN for a cluster with Vault's pods: `microk8s kubectl` on files, each pod a process here.

What the program `operations/vaults.py` asks of kubectl, it answers as kubectl 1.31 does: pods,
statefulsets and configmaps as JSON, `apply`, `exec` (in the pod's folder), `delete pod` (the
process is ended, and begun anew on what is left in its folder), `port-forward`, which says the port
of the pod's Vault in place of one of its own. What is in each is real (`tests/lab/openbao.py`).
It hides the kubelet: probes, volumes, who may do what, the network between pods.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.foundation.processes import free_port

_KUBECTL = """\
#!{python} -IB
import json, os, signal, subprocess, sys, time
from pathlib import Path

place = Path({place!r})
words = sys.argv[2:]
if words[:1] == ["-n"]:
    words = words[2:]
(place / "calls").open("a").write(" ".join(words) + "\\n")
if (place / "away").exists():
    sys.exit("The connection to the server 10.0.0.1:16443 was refused")
pods = json.loads((place / "pods.json").read_text())


def begin(name):
    log = (place / name / "log").open("ab")
    words = {vault!r} + [str(place / name / "vault.hcl")]
    process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                               start_new_session=True)
    (place / name / "pid").write_text(str(process.pid))


def end(name):
    pid = int((place / name / "pid").read_text())
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    for _ in range(500):
        # Another's child may stay as a zombie until it is waited for.
        try:
            gone = Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            gone = True
        if gone:
            return
        time.sleep(0.01)


if words[0] == "begin":
    for name in pods:
        begin(name)
elif words[0] == "end":
    for name in pods:
        end(name)
elif words[:2] == ["get", "pods"]:
    print(json.dumps({{"items": [
        {{"metadata": {{"name": name}}, "spec": {{"nodeName": "w1"}},
          "status": {{"phase": pod["phase"]}}}}
        for name, pod in pods.items()]}}))
elif words[:2] == ["get", "statefulsets"]:
    print(json.dumps({{"items": [{{"spec": {{"replicas": len(pods)}}}}]}}))
elif words[:2] == ["get", "configmaps"]:
    file = place / "configmap.json"
    print(json.dumps({{"items": [json.loads(file.read_text())] if file.exists() else []}}))
elif words[0] == "apply":
    (place / "configmap.json").write_text(sys.stdin.read())
elif words[0] == "port-forward":
    print(f"Forwarding from 127.0.0.1:{{pods[words[1][4:]]['port']}} -> 8200", flush=True)
    signal.pause()
elif words[0] == "exec":
    script = words[words.index("-c") + 1].replace("/vault/data", str(place / words[1] / "data"))
    sys.exit(subprocess.run(["sh", "-c", script, *words[words.index("-c") + 2:]]).returncode)
elif words[:2] == ["create", "serviceaccount"]:
    accounts = place / "accounts"
    if accounts.exists() and words[2] in accounts.read_text().split():
        sys.exit(f'error: failed to create serviceaccount: "{{words[2]}}" already exists')
    accounts.open("a").write(words[2] + "\\n")
elif words[:2] == ["create", "token"]:
    print((place / "token").read_text())
elif words[:2] == ["delete", "pod"]:
    for name in [word for word in words[2:] if not word.startswith("-")]:
        end(name)
        begin(name)
else:
    sys.exit(f"the stand-in does not know: {{words}}")
"""

_CONFIG = """\
disable_mlock = true
ui = false
unsafe_allow_api_audit_creation = true
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
listener "tcp" {{
  tls_disable = 1
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  disable_unauthed_generate_root_endpoints = false
}}
storage "raft" {{
  path = "{data}"
  node_id = "{name}"
{others}
}}
"""


@dataclass
class Vaults:
    """Some Vaults with Raft, and the kubectl that knows them."""

    place: Path
    vault: Path
    """The real program."""
    count: int = 3

    def __post_init__(self) -> None:
        self.place.mkdir()
        names = [f"vault-{number}" for number in range(self.count)]
        self.pods = {name: {"port": free_port(), "phase": "Running"} for name in names}
        for name, pod in self.pods.items():
            folder = self.place / name
            (folder / "data").mkdir(parents=True)
            others = "\n".join(
                f'  retry_join {{ leader_api_addr = "http://127.0.0.1:{one["port"]}" }}'
                for one in self.pods.values()
            )
            (folder / "vault.hcl").write_text(
                _CONFIG.format(
                    port=pod["port"], cluster=free_port(), data=folder / "data", name=name,
                    others=others,
                )
            )  # fmt: skip
        self.kubectl = self.place / "microk8s"
        server = [str(self.vault), "server", "-config"]
        text = _KUBECTL.format(python=sys.executable, place=str(self.place), vault=server)
        self.kubectl.write_text(text)
        self.kubectl.chmod(0o755)
        self.write()

    def write(self) -> None:
        """Have kubectl know the pods as they are."""
        (self.place / "pods.json").write_text(json.dumps(self.pods))

    def program(self, source: Path) -> Path:
        """A copy of a program of a master's that asks this kubectl."""
        path = self.place / source.name
        text = source.read_text()
        asked = 'KUBECTL = ("microk8s", "kubectl")'
        assert asked in text
        path.write_text(text.replace(asked, f"KUBECTL = ({str(self.kubectl)!r}, 'kubectl')"))
        return path

    def tell(self, *words: str) -> None:
        """Have the cluster do something."""
        subprocess.run([str(self.kubectl), "kubectl", *words], check=True, timeout=60)

    def begin(self) -> None:
        """Begin every Vault, and wait until each answers."""
        self.tell("begin")
        until = time.monotonic() + 120
        for name in self.pods:
            while self.ask(name, "sys/seal-status") is None:
                assert time.monotonic() < until, (self.place / name / "log").read_text()[-2000:]
                time.sleep(0.05)

    def end(self) -> None:
        """End every Vault."""
        for name in self.pods:
            with suppress(OSError, ValueError):
                os.kill(int((self.place / name / "pid").read_text()), signal.SIGKILL)

    def ask(self, name: str, path: str, token: str = "", body: Any = None) -> Any:
        """What a Vault answers; None where it does not."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.pods[name]['port']}/v1/{path}",
            headers={"X-Vault-Token": token} if token else {},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - of ours
                return json.loads(answer.read() or b"{}")
        except OSError:
            return None
