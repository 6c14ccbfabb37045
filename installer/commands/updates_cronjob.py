"""`sitewright updates schedule --cronjob`: have a cluster look for updates of what runs in it.

A CronJob with an account of its own that may list workloads and nothing else. No secret is in what
is written: the pod's token is the cluster's, and a webhook's address stays in a Secret that the
person made. All of it is shown before it is applied, and is known again by its mark.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bundles.format.reference import parse_reference
from foundation.documents import dump_yaml
from foundation.problems import ExitCode, InputProblem, Refused
from installer.updates.owners import APPLICATIONS
from installer.updates.schedule import NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foundation.clusters.api import ChangingApi
    from foundation.clusters.kubeconfig import Access

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CRON: Final = re.compile(r"[0-9A-Za-z*/,-]+(?: [0-9A-Za-z*/,-]+){4}")
_MARK: Final = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "sitewright"}
_USER: Final = 65532
"""Of nobody in particular; no image needs to know it."""
_CLUSTER: Final = "/var/run/cluster-access"
_HOME: Final = "/home/sitewright"
_ANSWER: Final = 1 << 20
WEBHOOK: Final = "SITEWRIGHT_SECRET_WEBHOOK"
"""The variable in which the pod is given the webhook's address."""
_KEY: Final = "address"
"""Under which it lies in the Secret."""
_LISTED: Final = (
    ("", ["pods"]),
    ("apps", ["deployments", "statefulsets", "daemonsets"]),
    ("batch", ["cronjobs", "jobs"]),
    (APPLICATIONS.split("/")[2], ["applications"]),
)
"""What `updates --cluster` reads, by API group."""
_PATHS: Final = {
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
}


