"""A Kubernetes API on the loopback that only lists: pages, refusals, and answers that break off."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.lab.kubernetes.certificates import Authority
from tests.lab.kubernetes.clients import kubeconfig

Object = dict[str, Any]

NODES = "/api/v1/nodes"
PODS = "/api/v1/pods"
NAMESPACES = "/api/v1/namespaces"
EVENTS = "/api/v1/events"
CLAIMS = "/api/v1/persistentvolumeclaims"
QUOTAS = "/api/v1/resourcequotas"
LIMITS = "/api/v1/limitranges"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
INGRESSES = "/apis/networking.k8s.io/v1/ingressclasses"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"


@dataclass
class FakeApi:
    """What is served, and what goes wrong."""

    folder: Path
    authority: Authority
    objects: dict[str, list[Object]] = field(default_factory=dict)
    version: str = "v1.31.14"
    forbidden: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    """Paths whose JSON ends in the middle."""
    silent: set[str] = field(default_factory=set)
    """Paths that are not answered before the test ends."""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Paths with an answer of their own."""
    kept: dict[str, tuple[int, bytes]] | None = None
    """Answers that are given again as they were, where time is measured."""
    unauthorized: bool = False
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def way_in(self, user: str = "admin", **more: Any) -> Path:
        """A kubeconfig whose certificate is the user's."""
        return kubeconfig(self.folder, self.server, self.authority, user, ("ops",), **more)


@contextmanager
def fake_api(folder: Path, *, days: float = 400) -> Iterator[FakeApi]:
    """An API that serves a small cluster that is well; a test breaks it."""
    authority = Authority(folder)
    api = FakeApi(folder, authority, objects=well())
    pair = authority.issue("serving", "kube-apiserver", names=("127.0.0.1",), days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            if api.kept is not None and self.path in api.kept:
                api.asked.append(self.path)
                status, body = api.kept[self.path]
            else:
                status, body = answer(api, self.path, dict(self.headers))
                if api.kept is not None:
                    api.kept[self.path] = status, body
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def change(self) -> None:
            """A change is answered by what came, at one path; nothing is kept of it."""
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            kind = self.headers.get("Content-Type", "")
            seen = {"method": self.command, "type": kind, "body": body.decode()}
            known = self.path == "/changed"
            answer = json.dumps(seen).encode() if known else _status("NotFound", "no", 404)
            self.send_response(201 if known else 404)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()

        do_POST = do_PUT = do_DELETE = change  # noqa: N815 - the names that http.server calls

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    api.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def answer(api: FakeApi, target: str, headers: dict[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(target)
    path, words = parts.path, parse_qs(parts.query)
    api.asked.append(target)
    api.headers.append(headers)
    if api.unauthorized:
        return 401, _status("Unauthorized", "Unauthorized", 401)
    if path in api.silent:
        api.over.wait()
    if path in api.answers:
        return api.answers[path]
    if path == "/version":
        return 200, json.dumps({"major": "1", "gitVersion": api.version}).encode()
    if path in api.forbidden:
        what = path.rsplit("/", 1)[1]
        message = (
            f'{what} is forbidden: User "nobody" cannot list resource "{what}" in API group ""'
            " at the cluster scope"
        )
        return 403, _status("Forbidden", message, 403)
    items = api.objects.get(path)
    if items is None and path.endswith("/endpointslices"):
        items = api.objects.get(SLICES, [])
    if items is None:
        return 404, _status("NotFound", "the server could not find the requested resource", 404)
    limit = int(words.get("limit", ["0"])[0]) or len(items)
    start = int(words.get("continue", ["0"])[0])
    page = items[start : start + limit]
    meta: Object = {"resourceVersion": "1"}
    if start + limit < len(items):
        meta |= {"continue": str(start + limit), "remainingItemCount": len(items) - start - limit}
    body = json.dumps({"kind": "List", "metadata": meta, "items": page}).encode()
    return 200, body[: len(body) // 2] if path in api.cut else body


def _status(reason: str, message: str, code: int) -> bytes:
    return json.dumps(
        {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}
    ).encode()


def well() -> dict[str, list[Object]]:
    """Three nodes of 16 CPUs and 64 GiB, a DNS of two pods, storage, an ingress: all is well."""
    nodes = ("n1", "n2", "n3")
    return {
        NODES: [node(name) for name in nodes],
        PODS: [
            pod("coredns-a", "kube-system", node="n1", labels={"k8s-app": "kube-dns"}),
            pod("coredns-b", "kube-system", node="n2", labels={"k8s-app": "kube-dns"}),
            *(on_host(pod(f"calico-node-{name}", "kube-system", node=name)) for name in nodes),
            pod("shop-1", "shop", node="n3", cpu="500m", memory="1Gi"),
        ],
        NAMESPACES: [named("kube-system"), named("shop")],
        EVENTS: [],
        CLAIMS: [claim("data", "shop", "Bound")],
        QUOTAS: [],
        LIMITS: [],
        CLASSES: [storage_class("retained", default=True)],
        INGRESSES: [{"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress"}}],
        SERVICES: [
            {"metadata": {"name": "v1."}, "spec": {}},
            api_service("v1beta1.metrics.k8s.io", available=True),
        ],
        VALIDATING: [],
        MUTATING: [],
    }


def named(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "status": {"phase": "Active"}}


def node(name: str, *, ready: str = "True", **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "labels": {"node-role.kubernetes.io/worker": ""}},
        "spec": spec,
        "status": {
            "conditions": [
                {
                    "type": "Ready",
                    "status": ready,
                    "reason": "KubeletReady" if ready == "True" else "KubeletNotReady",
                    "message": "" if ready == "True" else "container runtime is down",
                },
                {"type": "MemoryPressure", "status": "False"},
            ],
            "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"},
            "nodeInfo": {"kubeletVersion": "v1.31.14", "architecture": "amd64"},
        },
    }


def pod(
    name: str,
    namespace: str,
    *,
    node: str = "",
    phase: str = "Running",
    cpu: str = "100m",
    memory: str = "128Mi",
    labels: dict[str, str] | None = None,
    waiting: dict[str, str] | None = None,
    ended: dict[str, Any] | None = None,
    conditions: list[Object] | None = None,
    **status: Any,
) -> Object:
    ready = phase == "Running" and waiting is None
    state: Object = {"name": "main", "ready": ready, "restartCount": 7 if waiting else 0}
    if waiting:
        state["state"] = {"waiting": waiting}
    if ended:
        state["lastState"] = {"terminated": ended}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels or {},
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": "main", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
            ],
        },
        "status": {
            "phase": phase,
            "conditions": conditions or [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [state] if node else None,
            **status,
        },
    }


