"""PM4ML's checklist as it is read from a customer's repository, and its program with a real Git."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from installer.solutions.pm4ml.playbooks.files.checklist.points import (
    ASK,
    DENIED,
    HOLDS,
    POINTS,
    Point,
    Site,
)
from installer.solutions.pm4ml.playbooks.files.checklist.repository import read_repository

FILES = Path(__file__).parents[3] / "installer/solutions/pm4ml/playbooks/files"
SITE = Site(
    domain="pm4ml.bank.test",
    pm4ml_id="bank-one",
    environment="production",
    classes=("ceph-rbd",),
    ceph_class="ceph-rbd",
    applications=("gateways", "issuers"),
    left_out=("pm4ml",),
)

GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: outside}}
spec:
  servers:
    - hosts: ["*/{host}"]
      tls: {{mode: SIMPLE, credentialName: outside-tls}}
"""
CERTIFICATE = """\
kind: Certificate
metadata: {{name: outside}}
spec: {{secretName: outside-tls, dnsNames: ["{name}"]}}
"""
DEPLOYMENT = """\
kind: Deployment
metadata: {{name: api}}
spec:
  template:
    spec:
      containers:
        - name: api
          resources: {resources}
"""
OTHER_NAME = CERTIFICATE.format(name="x." + SITE.domain)
DNS01 = "kind: Issuer\nspec: {acme: {solvers: [{dns01: {}}]}}\n"
AUTOSCALER = """\
kind: HorizontalPodAutoscaler
metadata: {{name: h}}
spec:
  minReplicas: {least}
  maxReplicas: 2
  scaleTargetRef: {{kind: Deployment, name: {name}}}
"""
GOOD = {
    "env.yaml": "environment: prod\n",
    "gateways/gateway.yaml": GATEWAY.format(host="portal.pm4ml.bank.test"),
    "gateways/certificate.yaml": CERTIFICATE.format(name="*.pm4ml.bank.test"),
    "pm4ml/values.yaml": "dfspId: bank-one\nstorageClass: ceph-rbd\nsize: 10Gi\n",
    "pm4ml/api.yaml": DEPLOYMENT.format(
        resources="{requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 2, memory: 2Gi}}"
    ),
    "issuers/issuer.yaml": "kind: ClusterIssuer\nmetadata: {name: vault}\nspec: {vault: {}}\n",
}


def judge(folder: Path, point: str, files: dict[str, str | None]) -> Point:
    """What is said of a point for a repository of these files; None is a file that is not there."""
    for name, text in files.items():
        if text is None:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return POINTS[point](read_repository(folder), SITE)