def add_cronjob_options(parser: argparse.ArgumentParser) -> None:
    """The options of a CronJob, beside those of the timer."""
    group = parser.add_argument_group("in a cluster, by a CronJob instead of a timer here")
    group.add_argument("--cronjob", action="store_true", help="write it, show it, apply it")
    group.add_argument("--image", metavar="IMAGE", help="one that has Sitewright, best by digest")
    group.add_argument("--namespace", metavar="NAME", help="where it runs; it must be there")
    group.add_argument(
        "--cron",
        metavar="WHEN",
        default="",
        help='instead of --every, as cron has it: "17 3 * * 0"',
    )
    group.add_argument(
        "--webhook-secret", metavar="NAME", default="",
        help=f"the Secret of that namespace that has the webhook under `{_KEY}`",
    )  # fmt: skip
    group.add_argument(
        "--claim", metavar="NAME", default="",
        help="the volume claim that keeps what the webhook was told, and lists of tags",
    )  # fmt: skip
    group.add_argument("--cluster", metavar="CONTEXT", default="", help="else the current context")
    group.add_argument("--kubeconfig", type=Path, metavar="FILE", help="of this computer")
    group.add_argument("--allow-programs", action="store_true", help="a kubeconfig's own, unasked")
    group.add_argument("--yes", action="store_true", help="apply it without asking")


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Write the objects, show them, and apply them; or take them away."""
    namespace = _named(options.namespace, "--namespace")
    if options.remove:
        gone = asyncio.run(_removed(_access(options), namespace))
        print("The CronJob is gone." if gone else "There is no CronJob.", file=sys.stderr)
        return ExitCode.DONE
    objects = objects_of(
        namespace=namespace,
        image=_image(options.image),
        schedule=_schedule(options),
        words=words,
        webhook_secret=options.webhook_secret
        and _named(options.webhook_secret, "--webhook-secret"),
        claim=_claim(options),
    )
    print("---\n".join(dump_yaml(one) for one in objects))
    sys.stdout.flush()
    access = _access(options)
    _agreed(options, f"{access.server} (context {access.name}, namespace {namespace})")
    asyncio.run(_applied(access, objects, namespace))
    print(
        f"It is there. See it: kubectl -n {namespace} get cronjob {NAME}; look now: kubectl -n "
        f"{namespace} create job --from=cronjob/{NAME} {NAME}-now\n"
        f"To take it away: sitewright updates schedule --cronjob --namespace {namespace} --remove",
        file=sys.stderr,
    )
    return ExitCode.DONE


def objects_of(
    *,
    namespace: str,
    image: str,
    schedule: str,
    words: Sequence[str],
    webhook_secret: str = "",
    claim: str = "",
) -> tuple[dict[str, Any], ...]:
    """The objects, in the order in which they are made; without a secret in any of them."""
    meta = {"name": NAME, "namespace": namespace, "labels": _MARK}
    everywhere = {"name": f"{NAME}-{namespace}", "labels": _MARK}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
            "name": everywhere["name"]}  # fmt: skip
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {
            "server": "https://kubernetes.default.svc", "certificate-authority": "ca.crt",
        }}],
        "users": [{"name": "here", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
    }  # fmt: skip
    return (
        # No pod of the account is given a token unless it asks, as the one below does.
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta,
         "automountServiceAccountToken": False},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
         "metadata": everywhere,
         "rules": [{"apiGroups": [group], "resources": kinds, "verbs": ["list"]}
                   for group, kinds in _LISTED]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": everywhere, "roleRef": role,
         "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}]},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
         "data": {"config": json.dumps(kubeconfig, indent=1) + "\n"}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": {
            "schedule": schedule,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"metadata": {"labels": _MARK}, "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": 3600,
                "template": {"metadata": {"labels": _MARK},
                             "spec": _pod(image, words, webhook_secret, claim)},
            }},
        }},
    )  # fmt: skip


def _pod(image: str, words: Sequence[str], webhook_secret: str, claim: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "updates",
        "image": image,
        "command": ["sitewright", "updates"],
        "args": ["--cluster", "--kubeconfig", f"{_CLUSTER}/config", *words],
        "env": [{"name": "HOME", "value": _HOME}],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"},
                      "limits": {"memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "cluster", "mountPath": _CLUSTER, "readOnly": True},
            {"name": "home", "mountPath": _HOME},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of a pod of its own
        ],
    }  # fmt: skip
    if webhook_secret:
        ref = {"name": webhook_secret, "key": _KEY}
        container["env"].append({"name": WEBHOOK, "valueFrom": {"secretKeyRef": ref}})
    home = {"persistentVolumeClaim": {"claimName": claim}} if claim else {"emptyDir": {}}
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER,
                            "fsGroup": _USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [
            # The token lies beside the kubeconfig that names it, is for an hour, and is renewed.
            {"name": "cluster", "projected": {"sources": [
                {"configMap": {"name": NAME}},
                {"configMap": {"name": "kube-root-ca.crt"}},
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
            ]}},
            {"name": "home", **home},
            {"name": "tmp", "emptyDir": {}},
        ],
    }  # fmt: skip


def _named(name: str | None, option: str) -> str:
    if not name or not _NAME.fullmatch(name):
        raise InputProblem(
            f"{name!r} is no name of an object" if name else "it is not said",
            where=option,
            remedy=f"Write {option} NAME, of small letters, digits and hyphens.",
        )
    return name


def _image(name: str | None) -> str:
    if not name:
        raise InputProblem(
            "which image has Sitewright is not said, and none is published",
            where="--image",
            remedy="Name one that you made, best by its digest: --image "
            "registry.example.org/sitewright@sha256:…",
        )
    image = parse_reference(name)
    if image.digest is None and image.tag == "latest":
        raise InputProblem(
            f"{name} is whatever is newest, so what runs would change by itself",
            where="--image",
            remedy="Name it by a version, best by its digest: IMAGE@sha256:…",
        )
    return name


def _schedule(options: argparse.Namespace) -> str:
    if options.at:
        raise InputProblem(
            "--at is systemd's, and a CronJob has cron's",
            where="--at",
            remedy='Write --cron "17 3 * * 0" (in the time zone of the control plane).',
        )
    if options.cron:
        if not _CRON.fullmatch(options.cron):
            raise InputProblem(
                f"{options.cron!r} is not the five words of cron",
                where="--cron",
                remedy='Write it as "17 3 * * 0": minute, hour, day, month, day of the week.',
            )
        return str(options.cron)
    if options.every > 24 or 24 % options.every:
        raise InputProblem(
            f"cron has no every {options.every} hours: it begins anew each midnight",
            where="--every",
            remedy='Give a part of 24 (1, 2, 3, 4, 6, 8, 12, 24), or --cron "17 3 * * 0".',
        )
    return "17 3 * * *" if options.every == 24 else f"17 */{options.every} * * *"


def _claim(options: argparse.Namespace) -> str:
    if options.webhook_secret and not options.claim:
        raise InputProblem(
            "a pod forgets, so the webhook would be told the same at every look",
            where="--webhook-secret",
            remedy="Name a volume claim of that namespace that keeps it (1 GiB is enough): "
            "--claim NAME.",
        )
    return _named(options.claim, "--claim") if options.claim else ""


def _access(options: argparse.Namespace) -> Access:
    from foundation.clusters.https import require_allowed
    from foundation.clusters.kubeconfig import kubeconfig_files, read_access
    from installer.commands.options import ask_about_programs

    access = read_access(kubeconfig_files(options.kubeconfig, os.environ), options.cluster or None)
    if access.program is not None:
        ask_about_programs(
            (access.program.shown,), "To log in to the cluster", allow=options.allow_programs,
            where=access.source,
        )  # fmt: skip
    require_allowed(access, allowed=options.allow_programs)
    return access


def _agreed(options: argparse.Namespace, where: str) -> None:
    from installer.commands.asking import choose

    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            "a person must agree to it, and there is no terminal to ask on; nothing was changed",
            where=where,
            remedy="Read what is above, then add --yes; or apply it with kubectl yourself.",
        )
    if choose(f"Apply this to {where}?") != "yes":
        raise Refused("it was not agreed to; nothing was changed", where=where)


async def _applied(access: Access, objects: Sequence[dict[str, Any]], namespace: str) -> None:
    """Make or replace each object; nothing is changed where one of that name is somebody else's."""
    from foundation.clusters.https import HttpsApi

    async with HttpsApi(access) as api:
        there = [await _there(api, one["kind"], one["metadata"]["name"], namespace)
                 for one in objects]  # fmt: skip
        for one, before in zip(objects, there, strict=True):
            path = _PATHS[one["kind"]].format(namespace=namespace)
            if before is None:
                await api.send("POST", path, json.dumps(one).encode())
                continue
            version = before["metadata"].get("resourceVersion", "")
            whole = one | {"metadata": one["metadata"] | {"resourceVersion": version}}
            place = f"{path}/{one['metadata']['name']}"
            await api.send("PUT", place, json.dumps(whole).encode())


