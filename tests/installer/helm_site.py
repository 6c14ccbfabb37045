"""A cluster that is there already, for HELM Deploy: what is in it, and a site file for it.

Real: Kubernetes 1.31 of one node with its admission, CoreDNS, containerd, Helm 3.17, kubectl, SSH,
systemd; the images are pulled and the chart fetched over HTTP. Made by the tests: the chart
(helm_deploy/charts.py) and what runs in the pods (helm_deploy/hub_pod), the institution's MySQL and
Kafka among them. Stand-ins: snapd and MicroK8s but for its Kubernetes; no engine for NetworkPolicy.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import yaml

from tests.installer.helm_deploy import charts
from tests.lab.kubernetes import given, served
from tests.lab.kubernetes.given import Given
from tests.lab.lab import Lab
from tests.lab.machine import Machine

PASSWORD = "a-password-of-the-three-users"
_POD = Path(__file__).parent / "helm_deploy/hub_pod"
_CERTS = "/var/snap/microk8s/current/args/certs.d/docker.io"
AREAS = (
    "machine cpu memory disk nic software kernel limits os host unique consistency time"
    " network firewall port egress"
)
CLUSTER_AREAS = "capacity nodes storage ingress dns api cni admission"
"""What one node of a lab is not: three of the table's size, with classes and two name servers."""


def given_out(lab: Lab, folder: Path) -> AbstractContextManager[Given]:
    """A registry with every image and a repository of the chart, at an address of this machine."""
    return given.given_out(lab, folder, charts.write_repository, _add_images)


def _add_images(registry: served.Registry) -> None:
    made = given.pods_layer(registry, _POD, ("hub", "wget", "mysql", "timeout"))
    config = {"Entrypoint": ["/bin/hub"], "Env": ["PATH=/bin:/usr/bin"]}
    for image in charts.images():
        name, _, tag = image.partition(":")
        registry.add(name, tag, config, made)


def make_cluster(machine: Machine, it: Given) -> None:
    """The cluster that is there already, with the databases of the institution in it."""
    machine.script(
        "snap install microk8s --classic --channel=1.31/stable\n"
        "microk8s status --wait-ready --timeout 600\n"
        "microk8s enable dns\nmicrok8s enable rbac\n"
        f"mkdir -p {_CERTS}\ncat > {_CERTS}/hosts.toml <<'END'\n"
        f'server = "https://docker.io"\n[host."{it.registry.address}"]\n'
        'capabilities = ["pull", "resolve"]\nEND\n'
    )
    objects = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "nginx"},
            "spec": {"controller": "k8s.io/ingress-nginx"},
        },
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "institution"}},
        *(one for name, port in (("mysql", 3306), ("kafka", 9092)) for one in _backing(name, port)),
    ]
    text = yaml.safe_dump_all(objects)
    machine.script(f"microk8s kubectl apply -f - <<'END'\n{text}END\n")
    machine.exec(
        ["microk8s", "kubectl", "-n", "institution", "rollout", "status", "deployment/kafka",
         "--timeout=600s"], timeout=700,
    )  # fmt: skip


def _backing(name: str, port: int) -> list[dict[str, object]]:
    labels, metadata = {"app": name}, {"name": name, "namespace": "institution"}
    container = {
        "name": name, "image": "docker.io/library/mysql:9.0.1", "args": ["backing", str(port)],
        "env": [{"name": "KNOWN_PASSWORD", "value": PASSWORD}],
    }  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
         "spec": {"selector": {"matchLabels": labels}, "template": template}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata,
         "spec": {"selector": labels, "ports": [{"port": port}]}},
    ]  # fmt: skip


def site_text(lab: Lab, machine: Machine, it: Given, **settings: str) -> str:
    """A site file whose way is the lab's machine; what the lab is not is waived."""
    said = {
        "kubernetes": "microk8s", "namespace": "hub",
        "chart_repository": it.charts,
        "mysql_host": "mysql.institution.svc.cluster.local",
        "kafka_host": "kafka.institution.svc.cluster.local",
        "request_cpu": "5m", "request_memory": "16Mi", "limit_memory": "128Mi", **settings,
    }  # fmt: skip
    site = {
        "solution": "helm-deploy",
        "ssh": {"user": "ubuntu", "identity_files": [str(lab.key)],
                "known_hosts": str(lab.known_hosts)},
        "hosts": [{"name": "way", "address": machine.address, "roles": ["access"]}],
        "settings": said,
        "waivers": [
            {"check": f"{area}.*", "by": "A. Tester", "reason": "the lab", "until": "2099-01-01"}
            for area in f"{AREAS} {CLUSTER_AREAS}".split()
        ],
    }  # fmt: skip
    return yaml.safe_dump(site, sort_keys=False)
