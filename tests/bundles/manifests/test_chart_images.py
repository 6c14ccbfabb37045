"""Charts as they are met, read by us and rendered by the real Helm: what each of them finds.

Each chart of the corpus states what Helm renders and what reading it alone finds; nothing that
Helm renders may be missed by reading without a word.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bundles.format.problems import HostileBundle
from bundles.manifests.chart_images import ChartContents, read_chart, read_chart_files
from bundles.manifests.chart_templates import app_version_forms
from bundles.manifests.rendering import agree, read_alone, rendered_images
from tests.bundles.manifests.corpus import CASES, HEAD, PARTS, SUB, Case, pod
from tests.lab.kubernetes import programs


def packed(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "c.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in {"Chart.yaml": HEAD, **files}.items():
            info = tarfile.TarInfo(f"c/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def helm_template(chart: Path, values: dict[str, Any]) -> str:
    import json

    given = chart.with_name("given.json")
    given.write_text(json.dumps(values))
    done = subprocess.run(
        [programs.helm(), "template", "c", chart, "--values", given],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_reading_a_chart_misses_nothing_of_what_helm_renders(case: Case, tmp_path: Path) -> None:
    chart = packed(tmp_path, case.files)
    text = helm_template(chart, dict(case.values))
    rendered = rendered_images(text, "x")
    assert set(rendered.images) == case.rendered
    assert set(rendered.tests) == set(case.tests)
    assert not rendered.untold
    read = read_chart(chart, where="x", values=dict(case.values))
    missed = case.rendered - set(read.images) - set(read.perhaps)
    assert bool(missed) <= bool(case.told)
    assert (case.told in "\n".join(read.unread)) if case.told else not read.unread
    assert set(read.images) - case.rendered <= case.more
    assert set(read.tests) == set(case.tests)
    agreed = agree(read, text)
    assert set(agreed.named.images) == case.rendered
    assert {line.split()[0] for line in agreed.differing} == missed
    assert not agreed.named.untold


def read(folder: Path, files: dict[str, str], **values: Any) -> ChartContents:
    return read_chart(packed(folder, files), where="x", values=values)


def test_what_only_reading_shows_stays_in_view(tmp_path: Path) -> None:
    """Prometheus' rules for a cluster that has them, say: Helm renders nothing of it here."""
    files = {
        "values.yaml": "image: {repository: q.io/plain, tag: '1'}\n",
        "templates/a.yaml": '{{- if .Capabilities.APIVersions.Has "x.org/v1" }}\n'
        + pod(f"- {PARTS.strip()}")
        + "{{- end }}\n",
    }
    chart = packed(tmp_path, files)
    agreed = agree(read_chart(chart, where="x"), helm_template(chart, {}))
    assert not agreed.named.images
    assert set(agreed.named.perhaps) == {"q.io/plain:1"}


def test_two_ways_to_write_the_tag_are_both_a_perhaps(tmp_path: Path) -> None:
    files = {
        "values.yaml": "image: {repository: q.io/a, tag: ''}\n",
        "templates/a.yaml": 'image: "{{ .x }}:{{ .Values.tag | default .Chart.AppVersion }}"\n'
        'tag: {{ printf "v%s" .Chart.AppVersion }}\n',
    }
    found = read(tmp_path, files)
    assert set(found.perhaps) == {"q.io/a:2.3.4", "q.io/a:v2.3.4"}
    assert not found.images


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ('image: "{{ .Values.image.tag | default .Chart.AppVersion }}"', "{}"),
        ('image: "x:v{{ .Chart.AppVersion }}"', "v{}"),
        ('image: "x:{{ .Chart.AppVersion }}-alpine"', "{}-alpine"),
        ('image: {{ printf "%s:%s" .a (default (printf "v%s" .Chart.AppVersion) .b) }}', "v{}"),
        ('image: {{ printf "%s:%s-slim@%s" .a .Chart.AppVersion .b }}', "{}-slim"),
        ('{{- define "c.tag" }}\n{{- print "v" .Chart.AppVersion -}}', "v{}"),
        ('tag: {{ printf "%s/%s:%s%s" .a .b (printf "v%s" .Chart.AppVersion) .c }}', "?"),
        ('{{- if semverCompare ">=1" (coalesce .tag .Chart.AppVersion) }}', ""),
        ('{{- define "c.labels" }}\nv: {{ .Chart.AppVersion | quote }}', ""),
    ],
)
def test_the_tag_is_written_as_the_template_writes_it(line: str, form: str) -> None:
    assert app_version_forms([line]) == ({form} if form else set())


