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
        ("users: [{name: &x exec, user: {*x : {command: x}}}]", "can hide what it says"),
        ('users: [{name: n, user: {? "to\\\n   kenFile"\n : /x}}]', "that goes on in the next)"),
        ("# a comment\\\nexec: {command: x}", "names a program"),
        ('users: [{name: n, user: {? "to\\\r\n  kenFile"\r\n : /x}}]', "would be sent"),
        ('users: [{name: n, user: {? "e\\ \n  xec"\n : /x}}]', "can hide what it says"),
        ('users: [{name: n, user: {? "e\\\\\n  xec"\n : /x}}]', "can hide what it says"),
        ("clusters: [{name: n, cluster: {to\u212aenFile: /x}}]", "can hide what it says"),
        ("users: [{name: zürich, user: {username: ops, password: 'a!b'}}]", ""),
        ("    server: http://10.0.0.1:6443", "sent to it in clear"),
        ("    server: 10.0.0.1:6443", "sent to it in clear"),
        ("    server:\n      http://10.0.0.1:6443", "sent to it in clear"),
        ('    ? "ser\\\n      ver"\n    : http://10.0.0.1', "sent to it in clear"),
        ("{name: server, server: http://x}", "sent to it in clear"),
        ('{name: n, cluster: {"server":"HTTP://x"}}', "sent to it in clear"),
        ('{"name": "server", "cluster": {"server":"https://server:6443"}}', ""),
        ("- name: server\n  cluster: {server: 'https://api.server.example'}", ""),
        ("    proxy-url: http://proxy:3128\n    server: https://x", ""),
    ],
)
def test_what_a_kubeconfig_could_hide_from_a_search_is_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    way = Way(tmp_path)
    way.config.write_text(f"kind: Config\n{text}\n", encoding="utf-8")
    said = judged(way.config)
    assert (said.returncode, why in said.stderr) == (1 if why else 0, True), said.stderr


RANCHER = """apiVersion: v1
kind: Config
clusters:
- name: "zürich"
  cluster:
    server: "https://127.0.0.1:1/k8s/clusters/c-m-abc"
    certificate-authority-data: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJ\\
      KRENCenFBREFnRUNBZ0VBTUFvR0NDcUdTTTQ5QkFNQ01CTXhFVEFQQmdOVkJBb1RDR\\
      1J5"
users:
- name: "zürich"
  user:
    token: "kubeconfig-u-abc:secret"
contexts:
- name: "zürich"
  context:
    user: "zürich"
    cluster: "zürich"
current-context: "zürich"
"""


def judged(config: Path, allowed: str = "") -> subprocess.CompletedProcess[str]:
    judge = (COMMON / "kubeconfig/judge.sh").read_text("utf-8")
    return subprocess.run(
        ["sh", "-euc", f'{judge}\njudged_kubeconfig "$1" "$2"', "sh", config, allowed], check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_what_rancher_gives_is_read_rightly_and_kubectl_says_the_same(tmp_path: Path) -> None:
    config = tmp_path / "rancher"
    config.write_text(RANCHER, encoding="utf-8")
    assert judged(config).returncode == 0, judged(config).stderr
    assert "KRENC" in viewed(config)


def viewed(config: Path) -> str:
    return subprocess.run(
        ["kubectl", "--kubeconfig", config, "config", "view", "--raw", "--flatten"],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        RANCHER.replace("secret", "secr\\u0065t"),
        RANCHER.replace("u-abc:secret", "u-abc:\\x73ecret"),
        RANCHER.replace('name: "zürich"', 'name: &z "zürich"').replace(
            'user: "zürich"', "user: *z"
        ),
        RANCHER.replace('token: "', 'token: !!str "'),
    ],
)
def test_the_remedy_of_what_could_be_hidden_is_one_that_helps(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config"
    config.write_text(text, encoding="utf-8")
    refused = judged(config)
    command = re.search(r"\((kubectl --kubeconfig .*)\); or read it", refused.stderr)
    assert command, refused.stderr
    subprocess.run(["sh", "-euc", command[1]], check=True, timeout=60)
    anew = judged(tmp_path / "config.new")
    assert anew.returncode == 0, anew.stderr


@pytest.mark.parametrize(
    "text",
    ["users: [{user: {\"e\\x78ec\": {}}}]", "server: http://x", "insecure-skip-tls-verify: true",
     "exec: {}", "users: []\0", "users: [{name: !!str x}]"],
)  # fmt: skip
def test_who_allowed_these_very_bytes_is_heeded_whatever_was_found(
    tmp_path: Path, text: str
) -> None:
    config = tmp_path / "config"
    config.write_text(text, encoding="utf-8")
    refused = judged(config)
    found = re.search(r"by its SHA-256 in the settings: ([0-9a-f]{64})$", refused.stderr.strip())
    assert refused.returncode == 1
    assert found, refused.stderr
    assert judged(config, found[1]).returncode == 0
    config.write_text(f"{text} ", encoding="utf-8")
    assert judged(config, found[1]).returncode == 1


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
