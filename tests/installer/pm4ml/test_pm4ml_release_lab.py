"""A release of Helm as PM4ML's playbooks see it: the real Helm and API; kwok plays the node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.installer.pm4ml.test_pm4ml import PLAYBOOKS
from tests.installer.pm4ml.test_pm4ml_real_api_lab import ask, kubernetes
from tests.lab.host import wait_until
from tests.lab.kubernetes import programs
from tests.lab.kubernetes.plane import Plane

__all__ = ["kubernetes"]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

CHART = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: driver}}
spec:
  {more}
  selector: {{matchLabels: {{app: driver}}}}
  template:
    metadata: {{labels: {{app: driver}}}}
    spec:
      nodeSelector: {{disk: {disk}}}
      containers: [{{name: driver, image: "driver:1"}}]
"""


class Releases:
    """One release in a namespace of its own: its chart, the tasks that install it, Helm by hand."""

    def __init__(self, kubernetes: Plane, folder: Path) -> None:
        self.kubernetes = kubernetes
        self.folder = folder
        self.played = 0
        self.chart = folder / "driver"
        (self.chart / "templates").mkdir(parents=True)
        (self.chart / "Chart.yaml").write_text("apiVersion: v2\nname: driver\nversion: 3.13.0\n")
        self.lay()
        tasks = [
            {"ansible.builtin.include_tasks": f"{PLAYBOOKS}/tasks/chart.yml"},
            {"ansible.builtin.debug": {"msg": "CHANGED {{ installed is changed }}."}},
        ]
        variables = {
            "chart_release": "driver",
            "chart_namespace": "volumes",
            "chart": str(self.chart),
            "chart_version": "3.13.0",
            "chart_repository": "",
            "chart_values": {"provisioner": {"replicaCount": 2}},
            "chart_loses": "removes no volume",
        }
        self.file = folder / "chart.yml"
        play_of = {"hosts": "master", "gather_facts": False, "vars": variables, "tasks": tasks}
        self.file.write_text(json.dumps([play_of]))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "volumes"}}
        kubernetes.apply(namespace)

    def lay(self, *, disk: str = "fast", more: str = "replicas: 1") -> None:
        """Lay the chart down; its pod wants a node with such a disk."""
        text = CHART.format(disk=disk, more=more)
        (self.chart / "templates/driver.yaml").write_text(text)

    def helm(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Helm by hand."""
        return subprocess.run(
            self.command(*words),
            env=self.kubernetes.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *words: str) -> list[str]:
        """The real Helm with these words."""
        return [str(programs.kubectl().with_name("helm")), *words, "--namespace", "volumes"]

    def cut_off(self, status: str, *words: str) -> None:
        """Begin an operation of Helm, and take it away once Helm has noted what it is at."""
        process = subprocess.Popen(
            self.command(*words),
            env=self.kubernetes.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: self.status() == status, status, seconds=300)
        finally:
            process.kill()
            process.wait()

    def status(self) -> str:
        """What Helm says of the release; empty without one."""
        told = json.loads(self.helm("list", "--all", "--output", "json").stdout)
        return str(told[0]["status"]) if told else ""

    def play(self, *, seconds: int = 300) -> tuple[int, str]:
        """Run the tasks, which wait no longer than this; the status and what they said."""
        self.played += 1
        whole = json.loads(self.file.read_text())
        whole[0]["vars"]["chart_wait"] = f"{seconds}s"
        self.file.write_text(json.dumps(whole))
        played = ask(self.kubernetes, self.folder / str(self.played), str(self.file))
        return played.status, played.said

    def told(self, words: str, *, status: str) -> str:
        """What the tasks say once these words are in it; until then they fail as they do then.

        Controllers and scheduler may not have come so far when Helm's few seconds are over.
        """
        last = ""

        def is_told() -> bool:
            nonlocal last
            code, last = self.play(seconds=5)
            assert (code, self.status()) == (2, status), last
            return words in last

        wait_until(is_told, words, seconds=600)
        return last

    def take_pods(self) -> None:
        """Take the pods away until there is one that finds no node.

        The scheduler may still believe what the node was called a moment before.
        """

        def none_runs() -> bool:
            found = self.kubernetes.read("pods", "-n", "volumes")["items"]
            if any(pod["spec"].get("nodeName") for pod in found):
                self.kubernetes.kubectl("delete", "pods", "--all", "-n", "volumes", "--force")
                return False
            return bool(found)

        wait_until(none_runs, "a pod without a node", seconds=300)

    def remedy(self, said: str) -> list[str]:
        """The command that was told, without sudo and MicroK8s before it."""
        return said.partition("sudo microk8s helm3 ")[2].partition(";")[0].split()


def test_a_release_is_well_only_where_what_it_laid_down_runs(
    kubernetes: Plane, tmp_path: Path
) -> None:
    """Failed, cut off in each of its operations, and deployed in name only: told, and mended."""
    release = Releases(kubernetes, tmp_path)
    kubernetes.kubectl("label", "node", "w1", "disk=fast")
    # What Helm gave up in time says why; and it is no installation the next time either.
    release.lay(disk="none")
    for words in ("Helm did not install driver: context deadline exceeded", "UPGRADE FAILED"):
        status, said = release.play(seconds=5)
        assert (status, release.status()) == (2, "failed")
        assert words in said
    assert "In volumes: driver-" in release.told("Unschedulable 0/", status="failed")
    release.lay(more='revisionHistoryLimit: "many"')
    assert "revisionHistoryLimit of type int32. " in release.play()[1]
    release.lay()
    status, said = release.play()
    assert (status, release.status()) == (0, "deployed"), said
    assert "CHANGED True." in said
    assert "CHANGED False." in release.play()[1]

    # It is deployed in name: somebody took the disk away, and the pod with it.
    kubernetes.kubectl("label", "node", "w1", "disk-")
    release.take_pods()
    said = release.told("Unschedulable 0/", status="deployed")
    assert "driver is installed and does not run: " in said
    kubernetes.kubectl("label", "node", "w1", "disk=fast")

    # Each operation that can be cut off ends by the command that is told, and then all is well.
    again = ("upgrade", "driver", str(release.chart), "--install", "--wait", "--timeout", "300s")
    for status_told, verb in (
        ("pending-upgrade", "rollback"),
        ("uninstalling", "uninstall"),
        ("pending-install", "uninstall"),
    ):
        if status_told == "uninstalling":
            held = '{"metadata":{"finalizers":["example.org/held"]}}'
            kubernetes.kubectl(
                "patch", "deployment", "driver", "-n", "volumes", "--type=merge", "-p", held
            )
            release.cut_off(status_told, "uninstall", "driver", "--wait")
            let_go = '{"metadata":{"finalizers":null}}'
            kubernetes.kubectl(
                "patch", "deployment", "driver", "-n", "volumes", "--type=merge", "-p", let_go
            )
        else:
            if status_told == "pending-install":
                release.helm("uninstall", "driver")
            release.lay(disk="none")
            release.cut_off(status_told, *again)
            release.lay()
        status, said = release.play()
        assert status == 2, said
        assert f"was cut off in the middle (Helm says {status_told})" in said
        remedy = release.remedy(said)
        assert remedy[:2] == [verb, "driver"]
        ended = release.helm(*remedy)
        assert ended.returncode == 0, ended.stderr
        status, said = release.play()
        assert (status, release.status()) == (0, "deployed"), said


def test_a_pod_that_is_refused_says_by_whom(kubernetes: Plane, tmp_path: Path) -> None:
    """There is no pod to ask: the warning is its Deployment's."""
    release = Releases(kubernetes, tmp_path)
    release.helm("uninstall", "driver")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": "volumes"},
        "spec": {"hard": {"pods": "0"}},
    }
    kubernetes.apply(quota)
    release.told("exceeded quota: none", status="failed")
