"""What a kubeconfig may have root's kubectl do, asked of the real kubectl; no cluster is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer.catalogue.rendering import COMMON, Renderer
from installer.catalogue.solution import load_solution

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="it asks the real kubectl")
HERE = "/var/lib/sitewright/helm-deploy"


class Way:
    """The wrapper of a site, in a folder of the test."""

    def __init__(self, folder: Path, **user: Any) -> None:
        self.folder = folder
        self.config = folder / "given" / "config"
        self.config.parent.mkdir()
        self.written(user)

    def written(self, user: dict[str, Any], **cluster: Any) -> None:
        """A kubeconfig of this user, at a server that is not there."""
        there = {"server": "https://127.0.0.1:1", **cluster}
        said = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": there}],
            "users": [{"name": "u", "user": user}],
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(said))

    def asks(self, **settings: str) -> subprocess.CompletedProcess[str]:
        """`kubectl get namespaces` by the wrapper as the site has it."""
        values = {"kubernetes": "kubectl", "kubeconfig": str(self.config), "context": "",
                  "kubeconfig_sha256": "", **settings}  # fmt: skip
        renderer = Renderer(values, load_solution("helm-deploy").folder)
        for name in ("way", "kubectl"):
            file = self.folder / name
            file.write_text(renderer.file(f"templates/{name}").replace(HERE, str(self.folder)))
            file.chmod(0o755)
        return subprocess.run(
            [self.folder / "kubectl", "get", "namespaces", "--request-timeout=1s"], check=False,
            capture_output=True, text=True, timeout=60, cwd="/",
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(self.folder)},
        )  # fmt: skip


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch",
        "interactiveMode": "Never", "env": [{"name": "A", "value": "a-secret"}]}  # fmt: skip


def test_a_program_of_the_kubeconfig_is_started_where_somebody_read_that_very_file_alone(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "PWNED"
    way = Way(tmp_path, exec={**EXEC, "args": [str(mark)]})
    refused = way.asks()
    assert refused.returncode == 1
    assert not mark.exists()
    found = re.search(r"would start, .* in the settings: ([0-9a-f]{64})$", refused.stderr.strip())
    assert found, refused.stderr
    assert "a-secret" not in refused.stderr
    way.asks(kubeconfig_sha256=found[1])
    assert mark.exists()
    mark.unlink()
    way.written({"exec": {**EXEC, "args": [str(mark), "x"]}})
    assert way.asks(kubeconfig_sha256=found[1]).returncode == 1
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("users: [{name: u, user: {tokenFile: /etc/other}}]", "a file that would be sent"),
        ('users: [{name: u, user: {"e\\x78ec": {command: x}}}]', "can hide what it says"),
        ("users: [{name: u, user: {!!binary ZXhlYw==: {command: x}}}]", "can hide what it says"),
        (
            "users: [{name: u, user: {!<tag:yaml.org,2002:binary> ZXhlYw==: {command: x}}}]",
            "can hide what it says",
        ),
        (
            "%TAG !b! tag:yaml.org,2002:\n---\nusers: [{user: {!b!binary ZXhlYw==: {command: x}}}]",
            "can hide what it says",
        ),
        ('{"users": [{"user": {"EXEC": {}}}]}', "names a program"),
        ("users: []\0", "can hide what it says"),
        ("users:\n- user:\n    ? exec\n    : {command: x}", "names a program"),
        ("users: [{'exec': {}}]", "names a program"),
        ("{user: {exec: {}}}", "names a program"),
        ("    client-key-data: LS0tEXeC+exec/9tokenFile=", ""),
        ("    insecure-skip-tls-verify: true", "anybody on the way"),
        ("{server: x, insecure-skip-tls-verify: true}", "anybody on the way"),
        ("    insecure-skip-tls-verify: false\n  - insecure-skip-tls-verify: yes", "on the way"),
        ("    insecure-skip-tls-verify: false\nusers: [{user: {token: t}}]", ""),
    ],
)
def test_what_a_kubeconfig_could_hide_from_a_search_is_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    way = Way(tmp_path)
    way.config.write_text(f"kind: Config\n{text}\n", encoding="utf-8")
    judge = (COMMON / "kubeconfig/judge.sh").read_text("utf-8")
    said = subprocess.run(
        ["sh", "-euc", f'{judge}\njudged_kubeconfig "$1" ""', "sh", way.config], check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (said.returncode, why in said.stderr) == (1 if why else 0, True), said.stderr


def test_a_kubeconfig_that_was_changed_is_held_against_the_cluster_that_was_met(
    tmp_path: Path,
) -> None:
    way = Way(tmp_path, token="t")
    (tmp_path / "cluster").write_text("an-id\n")
    silent = way.asks()
    assert silent.returncode == 1
    assert not (tmp_path / "judged").exists()
    # One that answers and is another one.
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ncase "$*" in *kube-system*) printf other;; esac\n')
    program.chmod(0o755)
    file = tmp_path / "way"
    file.write_text(file.read_text().replace("PATH=$PATH", f"PATH={program.parent}:$PATH"))
    ran = subprocess.run([file], check=False, capture_output=True, text=True, timeout=60,
                         env={"PATH": "/usr/bin:/bin"})  # fmt: skip
    assert "leads to the cluster other by now, and the hub is on an-id" in ran.stderr
    (tmp_path / "cluster").write_text("other\n")
    for _ in range(2):
        assert subprocess.run([file], check=False, timeout=60,
                              env={"PATH": "/usr/bin:/bin"}).returncode == 0  # fmt: skip
    assert (tmp_path / "judged").read_text().strip()


def test_every_operation_sees_first_that_it_is_the_cluster_that_is_meant() -> None:
    folder = load_solution("helm-deploy").folder / "operations"
    first = {
        file.stem: yaml.safe_load(file.read_text("utf-8"))["operation"]["steps"][0].get("file")
        for file in folder.glob("*.yaml")
    }
    assert set(first.values()) == {"scripts/cluster.sh"}, first


def test_who_goes_by_a_kubeconfig_of_a_setting_has_it_judged() -> None:
    """Whichever solution it is: before kubectl or Helm of root reads it."""
    lacking = []
    for folder in sorted(COMMON.parent.joinpath("solutions").iterdir()):
        file = folder / "settings.yaml"
        named = "kubeconfig" in file.read_text("utf-8") if file.is_file() else False
        texts = [path.read_text("utf-8") for part in ("scripts", "templates")
                 for path in (folder / part).rglob("*") if path.is_file()]  # fmt: skip
        if named and not any("common/kubeconfig/judge.sh" in text for text in texts):
            lacking.append(folder.name)
    assert lacking == []
