"""The images that objects name, wherever they can stand; and what looks like one is told."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.manifests.named_images import images_of_text

HEAD = "apiVersion: x.org/v1\nkind: Thing\n"

INSTALL = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      initContainers:
        - name: init
          image: q.io/t/init:1 # {"$imagepolicy": "flux-system:init"}
        - {name: flow, image: "q.io/t/flow:1"}
      containers:
        - name: main
          image: q.io/t/plain:1
        - name: anchored
          image: &img q.io/t/anchored:1
        - name: again
          image: *img
        - name: folded
          image: >-
            q.io/t/folded:1
        - name: quoted
          "image": q.io/t/quotedkey:1
"""


def test_every_form_in_which_yaml_writes_an_image_is_read() -> None:
    found = images_of_text(INSTALL, "install.yaml")
    names = ("init", "flow", "plain", "anchored", "folded", "quotedkey")
    assert set(found.images) == {f"q.io/t/{name}:1" for name in names}
    assert not found.untold
    assert not found.perhaps


@pytest.mark.parametrize(
    ("text", "image"),
    [
        (
            "spec: {template: {spec: {ephemeralContainers: [{image: a}]}}}",
            "docker.io/library/a:latest",
        ),
        (
            "spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: b:1}]}}}}}",
            "docker.io/library/b:1",
        ),
        (
            "spec: {volumes: [{name: v, image: {reference: q.io/v:1, pullPolicy: Always}}]}",
            "q.io/v:1",
        ),
        (
            "spec: {imageName: ghcr.io/cloudnative-pg/postgresql:16.2}",
            "ghcr.io/cloudnative-pg/postgresql:16.2",
        ),
        ("spec: {image: {registry: q.io, repository: a/b, tag: 1.10}}", "q.io/a/b:1.1"),
        ("spec: {image: {repository: q.io/a/b, tag: '1.10'}}", "q.io/a/b:1.10"),
        ("spec: {image: {name: q.io/a/b, tag: '2', pullPolicy: Always}}", "q.io/a/b:2"),
        (
            "spec: {kafka: {image: 'quay.io/strimzi/kafka:0.40.0-kafka-3.7.0'}}",
            "quay.io/strimzi/kafka:0.40.0-kafka-3.7.0",
        ),
        ("spec: {initImage: 'q.io/i:1'}", "q.io/i:1"),
        ("spec: {initImageRepo: q.io/i, initImageTag: '3'}", "q.io/i:3"),
        ("spec: {image_repository: q.io/i, image_tag: v2}", "q.io/i:v2"),
        (
            "spec: {containers: [{image: x:1, args: ['--agent-image=quay.io/o/agent:1']}]}",
            "quay.io/o/agent:1",
        ),
        (
            "spec: {containers: [{image: x:1, args: ['--image', 'quay.io/o/agent:2']}]}",
            "quay.io/o/agent:2",
        ),
        (
            "spec: {containers: [{image: x, env: [{name: RELATED_IMAGE_X, value: 'q.io/r:1'}]}]}",
            "q.io/r:1",
        ),
        (
            "spec: {containers: [{image: x, env: [{name: SIDECAR_IMAGE, value: 'q.io/side:1'}]}]}",
            "q.io/side:1",
        ),
        (
            "items: [{apiVersion: v1, kind: Pod, spec: {containers: [{image: l:1}]}}]",
            "docker.io/library/l:1",
        ),
        ("metadata: {annotations: {sidecar.istio.io/proxyImage: q.io/proxy:1}}", "q.io/proxy:1"),
        ('data: {config.yaml: "executor:\\n  image: q.io/exec:3 # pinned\\n"}', "q.io/exec:3"),
        (
            'data: {pod: "apiVersion: v1\\nkind: Pod\\nspec:\\n  containers: [{image: in:1}]\\n"}',
            "docker.io/library/in:1",
        ),
        (
            'patches: [{patch: "- op: replace\\n  path: /spec/image\\n  value: q.io/p:1\\n"}]',
            "q.io/p:1",
        ),
        (
            "spec: {relatedImages: [{name: a, image: 'q.io/r@sha256:" + "0" * 64 + "'}]}",
            "q.io/r@sha256:" + "0" * 64,
        ),
    ],
)
def test_an_image_is_found_where_it_stands(text: str, image: str) -> None:
    found = images_of_text(HEAD + text, "x.yaml")
    assert image in found.images
    assert not found.untold


