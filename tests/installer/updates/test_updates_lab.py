"""`sitewright updates` before a real Kubernetes: its commands are typed as they are printed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.cli import main
from tests.bundles.servers import answering
from tests.installer.updates.test_hostile_registries import StandIn
from tests.lab.host import required
from tests.lab.kubernetes import build, programs
from tests.lab.kubernetes.plane import Plane, plane

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

IMAGE = "mojaloop/central-ledger:v1.0.0"


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[Plane]:
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with plane("w1") as running:
        yield running


def workload(kind: str, name: str, **meta: object) -> dict[str, object]:
    pod = {
        "containers": [{"name": "main", "image": IMAGE}],
        "initContainers": [{"name": "wait", "image": "mojaloop/wait:v1.0.1"}],
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec: dict[str, object] = {"selector": {"matchLabels": {"app": name}}, "template": template}
    version = "apps/v1"
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if kind == "CronJob":
        once = {**template, "spec": {**pod, "restartPolicy": "Never"}}
        spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": once}}}
        version = "batch/v1"
    return {"apiVersion": version, "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "default", **meta}}  # fmt: skip


def test_the_commands_that_are_printed_change_what_nobody_owns(
    kubernetes: Plane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owned = {"annotations": {"meta.helm.sh/release-name": "moja"}}
    kubernetes.apply(
        workload("Deployment", "ledger"),
        workload("StatefulSet", "store"),
        workload("CronJob", "nightly"),
        workload("Deployment", "helms", **owned),
    )
    with answering(StandIn().answer) as server:
        words = ["updates", "--kubeconfig", str(kubernetes.kubeconfig), "--quiet"]
        words += ["--mirror", f"docker.io={server.url}"]
        assert main([*words, "--format", "message"]) == 0
        said = capsys.readouterr().out
        commands = [line for line in said.splitlines() if line.startswith("kubectl ")]
        assert len(commands) == 3, said
        path = f"{Path(programs.kubectl()).parent}:/usr/bin:/bin"
        for command in commands:
            subprocess.run(
                ["sh", "-c", command],
                check=True,
                capture_output=True,
                timeout=300,
                env={"PATH": path, "KUBECONFIG": str(kubernetes.kubeconfig), "HOME": "/"},
            )
        for kind, name, where in (
            ("deployment", "ledger", ".spec.template"),
            ("statefulset", "store", ".spec.template"),
            ("cronjob", "nightly", ".spec.jobTemplate.spec.template"),
        ):
            form = f"jsonpath={{{where}.spec['containers','initContainers'][*].image}}"
            images = kubernetes.kubectl("get", kind, name, "-o", form).stdout
            assert images == "mojaloop/central-ledger:v1.0.2 mojaloop/wait:v1.0.2"
        assert main([*words, "--format", "message"]) == 0
        said = capsys.readouterr().out
        assert "kubectl" not in said
        assert "change it in the Helm release moja" in said
