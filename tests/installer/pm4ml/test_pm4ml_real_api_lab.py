"""What PM4ML asks of a real Kubernetes API, and tells when it refuses; `microk8s` is a shim."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installer.pm4ml.test_pm4ml import PLAYBOOKS
from tests.installer.pm4ml.test_pm4ml_removals import Told, play
from tests.lab.host import required, wait_until
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


def test_only_a_real_no_lets_a_removal_pass(kubernetes: Plane, tmp_path: Path) -> None:
    """No definition, none of them, a volume; who may not list; and an API that is down."""
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

    kubernetes.start("kube-apiserver")
    kubernetes.wait_until_ready()


def test_what_has_ended_is_told_at_once_with_what_mends_it(
    kubernetes: Plane, tmp_path: Path
) -> None:
    """A login, then the certificate of the API; nothing else is asked, and nobody waits for it."""
    asks = tmp_path / "asks.yml"
    tasks = [
        {"ansible.builtin.include_tasks": f"{PLAYBOOKS}/tasks/content.yml"},
        {"ansible.builtin.debug": {"msg": "WHY {{ content_untold }}."}},
        {"ansible.builtin.include_tasks": f"{PLAYBOOKS}/tasks/apply.yml"},
    ]
    things = {"objects": [config("one", "default")]}
    asks.write_text(
        json.dumps([{"hosts": "master", "gather_facts": False, "vars": things, "tasks": tasks}])
    )

    def told(folder: str, why: str, mends: str, **way: Any) -> None:
        played = ask(kubernetes, tmp_path / folder, str(asks), **way)
        assert played.status != 0
        # By a question, and by what is applied: each in kubectl's own words.
        said = played.said.replace("''", "'")
        for part in said.split("Compare with the cluster"):
            assert why in part
            assert mends in part
        assert "RETRYING" not in said
        assert [line.split()[2:4] for line in played.calls["m1"].splitlines()] == [
            ["--request-timeout=30s", "get"],
            ["diff", "--server-side"],
        ]

    told(
        "login",
        "The cluster's API does not accept this machine's login: error: You must be logged in",
        "or is of another cluster: /var/snap/microk8s/current/credentials/client.config",
        user="late",
        days=-0.5,
    )
    certificate = ("apiserver", "kube-apiserver")
    kubernetes.authority.issue(*certificate, names=("127.0.0.1",), days=-0.5)
    kubernetes.end("kube-apiserver")
    kubernetes.start("kube-apiserver")
    wait_until(
        lambda: "x509" in kubernetes.kubectl("get", "--raw", "/readyz", check=False).stderr,
        "the API to show the certificate that has ended",
        seconds=300,
    )
    try:
        told(
            "certificate",
            "The certificate that the cluster's API shows does not hold today: ",
            "If the clock is right (timedatectl), renew it: sitewright renew --site FILE",
        )
    finally:
        kubernetes.authority.issue(*certificate, names=("127.0.0.1",))
        kubernetes.end("kube-apiserver")
        kubernetes.start("kube-apiserver")
        kubernetes.wait_until_ready()


def ask(kubernetes: Plane, folder: Path, playbook: str, *, user: str = "", days: float = 5) -> Told:
    """Run a playbook on one master whose kubectl is the real one, as a user for so many days."""
    way = kubernetes.way_in(user, days=days) if user else kubernetes.kubeconfig
    shim = (
        '#!/bin/sh\necho "microk8s $*" >> "$PLACE/calls"\nprogram=$1; shift\n'
        f"export HOME={kubernetes.folder} KUBECONFIG={way}\n"
        f'[ $program = kubectl ] || exec {programs.kubectl().with_name("helm")} "$@"\n'
        f'exec {programs.kubectl()} "$@"\n'
    )
    return play(folder, playbook, {"m1": {}}, microk8s=shim)


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[Plane]:
    """A control plane with one node that kwok plays."""
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with plane("w1") as running:
        yield running


def config(name: str, namespace: str) -> dict[str, Any]:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "nobody"},
    "webhooks": [
        {
            "name": "nobody.example.org",
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["secrets"],
                }
            ],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
        }
    ],
}
POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-services"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["services"],
                }
            ]
        },
        "validations": [{"expression": "false", "message": "the bank allows no services here"}],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "no-services"},
    "spec": {"policyName": "no-services", "validationActions": ["Deny"]},
}
STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "fixed"},
    "provisioner": "one.example.org",
}


def test_what_the_api_refuses_is_told_in_its_words(kubernetes: Plane, tmp_path: Path) -> None:
    """Every way to be refused ends with the reason, and no Secret's value among it."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": "default"},
        "spec": {"hard": {"count/configmaps": "1"}},
    }
    kubernetes.apply(quota, STORAGE_CLASS, POLICY, BINDING, WEBHOOK)
    kubernetes.kubectl(
        *("wait", "resourcequota/few", "--timeout=300s"),
        "--for=jsonpath={.status.used.count/configmaps}=1",
    )
    # The API takes rules of admission up a moment after it has them.
    for words, made in (
        ("the bank allows no services here", ("service", "clusterip", "tried", "--tcp=80")),
        ("failed calling webhook", ("secret", "generic", "tried")),
    ):
        dry = ("create", *made, "--dry-run=server")
        wait_until(
            lambda: words in kubernetes.kubectl(*dry, check=False).stderr,  # noqa: B023 - waited for within the turn
            words,
            seconds=300,
        )
    hidden = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hidden", "namespace": "default"},
        "data": {"word": base64.b64encode(b"hidden-word").decode()},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"ports": [{"port": 80}]},
    }
    issuer = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "own", "namespace": "default"},
    }
    refused = {
        'namespaces "nonsuch" not found': config("one", "nonsuch"),
        "exceeded quota: few": config("one", "default"),
        "no matches for kind": issuer,
        "the bank allows no services here": service,
        'failed calling webhook "nobody.example.org"': hidden,
        "updates to provisioner are forbidden": {**STORAGE_CLASS, "provisioner": "two.example.org"},
    }
    asked = tmp_path / "asked.yml"
    tries = [
        {
            "block": [
                {
                    "ansible.builtin.include_tasks": f"{PLAYBOOKS}/tasks/apply.yml",
                    "vars": {"objects": [thing]},
                }
            ],
            "rescue": [
                {
                    "ansible.builtin.debug": {
                        "msg": f"TRIED {number} {{{{ ansible_failed_result.msg }}}}"
                    }
                }
            ],
        }
        for number, thing in enumerate(refused.values())
    ]
    play_of = {"hosts": "master", "gather_facts": False, "tasks": tries}
    asked.write_text(json.dumps([play_of]))
    said = ask(kubernetes, tmp_path / "r", str(asked)).said
    for number, words in enumerate(refused):
        told = said.partition(f"TRIED {number} ")[2].partition("TRIED")[0]
        assert "The cluster refused it: " in told, (words, said)
        assert words in told.replace('\\"', '"'), told
        assert "E1" not in told
    assert base64.b64encode(b"hidden-word").decode() not in said
    assert "hidden-word" not in said
    nobody = ask(kubernetes, tmp_path / "n", str(asked), user="nobody").said
    assert 'User "nobody" cannot get resource "configmaps"' in nobody.replace('\\"', '"')
    kubernetes.kubectl("delete", "validatingwebhookconfiguration", "nobody")