async def _removed(access: Access, namespace: str) -> bool:
    """Take all of them away, what runs first; False where none of them is there."""
    from foundation.clusters.https import HttpsApi

    objects = objects_of(namespace=namespace, image="none:none", schedule="", words=())
    async with HttpsApi(access) as api:
        there = [one for one in reversed(objects)
                 if await _there(api, one["kind"], one["metadata"]["name"], namespace)]  # fmt: skip
        for one in there:
            path = _PATHS[one["kind"]].format(namespace=namespace)
            # A job that runs ends with the CronJob that began it.
            body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
            name = one["metadata"]["name"]
            await api.send("DELETE", f"{path}/{name}", json.dumps(body).encode())
    return bool(there)


async def _there(api: ChangingApi, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
    """An object of ours as it is; None where there is none. Raises Refused for somebody else's."""
    from foundation.clusters.problems import ApiRefused

    path = f"{_PATHS[kind].format(namespace=namespace)}/{name}"
    try:
        found: Any = json.loads(await api.get(path, limit=_ANSWER))
    except ApiRefused as error:
        if error.reason == "NotFound":
            return None
        raise
    except (ValueError, RecursionError):
        found = None
    metadata = found.get("metadata") if isinstance(found, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict) or not _MARK.items() <= labels.items():
        raise Refused(
            f"a {kind} of that name is there that Sitewright did not make; nothing was changed",
            where=path,
            remedy=f"Look at it: kubectl get {kind.lower()} {name} -A -o yaml. Move it away, or "
            "name another namespace.",
        )
    return dict(found)