def on_host(pod: Object) -> Object:
    pod["spec"]["hostNetwork"] = True
    return pod


def claim(name: str, namespace: str, phase: str, storage: str = "retained") -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"storageClassName": storage},
        "status": {"phase": phase},
    }


def storage_class(name: str, *, default: bool = False, reclaim: str = "Retain") -> Object:
    key = "storageclass.kubernetes.io/is-default-class"
    return {
        "metadata": {"name": name, "annotations": {key: "true"} if default else None},
        "provisioner": "driver.longhorn.io",
        "reclaimPolicy": reclaim,
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def api_service(name: str, *, available: bool) -> Object:
    condition = {
        "type": "Available",
        "status": str(available),
        "reason": "" if available else "MissingEndpoints",
        "message": "" if available else "endpoints for service/metrics in kube-system are missing",
    }
    return {
        "metadata": {"name": name},
        "spec": {"service": {"namespace": "kube-system", "name": "metrics"}},
        "status": {"conditions": [condition]},
    }


def webhook(name: str, *, failure: str = "Fail", service: str = "guard") -> Object:
    return {
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": f"{name}.example.org",
                "failurePolicy": failure,
                "clientConfig": {"service": {"namespace": "guards", "name": service}},
            }
        ],
    }


def event(kind: str, namespace: str, name: str, reason: str, message: str) -> Object:
    return {
        "metadata": {"name": f"{name}.1", "namespace": namespace},
        "involvedObject": {"kind": kind, "namespace": namespace, "name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
