"""Charts of the names, conditions, hooks and tests of mojaloop and example-mojaloop-backend 17.1.0.

Written after the Chart.yaml and values.yaml of mojaloop/helm (example-mojaloop-backend, mojaloop,
ml-testing-toolkit-cli) and what Bitnami's charts do with an image that is not theirs. They are far
smaller: a workload is a container of `hub_pod`, a service and, where the real one has one, an
ingress. Nothing of their templates was taken.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

VERSION = "17.1.0"

_SERVICES = """\
{{- range $name, $one := .Values.services }}
{{- $image := $one.image | default $.Values.image }}
---
apiVersion: apps/v1
kind: {{ $one.kind | default "Deployment" }}
metadata:
  name: {{ tpl $name $ }}
spec:
  replicas: 1
  {{- if eq ($one.kind | default "Deployment") "StatefulSet" }}
  serviceName: {{ tpl $name $ }}
  {{- end }}
  selector: {matchLabels: {app: {{ tpl $name $ }}}}
  template:
    metadata: {labels: {app: {{ tpl $name $ }}}}
    spec:
      terminationGracePeriodSeconds: 0
      {{- with $one.wait }}
      initContainers:
        - name: wait-for-{{ . | replace ":" "-" }}
          image: docker.io/solsson/kafka:2.8.1
          args: [wait, "{{ . }}"]
      {{- end }}
      containers:
        - name: main
          image: "{{ $image.registry }}/{{ $image.repository }}:{{ $image.tag }}"
          args: [serve, {{ range $one.ports }}"{{ . }}", {{ end }}]
          env: [{name: RELEASE, value: "{{ $.Release.Name }}"}]
          {{- with $one.resources }}
          resources: {{ toJson . }}
          {{- end }}
          readinessProbe:
            {{- if $one.health }}
            httpGet: {path: /health, port: {{ first $one.ports }}}
            {{- else }}
            tcpSocket: {port: {{ first $one.ports }}}
            {{- end }}
            periodSeconds: 1
            timeoutSeconds: 120
---
apiVersion: v1
kind: Service
metadata:
  name: {{ tpl $name $ }}
spec:
  selector: {app: {{ tpl $name $ }}}
  ports:
    {{- range $one.ports }}
    - {name: "p{{ . }}", port: {{ if $one.web }}80{{ else }}{{ . }}{{ end }}, targetPort: {{ . }}}
    {{- end }}
{{- with $one.host }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ tpl $name $ }}
spec:
  ingressClassName: nginx
  rules:
    - host: {{ . }}
      http:
        paths:
          - path: /
            pathType: ImplementationSpecific
            backend: {service: {name: {{ tpl $name $ }}, port: {number: 80}}}
{{- end }}
{{- end }}
"""

_BITNAMI = """\
{{- $allowed := dig "security" "allowInsecureImages" false (.Values.global | default dict) }}
{{- if not (or $allowed (hasPrefix "bitnami/" .Values.image.repository)) }}
{{- fail (printf "Original containers have been substituted: %s" .Values.image.repository) }}
{{- end }}
"""

_PROVISIONING = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: kafka-provisioning
  annotations:
    helm.sh/hook: post-install,post-upgrade
    helm.sh/hook-delete-policy: hook-succeeded,before-hook-creation
spec:
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: topics
          {{- with .Values.image }}
          image: "{{ .registry }}/{{ .repository }}:{{ .tag }}"
          {{- end }}
          args: [wait, "kafka:9092"]
"""

_TEST = """\
{{- if .Values.tests.enabled }}
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-weight: {{ .Values.tests.weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  containers:
    - name: test
      image: docker.io/mojaloop/ml-testing-toolkit-client-lib:v1.12.0
      args: [test, {{ .Values.suite }}]
      env:
        - {name: RELEASE, value: "{{ .Release.Name }}"}
        - {name: FAIL, value: {{ dig "stand_in" "fail" "" .Values.global | quote }}}
        - {name: LIE, value: {{ dig "stand_in" "lie" "" .Values.global | quote }}}
{{- end }}
"""


