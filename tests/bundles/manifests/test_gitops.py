"""What a repository of manifests names from outside, and how it is brought with it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from bundles.format.problems import SourceProblem
from bundles.manifests.from_outside import FromOutside
from bundles.manifests.gitops import read_manifests
from bundles.manifests.yaml_documents import is_bomb
from bundles.read.verify import verify_bundle
from tests.bundles.creating import again, chart, create
from tests.bundles.places import Layout, RunningRegistry, layer
from tests.bundles.servers import serving

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
    assert any("which chart lies in charts/own" in one for one in unread)
    assert len(unread) == 6


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


HELM_REPOSITORY = b"""\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: podinfo}
spec: {url: "https://stefanprodan.github.io/podinfo"}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: app}
spec: {url: "oci://ghcr.io/a/charts/app", ref: {tag: 1.2.3}}
"""
APP = "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: x}
spec:
"""


def only_file(text: str, **more: bytes) -> FromOutside:
    files = {name.replace("__", "/").replace("_", "."): raw for name, raw in more.items()}
    return read_manifests({"x.yaml": text.encode(), **files})


def test_releases_of_flux_are_charts_with_their_values() -> None:
    text = RELEASE + (
        "  chart: {spec: {chart: podinfo, version: 6.5.0, sourceRef: {kind: HelmRepository, "
        "name: podinfo}}}\n  values: {image: {tag: x}}\n"
        "  postRenderers: [{kustomize: {images: [{name: a/b, newTag: '2'}]}}]\n---\n"
    )
    text += RELEASE + "  chartRef: {kind: OCIRepository, name: app}\n"
    found = only_file(text, repo_yaml=HELM_REPOSITORY)
    assert {(one.name, one.repository, one.version) for one in found.charts} == {
        ("podinfo", "https://stefanprodan.github.io/podinfo", "6.5.0"),
        ("app", "oci://ghcr.io/a/charts", "1.2.3"),
    }
    assert found.charts[0].values == {"image": {"tag": "x"}}
    assert set(found.images) == {"docker.io/a/b:2"}
    assert not found.unread


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            RELEASE
            + "  chart: {spec: {chart: a, version: 1.0.0, sourceRef: {kind: HelmRepository, "
            "name: gone}}}\n",
            "which chart is meant by a of HelmRepository gone, which is in no file here",
        ),
        (
            RELEASE + "  chart: {spec: {chart: podinfo, version: '>=6', sourceRef: "
            "{kind: HelmRepository, name: podinfo}}}\n",
            'which version of the chart podinfo is meant by ">=6"',
        ),
        (
            RELEASE
            + "  chartRef: {kind: OCIRepository, name: app}\n  valuesFrom: [{kind: Secret}]\n",
            "which values come from its `valuesFrom`",
        ),
        (
            APP + "spec: {source: {repoURL: 'https://git.example.org/x.git', path: elsewhere}}\n",
            "what https://git.example.org/x.git at elsewhere holds, which is another repository",
        ),
        (
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nspec: {url: 'https://g/x'}\n",
            "what https://g/x holds, which is another repository",
        ),
        (
            APP + "spec: {source: {repoURL: 'https://c.example.org', chart: a, targetRevision: "
            "1.0.0, helm: {valueFiles: [gone.yaml]}}}\n",
            "which values gone.yaml holds",
        ),
    ],
)
def test_what_a_release_leaves_open_is_told(text: str, told: str) -> None:
    assert any(told in one for one in only_file(text, repo_yaml=HELM_REPOSITORY).unread)


def test_charts_of_k3s_are_found() -> None:
    text = (
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  repo: https://c.example.org\n"
        "  chart: a\n  version: 1.0.0\n  valuesContent: |\n    image: {tag: '7'}\n"
    )
    (chart_named,) = only_file(text).charts
    assert chart_named.values == {"image": {"tag": "7"}}


