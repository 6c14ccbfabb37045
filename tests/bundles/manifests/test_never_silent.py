"""Forms in which objects lead to images that nobody reads off them: each is brought or told."""

from __future__ import annotations

import pytest

from bundles.manifests.from_outside import FromOutside
from bundles.manifests.gitops import read_manifests
from bundles.manifests.gitops_forms import Around, remote_base
from bundles.manifests.named_images import images_of_text
from bundles.manifests.operated import operated_in_template, starts_unknown

OWN = "https://github.com/mojaloop/iac.git"
AROUND = Around(OWN, (("git@g.org:t/brought.git", "v1"), ("https://x.org/a.yaml", "")))
APP = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: %s}\n"
K3S = "apiVersion: helm.cattle.io/v1\nkind: %s\nmetadata: {name: traefik}\nspec: %s\n"


def read(text: str, **more: str) -> FromOutside:
    """What a repository names that holds one file, and others."""
    files = {"a.yaml": text.encode()}
    files |= {name.replace("__", "/"): value.encode() for name, value in more.items()}
    return read_manifests(files, around=AROUND)


@pytest.mark.parametrize(
    ("api", "kind", "told"),
    [
        ("kafka.strimzi.io/v1beta2", "Kafka", True),
        ("kafka.strimzi.io/v1beta2", "KafkaTopic", False),
        ("k8s.keycloak.org/v2alpha1", "Keycloak", True),
        ("acid.zalan.do/v1", "postgresql", True),
        ("mysql.oracle.com/v2", "InnoDBCluster", True),
        ("operator.tigera.io/v1", "Installation", True),
        ("never.heard.of.example/v1", "Thing", True),
        ("monitoring.coreos.com/v1", "Prometheus", True),
        ("monitoring.coreos.com/v1", "ServiceMonitor", False),
        ("networking.istio.io/v1", "VirtualService", False),
        ("apps/v1", "Deployment", False),
        ("v1", "Service", False),
        ("networking.k8s.io/v1", "Ingress", False),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", False),
        ("{{ .Values.api }}/v1", "Thing", False),
    ],
)
def test_kinds_that_start_something_are_told(api: str, kind: str, *, told: bool) -> None:
    assert starts_unknown(api, kind) is told


def test_an_object_of_an_operator_is_told_with_its_version_once() -> None:
    kafka = (
        "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {name: %s}\n"
        "spec: {kafka: {version: 3.9.0, replicas: 3}, entityOperator: {}}\n"
    )
    found = read(f"{kafka % 'one'}---\n{kafka % 'two'}")
    ((kind, where),) = found.named.operated.items()
    assert (kind.kind, where) == ("Kafka.kafka.strimzi.io", "a.yaml")
    assert "Kafka (kafka.strimzi.io, version 3.9.0)" in str(kind)
    assert "`operators: [Kafka.kafka.strimzi.io]`" in str(kind)
    listed = (
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: acid.zalan.do/v1, kind: postgresql}\n"
    )
    assert [one.kind for one in read(listed).named.operated] == ["postgresql.acid.zalan.do"]


def test_one_that_names_its_image_is_brought_and_not_told() -> None:
    text = (
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\n"
        "spec: {imageName: 'ghcr.io/cnpg/postgresql:17.2'}\n"
    )
    found = images_of_text(text, "a")
    assert (list(found.images), found.operated) == (["ghcr.io/cnpg/postgresql:17.2"], {})


