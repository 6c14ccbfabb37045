"""A chart of the names, values and shape of mojaloop 17.1.0, as far as HELM Deploy speaks of them.

Written after the values of the published chart (each service with its own replicaCount, resources,
config.db_* and config.kafka_*, ingress; one `pdb` for all; pods spread over nodes). It is far
smaller: a few of the workloads, each one container of `hub_pod`. Nothing of the real templates was
taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.installer.miniloop.charts import packed

GOOD = "17.1.0"
NEWER = "17.1.1"
"""Another image of the ledger, and one service more."""
BROKEN = {
    "17.9.1": "wants a value",
    "17.9.2": "wants a kind that the cluster does not know",
    "17.9.3": "has a schema that refuses our values",
    "17.9.4": "has a pod that crashes",
}

_SERVICES = """\
{{- range $name, $one := .Values }}
{{- if and (kindIs "map" $one) (hasKey $one "image") }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $.Release.Name }}-{{ $name }}
spec:
  replicas: {{ $one.replicaCount }}
  selector: {matchLabels: {app: {{ $.Release.Name }}-{{ $name }}}}
  template:
    metadata: {labels: {app: {{ $.Release.Name }}-{{ $name }}, hub: {{ $.Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {app: {{ $.Release.Name }}-{{ $name }}}}
      containers:
        - name: {{ $name }}
          image: "docker.io/mojaloop/{{ $one.image.repository }}:{{ $one.image.tag }}"
          args: [serve, "8080"]
          env:
            {{- with $one.config }}
            {{- if .kafka_host }}
            - {name: KAFKA_HOST, value: {{ .kafka_host | quote }}}
            - {name: KAFKA_PORT, value: {{ .kafka_port | quote }}}
            {{- end }}
            {{- if .db_host }}
            - {name: DB_HOST, value: {{ .db_host | quote }}}
            - {name: DB_PORT, value: {{ .db_port | quote }}}
            - {name: DB_USER, value: {{ .db_user | quote }}}
            - name: DB_PASSWORD
              valueFrom: {secretKeyRef: {{ toJson .db_secret }}}
            {{- end }}
            {{- end }}
            - {name: CRASHES, value: {{ $one.crashes | default "" | quote }}}
          {{- with $one.resources }}
          resources: {{ toJson . }}
          {{- end }}
          readinessProbe:
            httpGet: {path: /health, port: 8080}
            periodSeconds: 1
            timeoutSeconds: 120
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $.Release.Name }}-{{ $name }}
spec:
  selector: {app: {{ $.Release.Name }}-{{ $name }}}
  ports: [{port: 80, targetPort: 8080}]
{{- if $one.ingress }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $.Release.Name }}-{{ $name }}
spec:
  ingressClassName: {{ $one.ingress.className }}
  rules:
    - host: {{ $one.ingress.hostname }}
      http:
        paths:
          - path: /
            pathType: ImplementationSpecific
            backend: {service: {name: {{ $.Release.Name }}-{{ $name }}, port: {number: 80}}}
{{- end }}
{{- end }}
{{- end }}
"""
_PDB = """\
{{- if .Values.pdb.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .Release.Name }}
spec:
  maxUnavailable: {{ .Values.pdb.maxUnavailable }}
  selector: {matchLabels: {hub: {{ .Release.Name }}}}
{{- end }}
"""
_WANTS = '{{- required "the value hub.licence is needed" (.Values.hub | default dict).licence }}\n'
_UNKNOWN = """\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: {{ .Release.Name }}
spec: {mtls: {mode: STRICT}}
"""
_SCHEMA = (
    '{"type": "object", "properties": {"pdb": {"properties": {"maxUnavailable": {"%s": %s}}}}}'
)

_DB = {"db_host": "mysqldb", "db_port": 3306, "db_user": "", "db_database": "", "db_password": "",
       "db_secret": {"name": "mysqldb", "key": "mysql-password"}}  # fmt: skip
_KAFKA = {"kafka_host": "kafka", "kafka_port": 9092}
_IMAGES = {
    "account-lookup-service": ("account-lookup-service", "v17.12.2"),
    "quoting-service": ("quoting-service", "v17.12.1"),
    "ml-api-adapter": ("ml-api-adapter", "v16.5.9"),
    "centralledger": ("central-ledger", "v19.8.3"),
    "centralsettlement": ("central-settlement", "v17.2.2"),
}
_NEWER_LEDGER = "v19.8.4"
_SERVICES_OF: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "account-lookup-service": {"account-lookup-service": _DB, "account-lookup-service-admin": _DB},
    "quoting-service": {"quoting-service": {**_DB, **_KAFKA}},
    "ml-api-adapter": {"ml-api-adapter-service": _KAFKA},
    "centralledger": {
        "centralledger-service": {**_DB, **_KAFKA},
        "centralledger-handler-timeout": {**_DB, **_KAFKA},
    },
    "centralsettlement": {"centralsettlement-service": {**_DB, **_KAFKA}},
}


def images() -> list[str]:
    """Every image that the charts name, and what the pod that asks the databases runs."""
    hub = [f"mojaloop/{name}:{tag}" for name, tag in _IMAGES.values()]
    newer = f"mojaloop/central-ledger:{_NEWER_LEDGER}"
    return [*hub, newer, "library/mysql:9.0.1", "solsson/kafka:2.8.1"]


def write_repository(folder: Path) -> None:
    """A repository of every release: the packages and their index."""
    entries = []
    for version in (GOOD, NEWER, *BROKEN):
        data = packed("mojaloop", _mojaloop(version))
        name = f"mojaloop-{version}.tgz"
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        entries.append({"apiVersion": "v2", "name": "mojaloop", "version": version,
                        "digest": digest, "urls": [name]})  # fmt: skip
    index = {"apiVersion": "v1", "entries": {"mojaloop": entries}}
    (folder / "index.yaml").write_text(yaml.safe_dump(index))


def _service(chart: str, config: Mapping[str, Any], version: str) -> dict[str, Any]:
    name, tag = _IMAGES[chart]
    if version == NEWER and chart == "centralledger":
        tag = _NEWER_LEDGER
    crashes = "yes" if version == "17.9.4" and chart == "centralsettlement" else ""
    return {"replicaCount": 1, "resources": {}, "config": dict(config), "crashes": crashes,
            "image": {"repository": name, "tag": tag},
            "ingress": {"className": "nginx", "hostname": f"{chart}.local"}}  # fmt: skip


def _mojaloop(version: str) -> dict[str, str]:
    values: dict[str, Any] = {"pdb": {"enabled": True, "maxUnavailable": 1}}
    needs, files = [], {"templates/pdb.yaml": _PDB}
    for chart, services in _SERVICES_OF.items():
        whole = dict(services)
        if version == NEWER and chart == "centralledger":
            whole["centralledger-handler-transfer-get"] = {**_DB, **_KAFKA}
        values[chart] = {name: _service(chart, said, version) for name, said in whole.items()}
        needs.append({"name": chart, "version": version})
        head = {"apiVersion": "v2", "name": chart, "version": version}
        files[f"charts/{chart}/Chart.yaml"] = yaml.safe_dump(head)
        files[f"charts/{chart}/templates/all.yaml"] = _SERVICES
    schema = ("const", "2") if version == "17.9.3" else ("type", '"integer"')
    files["values.schema.json"] = _SCHEMA % schema
    if version == "17.9.1":
        files["templates/wants.yaml"] = _WANTS
    if version == "17.9.2":
        files["templates/mesh.yaml"] = _UNKNOWN
    files["values.yaml"] = yaml.safe_dump(values)
    files["Chart.yaml"] = yaml.safe_dump(
        {"apiVersion": "v2", "name": "mojaloop", "version": version, "dependencies": needs}
    )
    return files