@pytest.mark.parametrize(
    ("text", "image"),
    [
        (
            "spec: {containers: [{image: x:1, args: ['--reloader=quay.io/p/reloader:v0.7']}]}",
            "quay.io/p/reloader:v0.7",
        ),
        (
            "spec: {containers: [{image: x:1, env: [{name: HELPER, value: 'quay.io/p/h:2'}]}]}",
            "quay.io/p/h:2",
        ),
        (
            "metadata: {annotations: {helm.sh/images: \"- {name: a, image: 'q.io/listed:1'}\\n\"}}",
            "q.io/listed:1",
        ),
        (
            'metadata: {annotations: {artifacthub.io/images: "- image: q.io/hub:1\\n"}}',
            "q.io/hub:1",
        ),
        ('data: {x: "{{ if .a }}\\nimage: q.io/templated:1\\n{{ end }}\\n"}', "q.io/templated:1"),
    ],
)
def test_what_only_looks_like_an_image_is_a_perhaps(text: str, image: str) -> None:
    found = images_of_text(HEAD + text, "x.yaml")
    assert image in found.perhaps
    assert image not in found.images


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spec: {image: 'grafana/grafana'}", "image: grafana/grafana, which has no tag"),
        ("spec: {image: {repository: q.io/a/b, pullPolicy: Always}}", "which tag of q.io/a/b"),
        ("spec: {containers: [{image: '${REGISTRY}/a:1'}]}", "'${REGISTRY}/a:1'"),
        ("spec: {containers: [{image: 'A B'}]}", "'A B'"),
        ("spec: {containers: [{name: c, image: ''}]}", "the container c is given no image"),
        ("spec: {containers: [{name: p, image: auto}]}", "put in by Istio"),
        (
            "spec: {containers: [{image: x:1, args: ['--agent-image={{ x }}']}]}",
            "--agent-image={{ x }}",
        ),
        (
            "spec: {containers: [{image: x:1, env: [{name: RELATED_IMAGE_X, value: rel}]}]}",
            "RELATED_IMAGE_X=rel",
        ),
        ("a: b: c", "x.yaml: line 3 is no YAML"),
    ],
)
def test_what_is_seen_and_not_whole_is_told(text: str, told: str) -> None:
    (sentence,) = images_of_text(HEAD + text, "x.yaml").untold
    assert told in sentence


@pytest.mark.parametrize(
    "text",
    [
        "spec: {image: logo.png, imageUrl: 'https://x.org/a.png', imagePullPolicy: Always}",
        "spec: {image: 'https://x.org/disk:1'}",
        "spec: {containers: [{image: q.io/a:1, args: ['--image-pull-policy=Always', 'a/b:c']}]}",
        "spec: {source: {repository: https://example.org/x.git, tag: main}}",
        "spec: {storage: {repository: backups, path: a}}",
    ],
)
def test_what_is_no_image_is_not_taken_for_one(text: str) -> None:
    found = images_of_text(HEAD + text, "x.yaml")
    assert set(found.images) <= {"q.io/a:1"}
    assert not found.perhaps
    assert not found.untold


def test_the_schema_of_a_custom_resource_names_nothing() -> None:
    text = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "spec: {x: {properties: {image: {type: string}, containers: {items: {}}}}}\n"
    )
    found = images_of_text(text, "x.yaml")
    assert not found.images
    assert not found.untold


def test_hooks_of_helm_test_are_kept_apart() -> None:
    hook = 'metadata: {annotations: {"helm.sh/hook": "test-success"}}\n'
    text = f"{HEAD}{hook}spec: {{containers: [{{image: 'busybox:1'}}]}}\n"
    found = images_of_text(text, "x.yaml")
    assert set(found.tests) == {"docker.io/library/busybox:1"}
    assert not found.images
    other = text.replace("test-success", "post-install,test")
    assert set(images_of_text(other, "x.yaml").images) == {"docker.io/library/busybox:1"}


def test_documents_behind_a_lone_equals_sign_and_a_broken_one_count() -> None:
    text = (
        'apiVersion: v1\nkind: A\nspec: {enum: ["!=", =, "=~"]}\n---\nbroken: [\n---\n'
        "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'q.io/t/flowpod:9'}]}\n"
    )
    found = images_of_text(text, "x.yaml")
    assert set(found.images) == {"q.io/t/flowpod:9"}
    assert len(found.untold) == 1


def test_a_template_is_searched_and_what_is_found_is_a_perhaps() -> None:
    text = (
        "{{- range .x }}\n- image: q.io/a:1 # why\n- {image: 'q.io/b:2'}\n"
        "  image: {{ .c }}\n{{ end }}"
    )
    found = images_of_text(text, "x.yaml")
    assert set(found.perhaps) == {"q.io/a:1", "q.io/b:2"}
    assert not found.images