def _hub(image: str, tag: str) -> dict[str, str]:
    return {"registry": "docker.io", "repository": f"mojaloop/{image}", "tag": tag}


def _web(host: str, port: int, *, wait: str = "") -> dict[str, Any]:
    return {"ports": [port], "web": True, "health": True, "host": host, "wait": wait}


_KAFKA, _MYSQL = "kafka:9092", "mysqldb:3306"
HUB: dict[str, tuple[bool, Mapping[str, str], dict[str, Any]]] = {
    "account-lookup-service": (True, _hub("account-lookup-service", "v17.12.2"), {
        "account-lookup-service": _web("account-lookup-service.local", 4002, wait=_MYSQL)}),
    "quoting-service": (True, _hub("quoting-service", "v17.12.1"), {
        "quoting-service": _web("quoting-service.local", 3002, wait=_KAFKA)}),
    "ml-api-adapter": (True, _hub("ml-api-adapter", "v16.5.9"), {
        "ml-api-adapter-service": _web("ml-api-adapter.local", 3000, wait=_KAFKA)}),
    "centralledger": (True, _hub("central-ledger", "v19.8.3"), {
        "centralledger-service": _web("central-ledger.local", 3001, wait=_KAFKA)}),
    "centralsettlement": (True, _hub("central-settlement", "v17.2.2"), {
        "centralsettlement-service": _web("central-settlement-service.local", 3007, wait=_MYSQL)}),
    "transaction-requests-service": (True, _hub("transaction-requests-service", "v14.4.5"), {
        "transaction-requests-service": _web("transaction-request-service.local", 4003)}),
    "simulator": (True, _hub("simulator", "v12.3.2"), {
        "simulator": _web("moja-simulator.local", 8444)}),
    "mojaloop-simulator": (True, _hub("sdk-scheme-adapter", "v24.10.5"), {
        "sim-payerfsp-scheme-adapter": {"ports": [4001, 4000]},
        "sim-payeefsp-backend": {"ports": [3003, 3000],
                                 "image": _hub("mojaloop-simulator", "v15.5.3")}}),
    "ml-testing-toolkit": (True, _hub("ml-testing-toolkit", "v18.15.1"), {
        "ml-testing-toolkit-backend": {"ports": [5050, 4040]}}),
    "mojaloop-bulk": (False, _hub("bulk-api-adapter", "v17.2.2"), {
        "bulk-api-adapter-service": _web("bulk-api-adapter.local", 3000, wait="cl-mongodb:27017")}),
    "thirdparty": (False, _hub("auth-service", "v15.2.7"), {
        "auth-svc": {"ports": [4004]}}),
    "mojaloop-ttk-simulators": (False, _hub("ml-testing-toolkit", "v18.15.1"), {}),
}  # fmt: skip
"""Sub-charts of the hub: whether they are on, their image, their services."""
TESTS = {"ml-ttk-test-setup": ("setup", -9), "ml-ttk-test-val-gp": ("gp", -8),
         "ml-ttk-test-cleanup": ("cleanup", 2)}  # fmt: skip
BACKEND: dict[str, tuple[str, bool, str, str, int]] = {
    "kafka": ("kafka", True, "kafka", "kafka", 9092),
    "mysql": ("mysql", True, "mysqldb", "mysql", 3306),
    "cl-mongodb": ("mongodb", True, "cl-mongodb", "mongodb", 27017),
    "ttk-mongodb": ("mongodb", True, "ttk-mongodb", "mongodb", 27017),
    "ttksims-redis": ("redis", True, "ttksims-redis-master", "redis", 6379),
    "auth-svc-redis": ("redis", True, "auth-svc-redis-master", "redis", 6379),
}
"""Aliases of the backend's dependencies: chart, whether it is on, service, image, port."""