def test_who_is_not_well_is_told_first(kubernetes: Plane, tmp_path: Path) -> None:
    """Of nodes that never reported, are cordoned, are well; and an API that is down."""
    for name in ("a1", "a2"):
        kubernetes.add_nodes(name)
    kubernetes.kubectl("cordon", "a1")
    kubernetes.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "z9"}})
    stage = {each["id"]: each for each in steps("80-verify.yaml")}["nodes"]
    item = next(
        each
        for one in steps("55-checklist.yaml")
        for each in one.get("items", [])
        if each["text"] == "Every node of the cluster is Ready"
    )
    for script in (stage["until"]["script"], item["check"]["script"]):
        assert told(kubernetes, tmp_path, script).returncode == 1
    explained = told(kubernetes, tmp_path, stage["explain"]["script"]).stdout.split("\n")
    assert [line.split()[0] for line in explained if line] == ["z9"]
    kubernetes.kubectl("delete", "node", "z9")
    for script in (stage["until"]["script"], item["check"]["script"]):
        assert told(kubernetes, tmp_path, script).returncode == 0
    kubernetes.end("kube-apiserver")
    for script in (stage["until"]["script"], item["check"]["script"]):
        assert told(kubernetes, tmp_path, script).returncode not in (0, None)
    explained = told(kubernetes, tmp_path, stage["explain"]["script"]).stderr.splitlines()
    assert [line for line in explained if not line.startswith("E")] == [
        line for line in explained if "was refused - did you specify the right host" in line
    ]
    kubernetes.start("kube-apiserver")
    kubernetes.wait_until_ready()


def steps(file: str) -> list[dict[str, Any]]:
    """The steps of a stage, as its file has them."""
    text = (PLAYBOOKS.parent / "stages" / file).read_text()
    found: list[dict[str, Any]] = yaml.safe_load(text)["stage"]["steps"]
    return found


def told(kubernetes: Plane, folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a stage as a machine does, where `microk8s kubectl` is the real kubectl."""
    shim = folder / "bin/microk8s"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(f'#!/bin/sh\nshift\nexec {programs.kubectl()} "$@"\n')
    shim.chmod(0o755)
    way = kubernetes.environment()
    return subprocess.run(
        ["sh", "-euc", script],
        env={**way, "PATH": f"{shim.parent}:{way['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
