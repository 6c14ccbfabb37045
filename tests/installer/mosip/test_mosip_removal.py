"""What removes MOSIP asks first: an answer that did not come is never a no, and data stays.

The scripts are run for real; `helm` and `kubectl` are stand-ins that answer as the test says.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from installer.catalogue.rendering import Renderer
from installer.catalogue.solution import load_solution
from installer.commands.operate import operation_plan

pytestmark = pytest.mark.processes

FOLDER = load_solution("mosip").folder
_PROGRAM = """\
#!/usr/bin/env python3
\"\"\"STAND-IN for helm and kubectl: says what is in answers.json, and notes what it was told.\"\"\"
import json, os, pathlib, sys
place = pathlib.Path(os.environ["PLACE"])
given = "" if sys.stdin.isatty() or "-f" not in sys.argv else sys.stdin.read()
words = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
if "--kubeconfig" in words:
    at = words.index("--kubeconfig")
    del words[at : at + 2]
with (place / "calls").open("a") as calls:
    calls.write(" ".join(words) + (" < " + given if given else "") + "\\n")
for asked, (status, said) in json.loads((place / "answers.json").read_text()).items():
    if " ".join(words).startswith(asked):
        print(said, end="")
        if status:
            print("Error: the server does not answer", file=sys.stderr)
        sys.exit(status)
"""
HELM = "helm list --all -n minio --filter ^minio$"
OURS = f"{HELM} --selector sitewright=brought"
THERE = "minio minio 1 2026-01-01 00:00:00 +0000 UTC deployed minio-15.0.6 2025\n"
CLAIMS = "kubectl get persistentvolumeclaims -n minio"
SECRETS = "kubectl get secrets -n minio"
VOLUME = "kubectl get persistentvolume pv-1"
MINIO = {"name": "minio", "release": "minio", "namespace": "minio", "chart": "minio"}


def listed(*things: dict[str, Any]) -> tuple[int, str]:
    return 0, json.dumps({"items": things})


def thing(name: str, *, of: str = "minio", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "uid": "0a1b2c3d-0000", "annotations": {"meta.helm.sh/release-name": of}}
    return {"metadata": meta, **more}


FULL = {
    OURS: (0, THERE),
    HELM: (0, THERE),
    CLAIMS: listed(
        thing("minio", spec={"volumeName": "pv-1"}),
        thing("waits", spec={}),
        thing("theirs", of="theirs", spec={"volumeName": "pv-9"}),
    ),
    SECRETS: listed(
        thing("minio", type="Opaque", data={"root-password": "c2VjcmV0"}),
        thing("theirs", of="theirs", type="Opaque", data={"a": "Yg=="}),
    ),
    VOLUME: (0, json.dumps({"spec": {"persistentVolumeReclaimPolicy": "Delete"}})),
}


def run(
    folder: Path, script: str, answers: dict[str, tuple[int, str]], *, ask: str = "", **values: Any
) -> tuple[int, str, list[str]]:
    """The exit status of a script, what it said, and what it told helm and kubectl."""
    for name in ("helm", "kubectl"):
        (folder / name).write_text(_PROGRAM)
        (folder / name).chmod(0o755)
    (folder / "answers.json").write_text(json.dumps(answers))
    (folder / "calls").write_text("")
    renderer = Renderer({"kubeconfig": "/root/mosip.yaml", **values}, FOLDER)
    text = renderer.script(renderer.source(f"scripts/{script}"), where=script)
    done = subprocess.run(
        ["sh", "-euc", text],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "PLACE": str(folder), "ASK": ask},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, (folder / "calls").read_text().splitlines()


def changed(calls: list[str]) -> list[str]:
    """Of what helm and kubectl were told, all that changes something."""
    return [one for one in calls if not one.startswith(("kubectl get", "helm list"))]


def test_what_a_release_wrote_is_kept_before_it_goes(tmp_path: Path) -> None:
    """Its volumes and its passwords, and nothing of others is touched."""
    status, said, calls = run(tmp_path, "uninstall.sh", FULL, each=MINIO)
    assert status == 0, said
    first, second, third = changed(calls)
    assert first.startswith("kubectl patch persistentvolume pv-1 ")
    assert '"persistentVolumeReclaimPolicy": "Retain"' in first
    assert '"name": "kept-minio-0a1b2c3d"' in second
    assert '"root-password": "c2VjcmV0"' in second
    assert third.startswith("helm -n minio uninstall minio ")
    assert "c2VjcmV0" not in said
    assert "kept as kept-minio-0a1b2c3d" in said


@pytest.mark.parametrize("silent", [HELM, OURS, CLAIMS, VOLUME, SECRETS, "kubectl patch"])
def test_no_release_goes_where_a_question_got_no_answer(tmp_path: Path, silent: str) -> None:
    answers = {**FULL, silent: (1, "")}
    if silent == HELM:
        answers.pop(OURS)
    status, said, calls = run(tmp_path, "uninstall.sh", answers, each=MINIO)
    assert status != 0
    assert "error: " in said
    assert not any("uninstall" in one for one in calls)


def test_a_release_of_another_chart_stays(tmp_path: Path) -> None:
    theirs = {**FULL, HELM: (0, THERE.replace("minio-15", "minio-gateway-15"))}
    status, said, calls = run(tmp_path, "uninstall.sh", theirs, each=MINIO)
    assert status == 1
    assert "is no minio, so it was left" in said
    assert changed(calls) == []


def test_a_release_of_the_same_name_that_others_brought_stays_and_is_named(tmp_path: Path) -> None:
    """Upstream's own scripts give it the same name, chart and namespace."""
    status, said, calls = run(tmp_path, "uninstall.sh", {**FULL, OURS: (0, "")}, each=MINIO)
    assert status == 1
    assert "the release minio of minio was not brought by Sitewright" in said
    assert "kubectl -n minio label secret -l owner=helm,name=minio sitewright=brought" in said
    assert changed(calls) == []


