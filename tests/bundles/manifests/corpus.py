"""Charts as they are met: what Helm renders of each, and what reading it alone finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HEAD = "apiVersion: v2\nname: c\nversion: 1.0.0\nappVersion: '2.3.4'\n"
SUB = "apiVersion: v2\nname: db\nversion: 1.0.0\nappVersion: '1.1'\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
PARTS = 'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n'


@dataclass(frozen=True)
class Case:
    """A chart, what Helm makes of it, and what reading it alone finds of that."""

    files: dict[str, str]
    rendered: set[str]
    told: str = ""
    """What reading alone says where it cannot tell; empty where it finds all."""
    more: frozenset[str] = frozenset()
    """What reading alone finds besides."""
    values: tuple[tuple[str, Any], ...] = ()
    tests: frozenset[str] = frozenset()


def pod(*lines: str) -> str:
    return POD + "".join(f"    {line}\n" for line in lines)


CASES = {
    "a comment behind a literal image": Case(
        {
            "templates/a.yaml": pod(
                "- name: a", "  image: q.io/plain:1  # renovate: datasource=docker",
                "- name: b", '  image: "q.io/attest:1" # pinned by ops',
                '- {name: c, image: "q.io/redir:1"}',
            )
        },
        {"q.io/plain:1", "q.io/attest:1", "q.io/redir:1"},
    ),
    "a lone equals sign in values": Case(
        {
            "values.yaml": "image: {repository: q.io/plain, tag: '1'}\n"
            "route: {matchers: [{name: severity, matchType: =, value: critical}]}\n",
            "templates/a.yaml": pod("- name: a", f"  {PARTS.strip()}"),
        },
        {"q.io/plain:1"},
    ),
    "v before the appVersion, by printf": Case(
        {
            "values.yaml": "image: {repository: q.io/plain, tag: '', pullPolicy: Always}\n",
            "templates/a.yaml": pod(
                '- image: "{{ .Values.image.repository }}:{{ default (printf "v%s" '
                '.Chart.AppVersion) .Values.image.tag }}"'
            ),
        },
        {"q.io/plain:v2.3.4"},
    ),
    "v before the appVersion, glued": Case(
        {
            "values.yaml": "image: {repository: q.io/plain, tag: ''}\n",
            "templates/_helpers.tpl": '{{- define "c.image" -}}\n{{ .Values.image.repository }}:'
            "v{{ .Chart.AppVersion }}\n{{- end }}\n",
            "templates/a.yaml": pod('- image: {{ include "c.image" . }}'),
        },
        {"q.io/plain:v2.3.4"},
    ),
    "the appVersion in a helper": Case(
        {
            "values.yaml": "image: {repository: q.io/plain, tag: ''}\n",
            "templates/_helpers.tpl": '{{- define "c.tag" -}}\n'
            "{{- .Values.image.tag | default .Chart.AppVersion -}}\n{{- end }}\n"
            '{{- define "c.labels" -}}\nv: {{ .Chart.AppVersion }}\n{{- end }}\n',
            "templates/a.yaml": pod(
                '- image: "{{ .Values.image.repository }}:{{ include "c.tag" . }}"'
            ),
        },
        {"q.io/plain:2.3.4"},
    ),
    "no tag at all": Case(
        {
            "values.yaml": "image: {repository: q.io/plain, pullPolicy: Always}\n",
            "templates/a.yaml": pod("- image: {{ include \"c.image\" . }}"),
            "templates/_helpers.tpl": '{{ define "c.image" }}{{ .Values.image.repository }}:'
            "{{ .Chart.Version }}{{ end }}",
        },
        {"q.io/plain:1.0.0"},
        told="which tag of q.io/plain is meant",
    ),
    "one literal and one computed": Case(
        {
            "values.yaml": "side: {repo: quay.io/x/y, version: '3'}\n",
            "templates/a.yaml": pod("- {name: a, image: 'docker.io/library/nginx:1.27'}"),
            "templates/b.yaml": pod(
                "- image: {{ .Values.side.repo }}:{{ .Values.side.version }}"
            ).replace("name: a", "name: b"),
        },
        {"docker.io/library/nginx:1.27", "quay.io/x/y:3"},
    ),
    "one literal and one computed beyond reading": Case(
        {
            "values.yaml": "side: {repo: quay.io/x/y, version: '3'}\n",
            "templates/a.yaml": pod(
                "- {name: a, image: 'docker.io/library/nginx:1.27'}",
                '- image: {{ join ":" (list .Values.side.repo .Values.side.version) }}',
            ),
        },
        {"docker.io/library/nginx:1.27", "quay.io/x/y:3"},
        told='templates/a.yaml, line 7: which image {{ join ":"',
    ),
    "the name of a custom resource's image": Case(
        {
            "values.yaml": "db: {imageName: 'ghcr.io/c/postgresql:16.2'}\n",
            "templates/a.yaml": "apiVersion: p/v1\nkind: Cluster\nmetadata: {name: a}\n"
            "spec:\n  imageName: ghcr.io/c/other:16.1\n",
            "templates/b.yaml": "apiVersion: p/v1\nkind: Cluster\nmetadata: {name: b}\n"
            "spec:\n  imageName: {{ .Values.db.imageName }}\n",
        },
        {"ghcr.io/c/postgresql:16.2", "ghcr.io/c/other:16.1"},
    ),
    "flags and variables of an operator": Case(
        {
            "templates/a.yaml": pod(
                "- name: a", "  image: docker.io/library/nginx:1.27",
                "  args: ['--agent-image=quay.io/o/agent:1']",
                "  env: [{name: RELATED_IMAGE_X, value: 'quay.io/o/rel:1'}]",
            )
        },
        {"docker.io/library/nginx:1.27", "quay.io/o/agent:1", "quay.io/o/rel:1"},
    ),
    "flags, variables and resources that are computed": Case(
        {
            "values.yaml": "a: {repo: q.io/a, tag: '1'}\nb: {repo: q.io/b, tag: '2'}\n"
            "c: {repo: q.io/c, tag: '3'}\nimage: q.io/old\nimageTag: '4'\nlatest: q.io/latest/x\n",
            "templates/a.yaml": pod(
                "- name: a", "  image: {{ .Values.image }}:{{ .Values.imageTag }}", "  args:",
                "    - --agent-image={{ .Values.a.repo }}:{{ .Values.a.tag }}", "  env:",
                "    - name: RELATED_IMAGE_X",
                '      value: "{{ .Values.b.repo }}:{{ .Values.b.tag }}"',
                "- name: b", "  image: {{ .Values.latest | quote }}",
            ),
            "templates/b.yaml": "apiVersion: p/v1\nkind: Cluster\nmetadata: {name: a}\n"
            "spec:\n  imageName: {{ .Values.c.repo }}:{{ .Values.c.tag }}\n",
        },
        {"q.io/a:1", "q.io/b:2", "q.io/c:3", "q.io/old:4", "q.io/latest/x:latest"},
    ),
    "flags and variables that are computed beyond reading": Case(
        {
            "values.yaml": "a: {repo: q.io/a, tag: '1'}\n",
            "templates/a.yaml": pod(
                "- name: a", "  image: q.io/plain:1", "  args:",
                '    - --agent-image={{ printf "%s:%s" .Values.a.repo (.Values.a.tag | lower) }}',
            ),
        },
        {"q.io/a:1", "q.io/plain:1"},
        told="templates/a.yaml, line 9: which image",
    ),
    "a chart inside that its tags turn off": Case(
        {
            "Chart.yaml": HEAD + "dependencies: [{name: db, version: 1.0.0, tags: [back, x]}]\n",
            "values.yaml": "tags: {back: false}\n",
            "charts/db/Chart.yaml": SUB,
            "charts/db/values.yaml": "image: {repository: q.io/db, tag: '1'}\n",
            "charts/db/templates/a.yaml": pod(f"- {PARTS.strip()}"),
        },
        set(),
    ),
    "a chart inside that one of its tags turns on": Case(
        {
            "Chart.yaml": HEAD + "dependencies: [{name: db, version: 1.0.0, tags: [back, x]}]\n",
            "values.yaml": "tags: {back: false, x: true}\n",
            "charts/db/Chart.yaml": SUB,
            "charts/db/values.yaml": "image: {repository: q.io/db, tag: '1'}\n",
            "charts/db/templates/a.yaml": pod(f"- {PARTS.strip()}"),
        },
        {"q.io/db:1"},
    ),
    "a condition before tags": Case(
        {
            "Chart.yaml": HEAD + "dependencies: [{name: db, version: 1.0.0, tags: [back], "
            "condition: 'nothing.here,db.use'}]\n",
            "values.yaml": "tags: {back: false}\ndb: {use: true}\n",
            "charts/db/Chart.yaml": SUB,
            "charts/db/values.yaml": "image: {repository: q.io/db, tag: '1'}\n",
            "charts/db/templates/a.yaml": pod(f"- {PARTS.strip()}"),
        },
        {"q.io/db:1"},
    ),
    "a condition in a word of YAML 1.1": Case(
        {
            "Chart.yaml": HEAD + "dependencies: [{name: db, version: 1.0.0, condition: db.use}]\n",
            "values.yaml": "db: {use: no}\n",
            "charts/db/Chart.yaml": SUB,
            "charts/db/values.yaml": "image: {repository: q.io/db, tag: '1'}\n",
            "charts/db/templates/a.yaml": pod(f"- {PARTS.strip()}"),
        },
        set(),
    ),
    "another registry for all": Case(
        {
            "values.yaml": "global: {imageRegistry: mirror.local:5000}\n"
            "image: {registry: docker.io, repository: t/plain, tag: '1'}\n",
            "templates/a.yaml": pod(
                '- image: "{{ .Values.global.imageRegistry | default .Values.image.registry }}/'
                '{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
            ),
        },
        {"mirror.local:5000/t/plain:1"},
    ),
    "a tag that is a number": Case(
        {
            "values.yaml": "image: {repository: q.io/plain, tag: 1.10}\n"
            "date: {image: {repository: q.io/date, tag: 20240101}}\n",
            "templates/a.yaml": pod(
                f"- {PARTS.strip()}",
                "- image: {{ .Values.date.image.repository }}:x",
            ),
        },
        {"q.io/plain:1.1", "q.io/date:x"},
        more=frozenset({"q.io/date:2.0240101e07"}),
        told="which image is meant by 'q.io/date:2.0240101e+07'",
    ),
    "values that the site gives": Case(
        {
            "values.yaml": "image: {repository: q.io/plain, tag: '1'}\nextra: {}\n",
            "templates/a.yaml": pod(
                f"- {PARTS.strip()}",
                "{{- with .Values.extra.image }}", "- image: {{ . }}", "{{- end }}",
            ),
        },
        {"q.io/plain:2", "q.io/extra:9"},
        values=(("image", {"tag": "2"}), ("extra", {"image": "q.io/extra:9"})),
    ),
    "the hooks of helm test": Case(
        {
            "templates/a.yaml": pod("- image: q.io/plain:1"),
            "templates/tests/t.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: t\n"
            '  annotations: {"helm.sh/hook": test}\nspec:\n  containers:\n    - image: busybox:1\n',
        },
        {"q.io/plain:1"},
        tests=frozenset({"docker.io/library/busybox:1"}),
    ),
    "an image in a configuration": Case(
        {
            "values.yaml": "executor: {image: {registry: q.io, repository: argo/exec, tag: v3}}\n",
            "templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
            "  executor: |\n    imagePullPolicy: Always\n    image: "
            "{{ .Values.executor.image.registry }}/{{ .Values.executor.image.repository }}:"
            "{{ .Values.executor.image.tag }} # which\n",
        },
        {"q.io/argo/exec:v3"},
    ),
    "templates that end with anything": Case(
        {
            "templates/bare": pod("- image: q.io/bare:1"),
            "templates/b.txt": pod("- image: q.io/text:1"),
            "templates/c.yaml.gotmpl": pod("- image: q.io/tmpl:1"),
            "templates/NOTES.txt": "image: q.io/notes:1\n",
        },
        {"q.io/bare:1", "q.io/text:1", "q.io/tmpl:1"},
    ),
    "an image on the line below its key": Case(
        {
            "values.yaml": "r: q.io/a\n",
            "templates/a.yaml": pod(
                "- image: >-", "    {{ .Values.r }}:5", "- image:", '    "{{ .Values.r }}:6"'
            ),
        },
        {"q.io/a:5", "q.io/a:6"},
    ),
    "two branches of a condition": Case(
        {
            "values.yaml": "fips: false\n",
            "templates/a.yaml": pod(
                "- name: a", "{{- if .Values.fips }}", "  image: q.io/fips:1", "{{- else }}",
                "  image: q.io/plain:1", "{{- end }}",
            ),
        },
        {"q.io/plain:1"},
        more=frozenset({"q.io/fips:1"}),
    ),
}  # fmt: skip
