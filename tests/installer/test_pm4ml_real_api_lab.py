"""The questions before a removal, put to a real Kubernetes API; only `microk8s` is a shim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.installer.test_pm4ml import PLAYBOOKS
from tests.installer.test_pm4ml_removals import Told, play
from tests.lab.host import required
from tests.lab.kubernetes import build, programs
from tests.lab.kubernetes.plane import Plane, plane

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "applications.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Application", "plural": "applications", "singular": "application"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "pv1"},
    "spec": {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/nowhere"},
    },
}
"""What stands for a value in the cluster: the lab's API takes no object of a custom kind."""


def test_only_a_real_no_lets_a_removal_pass(tmp_path: Path) -> None:
    """No definition, none of them, a volume; who may not list; and an API that is down."""
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with plane("w1") as kubernetes:
        asked = tmp_path / "asked.yml"
        asked.write_text(
            "- hosts: master\n  gather_facts: false\n  tasks:\n"
            f"    - ansible.builtin.include_tasks: {PLAYBOOKS}/tasks/holds.yml\n"
            "    - ansible.builtin.debug:\n"
            "        msg: HOLDS {{ cluster_holds | join(',') or 'nothing' }}.\n"
        )
        assert "HOLDS nothing." in ask(kubernetes, tmp_path / "1", str(asked)).said
        kubernetes.kubectl("apply", "-f", "-", stdin=json.dumps(DEFINITION))
        kubernetes.kubectl(
            "wait", "--for=condition=Established", "crd/applications.argoproj.io", "--timeout=60s"
        )
        assert "HOLDS nothing." in ask(kubernetes, tmp_path / "2", str(asked)).said
        kubernetes.kubectl("apply", "-f", "-", stdin=json.dumps(VOLUME))
        there = ask(kubernetes, tmp_path / "3", "undo/microk8s.yml")
        assert there.status != 0
        assert "the cluster of m1 has 1 volumes" in " ".join(there.said.lower().split())
        for playbook in ("undo/microk8s.yml", "undo/argocd.yml"):
            nobody = ask(kubernetes, tmp_path / f"4{playbook[5:8]}", playbook, user="nobody")
            assert nobody.status != 0
            assert "cannot be told" in nobody.said
            assert 'User "nobody" cannot' in nobody.said
        kubernetes.end("kube-apiserver")
        for playbook in ("undo/microk8s.yml", "undo/argocd.yml"):
            down = ask(kubernetes, tmp_path / f"5{playbook[5:8]}", playbook)
            assert down.status != 0
            assert "cannot be told" in down.said
            assert "was refused - did you specify the right host or port?" in down.said
            assert "snap remove" not in down.calls["m1"]


def ask(kubernetes: Plane, folder: Path, playbook: str, *, user: str = "") -> Told:
    """Run a playbook on one master whose kubectl is the real one."""
    way = kubernetes.way_in(user) if user else kubernetes.kubeconfig
    shim = (
        '#!/bin/sh\necho "microk8s $*" >> "$PLACE/calls"\nshift\n'
        f'HOME={kubernetes.folder} KUBECONFIG={way} exec {programs.kubectl()} "$@"\n'
    )
    return play(folder, playbook, {"m1": {}}, microk8s=shim)