@pytest.mark.parametrize(
    ("point", "changed", "verdict", "word"),
    [
        ("applications", {}, HOLDS, "2 folders"),
        ("applications", {"vault/a.yaml": ""}, ASK, "vault is in the repository and none of"),
        ("applications", {"issuers/issuer.yaml": None}, DENIED, "issuers has no folder"),
        ("applications",
         {"issuers/issuer.yaml": None, "issuers/read.md": "", "issuers/a/b.yml": ""},
         DENIED, "the folder of issuers holds nothing at its top that Argo CD can deploy"),
        ("applications", {"issuers/issuer.yaml": None, "issuers/Kustomization": ""}, HOLDS, ""),
        ("environment", {}, HOLDS, "env.yaml:1"),
        ("environment", {"env.yaml": "environment: staging\n"}, DENIED, '"staging"'),
        ("environment", {"env.yaml": "environment: [a, b]\n"}, ASK, "no file"),
        ("gateways", {}, HOLDS, "portal.pm4ml.bank.test"),
        ("gateways", {"gateways/gateway.yaml": GATEWAY.format(host="a.other.test")}, DENIED,
         "answers to a.other.test"),
        ("gateways", {"gateways/gateway.yaml": GATEWAY.format(host="evilpm4ml.bank.test")}, DENIED,
         "answers to evilpm4ml.bank.test"),
        ("virtual-services", {}, ASK, "no VirtualService"),
        ("endpoints", {}, HOLDS, "pm4ml/values.yaml:1"),
        ("endpoints", {"pm4ml/values.yaml": "dfspId: bank-two\n"}, DENIED, "stands nowhere"),
        ("issuers", {}, HOLDS, "ClusterIssuer vault"),
        ("issuers", {"issuers/issuer.yaml": ""}, ASK, "no Issuer"),
        ("tls-secrets", {}, HOLDS, "outside-tls"),
        ("tls-secrets", {"gateways/certificate.yaml": ""}, ASK, "wants the secret outside-tls"),
        ("dns-challenge", {}, HOLDS, "no issuer uses"),
        ("dns-challenge", {"issuers/issuer.yaml": DNS01}, ASK, "Issuer"),
        ("certificate-names", {}, HOLDS, "*.pm4ml.bank.test"),
        ("certificate-names", {"gateways/certificate.yaml": OTHER_NAME},
         DENIED, "no certificate covers portal.pm4ml.bank.test"),
        ("certificate-names", {"gateways/certificate.yaml": CERTIFICATE.format(name="*.old.test")},
         DENIED, "is for *.old.test"),
        ("external-secrets", {}, ASK, "no ExternalSecret"),
        ("external-secrets",
         {"s.yaml": "kind: SecretStore\nmetadata: {name: vault}\n---\nkind: ExternalSecret\n"
                    "spec: {secretStoreRef: {name: vualt}}\n"}, DENIED, "takes from vualt"),
        ("placeholders", {}, HOLDS, "values were read"),
        ("placeholders", {"f.yaml": "operation: INSERT_FIRST\n"}, HOLDS, "values were read"),
        ("placeholders", {"f.yaml": "a: insert_first_name\n"}, DENIED, "f.yaml:1"),
        ("placeholders", {"db.yaml": "password: CHANGEME\n"}, DENIED, "db.yaml:1 (password)"),
        ("placeholders", {"db.yaml": "a:\n  token: <your token>\n"}, DENIED, "db.yaml:2 (a.token)"),
        ("placeholders", {"t.tpl": "{{ x }}\nhost: db.example.com\n"}, DENIED, "t.tpl:2 (host)"),
        ("placeholders", {"a/charts/x/values.yaml": "password: changeme\n"}, HOLDS, ""),
        ("placeholders", {"ok.yaml": "# CHANGEME\nname: exchange-method\n"}, HOLDS, ""),
        ("storage-classes", {}, HOLDS, "ceph-rbd (pm4ml/values.yaml:2)"),
        ("storage-classes", {"db.yaml": "storageClassName: gp2\n"}, DENIED, "db.yaml:1 wants gp2"),
        ("volume-sizes", {}, ASK, "10Gi (pm4ml/values.yaml:3)"),
        ("volumes", {}, ASK, "no database of the repository was seen on Ceph"),
        ("volumes", {"stateful-resources/mysql.yaml": "storageClass: ceph-rbd\n"}, DENIED,
         "stateful-resources/mysql.yaml:1 puts its data on ceph-rbd"),
        ("volumes", {"pm4ml/values.yaml": "redis: {master: {storageClass: ceph-rbd}}\n"}, DENIED,
         "(redis.master.storageClass)"),
        ("volumes", {"a/x.yaml": "kind: Kafka\nmetadata: {name: x}\nspec: {class: ceph-rbd}\n"},
         DENIED, "a/x.yaml:3"),
        ("volumes", {"a/backup.yaml": "mysqlBackup: {storageClass: ceph-rbd}\n"}, ASK, ""),
        ("volumes", {"a/loki.yaml": "storageClass: ceph-rbd\n"}, ASK, "no database"),
        ("cpu", {}, HOLDS, "2 requests and limits"),
        ("cpu", {"pm4ml/api.yaml": DEPLOYMENT.format(resources="{limits: {cpu: 1}}")}, DENIED,
         "container api has no cpu in its requests"),
        ("memory", {"chart/values.yaml": "sdk:\n  resources: {}\n"}, DENIED,
         "sdk.resources is empty"),
        ("autoscalers", {}, HOLDS, "no autoscaler"),
        ("autoscalers", {"h.yaml": AUTOSCALER.format(least=3, name="api")}, DENIED,
         "scales from 3 to 2"),
        ("autoscalers", {"h.yaml": AUTOSCALER.format(least=1, name="apo")}, DENIED,
         "Deployment apo"),
    ],
)  # fmt: skip
def test_each_point_holds_is_denied_or_is_a_person_s(
    tmp_path: Path, point: str, changed: dict[str, str | None], verdict: int, word: str
) -> None:
    """By what stands in the repository; what a program cannot see it leaves to a person."""
    found = judge(tmp_path, point, {**GOOD, **changed})
    assert found.verdict == verdict, found
    assert word in "; ".join(found.said)