def test_templates_that_nobody_rendered_are_told_too() -> None:
    text = (
        "{{- if .Values.on }}\napiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nspec:\n"
        "  kafka: {version: {{ .Values.v }}}\n{{- end }}\n---\napiVersion: v1\nkind: Service\n"
    )
    assert [one.kind for one in operated_in_template(text)] == ["Kafka.kafka.strimzi.io"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # Argo CD: the root of another repository; one that computes its address is its own.
        (APP % "{repoURL: 'https://h.org/o/other', path: .}", "https://h.org/o/other at ."),
        (APP % "{repoURL: 'git@mirror.example.org:us/iac', path: .}", ""),
        (APP % "{repoURL: '{{ url }}', path: .}", ""),
        (APP % "{repoURL: 'https://g.org/t/brought', path: x, targetRevision: v1}", ""),
        (
            APP % "{repoURL: 'https://g.org/t/brought', path: x, targetRevision: v2}",
            "https://g.org/t/brought at x",
        ),
        (
            APP % "{repoURL: 'https://g.org/t/brought', path: x, "
            "helm: {valuesObject: {tag: 2}}}",
            "which images the values lead to that it gives to https://g.org/t/brought",
        ),
        (APP % f"{{repoURL: '{OWN}', path: ., plugin: {{name: cdk}}}}", "what the plugin cdk"),
        (
            APP % f"{{repoURL: '{OWN}', helm: {{fileParameters: [{{name: a, path: b}}]}}}}",
            "what the file b sets for its chart",
        ),
        (
            ("apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  sources:\n"
            f"  - {{repoURL: '{OWN}', path: ., helm: {{valueFiles: [$v/a.yaml]}}}}\n"
            "  - {repoURL: 'https://g.org/t/values', ref: v}\n"),
            "which values $v/a.yaml of https://g.org/t/values holds",
        ),
        # K3s: values for a chart that comes with it, also in one line.
        (K3S % ("HelmChartConfig", "{valuesContent: 'a: 1'}"), "the chart traefik, which comes"),
        (K3S % ("HelmChart", "{chartContent: H4sI}"), "what the chartContent of traefik holds"),
        # Kustomize: a base elsewhere, and one that another line brings.
        ("kind: Kustomization\nresources: ['https://h.org/a/b//c?ref=v1']\n", "which is fetched"),
        ("kind: Kustomization\nresources: ['git@g.org:t/brought.git//c?ref=v1']\n", ""),
        (
            "kind: Kustomization\nresources: ['g.org/t/brought/c?ref=v2']\n",
            "which is fetched",
        ),
        ("kind: Kustomization\nresources: ['https://x.org/a.yaml']\n", ""),
        (
            ("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
            "spec: {url: 'oci://r.example.org/w:1'}\n"),
            "what oci://r.example.org/w:1 holds",
        ),
    ],
)  # fmt: skip
def test_what_lies_elsewhere_is_told_unless_the_recipe_brings_it(text: str, told: str) -> None:
    unread = read(text).unread
    assert any(told in one for one in unread) if told else unread == []


@pytest.mark.parametrize(
    "text",
    [
        K3S % ("HelmChartConfig", "{valuesContent: '{image: {repository: q.io/a/b, tag: v1}}'}"),
        K3S % ("HelmChartConfig", "{valuesContent: 'image: q.io/a/b:v1'}"),
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  c: '{\"a\": {\"image\": \"q.io/a/b:v1\"}}'\n",
        "kind: ImageTagTransformer\nimageTag: {name: q.io/a/b, newTag: v1}\n",
        APP % "{repoURL: x, path: ., kustomize: {patches: [{patch: \"[{op: replace, path: "
        "/spec/containers/0/image, value: 'q.io/a/b:v1'}]\"}]}}",
        ("kind: HelmRelease\nspec: {postRenderers: [{kustomize: "
        "{patches: [{patch: '{spec: {containers: [{image: q.io/a/b:v1}]}}'}]}}]}\n"),
    ],
)  # fmt: skip
def test_images_in_one_line_are_found(text: str) -> None:
    named = read(text).named
    assert "q.io/a/b:v1" in named.images | named.perhaps


def test_what_kubectl_was_given_before_is_not_what_is_given_now() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    kubectl.kubernetes.io/"
        'last-applied-configuration: \'{"spec": {"image": "quay.io/a/old:v1"}}\'\n'
    )
    named = read(text).named
    assert named.images | named.perhaps == {}


