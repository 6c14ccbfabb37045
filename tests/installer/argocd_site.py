"""A PM4ML site whose Argo CD is the real one, in pods of a real Kubernetes, and its repository.

Argo CD's manifest and programs are its own, pulled from a registry of the test by the mirror that
the site names. Kubernetes, CoreDNS, Git, Ansible, SSH and systemd are real too. `snap`, `microk8s`
(but for its Kubernetes) and Redis are stood in for (tests/stand_ins).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.installer.pm4ml_site import PLAYBOOKS, LabSite, Played, make
from tests.lab.kubernetes import build, images, served
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine

SECRETS = {"git_password": "known-git-password"}

Thing = Mapping[str, Any]
"""An object of Kubernetes."""

_SERVER = """\
import base64, http.server, os, pathlib, subprocess

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = pathlib.Path("/srv/login").read_bytes().strip()
        kind, _, given = (self.headers.get("Authorization") or "").partition(" ")
        if kind != "Basic" or base64.b64decode(given) != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=git")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        headers = {"CONTENT_TYPE": "Content-Type", "HTTP_CONTENT_ENCODING": "Content-Encoding",
                   "GIT_PROTOCOL": "Git-Protocol", "CONTENT_LENGTH": "Content-Length"}
        told = {name: self.headers[key] for name, key in headers.items() if self.headers.get(key)}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"], input=body, stdout=subprocess.PIPE, check=False,
            env={**os.environ, **told, "GIT_PROJECT_ROOT": "/srv", "GIT_HTTP_EXPORT_ALL": "1",
                 "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query})
        head, _, body = done.stdout.partition(b"\\r\\n\\r\\n")
        lines = [line.partition(": ") for line in head.decode().splitlines()]
        status = next((value for name, _, value in lines if name == "Status"), "200")
        self.send_response(int(status.split()[0]))
        for name, _, value in lines:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

http.server.ThreadingHTTPServer(("", 8000), Answer).serve_forever()
"""
"""Git over HTTP for who has the login that stands in /srv/login."""
_LOGIN = f"robot:{SECRETS['git_password']}"
_REPOSITORY = """\
apt-get update -qq
apt-get install -qq -y --no-install-recommends git >/dev/null 2>&1
cd /srv
git config --system --add safe.directory '*'
git init -q --bare -b main site.git
git clone -q site.git checkout 2>/dev/null
systemd-run --quiet --unit=web python3 /srv/serve.py
"""
_PUSH = """\
cd /srv/checkout
git add -A
git -c user.name=x -c user.email=x@x.example commit -q --allow-empty -m x
git push -q origin HEAD:main
"""


def ordered() -> list[str]:
    """Every application of the guide, in its order."""
    text = (PLAYBOOKS / "vars/applications.yml").read_text()
    return [each["name"] for each in yaml.safe_load(text)["ordered_applications"]]


@dataclass
class ArgoSite:
    """One master with the repository on it."""

    site: LabSite
    machine: Machine
    registry: served.Registry
    before: Played | None = None
    """How Argo CD was installed while its images were not there."""
    whole: Played | None = None
    """How it was installed once they were."""

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Ask the cluster, or tell it."""
        words = ("microk8s", "kubectl", *words)
        return self.machine.exec(words, stdin=stdin, timeout=400).stdout

    def apply(self, *things: Thing) -> None:
        """Make objects in the cluster, past Argo CD."""
        whole = {"apiVersion": "v1", "kind": "List", "items": things}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(whole))

    def push(self, application: str, *things: Thing | str) -> None:
        """Let an application's folder hold these objects and texts, and nothing else."""
        folder = f"/srv/checkout/apps/{application}"
        self.machine.exec(["rm", "-rf", folder])
        for number, thing in enumerate(things):
            text = thing if isinstance(thing, str) else yaml.safe_dump(dict(thing))
            self.machine.write_file(f"{folder}/{number}.yaml", text)
        self.machine.script(_PUSH)

    def apps(self, *applications: str, seconds: int = 900) -> Played:
        """Deploy these applications, with so long for each."""
        left_out = [name for name in ordered() if name not in applications]
        self.site.settings["applications_left_out"] = ", ".join(left_out)
        quick = {"application_poll_seconds": 1, "application_wait_seconds": seconds}
        return self.site.play("5.apps_setup.yml", "--extra-vars", json.dumps(quick), timeout=3600)

    def state(self, application: str) -> dict[str, Any]:
        """What Argo CD says of an application."""
        shown = self.kubectl("-n", "argocd", "get", "app", application, "-o", "json")
        return dict(json.loads(shown).get("status", {}))

    def said(self, application: str) -> str:
        """What Argo CD says of an application, and the cluster of the pods in its namespace."""
        pods = self.kubectl("-n", application, "get", "pods", "-o", "json")
        return json.dumps(self.state(application)) + pods


@contextmanager
def argo_site(lab: Lab, factory: MachineFactory, folder: Path) -> Iterator[ArgoSite]:
    """A master with MicroK8s, a repository and a registry; Argo CD is not installed yet."""
    site = make(lab, factory, folder, kubernetes=True, m1="master")
    (m1,) = site.roles
    with served.registry(str(lab.subnet.network_address + 1)) as registry:
        m1.write_file("/root/install.yaml", build.argo_cd_manifest())
        m1.write_file("/srv/serve.py", _SERVER)
        m1.write_file("/srv/login", _LOGIN)
        m1.script(_REPOSITORY, timeout=600)
        m1.script(_PUSH)
        site.settings = {
            "argocd_version": build.ARGO_CD,
            "argocd_manifest": "/root/install.yaml",
            "registry_mirror": registry.address,
            "git_url": f"http://{m1.address}:8000/site.git",
            "git_user": "robot",
        }
        installed = site.play("1.microk8s_setup.yml")
        assert installed.status == 0, installed.output
        yield ArgoSite(site, m1, registry)


def namespace(name: str) -> Thing:
    """A Namespace: Argo CD makes none but that of an application's destination."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def config(name: str, inside: str, **data: str) -> Thing:
    """A ConfigMap in a namespace."""
    metadata = {"name": name, "namespace": inside}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(
    name: str,
    inside: str,
    *words: str,
    image: str = images.POD,
    needs: Mapping[str, str] | None = None,
) -> Thing:
    """A Deployment of one pod, with the words that its program is given."""
    container: dict[str, Any] = {"name": "pod", "image": image, "imagePullPolicy": "IfNotPresent"}
    container["args"] = list(words)
    if needs:
        container["resources"] = {"requests": dict(needs)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": inside},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }
