"""What a repository of manifests names from outside, and how it is brought with it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from bundles.gitops import read_manifests
from bundles.problems import SourceProblem
from bundles.verify import verify_bundle
from bundles.yaml_documents import is_bomb
from tests.bundles.places import Layout, RunningRegistry, layer
from tests.bundles.servers import serving
from tests.bundles.test_sources import again, chart, create

DEPLOYMENT = b"""\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{name: wait, image: "busybox:1.36"}]
      containers:
        - name: app
          image: quay.io/a/app:v1
---
apiVersion: example.org/v1
kind: Thing
spec: {image: not-counted-in-flow-style}
"""
KUSTOMIZATION = b"""\
resources: [deployment.yaml, "https://raw.githubusercontent.com/grafana/crds/v1/all.yaml"]
images:
  - {name: quay.io/a/app, newName: registry.example.org/app, newTag: v2}
  - {name: quay.io/a/same}
helmCharts:
  - name: vault
    repo: https://helm.releases.hashicorp.com/
    version: 0.24.1
    valuesFile: values-vault.yaml
    valuesInline: {injector: {enabled: false}}
  - {name: consul, repo: https://helm.releases.hashicorp.com, version: "~1.4"}
"""
APPLICATION = b"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  sources:
    - repoURL: https://istio-release.storage.googleapis.com/charts
      chart: base
      targetRevision: 1.24.0
      helm: {valuesObject: {a: 1}, values: "{a: 0, b: 2}"}
    - {repoURL: registry-1.docker.io/bitnamicharts, chart: redis, targetRevision: 20.1.0}
    - {repoURL: "https://git.example.org/x.git", path: apps}
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
spec:
  template:
    spec:
      source: {repoURL: "https://x.org/charts", chart: "{{name}}", targetRevision: 1.0.0}
"""
UMBRELLA = b"""\
apiVersion: v2
name: all
dependencies:
  - {name: loki, alias: logs, repository: "https://grafana.github.io/helm-charts", version: 6.1.0}
  - {name: own, repository: "file://../own", version: 1.0.0}
"""
TEMPLATE = b"""\
spec:
  containers:
    - image: {{ .Values.image }}
    - image: ghcr.io/b/literal:3
{{- end }}
"""
FILES = {
    "apps/app/deployment.yaml": DEPLOYMENT,
    "apps/app/kustomization.yaml": KUSTOMIZATION,
    "apps/app/values-vault.yaml": b"server: {image: {tag: '1.15'}}\ninjector: {enabled: true}\n",
    "apps/argo.yaml": APPLICATION,
    "charts/all/Chart.yaml": UMBRELLA,
    "charts/all/values.yaml": b"logs: {replicas: 2}\n",
    "charts/all/templates/x.yaml": TEMPLATE,
}


def test_images_are_found_in_pods_overrides_and_templates() -> None:
    found = read_manifests(FILES)
    assert found.images == {
        "docker.io/library/busybox:1.36": "apps/app/deployment.yaml",
        "quay.io/a/app:v1": "apps/app/deployment.yaml",
        "registry.example.org/app:v2": "apps/app/kustomization.yaml",
        "ghcr.io/b/literal:3": "charts/all/Chart.yaml",
    }


def test_charts_are_found_with_the_values_that_they_are_given() -> None:
    charts = {one.name: one for one in read_manifests(FILES).charts}
    assert set(charts) == {"vault", "base", "redis", "loki"}
    vault = charts["vault"]
    assert vault.repository == "https://helm.releases.hashicorp.com"
    assert vault.values == {"server": {"image": {"tag": "1.15"}}, "injector": {"enabled": False}}
    assert charts["base"].values == {"a": 1, "b": 2}
    assert charts["redis"].repository == "oci://registry-1.docker.io/bitnamicharts"
    assert charts["loki"].values == {"replicas": 2}


def test_what_cannot_be_told_is_named() -> None:
    unread = read_manifests(FILES).unread
    assert any("consul" in one and '"~1.4"' in one and "kustomization" in one for one in unread)
    assert any(one.startswith("apps/argo.yaml: which chart is meant") for one in unread)
    assert any(
        "crds/v1/all.yaml holds, which is fetched when it is rendered" in one for one in unread
    )
    assert any("image: not-counted-in-flow-style, which has no tag" in one for one in unread)
    assert any("templates/x.yaml, line 3: which image {{ .Values.image }}" in one for one in unread)
    assert len(unread) == 5


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe", b"a: [", b"- 1\n- 2\n", b"kind: Application\nspec: 3\n", b"a: &a [*a]\n",
     b"apiVersion: argoproj.io/v1\nkind: Application\nspec: {sources: {a: 1}}\n"],
)  # fmt: skip
def test_anything_else_names_nothing(text: bytes) -> None:
    for name in ("x.yaml", "kustomization.yaml", "Chart.yaml"):
        found = read_manifests({name: text})
        assert not found.images
        assert not found.charts


def test_a_text_that_unfolds_without_end_is_known() -> None:
    bomb: list[object] = ["x"]
    for _ in range(30):
        bomb = [bomb, bomb]
    assert is_bomb(bomb)
    assert not is_bomb({"a": [1, {"b": 2}]})


def git(*words: str | Path, cwd: Path) -> str:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_repository_comes_with_what_its_manifests_name(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    for name in ("app", "server"):
        layout.name(layout.image([layer(name=name.encode())]), name)
        layout.push(name, f"{registry.host}/gitops/{name}:1")
    (www := tmp_path / "www").mkdir()
    values = f"image: {{repository: {registry.host}/gitops/nobody, tag: 1}}\n"
    raw = chart("thing", "1.0.0", {"values.yaml": values})
    (www / "thing-1.0.0.tgz").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    entry = {"version": "1.0.0", "urls": ["thing-1.0.0.tgz"], "digest": digest}
    (www / "index.yaml").write_text(json.dumps({"entries": {"thing": [entry]}}))
    (work := tmp_path / "work").mkdir()
    git("init", "-q", "-b", "main", cwd=work)
    with serving(www) as url:
        (work / "pod.yaml").write_text(
            f"spec:\n  containers:\n    - image: {registry.host}/gitops/app:1\n"
        )
        (work / "kustomization.yaml").write_text(
            f"helmCharts:\n- name: thing\n  repo: {url}\n  version: 1.0.0\n"
            f"  valuesInline: {{image: {{repository: {registry.host}/gitops/server}}}}\n"
        )
        (work / "link.yaml").symlink_to("/etc/passwd")
        git("add", ".", cwd=work)
        git("commit", "-q", "-m", "one", cwd=work)
        line = {"name": "site", "url": work.as_uri(), "ref": "main", "images": True}
        made = create(tmp_path / "bundle", git=[line])
        assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()
        (work / "pod.yaml").write_text(
            f"spec:\n  containers:\n    - image: {registry.host}/gitops/gone:1\n"
        )
        git("commit", "-q", "-a", "-m", "two", cwd=work)
        with pytest.raises(SourceProblem, match=r"pod\.yaml of the repository site names it"):
            create(tmp_path / "none", git=[line])
        create(tmp_path / "without", git=[{**line, "without": ["*/gitops/gone:*"]}])
    index = verify_bundle(tmp_path / "bundle").structure.index
    assert [item.name for item in index.of_kind("chart")] == ["thing"]
    assert {item.name for item in index.of_kind("image")} == {
        f"{registry.host}/gitops/app:1",
        f"{registry.host}/gitops/server:1",
    }
