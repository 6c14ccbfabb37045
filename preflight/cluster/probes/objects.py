"""The objects that probes make: a namespace, jobs whose pods end by themselves, a claim, a policy.

Everything lies in one namespace, and its removal removes all. Should nobody be left to remove it,
each job ends after `LONGEST` seconds and is forgotten with its pods (ttlSecondsAfterFinished), and
the claim and the policy belong to a job, so that Kubernetes removes them with it; what is left is
an empty namespace, which the next run removes. The pods keep to PodSecurity's level "restricted".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Object = dict[str, Any]

DEFAULT_IMAGE: Final = (
    "docker.io/library/busybox:1.36.1@sha256:"
    "73aaf090f3d85aa34ee199857f03fa3a95c8ede2ffd4cc2cdb5b94e566b11662"
)
"""The index of library/busybox:1.36.1 in Docker Hub; has sh, nc, nslookup and httpd."""
LONGEST: Final = 240
"""Seconds that a pod may live."""
_KEPT_SECONDS: Final = 120
"""For so long a job that has ended is still there to be read."""
PREFIX: Final = "sitewright-probe-"
LABELS: Final = {
    "app.kubernetes.io/managed-by": "sitewright",
    "app.kubernetes.io/component": "probe",
}
SELECTOR: Final = ",".join(f"{name}={value}" for name, value in LABELS.items())
_PORT: Final = 8080
_NOBODY: Final = 65534
_ROOM: Final = "64Mi"
_SAID: Final = "/dev/termination-log"
"""What is written there is read from the pod's state, so that no log and no login is needed."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that nodes are asked to pull."""

    name: str
    """Whole: registry, repository, tag or digest."""
    host: str
    """Where it comes from, as a name to be resolved; "" where that is an address."""


def new_name() -> str:
    """The name of a namespace that nobody has."""
    return PREFIX + secrets.token_hex(4)


def namespace(name: str) -> Object:
    """The namespace of one run of probes."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**LABELS, **enforced}},
    }


def _job(
    name: str,
    image: str,
    command: Sequence[str],
    *,
    variables: Mapping[str, str] | None = None,
    always: bool = False,
    claim: str = "",
    **pod: Any,
) -> Object:
    volumes: list[Object] = [{"name": "own", "emptyDir": {"sizeLimit": "1Mi"}}]
    mounts: list[Object] = [{"name": "own", "mountPath": "/own"}]
    if claim:
        volumes.append({"name": "volume", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "volume", "mountPath": "/volume"})
    container: Object = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "Always" if always else "IfNotPresent",
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in (variables or {}).items()],
        "volumeMounts": mounts,
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "200m", "memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    ready = pod.pop("ready", None)
    if ready is not None:
        container["readinessProbe"] = ready
    labels = {**LABELS, "sitewright/probe": name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": LONGEST,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 1,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _NOBODY,
                        "runAsGroup": _NOBODY,
                        "fsGroup": _NOBODY,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                    "volumes": volumes,
                    **pod,
                },
            },
        },
    }


_NO_PROGRAM: Final = "/sitewright-starts-nothing"


def pull(name: str, image: str, node: str) -> Object:
    """Has one node pull an image anew; what it would run is not in it, so that nothing runs."""
    only = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [only]}]}
    return _job(
        name, image, [_NO_PROGRAM], always=True,
        affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
    )  # fmt: skip


_SERVES: Final = f"echo sitewright >/own/index.html && exec httpd -f -p {_PORT} -h /own"
SERVER: Final = "server"


def server(image: str) -> Object:
    """A pod that others of ours try to reach."""
    return _job(
        SERVER, image, ["sh", "-c", _SERVES],
        ready={"httpGet": {"path": "/", "port": _PORT}, "periodSeconds": 1},
    )  # fmt: skip


_REACHES: Final = f"""\
tries=0 same=0
while [ $tries -lt $TRIES ]; do
  said=$(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 "$TARGET" {_PORT} 2>&1)
  status=$?
  if [ $status -gt 1 ]; then echo "nc ended with $status" >{_SAID}; exit 2; fi
  case $said in *sitewright*) got=reached ;; *) got=barred ;; esac
  if [ $got = $WANTED ]; then same=$((same + 1)); else same=0; fi
  if [ $same -ge 3 ]; then exit 0; fi
  tries=$((tries + 1))
  sleep 1
done
echo "$said" >{_SAID}
exit 1
"""
"""Ends with 1 where it saw the other; with more where it could see nothing."""


def client(name: str, image: str, address: str, *, barred: bool) -> Object:
    """A pod on another node, if there is one, that ends well where it three times met the wanted.

    A policy takes effect a while after it was made, so it tries on for some time.
    """
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"sitewright/probe": SERVER}},
    }
    away = [{"weight": 100, "podAffinityTerm": term}]
    variables = {
        "TARGET": address,
        "WANTED": "barred" if barred else "reached",
        "TRIES": "30" if barred else "12",
    }
    return _job(
        name, image, ["sh", "-c", _REACHES], variables=variables,
        affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": away}},
    )  # fmt: skip


_RESOLVES: Final = f"""\
name=$NAME
while read -r word first second rest; do
  [ "$word" != search ] || within=$second
done </etc/resolv.conf
case $name in *.svc) name=${{name%.svc}}.$within ;; esac
said=$(nslookup "$name" 2>&1)
status=$?
if [ $status -gt 1 ]; then echo "nslookup ended with $status" >{_SAID}; exit 2; fi
# Some end with 1 where there is no address of IPv6.
case $said in *Name:*Address*) exit 0 ;; esac
echo "$said" | grep -v -e '^Server:' -e '^Address' -e '^$' >{_SAID}
exit 1
"""
"""A name of a service is asked for within the cluster's domain, which is the second that a pod
searches: busybox's nslookup from 1.29 on searches for no name with a dot."""


def resolve(name: str, image: str, what: str) -> Object:
    """A pod that ends well where a name resolves in it."""
    return _job(name, image, ["sh", "-c", _RESOLVES], variables={"NAME": what})


_WRITES: Final = f"""\
said=$({{ echo kept >/volume/sitewright-probe && sync && cat /volume/sitewright-probe; }} 2>&1)
rm -f /volume/sitewright-probe
[ "$said" = kept ] && exit 0
echo "$said" >{_SAID}
exit 1
"""


def write(name: str, image: str) -> Object:
    """A pod that writes to the volume of the claim of its own name, and reads it again."""
    return _job(name, image, ["sh", "-c", _WRITES], claim=name)


def claim(name: str, storage_class: str, owner: str) -> Object:
    """A claim of a small volume; the job of this UID is its owner."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _owned(name, name, owner),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": _ROOM}},
        },
    }


def denial(owner: str) -> Object:
    """A policy that lets nobody reach the server; the server's job of this UID is its owner."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _owned("deny", SERVER, owner),
        "spec": {
            "podSelector": {"matchLabels": {"sitewright/probe": SERVER}},
            "policyTypes": ["Ingress"],
            "ingress": [],
        },
    }


def _owned(name: str, job: str, owner: str) -> Object:
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": owner}
    return {"name": name, "labels": LABELS, "ownerReferences": [reference]}
