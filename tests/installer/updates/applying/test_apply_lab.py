"""`sitewright updates apply` on a Kubernetes of real pods, under traffic.

Kubernetes, containerd, kubectl, Helm and what the pods serve are real. The registry is the stand-in
of tests/installer/updates, so nothing is pulled: the node has the images under the names by which
a pull would have brought them.
"""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from installer.cli import main
from tests.bundles.servers import answering
from tests.foundation.processes import PATIENCE
from tests.installer.updates.test_hostile_registries import StandIn
from tests.lab.host import wait_until
from tests.lab.kubernetes import programs
from tests.lab.kubernetes.clients import kubeconfig
from tests.lab.kubernetes.nodes import Cluster, cluster
from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

PORT = 30080
DIGEST = StandIn().digest("v1.0.2")
OLD, NEW = "mojaloop/ledger:v1.0.0", f"mojaloop/ledger:v1.0.2@{DIGEST}"


@dataclass
class Traffic:
    """Somebody who asks the service all the time, and counts."""

    url: str
    patience: float = 5
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Traffic:
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        wait_until(lambda: self.asked > 3, "traffic", seconds=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            self.asked += 1
            try:
                with urllib.request.urlopen(self.url, timeout=self.patience) as answer:  # noqa: S310 - of the lab
                    answer.read()
            except OSError as error:
                self.failed.append(str(error))


@dataclass
class Updated:
    """The cluster, its site, and the registry that knows what is newer."""

    cluster: Cluster
    site: Path
    registry: str

    @property
    def url(self) -> str:
        """What the ledger's service answers at."""
        return f"http://{self.cluster.machines[0].address}:{PORT}/"

    def apply(self, *words: str) -> int:
        """What a user types."""
        line = ["updates", "apply", "--site", str(self.site), "--by", "Ma Ma", "--yes"]
        line += ["--kubeconfig", str(self.cluster.kubeconfig)]
        return main([*line, "--mirror", f"docker.io={self.registry}", *words])

    def pods(self, app: str) -> set[str]:
        """The pods of a workload by their uid."""
        found = self.cluster.read("pods", "--selector", f"app={app}")["items"]
        return {str(one["metadata"]["uid"]) for one in found}

    def template(self, kind: str, name: str) -> Any:
        """The pod template of a workload."""
        return self.cluster.read(kind, name)["spec"]["template"]


def served(name: str, image: str, *, lingers: int = 1, **meta: Any) -> dict[str, Any]:
    """A deployment of two pods that serve.

    What is asked of meanwhile lingers, for as many seconds: every node is to have taken a pod out
    of its service before it ends, and when a busy machine gets to that nobody knows.
    """
    container = {
        "name": "main",
        "image": image,
        "args": ["serve", ":8080"],
        "imagePullPolicy": "IfNotPresent",
        # That it answers late says how busy the machine is: only one that refuses is not ready.
        "readinessProbe": {"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 1,
                           "timeoutSeconds": int(PATIENCE)},
        "lifecycle": {"preStop": {"sleep": {"seconds": lingers}}},
    }  # fmt: skip
    pod = {"containers": [container], "terminationGracePeriodSeconds": lingers + 30}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec,
            "metadata": {"name": name, "namespace": "default", **meta}}  # fmt: skip


@pytest.fixture(scope="module")
def kubernetes(lab: Lab) -> Iterator[Cluster]:
    with cluster(lab, "box") as running:
        running.put_image(*(f"docker.io/mojaloop/{name}:v1.0.0" for name in ("ledger", "bad")))
        running.put_image("docker.io/mojaloop/ledger:v1.0.2", more={"Labels": {"new": "yes"}})
        running.put_image("docker.io/mojaloop/bad:v1.0.2", more={"Entrypoint": ["/pod", "crash"]})
        for name in ("ledger", "bad"):
            # By the registry's digest, as a pull would have it.
            full = f"docker.io/mojaloop/{name}"
            ctr = ("ctr", "--namespace", "k8s.io", "images", "tag")
            running.machines[0].exec([*ctr, f"{full}:v1.0.2", f"{full}@{DIGEST}"])
        yield running


@pytest.fixture
def updated(kubernetes: Cluster, lab: Lab, tmp_path: Path) -> Iterator[Updated]:
    site = tmp_path / "site.yaml"
    box = kubernetes.machines[0]
    site.write_text(
        "solution: miniloop\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n  - {{name: box, address: {box.address}, roles: [box]}}\n"
    )
    with answering(StandIn().answer) as server:
        yield Updated(kubernetes, site, server.url)