def test_whether_a_release_is_gone_is_asked_and_not_guessed(tmp_path: Path) -> None:
    for answer, status in (((0, THERE), 1), ((0, ""), 0), ((1, ""), 2)):
        found = run(tmp_path, "uninstall.sh", {**FULL, HELM: answer}, ask="ask", each=MINIO)
        assert found[0] == status
        assert changed(found[2]) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((1, ""), "does not say which installation"),
        ((0, ""), "holds no installation of MOSIP"),
        ((0, "sandbox other.example.org"), "and the site is sandbox sandbox.example.org"),
        ((0, "sandbox sandbox.example.org"), ""),
    ],
)
def test_another_cluster_is_left_alone(tmp_path: Path, answer: tuple[int, str], why: str) -> None:
    status, said, calls = run(
        tmp_path, "which.sh", {"kubectl get configmap global": answer},
        installation_name="sandbox", domain="sandbox.example.org",
    )  # fmt: skip
    assert (status != 0) is bool(why)
    assert why in said
    assert changed(calls) == []


def test_what_was_not_brought_into_a_namespace_stays_there(tmp_path: Path) -> None:
    each = {"namespace": "kernel", "what": "secret/ours/s3 secret/theirs/s3 secret/none/s3"}

    def of(manager: str) -> tuple[int, str]:
        fields = [{"manager": manager}]
        return 0, json.dumps({"metadata": {"name": "x", "managedFields": fields}, "data": {}})

    asked = "kubectl -n kernel get secret "
    answers = {f"{asked}ours": of("sitewright"), f"{asked}theirs": of("helm")}
    status, said, calls = run(tmp_path, "copies.sh", answers, ask="away", each=each)
    assert status == 0
    assert "secret theirs of kernel was not brought there, so it stays" in said
    gone = [one for one in calls if " delete " in one]
    assert gone == ["kubectl -n kernel delete secret ours --ignore-not-found"]
    status, _, calls = run(tmp_path, "copies.sh", {asked: (1, "")}, ask="away", each=each)
    assert status != 0
    assert not any(" delete " in one for one in calls)


def test_what_stays_is_named_with_its_namespace(tmp_path: Path) -> None:
    ours = {"name": "minio", "managedFields": [{"manager": "sitewright"}]}
    claim = {"namespace": "minio", "name": "minio"}
    spec = {"claimRef": claim, "capacity": {"storage": "8Gi"}}
    runs = {"kind": "Deployment", "metadata": {"name": "shop", "namespace": "minio"}}
    release = {"name": "shop", "namespace": "minio", "chart": "shop-1"}
    kept = {"metadata": {"name": "kept-minio-0a1b2c3d", "namespace": "minio",
                         "annotations": {"sitewright/kept-of": "minio/minio"}}}  # fmt: skip
    answers = {
        "kubectl get namespaces": listed({"metadata": ours}, {"metadata": {"name": "theirs"}}),
        "kubectl get persistentvolumes": listed({"metadata": {"name": "pv-1"}, "spec": spec}),
        "kubectl get secrets": listed(kept),
        "kubectl get deployments": listed(runs),
        "helm list": (0, json.dumps([release, {**release, "namespace": "theirs"}])),
    }
    status, said, calls = run(tmp_path, "stays.sh", answers)
    assert status == 0, said
    assert "minio: volume pv-1 of minio (8Gi) stays." in said
    assert "minio: secret kept-minio-0a1b2c3d stays." in said
    assert "minio: deployment shop, which is no release of this site stays." in said
    assert "minio: release shop (shop-1), which this site does not name stays." in said
    assert "theirs" not in said
    assert changed(calls) == []
    assert run(tmp_path, "stays.sh", {**answers, "helm list": (1, "")})[0] == 1


def test_the_last_that_was_installed_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "solution: mosip\nenvironment: on-clusters\n"
        "hosts: [{name: box, address: local, roles: [workstation]}]\n"
        "settings: {domain: sandbox.example.org, public_address: 203.0.113.20,\n"
        "           internal_address: 10.10.0.20, modules_left_out: mock-mv}\n"
    )
    _, _, plan = operation_plan(file, "remove")
    (stage,) = plan.stages
    names = [step.id for step in stage.steps]
    assert (names[:2], names[-1]) == (["ways", "cluster"], "stays")
    assert "mock-mv" not in names
    order = ("regclient", "keymanager", "kernel-keygen", "copies-keymanager", "config-server",
             "copies-config-server", "conf-secrets", "messages", "kafka", "postgres-init",
             "postgres")  # fmt: skip
    places = [names.index(name) for name in order]
    assert places == sorted(places)
    (messages,) = (step for step in stage.steps if step.id == "messages")
    script = str(messages.spec["script"])
    assert script.index("configmap/msg-gateway/ours") < script.index("secret/mosip-captcha/ours")
    assert "undefined" not in script