def test_an_application_is_given_files_of_values_and_parameters() -> None:
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  sources:\n"
        "  - {repoURL: 'https://c.example.org', chart: a, targetRevision: 1.0.0, "
        "helm: {valueFiles: [$site/values/a.yaml], parameters: [{name: image.tag, value: '9'}]}}\n"
        "  - {repoURL: 'https://g.example.org/x.git', path: values, kustomize: {images: "
        "['a/b=q.io/c:3']}}\n"
    )
    found = only_file(text, values__a_yaml=b"image: {repository: q.io/a, tag: '1'}\n")
    (chart_named,) = found.charts
    assert chart_named.values == {"image": {"repository": "q.io/a", "tag": "9"}}
    assert set(found.images) == {"q.io/c:3"}
    assert not found.named.perhaps
    assert not found.unread


def test_a_chart_in_the_repository_is_given_what_its_application_sets() -> None:
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        "spec: {source: {repoURL: x, path: own, helm: {values: \"image: {tag: '2'}\"}}}\n"
    )
    files = {
        "x.yaml": text.encode(),
        "own/Chart.yaml": b"name: own\nversion: 1.0.0\n",
        "own/values.yaml": b"image: {repository: q.io/own, tag: '1'}\n",
        "own/templates/a.yaml": b"image: {{ .Values.image.repository }}:{{ .Values.image.tag }}\n",
        "own/templates/app.yaml": b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n"
        b"  source: {chart: far, repoURL: 'https://c.example.org', targetRevision: 1.0.0}\n",
        "own/templates/open.yaml": b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n"
        b"  source:\n    chart: far\n    repoURL: https://c.example.org\n"
        b"    targetRevision: {{ .Values.v }}\n",
    }
    found = read_manifests(files)
    assert set(found.images) == {"q.io/own:2"}
    assert set(found.named.perhaps) == {"q.io/own:1"}
    assert [one.name for one in found.charts] == ["far"]
    assert any("which version of the chart far" in one for one in found.unread)


def test_what_a_chart_of_the_repository_stands_on_is_as_its_lock_and_its_values_say() -> None:
    head = (
        b"name: all\nversion: 1.0.0\ndependencies:\n"
        b"- {name: loki, repository: 'https://c.example.org', version: '^6', alias: logs}\n"
        b"- {name: off, repository: 'https://c.example.org', version: 1.0.0, condition: off.use}\n"
        b"- {name: tagged, repository: 'https://c.example.org', version: 1.0.0, tags: [no]}\n"
        b"- {name: own, repository: 'file://../own', version: 1.0.0}\n"
    )
    files = {
        "all/Chart.yaml": head,
        "all/Chart.lock": b"dependencies: [{name: loki, version: 6.5.2}]\n",
        "all/values.yaml": b"logs: {image: {tag: x}}\noff: {use: false}\ntags: {no: false}\n"
        b"own: {image: {tag: '2'}}\n",
        "own/Chart.yaml": b"name: own\nversion: 1.0.0\n",
        "own/values.yaml": b"image: {repository: q.io/own, tag: '1'}\n",
    }
    found = read_manifests(files)
    assert [(one.name, one.version, one.values) for one in found.charts] == [
        ("loki", "6.5.2", {"image": {"tag": "x"}})
    ]
    assert set(found.images) == {"q.io/own:2"}
    assert set(found.named.perhaps) == {"q.io/own:1"}
    assert not found.unread


def test_resources_that_are_elsewhere_are_told() -> None:
    text = (
        b"resources: [here.yaml, gone.yaml, base, 'gitlab.com/a/b//c?ref=v1', 'git::https://x/y']\n"
    )
    files = {"o/kustomization.yaml": text, "o/here.yaml": b"a: 1\n", "o/base/x.yaml": b"a: 1\n"}
    told = read_manifests(files).unread
    assert [one.partition(": what ")[2].split(" holds")[0] for one in told] == [
        "gone.yaml",
        "gitlab.com/a/b//c?ref=v1",
        "git::https://x/y",
    ]


