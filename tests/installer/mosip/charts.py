"""Charts of the names and versions of a MOSIP release, as its release file has them.

They are stand-ins: each makes a deployment (or, for those that upstream waits for as jobs, a job)
and the ConfigMaps and Secrets that upstream's scripts copy from its namespace, with made-up data.
What they hide: every real value, probe, hook and dependency between the services.
"""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from tests.installer.miniloop.charts import packed

_DEPLOYMENT: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 1
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      NODES
      containers: [{name: main, image: "stand-in:1"}]
"""
_CLAIM: Final = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: "{{ .Release.Name }}"}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 8Gi}}
"""
_REFUSED: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: this}}
  template:
    metadata: {labels: {app: another}}
    spec: {containers: [{name: main, image: "stand-in:1"}]}
"""
"""What the API itself refuses: pods that their own deployment would not know."""
_JOB: Final = """\
apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}"}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "stand-in:1"}]
"""
_JOBS: Final = (
    "postgres-init", "keycloak-init", "keygen", "masterdata-loader", "idrepo-saltgen",
    "regproc-salt", "partner-onboarder",
)  # fmt: skip
"""Charts of which upstream waits for the jobs."""
_KEEPS: Final = frozenset({"minio"})
"""Charts with a claim among their own objects, which Helm takes away with the release."""
_NOTHING: Final = frozenset({"istio-addons"})
"""Charts that make gateways and routes alone."""
GIVES: Final = {
    "postgresql": ("secret/db-common-secrets",),
    "keycloak": ("secret/keycloak", "configmap/keycloak-host", "configmap/keycloak-env-vars"),
    "keycloak-init": ("secret/keycloak-client-secrets",),
    "activemq-artemis": ("secret/activemq-activemq-artemis",
                         "configmap/activemq-activemq-artemis-share"),
    "softhsm": ("secret/{{ .Release.Name }}", "configmap/{{ .Release.Name }}-share"),
    "minio": ("secret/minio",),
    "conf-secrets": ("secret/conf-secrets-various",),
    "config-server": ("configmap/config-server-share",),
    "artifactory": ("configmap/artifactory-share",),
}  # fmt: skip
"""What upstream's scripts copy from the namespace of a chart (copy_cm.sh, copy_secrets.sh)."""


def releases(file: Path) -> list[dict[str, str]]:
    """What each release of a release file is, in order."""
    lists = yaml.safe_load(file.read_text())
    return [
        {"name": one["name"], **one["knows"]}
        for entries in lists.values()
        for one in entries
        if "chart" in one["knows"]
    ]


def _given(word: str) -> str:
    kind, name = word.split("/")
    data = {"root-user": "bWluaW8=", "root-password": "bWluaW8tc2VjcmV0"}  # of MinIO alone
    made: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Secret" if kind == "secret" else "ConfigMap",
        "metadata": {"name": name},
        "data": data if name == "minio" else {"made": "dXA="},
    }
    return yaml.safe_dump(made)


def chart(name: str, version: str, *, nodes: str = "", refused: bool = False) -> bytes:
    """A chart as Helm packages it; `nodes` is what its pod asks of a node.

    With `refused` it makes what the API does not take.
    """
    files = {"Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": name, "version": version})}
    if name in _JOBS:
        files["templates/job.yaml"] = _JOB
    elif name not in _NOTHING:
        made = _REFUSED if refused else _DEPLOYMENT.replace("NODES", nodes)
        files["templates/main.yaml"] = made
    if name in _KEEPS:
        files["templates/claim.yaml"] = _CLAIM
    for at, word in enumerate(GIVES.get(name, ())):
        files[f"templates/given-{at}.yaml"] = _given(word)
    return packed(name, files)


@dataclass
class Repository:
    """A repository of charts that is given out."""

    folder: Path
    made: dict[tuple[str, str], bytes] = field(default_factory=dict)
    address: str = ""

    def add(self, name: str, version: str, *, nodes: str = "", refused: bool = False) -> None:
        """Give a chart out, or another instead of it."""
        self.made[name, version] = data = chart(name, version, nodes=nodes, refused=refused)
        (self.folder / f"{name}-{version}.tgz").write_bytes(data)
        self.index()

    def leave_out(self, name: str, version: str) -> None:
        """Give a chart out no more."""
        del self.made[name, version]
        self.index()

    def index(self) -> None:
        """Write what there is."""
        entries: dict[str, list[dict[str, object]]] = {}
        for (name, version), data in self.made.items():
            entries.setdefault(name, []).append(
                {"apiVersion": "v2", "name": name, "version": version,
                 "digest": hashlib.sha256(data).hexdigest(), "urls": [f"{name}-{version}.tgz"]}
            )  # fmt: skip
        text = yaml.safe_dump({"apiVersion": "v1", "entries": entries})
        (self.folder / "index.yaml").write_text(text)


@contextmanager
def given_out(folder: Path, *files: Path, address: str = "127.0.0.1") -> Iterator[Repository]:
    """Every chart of release files, at an address of this machine."""
    repository = Repository(folder)
    every = [(one["chart"], one["version"]) for file in files for one in releases(file)]
    for name, version in dict.fromkeys(every):
        repository.add(name, version)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(folder))  # type: ignore[arg-type]  # as http.server calls it

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    repository.address = f"http://{address}:{server.server_port}/"
    try:
        yield repository
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