def test_what_is_found_names_the_place_and_never_the_value(tmp_path: Path) -> None:
    """A password that only looks like a placeholder must not be told to everybody."""
    found = judge(tmp_path, "placeholders", {"db.yaml": "password: changeme-S3cr3t\n"})
    assert found.verdict == DENIED
    assert "S3cr3t" not in json.dumps(found.said)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "[" * 2000,
        "{{ if }}\n: :\n",
        "kind: [1]\nspec: 3\n",
        "\x00\x01",
        "- - - -\n",
        "",
    ],
)
def test_nothing_in_a_repository_breaks_the_reader(tmp_path: Path, text: str) -> None:
    """It comes from outside: every point is judged whatever stands there."""
    (tmp_path / "x.yaml").write_text(text)
    repository = read_repository(tmp_path)
    for name, point in POINTS.items():
        if name != "names":
            point(repository, SITE)


@pytest.mark.processes
def test_the_program_fetches_tells_and_leaves_no_copy(tmp_path: Path) -> None:
    """With Argo CD's login, over HTTP as Argo CD does; the password is in no argument."""
    bare, work, run = tmp_path / "site.git", tmp_path / "work", tmp_path / "run"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x.test", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q", str(work)], check=True)
    for name, text in GOOD.items():
        path = work / "apps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run([*git, "-C", str(work), "add", "."], check=True)
    subprocess.run([*git, "-C", str(work), "commit", "-q", "-m", "x"], check=True)
    subprocess.run([*git, "clone", "-q", "--bare", str(work), str(bare)], check=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    secret = {"data": {n: base64.b64encode(v).decode() for n, v in
                       {"username": b"robot", "password": b"known-password"}.items()}}  # fmt: skip
    (programs / "microk8s").write_text(f"#!/bin/sh\necho '{json.dumps(secret)}'\n")
    (programs / "microk8s").chmod(0o755)

    def program(*words: str) -> subprocess.CompletedProcess[str]:
        code = (
            "import sys, checklist.__main__ as m; from pathlib import Path; "
            f"m.FOUND = Path({str(run / 'checklist.json')!r}); sys.exit(m.main())"
        )
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            env={"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(FILES),
                 "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    options = ["--revision=main", "--path=apps", "--domain=pm4ml.bank.test", "--pm4ml-id=bank-one",
               "--environment=production", "--classes=ceph-rbd"]  # fmt: skip
    # A path on this machine is no way by which Argo CD could come; it is refused.
    refused = program("look", f"--url={bare}", *options)
    assert refused.returncode == ASK
    assert "cannot be fetched" in refused.stdout
    assert program("tell", "gateways").returncode == ASK

    subprocess.run(["git", "-C", str(bare), "update-server-info"], check=True)
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split(" port ")[1].split()[0]
        url = f"http://127.0.0.1:{port}/site.git"
        looked = program("look", f"--url={url}", *options)
        assert looked.returncode == HOLDS, looked.stdout + looked.stderr
        missing = program("look", f"--url={url}", *options, "--path=nowhere")
        assert missing.returncode == DENIED
        assert "has no folder nowhere at main" in missing.stdout
        assert program("look", f"--url={url}", *options).returncode == HOLDS
    finally:
        server.terminate()
        server.wait()
    told = program("tell", "gateways")
    assert told.returncode == HOLDS
    assert "portal.pm4ml.bank.test" in told.stdout
    assert program("tell", "volume-sizes").returncode == ASK
    assert [path.name for path in run.iterdir()] == ["checklist.json"]
    assert "known-password" not in (run / "checklist.json").read_text()


def test_braces_in_quotes_are_a_value_and_others_a_template(tmp_path: Path) -> None:
    (tmp_path / "vault.yaml").write_text('kind: VaultSecret\nspec: {a: "{{ .b.c }}"}\n')
    (tmp_path / "helm.yaml").write_text("kind: Issuer\nname: {{ .Values.name }}\n")
    found = read_repository(tmp_path)
    assert [one.kind for one in found.documents] == ["VaultSecret"]
    assert found.templates == ["helm.yaml"]


def test_databases_on_ceph_are_let_by_for_staging_and_by_a_name_alone(tmp_path: Path) -> None:
    """§4.1 speaks of production; a class that is the default takes what names none."""
    judge(tmp_path, "volumes", {"db/mysql.yaml": "storageClass: ceph-rbd\n"})
    repository = read_repository(tmp_path)

    def said(**changed: Any) -> Point:
        return POINTS["volumes"](repository, replace(SITE, **changed))

    assert said().verdict == DENIED
    assert said(environment="staging").verdict == ASK
    accepted = said(accepted_by="A. Tester")
    assert accepted.verdict == ASK
    assert "accepted by A. Tester" in accepted.said[0]
    (tmp_path / "db/mysql.yaml").unlink()
    repository = read_repository(tmp_path)
    assert said().verdict == ASK
    usual = said(default_classes=("ceph-rbd",))
    assert usual.verdict == DENIED
    assert "is the default class" in usual.said[0]