def test_a_file_of_a_chart_that_is_no_yaml_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    files = {
        "values.yaml": "a: b: c\n",
        "templates/a.yaml": pod("- image: q.io/plain:1"),
    }
    found = read(tmp_path, files)
    assert found.images == ("q.io/plain:1",)
    assert any("values.yaml: line 1 is no YAML" in sentence for sentence in found.unread)


def test_the_images_that_a_chart_lists_are_a_perhaps(tmp_path: Path) -> None:
    head = HEAD + 'annotations:\n  artifacthub.io/images: |\n    - {name: a, image: "q.io/hub:1"}\n'
    found = read(tmp_path, {"Chart.yaml": head})
    assert found.perhaps == ("q.io/hub:1",)


def test_a_chart_on_which_it_stands_and_that_is_not_inside_is_told(tmp_path: Path) -> None:
    head = (
        HEAD
        + "dependencies: [{name: db, version: 1.2.3, repository: 'https://x', condition: db.on}]\n"
    )
    values = "db: {image: {repository: q.io/db, tag: '1'}}\n"
    found = read(tmp_path, {"Chart.yaml": head, "values.yaml": values})
    assert found.unread == (
        "the chart db 1.2.3, on which it stands, is not inside it: what that names",
    )
    assert not found.images
    assert found.perhaps == ("q.io/db:1",)
    off = read(tmp_path, {"Chart.yaml": head, "values.yaml": "db: {'on': false}\n"})
    assert not off.unread


def test_what_is_turned_off_counts_for_nothing_where_it_is_only_read(tmp_path: Path) -> None:
    files = {
        "values.yaml": "side: {enabled: false, image: {repository: q.io/side, tag: '1'}}\n",
        "templates/a.yaml": "{{- if .Values.side.enabled }}\n"
        'image: "{{ .Values.side.image.repository }}:{{ .Values.side.image.tag }}"\n{{- end }}\n',
    }
    found = read(tmp_path, files)
    assert not found.images
    assert not found.unread
    assert read(tmp_path, files, side={"enabled": True}).images == ("q.io/side:1",)


def test_a_chart_that_names_charts_is_told(tmp_path: Path) -> None:
    app = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"
    app += "spec: {source: {repoURL: {{ .Values.repo }}, chart: far, targetRevision: 1.0.0}}\n"
    found = read(tmp_path, {"templates/a.yaml": app})
    assert found.unread == ("templates/a.yaml: which charts the Application in it names",)


def test_files_that_templates_take_in_are_a_perhaps(tmp_path: Path) -> None:
    files = {
        "files/a.yaml": pod("- image: q.io/taken:1"),
        "templates/a.yaml": '{{ .Files.Get "files/a.yaml" }}\n',
    }
    assert read(tmp_path, files).perhaps == ("q.io/taken:1",)
    assert read(tmp_path, {"files/a.yaml": files["files/a.yaml"]}).perhaps == ()


@pytest.mark.parametrize(
    ("line", "image", "told"),
    [
        ('{name: a, image: "{{ .Values.repo }}:{{ .Values.tag }}"}', "q.io/computed:1", ""),
        ('{image: {{ printf "%s:%s" .Values.repo .Values.tag }}, name: a}', "q.io/computed:1", ""),
        ('{name: a, image: {{ include "x" . }}}', "", 'which image {{ include "x" . }} means'),
        ("{name: a, image: q.io/a:1, env: [{name: JOB_IMAGE, value: '{{ tpl .Values.x . }}'}]}",
         "q.io/a:1", "which image '{{ tpl .Values.x . }}' means"),
    ],
)  # fmt: skip
def test_what_is_computed_in_one_line_is_found_or_told(
    tmp_path: Path, line: str, image: str, told: str
) -> None:
    text = f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{line}]}}\n"
    found = read(
        tmp_path, {"values.yaml": "repo: q.io/computed\ntag: '1'\n", "templates/a.yaml": text}
    )
    assert found.images == ((image,) if image else ())
    assert [one.partition(": ")[2] for one in found.unread] == ([told] if told else [])