@given(st.text(max_size=200))
def test_any_text_names_something_or_nothing(text: str) -> None:
    images_of_text(text, "x.yaml")


@pytest.mark.parametrize(
    ("text", "kind", "names"),
    [
        # As Strimzi's operator is told its images.
        (
            ("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: q.io/t/a:1\n    env:\n"
            "    - name: STRIMZI_KAFKA_IMAGES\n      value: |\n"
            "        3.8.0=q.io/t/kafka:3.8\n        3.9.0=q.io/t/kafka:3.9\n"),
            "perhaps",
            ["q.io/t/kafka:3.8", "q.io/t/kafka:3.9"],
        ),
        ("apiVersion: v1\nkind: ConfigMap\ndata: {base: q.io/t/plain:1}\n", "perhaps",
         ["q.io/t/plain:1"]),
        ("apiVersion: x/v1\nkind: X\nspec: {images: [q.io/t/one:1, t/two:2]}\n", "images",
         ["docker.io/t/two:2", "q.io/t/one:1"]),
        (("apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n"
         "spec: {source: {registry: {url: 'docker://q.io/t/disk:1'}}}\n"), "images",
         ["q.io/t/disk:1"]),
        ("apiVersion: pkg.crossplane.io/v1\nkind: Provider\nspec: {package: x.io/t/p:v1}\n",
         "images", ["x.io/t/p:v1"]),
    ],
)  # fmt: skip
def test_images_in_other_places_are_found(text: str, kind: str, names: list[str]) -> None:
    found = images_of_text(text, "f.yaml")
    assert sorted(getattr(found, kind)) == names
    assert not found.untold


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("apiVersion: x/v1\nkind: X\nspec: {image: {repository: q.io/t/half}}\n",
         "f.yaml: which image is meant by repository: q.io/t/half, which has no tag"),
        ("apiVersion: x/v1\nkind: X\nspec: {imageRepo: q.io/t/half, imageTags: {a: '1'}}\n",
         "f.yaml: which images of q.io/t/half are meant (imageRepo)"),
        (("apiVersion: operators.coreos.com/v1alpha1\nkind: Subscription\n"
         "spec: {name: op, source: cat}\n"),
         ("f.yaml: what the operator op of the catalogue cat brings; name its images under "
         "`images`")),
    ],
)  # fmt: skip
def test_what_leads_to_images_that_nobody_can_say_is_told(text: str, said: str) -> None:
    assert images_of_text(text, "f.yaml").untold == [said]


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\ndocker run --rm quay.io/a/tool:3 true\n",
        "set -e\nkubectl run x --image=quay.io/a/tool:3 -- true\n",
        "ctr -n k8s.io images pull 'quay.io/a/tool:3'; curl https://x.org/a:8080/b\n",
    ],
)
def test_images_in_a_script_are_a_perhaps(script: str) -> None:
    lines = "".join(f"    {line}\n" for line in script.splitlines())
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  run.sh: |\n{lines}"
    found = images_of_text(text, "here")
    assert list(found.perhaps) == ["quay.io/a/tool:3"]
    assert not found.images
    one = script.splitlines()[-1].replace('"', "'")
    spec = f'{{containers: [{{image: r.io/a:1, args: [-c, "{one}"]}}]}}'
    text = f"kind: Pod\napiVersion: v1\nspec: {spec}"
    assert list(images_of_text(text, "here").perhaps) == ["quay.io/a/tool:3"]


def test_images_of_a_hub_are_put_together() -> None:
    """Istio gives a sidecar's image in three parts, two of them levels above the third."""
    values = (
        '{"global": {"hub": "docker.io/istio", "tag": "1.20.1", "proxy": {"image": "proxyv2"}}}'
    )
    text = f"apiVersion: v1\nkind: ConfigMap\ndata:\n  values: |-\n    {values}\n"
    found = images_of_text(text, "here")
    assert list(found.perhaps) == ["docker.io/istio/proxyv2:1.20.1"]
    assert not found.untold


@pytest.mark.parametrize(("kind", "key"), [("Secret", "data"), ("ConfigMap", "binaryData")])
def test_a_manifest_in_base64_is_read(kind: str, key: str) -> None:
    """As controllers keep the objects that they make later; other values are no text."""
    pod = 'apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: "q.io/t/kept:1"}]}\n'
    kept = base64.b64encode(pod.encode()).decode()
    found = images_of_text(
        f"apiVersion: v1\nkind: {kind}\n{key}: {{pod.yaml: {kept}, key: /w==, n: 1}}\n",
        "x",
    )
    assert set(found.images) == {"q.io/t/kept:1"}
    assert not found.untold
