"""What is asked before a removal and a join, of a real Kubernetes API; `microk8s` is a shim."""

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
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "suspend": True,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "shop", "image": "shop:1"}],
            }
        },
    },
}
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "resources": {"requests": {"storage": "1Gi"}},
    },
}


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
        content = tmp_path / "content.yml"
        content.write_text(
            "- hosts: master\n  gather_facts: false\n  vars: {content_pause: 0}\n  tasks:\n"
            f"    - ansible.builtin.include_tasks: {PLAYBOOKS}/tasks/content.yml\n"
            "    - ansible.builtin.debug:\n"
            "        msg: OWN {{ cluster_content | join(',') }}. WHY {{ content_untold }}.\n"
        )
        assert "OWN . WHY ." in ask(kubernetes, tmp_path / "c1", str(content)).said
        for namespace in ("kube-system", "default"):
            for name, job in (("shop", JOB), ("data", CLAIM)):
                made = {**job, "metadata": {"name": name, "namespace": namespace}}
                kubernetes.kubectl("apply", "-f", "-", stdin=json.dumps(made))
        said = ask(kubernetes, tmp_path / "c2", str(content)).said
        assert "OWN job.batch/shop,persistentvolumeclaim/data. WHY ." in said
        kubernetes.kubectl("apply", "-f", "-", stdin=json.dumps(DEFINITION))
        kubernetes.kubectl(
            "wait", "--for=condition=Established", "crd/applications.argoproj.io", "--timeout=300s"
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
        told = ask(kubernetes, tmp_path / "c3", str(content)).said
        assert "OWN persistentvolume/pv1,job.batch/shop,persistentvolumeclaim/data. WHY ." in told
        kubernetes.end("kube-apiserver")
        told = ask(kubernetes, tmp_path / "c4", str(content)).said
        assert "OWN . WHY The connection to the server" in told
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