def test_objects_beside_definitions_are_read(tmp_path: Path) -> None:
    text = "apiVersion: x/v1\nkind: CustomResourceDefinition\nspec: {image: q.io/not:1}\n---\n"
    files = {"crds/a.yaml": text + pod("- image: q.io/beside:1")}
    assert read(tmp_path, files).images == ("q.io/beside:1",)


def test_lines_that_end_as_on_windows_are_read(tmp_path: Path) -> None:
    text = pod("- name: a", "  {{- if .Values.x }}", "  image : q.io/windows:1", "  {{- end }}")
    files = {"templates/a.yaml": text.replace("\n", "\r\n")}
    assert read(tmp_path, files).images == ("q.io/windows:1",)


def test_null_takes_a_value_away_as_in_helm(tmp_path: Path) -> None:
    files = {"values.yaml": "side: {image: {repository: q.io/side, tag: '1'}}\n"}
    assert read(tmp_path, files).images == ("q.io/side:1",)
    assert read(tmp_path, files, side=None).images == ()


def test_a_chart_that_describes_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostileBundle, match="names no chart"):
        read(tmp_path, {"Chart.yaml": "a: b: c\n"})


def test_images_below_what_is_turned_off_are_left_out_and_named() -> None:
    """Without Helm nobody knows what else hangs on it; with Helm, Helm decides."""
    files = {
        "c/Chart.yaml": HEAD
        + "dependencies: [{name: db, version: 1.0.0, alias: store, condition: store.enabled}]\n",
        "c/values.yaml": "image: {repository: q.io/t/main, tag: '1'}\n"
        "metrics: {enabled: false, image: {repository: q.io/t/metrics, tag: '2'}, "
        "deeper: {enabled: false, sidecarImage: q.io/t/deep:3}}\n"
        "store: {enabled: false, image: {tag: '9'}}\n",
        "c/templates/a.yaml": pod("- name: a", f"  {PARTS.strip()}"),
        "c/charts/db/Chart.yaml": SUB,
        "c/charts/db/values.yaml": "image: {repository: q.io/t/db, tag: '8'}\n",
    }
    raw = {name: text.encode() for name, text in files.items()}
    contents = read_chart_files(raw, where="c")
    assert contents.images == ("q.io/t/main:1",)
    assert dict(contents.off) == {
        "q.io/t/metrics:2": "metrics.image of values.yaml",
        "q.io/t/deep:3": "metrics.deeper.sidecarImage of values.yaml",
        "q.io/t/db:9": "store.image of the values",
    }
    assert read_alone(contents).off == dict(contents.off)
    on = read_chart_files(raw, where="c", values={"metrics": {"enabled": True}})
    assert "q.io/t/metrics:2" in on.images
    assert "q.io/t/metrics:2" not in dict(on.off)
    assert not agree(contents, "").named.off


def test_a_schema_that_lies_elsewhere_is_told() -> None:
    """Helm fetches it before it installs, so on a site without a way out nothing is installed."""
    schema = '{"properties": {"a": {"$ref": "https://x.example.org/k8s.json#/definitions/a"}, '
    schema += '"b": {"$ref": "#/definitions/b"}, "c": {"$ref": "http://json-schema.org/draft-07"}}}'
    raw = {"c/Chart.yaml": HEAD.encode(), "c/values.schema.json": schema.encode()}
    (sentence,) = read_chart_files(raw, where="c").reaches
    assert sentence.startswith("values.schema.json names https://x.example.org/k8s.json, which")
