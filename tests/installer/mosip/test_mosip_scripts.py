"""MOSIP's scripts as programs: names that lead elsewhere, what is brought between namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer.catalogue.rendering import Renderer
from installer.catalogue.solution import load_solution
from tests.lab.kubernetes.certificates import Authority

pytestmark = pytest.mark.processes

FOLDER = load_solution("mosip").folder

_KUBECTL = """\
#!/usr/bin/env python3
\"\"\"kubectl as far as these scripts use it, over a folder of objects; a stand-in.\"\"\"
import json, pathlib, sys
words, place = sys.argv[3:], pathlib.Path(sys.argv[2])
namespace = words[1] if words[0] == "-n" else ""
words = words[2:] if namespace else words
def path(namespace, kind, name):
    return place / f"{namespace}.{kind.lower()}.{name}"
if words[0] == "get":
    file = path(namespace, words[1], words[2])
    print(file.read_text() if file.exists() else "", end="")
elif words[0] == "delete":
    path(namespace, words[1], words[2]).unlink(missing_ok=True)
elif words[0] == "apply":
    one = json.load(sys.stdin)
    meta = one["metadata"]
    meta["managedFields"] = [{"manager": "sitewright"}]
    path(meta["namespace"], one["kind"], meta["name"]).write_text(json.dumps(one))
else:
    sys.exit(64)