def test_a_workload_is_updated_under_traffic_and_another_taken_back(
    updated: Updated, capsys: pytest.CaptureFixture[str]
) -> None:
    service = {"selector": {"app": "ledger"}, "type": "NodePort",
               "ports": [{"port": 80, "targetPort": 8080, "nodePort": PORT}]}  # fmt: skip
    updated.cluster.apply(
        served("ledger", OLD, lingers=int(PATIENCE)),
        served("bad", "mojaloop/bad:v1.0.0"),
        {"apiVersion": "v1", "kind": "Service", "spec": service,
         "metadata": {"name": "ledger", "namespace": "default"}},
    )  # fmt: skip
    for name in ("ledger", "bad"):
        updated.cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")

    with Traffic(updated.url, patience=PATIENCE) as traffic:
        assert updated.apply("--workload", "default/ledger") == 0, capsys.readouterr()
    told = capsys.readouterr()
    assert not traffic.failed, f"{traffic.asked} asked, {len(traffic.failed)} failed"
    image = updated.template("deployment", "ledger")["spec"]["containers"][0]["image"]
    assert image == NEW, told

    former = updated.template("deployment", "bad")
    pods = {
        one["metadata"]["uid"] for one in updated.cluster.read("pods", "-l", "app=bad")["items"]
    }
    assert updated.apply("--workload", "bad") == 5
    told = capsys.readouterr()
    said = " ".join((told.out + told.err).split())
    assert "crashes again and again (Error, exit code 1)" in said
    assert "main: crashing, as I was told" in said
    assert "its former template is back, unchanged, and it stands" in said
    assert updated.template("deployment", "bad") == former
    assert pods <= updated.pods("bad")


CHART = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
        - name: main
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          args: [serve, ":8080"]
"""


def helm(updated: Updated, *words: str) -> str:
    """The real Helm by hand."""
    done = subprocess.run(
        [str(programs.helm()), *words, "--namespace", "default"],
        env=updated.cluster.environment(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


def test_what_helm_owns_goes_through_helm_and_argo_is_left(
    updated: Updated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", f"{programs.helm().parent}:/usr/bin:/bin")
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: hub\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("replicas: 1\nimage: {repository: x, tag: y}\n")
    (chart / "templates/hub.yaml").write_text(CHART)
    for release, name in (("good", "ledger"), ("worse", "bad")):
        values = f"image.repository=mojaloop/{name},image.tag=v1.0.0,replicas=2"
        helm(updated, "install", release, str(chart), "--set", values, "--wait")
    labels = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "hub"}
    updated.cluster.apply(served("argos", OLD, labels=labels))

    assert updated.apply("--workload", "good") == 0, "".join(capsys.readouterr())
    assert updated.template("deployment", "good")["spec"]["containers"][0]["image"] == NEW
    told = json.loads(helm(updated, "get", "values", "good", "--output", "json"))
    assert told["replicas"] == 2
    assert told["image"]["tag"] == NEW.partition(":")[2]

    former = updated.template("deployment", "worse")
    assert updated.apply("--workload", "worse") == 5
    said = " ".join("".join(capsys.readouterr()).split())
    assert "the templates of revision 1 are back, and they stand" in said
    assert updated.template("deployment", "worse") == former
    history = json.loads(helm(updated, "history", "worse", "--output", "json"))
    assert [one["description"] for one in history][-1] == "Rollback to 1"

    assert updated.apply("--workload", "argos") == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert "argos is left: whoever rendered it as the Helm release hub owns it" in said
    assert updated.template("deployment", "argos")["spec"]["containers"][0]["image"] == OLD


def test_a_machine_of_the_site_watches_and_puts_a_stateful_set_back(
    updated: Updated, capsys: pytest.CaptureFixture[str]
) -> None:
    """By SSH, sudo and a durable job there.

    A stateful set's controller waits for a pod that never stood before it goes back.
    """
    box = updated.cluster.machines[0]
    put = "cat >/usr/local/bin/kubectl && chmod 755 /usr/local/bin/kubectl"
    subprocess.run(
        ["podman", "--runtime", "runc", "exec", "-i", box.container, "sh", "-c", put],
        input=programs.kubectl().read_bytes(), check=True, timeout=300,
    )  # fmt: skip
    admin = kubeconfig(
        updated.cluster.folder, updated.cluster.server, updated.cluster.authority, "root-of-box",
        ("system:masters",), inline=True,
    )  # fmt: skip
    box.write_file("/etc/kubernetes/admin.conf", admin.read_text(), mode=0o600)
    store = served("store", "mojaloop/bad:v1.0.0")
    store["kind"] = "StatefulSet"
    store["spec"]["serviceName"] = "store"
    updated.cluster.apply(store)
    updated.cluster.kubectl("rollout", "status", "statefulset/store", "--timeout=120s")
    former, pods = updated.template("statefulset", "store"), updated.pods("store")

    line = ["updates", "apply", "--site", str(updated.site), "--by", "Ma Ma", "--yes"]
    line += ["--mirror", f"docker.io={updated.registry}", "--workload", "store"]
    assert main(line) == 5, "".join(capsys.readouterr())
    said = " ".join("".join(capsys.readouterr()).split())
    assert "reading the workloads by kubectl on box" in said
    assert "store-1 never stood; it is made anew from the former template" in said
    assert "its former template is back, unchanged, and it stands" in said
    assert updated.template("statefulset", "store") == former
    # The one that was not reached yet ran through all of it.
    assert len(pods & updated.pods("store")) == 1