def test_a_chart_of_k3s_has_what_is_set_and_laid_over_it() -> None:
    chart = K3S % (
        "HelmChart",
        (
            "{chart: t, repo: 'https://c.example.org', version: 1.0.0, set: {a.tag: '2'}, "
            "valuesContent: 'a: {tag: 1, name: x}'}"
        ),
    )
    config = K3S % ("HelmChartConfig", "{valuesContent: 'b: 3'}")
    (found,) = read(f"{config}---\n{chart}").charts
    assert found.values == {"a": {"tag": "2", "name": "x"}, "b": 3}


def test_charts_of_kustomize_are_found_in_all_three_forms() -> None:
    text = (
        "kind: Kustomization\nhelmCharts: [{name: a, repo: 'https://c.org', version: 1.0.0}]\n"
        "helmChartInflationGenerator:\n"
        "- {chartName: b, chartRepoUrl: 'https://c.example.org', chartVersion: 1.0.0}\n---\n"
        "apiVersion: builtin\nkind: HelmChartInflationGenerator\nname: c\n"
        "repo: https://c.example.org\nversion: 1.0.0\n"
    )
    assert [one.name for one in read(text).charts] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("resource", "repository"),
    [
        ("https://github.com/a/b//c/d?ref=v1", ("https://github.com/a/b", "v1")),
        ("https://github.com/a/b.git/c?ref=v1&timeout=90s", ("https://github.com/a/b", "v1")),
        ("github.com/a/b/c?version=v1", ("github.com/a/b", "v1")),
        ("git@github.com:a/b.git//c", ("git@github.com:a/b.git", "")),
        ("git::https://h.example.org/a/b", ("https://h.example.org/a/b", "")),
    ],
)
def test_the_repository_of_a_base_is_read_off(resource: str, repository: tuple[str, str]) -> None:
    assert remote_base(resource) == repository


def test_programs_that_make_manifests_are_told_and_what_stands_in_them_is_a_perhaps() -> None:
    found = read(
        "kind: ConfigMap\n",
        **{
            "lib/main.jsonnet": "{ kind: 'Pod', spec: { containers: [{ image: 'q.io/a/j:1' }] } }",
            "other.jsonnet": "{ image: 'q.io/a/k:1' }",
            "pod.cue": 'spec: containers: [{name: "a", image: "q.io/a/cue:1"}]',
            "main.tf": 'resource "helm_release" "x" { chart = "x" }\nimage = "q.io/a/tf:1"\n',
            "quiet.tf": 'variable "region" {}\n',
        },
    )
    assert set(found.named.perhaps) == {
        "q.io/a/j:1", "q.io/a/k:1", "q.io/a/cue:1", "q.io/a/tf:1",
    }  # fmt: skip
    assert sorted(one.partition(":")[0] for one in found.unread) == [
        "lib/main.jsonnet and 1 more", "main.tf", "pod.cue",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            (
                "kind: ZarfPackageConfig\ncomponents:\n- name: a\n  charts:\n"
                "  - {name: podinfo, url: 'https://c.org', version: 6.4.0}\n"
            ),
            "which chart is podinfo 6.4.0, which its ZarfPackageConfig names",
        ),
        (
            (
                "apiVersion: skaffold/v4beta11\nkind: Config\nmanifests: {helm: {releases: "
                "[{name: s, remoteChart: bitnami/redis, version: 1.2.3}]}}\n"
            ),
            "which chart is s 1.2.3",
        ),
        (
            (
                "apiVersion: kots.io/v1beta2\nkind: HelmChart\n"
                "spec: {chart: {name: x, chartVersion: 1.2.3}}\n"
            ),
            "which chart is x 1.2.3, which its HelmChart names",
        ),
        ("services: {b: {build: .}}\n", "the image of the service b, which Compose builds"),
    ],
)
def test_charts_and_images_in_odd_places_are_told(text: str, told: str) -> None:
    (sentence,) = read(text).unread
    assert told in sentence


def test_a_patch_in_a_file_of_json_is_read() -> None:
    patch = '[{"op": "replace", "path": "/spec/image", "value": "q.io/a/b:2"}]'
    assert "q.io/a/b:2" in read("kind: X\n", **{"p.json": patch}).images
    assert read("kind: X\n", **{"p.json": '[{"image": "q.io/a/b:2"}]'}).images == {}
