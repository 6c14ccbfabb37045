"""STAND-IN for Argo CD's manifest, for tests that deploy no application: pods that only wait.

They have the names of Argo CD's and are real pods; nothing in them looks at a repository. The real
manifest, with Argo CD's own programs, is in tests/installer/argocd_site.py.
"""

from __future__ import annotations

import json

from tests.lab.kubernetes import images


def manifest() -> str:
    """The manifest, as one list in JSON."""
    kinds = {
        "argocd-server": "Deployment",
        "argocd-repo-server": "Deployment",
        "argocd-application-controller": "StatefulSet",
    }
    things = [_workload(name, kind) for name, kind in kinds.items()]
    names = {"group": "argoproj.io", "kind": "Application", "plural": "applications"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "applications.argoproj.io"},
        "spec": {
            "group": names.pop("group"),
            "names": names,
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
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [definition, *things]})


def _workload(name: str, kind: str) -> dict[str, object]:
    labels = {"app.kubernetes.io/name": name}
    container = {"name": name, "image": images.POD, "imagePullPolicy": "IfNotPresent"}
    spec: dict[str, object] = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "containers": [container],
                "terminationGracePeriodSeconds": 1,
                "tolerations": [{"operator": "Exists"}],
            },
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