"""


class Cluster:
    """A folder of objects with a kubectl over it."""

    def __init__(self, folder: Path) -> None:
        self.objects = folder / "objects"
        self.objects.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "kubectl").write_text(_KUBECTL)
        (self.bin / "kubectl").chmod(0o755)

    def put(self, kind: str, name: str, namespace: str, **data: str) -> None:
        made = {
            "apiVersion": "v1", "kind": kind, "metadata": {"name": name, "uid": "u"}, "data": data,
        }  # fmt: skip
        file = self.objects / f"{namespace}.{kind.lower()}.{name}"
        file.write_text(json.dumps(made))

    def data(self, kind: str, name: str, namespace: str) -> dict[str, str] | None:
        file = self.objects / f"{namespace}.{kind.lower()}.{name}"
        if not file.exists():
            return None
        found: dict[str, str] = json.loads(file.read_text())["data"]
        return found

    def run(self, script: str, *, ask: str = "", **values: object) -> tuple[int, str]:
        """A script of the solution; its exit status and all that it said."""
        renderer = Renderer({"kubeconfig": str(self.objects), **values}, FOLDER)
        text = renderer.script(renderer.source(f"scripts/{script}"), where=script)
        done = subprocess.run(
            ["sh", "-euc", text],
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", **({"ASK": ask} if ask else {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_what_is_copied_is_the_same_and_says_so(cluster: Cluster) -> None:
    each = {"namespace": "kernel", "what": "configmap/global/default secret/s3/s3"}
    cluster.put("ConfigMap", "global", "default", host="api")
    cluster.put("Secret", "s3", "s3", key="c2VjcmV0")
    assert cluster.run("copies.sh", ask="ask", each=each)[0] == 1
    status, said = cluster.run("copies.sh", each=each)
    assert status == 0
    assert "c2VjcmV0" not in said
    assert cluster.data("ConfigMap", "global", "kernel") == {"host": "api"}
    assert cluster.data("Secret", "s3", "kernel") == {"key": "c2VjcmV0"}
    assert cluster.run("copies.sh", ask="ask", each=each)[0] == 0
    cluster.put("ConfigMap", "global", "default", host="other")
    assert cluster.run("copies.sh", ask="ask", each=each)[0] == 1
    assert cluster.run("copies.sh", ask="away", each=each)[0] == 0
    assert cluster.data("Secret", "s3", "kernel") is None
    assert cluster.data("Secret", "s3", "s3") is not None


def test_what_is_not_there_to_be_copied_is_named(cluster: Cluster) -> None:
    each = {"namespace": "kernel", "what": "secret/keycloak/keycloak configmap/s3/s3"}
    status, said = cluster.run("copies.sh", each=each)
    assert status == 1
    assert "secret keycloak in keycloak, configmap s3 in s3" in said


def test_the_pretext_of_buckets_stays_once_it_was_chosen(cluster: Cluster) -> None:
    status, said = cluster.run("object-store.sh")
    assert status == 1
    assert "MinIO's login is not there" in said
    cluster.put("Secret", "minio", "minio", **{"root-user": "YQ==", "root-password": "Yg=="})
    assert cluster.run("object-store.sh")[0] == 0
    first = cluster.data("Secret", "s3", "s3")
    assert first is not None
    assert first["s3-user-secret"] == "Yg=="
    assert cluster.run("object-store.sh", ask="ask")[0] == 0
    cluster.put("Secret", "minio", "minio", **{"root-user": "YQ==", "root-password": "Yw=="})
    assert cluster.run("object-store.sh", ask="ask")[0] == 1
    status, said = cluster.run("object-store.sh")
    assert status == 0
    then = cluster.data("Secret", "s3", "s3")
    assert then == {**first, "s3-user-secret": "Yw=="}
    assert "Yw==" not in said


def test_a_name_that_leads_elsewhere_is_named(cluster: Cluster) -> None:
    """localhost and what is below it lead to 127.0.0.1 wherever the tests run."""
    values = {"domain": "localhost", "public_address": "192.0.2.1", "internal_address": "127.0.0.1"}
    status, said = cluster.run("names.sh", **values)
    assert status == 1
    assert "api.localhost" in said
    assert "it should lead to 192.0.2.1" in said


def test_nginx_that_shows_no_certificate_is_named(cluster: Cluster) -> None:
    """Nothing listens there, which is told of each name."""
    values: dict[str, Any] = {
        "domain": "localhost", "public_address": "127.0.0.1", "internal_address": "127.0.0.1",
        "self_signed": False,
    }  # fmt: skip
    status, said = cluster.run("certificates.sh", **values)
    assert status == 1
    assert "api.localhost at 127.0.0.1" in said
    assert "Mend these certificates" in said


@pytest.mark.parametrize(
    ("names", "days", "status", "says"),
    [
        (("*.site.example",), 90, 0, "is of its name and of today; who made it nobody vouches for"),
        (("*.other.example",), 90, 1, "Hostname mismatch"),
        (("*.site.example",), -0.5, 1, "certificate has expired"),
        (("*.site.example",), 10, 1, "its certificate ends in 10 days"),
    ],
)
def test_a_certificate_of_ones_own_is_of_its_name_and_of_today(
    tmp_path: Path, names: tuple[str, ...], days: float, status: int, says: str
) -> None:
    pair = Authority(tmp_path).issue("nginx", "nginx", names=names, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    values = {"domain": "site.example", "public_address": "127.0.0.1",
              "internal_address": "127.0.0.1", "self_signed": True}  # fmt: skip
    renderer = Renderer(values, FOLDER)
    script = renderer.script(renderer.source("scripts/certificates.sh"), where="x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_shake_hands, args=(server, context), daemon=True).start()
        ran = subprocess.run(
            ["sh", "-euc", script.replace("443", str(server.getsockname()[1]))], check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        server.shutdown(socket.SHUT_RDWR)
    assert (ran.returncode, says in ran.stdout) == (status, True), ran.stdout + ran.stderr


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = server.accept()
        except OSError:
            return
        with (
            plain,
            contextlib.suppress(OSError),
            context.wrap_socket(plain, server_side=True) as one,
        ):
            one.recv(1)


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [("uid-1", "uid-2", 0), ("uid-1", "uid-1", 1), ("", "", 1), ("", "uid-2", 1), ("-", "-", 2)],
)
def test_one_cluster_under_two_names_is_told(
    one: str, other: str, code: int, tmp_path: Path
) -> None:
    """Both kubeconfigs may lead to the same place; a question that failed (`-`) is no answer."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\ntest "$(cat "$2")" != - || exit 1\ncat "$2"\n')
    kubectl.chmod(0o755)
    names = {"kubeconfig": one, "observation_kubeconfig": other}
    for name, uid in names.items():
        (tmp_path / name).write_text(uid)
    stage = yaml.safe_load((FOLDER / "stages/10-clusters.yaml").read_text())
    (step,) = (step for step in stage["stage"]["steps"] if step["id"] == "apart")
    script = step["until"]["script"]
    for name in names:
        script = script.replace(f"{{{{ {name} }}}}", str(tmp_path / name))
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-euc", script], env={"PATH": path}, check=False, timeout=20)
    assert done.returncode == code