def images() -> list[str]:
    """Every image that the charts can name, as the values of Miniloop settle them."""
    hub = {f"{one['repository']}:{one['tag']}" for _, one, _ in HUB.values()}
    tags = {"kafka": "3.9.0", "mysql": "9.4.0", "mongodb": "8.0.12", "redis": "8.0.3"}
    return sorted(
        {
            *hub,
            *(f"bitnamilegacy/{name}:{tag}" for name, tag in tags.items()),
            *("solsson/kafka:2.8.1", "mojaloop/mojaloop-simulator:v15.5.3"),
            "mojaloop/ml-testing-toolkit-client-lib:v1.12.0",
        }
    )


def write_repository(folder: Path, version: str = VERSION) -> None:
    """A repository of both charts: the packages and their index."""
    made = {"mojaloop": _mojaloop(version), "example-mojaloop-backend": _backend(version)}
    entries = {}
    for name, files in made.items():
        data = packed(name, files)
        (folder / f"{name}-{version}.tgz").write_bytes(data)
        entries[name] = [
            {
                "apiVersion": "v2", "name": name, "version": version,
                "digest": hashlib.sha256(data).hexdigest(), "urls": [f"{name}-{version}.tgz"],
            }
        ]  # fmt: skip
    (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))


def packed(name: str, files: Mapping[str, str]) -> bytes:
    """A chart as `helm package` writes it."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for path, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def _chart(
    place: str, name: str, version: str, values: Mapping[str, Any], templates: Mapping[str, str],
    needs: Sequence[Mapping[str, Any]] = (),
) -> dict[str, str]:  # fmt: skip
    head = {"apiVersion": "v2", "name": name, "version": version, "dependencies": list(needs)}
    files = {"Chart.yaml": yaml.safe_dump(head), "values.yaml": yaml.safe_dump(dict(values))}
    files |= {f"templates/{file}.yaml": text for file, text in templates.items()}
    return {f"{place}{file}": text for file, text in files.items()}


def _mojaloop(version: str) -> dict[str, str]:
    files, values = dict[str, str](), dict[str, Any]()
    needs: list[dict[str, Any]] = []
    for name, (on, image, services) in HUB.items():
        whole = {f"{{{{ .Release.Name }}}}-{one}": said for one, said in services.items()}
        given = {"services": whole, "image": dict(image)}
        files |= _chart(f"charts/{name}/", name, version, given, {"all": _SERVICES})
        values[name] = {"enabled": on}
        needs.append({"name": name, "version": version, "condition": f"{name}.enabled"})
    for name, (suite, weight) in TESTS.items():
        switch = {"tests": {"enabled": False, "weight": weight}, "suite": suite}
        files |= _chart(f"charts/{name}/", name, version, switch, {"tests/runner": _TEST})
        values[name] = {"tests": {"enabled": True}}
        needs.append({"name": name, "version": version, "condition": f"{name}.tests.enabled"})
    return _chart("", "mojaloop", version, {"global": {}, **values}, {}, needs) | files


def _backend(version: str) -> dict[str, str]:
    files, values = dict[str, str](), dict[str, Any]()
    needs: list[dict[str, Any]] = []
    for alias, (chart, on, service, image, port) in BACKEND.items():
        one: dict[str, Any] = {"kind": "StatefulSet", "ports": [port]}
        values[alias] = {"enabled": on, "services": {service: one}}
        needs.append(
            {"name": chart, "alias": alias, "version": version, "condition": f"{alias}.enabled"}
        )
        given = {
            # As Bitnami's charts have named them since 2025: nothing is there under these names.
            "image": {"registry": "docker.io", "repository": f"bitnami/{image}", "tag": "latest"},
            "services": {},
        }
        templates = {"all": _SERVICES, "security": _BITNAMI}
        if chart == "kafka":
            templates["provisioning"] = _PROVISIONING
        files |= _chart(f"charts/{chart}/", chart, version, given, templates)
    return _chart("", "example-mojaloop-backend", version, values, {}, needs) | files