def test_a_chart_whose_templates_name_itself_is_read_once() -> None:
    app = APP + "spec: {source: {repoURL: x, path: own, helm: {valuesObject: {a: 1}}}}\n"
    files = {
        "own/Chart.yaml": b"name: own\nversion: 1.0.0\n"
        b"dependencies: [{name: own, repository: 'file://.', version: 1.0.0}]\n",
        "own/values.yaml": b"own: {b: 1}\n",
        "own/templates/app.yaml": app.encode(),
    }
    assert not read_manifests(files).images


def test_a_template_of_another_program_is_a_perhaps() -> None:
    raw = b"spec:\n  containers:\n  - image: q.io/a:1\n  - image: ${registry}/b:1\n"
    found = read_manifests({"a.yaml.tpl": raw, "page.html.j2": b"image: q.io/no:1\n"})
    assert set(found.named.perhaps) == {"q.io/a:1"}
    assert not found.images
    assert any("${registry}/b:1" in one for one in found.unread)


def test_objects_in_json_count_and_other_json_does_not() -> None:
    pod = b'{"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"image": "q.io/a:1"}]}}'
    found = read_manifests({"pod.json": pod, "package.json": b'{"image": "q.io/no:1"}'})
    assert set(found.images) == {"q.io/a:1"}


def test_a_broken_document_is_told_and_those_behind_it_are_read() -> None:
    text = (
        'apiVersion: x/v1\nkind: A\nspec: {enum: ["!=", =]}\n---\na: b: c\n---\n'
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        "spec: {source: {repoURL: https://c.example.org, chart: portal, targetRevision: 1.2.3}}\n"
    )
    found = only_file(text)
    assert [one.name for one in found.charts] == ["portal"]
    assert found.unread == [
        "x.yaml: line 5 is no YAML (mapping values are not allowed in this context)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            (
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
                "spec: {sourceRef: {kind: OCIRepository, name: o}}\n"
            ),
            "what the OCIRepository o holds, which Flux fetches",
        ),
        (
            (
                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: Bucket\n"
                "spec: {endpoint: minio.example.org, bucketName: b}\n"
            ),
            "what the bucket b of minio.example.org holds",
        ),
        (
            (
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
                "spec: {source: {repoURL: 'oci://reg.example.org/m', path: .}}\n"
            ),
            "what oci://reg.example.org/m holds, which Argo CD fetches",
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec: {templatePatch: x}\n",
            "what its templatePatch changes",
        ),
        (
            "apiVersion: x/v1\nkind: KubeadmControlPlane\nspec: {imageRepository: q.io/t/k8s}\n",
            "which images of q.io/t/k8s are meant",
        ),
    ],
)
def test_what_is_fetched_at_the_site_is_told(text: str, said: str) -> None:
    (sentence,) = read_manifests({"a.yaml": text.encode()}).unread
    assert sentence.startswith(f"a.yaml: {said}")


def test_charts_in_a_list_of_objects_and_of_fleet_are_found() -> None:
    listed = (
        b"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: argoproj.io/v1alpha1, "
        b"kind: Application, spec: {source: {repoURL: https://c.example.org/r, chart: inside, "
        b"targetRevision: 1.0.0}}}\n"
    )
    fleet = b"helm: {chart: 'oci://reg.example.org/c/f', version: 2.0.0, values: {a: 1}}\n"
    found = read_manifests({"list.yaml": listed, "x/fleet.yaml": fleet})
    assert [(one.name, one.repository, one.version) for one in found.charts] == [
        ("inside", "https://c.example.org/r", "1.0.0"),
        ("f", "oci://reg.example.org/c", "2.0.0"),
    ]
    assert found.charts[1].values == {"a": 1}


def test_a_tag_that_is_a_number_is_refused_by_kustomize_and_told_here() -> None:
    lines = "images:\n- {name: r.io/a/b, newTag: %s}\n"
    for tag in ("0123", "1.10", "20240101"):
        found = read_manifests({"kustomization.yaml": (lines % tag).encode()})
        assert list(found.images) == []
        (told,) = found.unread
        assert told.endswith("which tag of r.io/a/b is meant (a number; write it in quotes)")
    found = read_manifests({"kustomization.yaml": (lines % "'0123'").encode()})
    assert list(found.images) == ["r.io/a/b:0123"]
