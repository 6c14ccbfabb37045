"""Charts and folders that Helm and Kustomize render while a bundle is made.

Helm and kubectl are the real ones; scripts that say what a program would are named as stand-ins.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundles.format.problems import SourceProblem
from bundles.format.recipe import Recipe
from bundles.make.create import Created, CreateOptions
from bundles.manifests.gitops_forms import Around
from bundles.read.completeness import find_gaps, read_contents
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from bundles.sources.git_rendering import kustomizations, unrendered
from tests.bundles.conftest import MOMENT
from tests.bundles.creating import QUICK, again, chart, create
from tests.bundles.places import Layout, RunningRegistry, layer
from tests.bundles.programs import stand_in
from tests.bundles.servers import serving
from tests.bundles.sources.test_git import line as git_line
from tests.bundles.sources.test_git import repository
from tests.lab.kubernetes import programs

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
JOINED = '    - image: {{ join ":" (list .Values.side.repo .Values.side.version) }}\n'


@pytest.fixture(scope="module")
def there(registry: RunningRegistry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A place in the registry with the images plain:1, side:3, test:1, other:4."""
    layout = Layout(tmp_path_factory.mktemp("layout"))
    for name, tag in (("plain", "1"), ("side", "3"), ("test", "1"), ("other", "4")):
        layout.name(layout.image([layer(name=name.encode())]), name)
        layout.push(name, f"{registry.host}/rendered/{name}:{tag}")
    return f"{registry.host}/rendered"


@pytest.fixture
def www(tmp_path: Path) -> Path:
    (folder := tmp_path / "www").mkdir()
    return folder


def publish(folder: Path, files: dict[str, str]) -> None:
    raw = chart("app", "1.0.0", files)
    (folder / "app-1.0.0.tgz").write_bytes(raw)
    entry = {
        "version": "1.0.0",
        "urls": ["app-1.0.0.tgz"],
        "digest": hashlib.sha256(raw).hexdigest(),
    }
    (folder / "index.yaml").write_text(json.dumps({"entries": {"app": [entry]}}))


def rendering(**more: Any) -> CreateOptions:
    return CreateOptions(
        created=MOMENT, patience=QUICK, programs=str(programs.helm().parent), **more
    )


def names(made: Created) -> set[str]:
    return {item.name.rpartition("/")[2] for item in made.structure.index.of_kind("image")}


def told(made: Created) -> list[tuple[str, str]]:
    return [(one.kind, one.what) for one in made.lock.all_untold]


def test_what_helm_renders_is_brought_and_what_differs_is_told(
    there: str, www: Path, tmp_path: Path
) -> None:
    hook = POD.replace("{name: a}", '{name: t, annotations: {"helm.sh/hook": test}}')
    files = {
        "values.yaml": f"side: {{repo: {there}/side, version: '3'}}\n"
        f"off: {{image: {{repository: {there}/plain, tag: '1'}}}}\n"
        f"gone: {{image: {{repository: {there}/gone, tag: '1'}}}}\n",
        "templates/a.yaml": POD + JOINED,
        "templates/t.yaml": f"{hook}    - image: {there}/test:1\n",
    }
    publish(www, files)
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0"}
        made = create(tmp_path / "b", rendering(), charts=[line])
        # The same bundle again needs no Helm.
        assert again(made, tmp_path / "again") == (tmp_path / "b/index.json").read_bytes()
    assert names(made) == {"side:3", "plain:1", "test:1"}
    assert {what: kind for kind, what in told(made)} == {
        f"{there}/side:3 is in what Helm renders, and reading the chart alone does not show it": (
            "note"
        ),
        f"what stands in it, though Helm renders nothing with it, leads to {there}/plain:1; "
        "it is in the bundle": "perhaps",
        f"what stands in it, though Helm renders nothing with it, leads to {there}/gone:1, "
        "which cannot be had: the registry does not have it": "untold",
        f"only `helm test` uses {there}/test:1; it is in the bundle": "note",
    }
    full = Recipe.model_validate({"solution": "test", "version": "1", "charts": [line]})
    with open_bundle(tmp_path / "b") as bundle:
        contents = read_contents(bundle, read_structure(bundle), full.for_environment("default"))
    assert contents.untold == made.lock.all_untold
    assert not find_gaps(contents, full.for_environment("default"))


def test_without_helm_the_same_chart_is_read_and_what_it_computes_is_told(
    there: str, www: Path, tmp_path: Path
) -> None:
    files = {
        "values.yaml": f"side: {{repo: {there}/side, version: '3'}}\n",
        "templates/a.yaml": POD + f"    - image: {there}/plain:1\n" + JOINED,
    }
    publish(www, files)
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0"}
        made = create(tmp_path / "b", charts=[line])
    assert names(made) == {"plain:1"}
    kinds = {what.partition(":")[0]: kind for kind, what in told(made)}
    assert kinds["templates/a.yaml, line 7"] == "untold"
    assert kinds["it was read without rendering it, since there is no Helm here"] == "note"


def test_a_chart_that_wants_values_is_told_and_read(there: str, www: Path, tmp_path: Path) -> None:
    files = {
        "values.yaml": f"image: {{repository: {there}/plain, tag: '1'}}\n",
        "templates/a.yaml": POD
        + '    - image: {{ required "say where" .Values.registry }}/{{ .Values.image.tag }}\n',
    }
    publish(www, files)
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0"}
        made = create(tmp_path / "b", rendering(), charts=[line])
        assert names(made) == {"plain:1"}
        ((kind, what),) = [one for one in told(made) if "helm template" in one[1]]
        assert kind == "untold"
        assert "say where" in what
        assert "under `values`" in what
        values = {"registry": f"{there}/side:3 #"}
        made = create(tmp_path / "c", rendering(), charts=[{**line, "values": values}])
    assert names(made) == {"plain:1", "side:3"}


def test_a_chart_for_older_clusters_is_rendered_as_for_one(
    there: str, www: Path, tmp_path: Path
) -> None:
    head = "apiVersion: v2\nname: app\nversion: 1.0.0\nkubeVersion: '>=1.20.0 <1.23.0'\n"
    image = f'    - image: {there}/{{{{ .Capabilities.KubeVersion.Minor | eq "22" | ternary '
    image += '"plain:1" "gone:1" }}\n'
    publish(www, {"Chart.yaml": head, "templates/a.yaml": POD + image})
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0"}
        made = create(tmp_path / "b", rendering(), charts=[line])
    assert names(made) == {"plain:1"}
    assert not [what for kind, what in told(made) if kind == "untold"]


APP = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source: "


def test_charts_that_a_chart_or_a_manifest_names_are_told(www: Path, tmp_path: Path) -> None:
    app = APP + (
        "{repoURL: 'https://c.example.org', chart: far, targetRevision: 1.2.3, "
        "helm: {valuesObject: {image: {repository: q.io/far, tag: '1'}}}}\n"
    )
    publish(www, {"templates/a.yaml": app})
    (tmp_path / "apps.yaml").write_text(app)
    file = {
        "name": "apps.yaml",
        "url": (tmp_path / "apps.yaml").as_uri(),
        "sha256": hashlib.sha256(app.encode()).hexdigest(),
        "images": True,
    }
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0"}
        made = create(tmp_path / "b", rendering(), charts=[line], files=[file])
    assert not names(made)
    sentence = (
        "names the chart far 1.2.3 of https://c.example.org, which is not brought with it; "
        "give it a line of its own under `charts`"
    )
    assert set(told(made)) == {
        ("untold", f"what Helm renders {sentence}"),
        ("untold", f"apps.yaml {sentence}"),
    }


def test_a_problem_of_a_chart_is_not_told_as_one_of_a_bundle(www: Path, tmp_path: Path) -> None:
    publish(www, {"Chart.yaml": "a: b: c\n"})
    with serving(www) as url, pytest.raises(SourceProblem, match="names no chart") as caught:
        create(tmp_path / "b", charts=[{"name": "app", "repository": url, "version": "1.0.0"}])
    assert "Do not use" not in caught.value.remedy


def test_a_recipe_brings_the_program_that_renders(there: str, www: Path, tmp_path: Path) -> None:
    publish(www, {"templates/a.yaml": POD + "    - image: never/seen:1\n"})
    rendered = POD + f"    - image: {there}/side:3\n"
    script = f'case "$*" in *--help*) exit 0 ;; esac\nprintf %s "{rendered}"'
    brought = stand_in(tmp_path / "own", script)
    file = {
        "name": "helm",
        "url": brought.as_uri(),
        "sha256": hashlib.sha256(brought.read_bytes()).hexdigest(),
    }
    # A medium that somebody else prepared leads nowhere.
    (mine := tmp_path / "mine").write_text("untouched")
    for folder in ("programs", "helm"):
        (work := tmp_path / "b" / ".work" / folder).mkdir(parents=True)
        (work / "helm").symlink_to(mine)
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0", "without": ["*/never/*"]}
        made = create(tmp_path / "b", charts=[line], files=[file])
    assert names(made) == {"side:3"}
    assert mine.read_text() == "untouched"


def test_an_archive_that_holds_the_program_is_not_started(
    there: str, www: Path, tmp_path: Path
) -> None:
    publish(www, {"templates/a.yaml": POD + f"    - image: {there}/plain:1\n"})
    (tmp_path / "helm.tar.gz").write_bytes(b"\x1f\x8b an archive")
    sha256 = hashlib.sha256(b"\x1f\x8b an archive").hexdigest()
    file = {"name": "helm", "url": (tmp_path / "helm.tar.gz").as_uri(), "sha256": sha256}
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0"}
        made = create(tmp_path / "b", charts=[line], files=[file])
    assert any("there is no Helm here" in what for _, what in told(made))


def test_folders_and_charts_of_a_repository_are_rendered(there: str, tmp_path: Path) -> None:
    base = "resources: [pod.yaml]\n"
    overlay = (
        "resources: [../../base]\nreplacements:\n- source: {kind: ConfigMap, name: which, "
        "fieldPath: data.image}\n  targets: [{select: {kind: Pod}, fieldPaths: "
        "[spec.containers.0.image]}]\nconfigMapGenerator:\n- name: which\n  literals: "
        f"[image={there}/side:3]\n  options: {{disableNameSuffixHash: true}}\n"
    )
    files = {
        "base/kustomization.yaml": base,
        "base/pod.yaml": POD + f"    - image: {there}/plain:1\n",
        "overlays/site/kustomization.yaml": overlay,
        "overlays/broken/kustomization.yaml": "resources: [nothing.yaml]\n",
        "overlays/remote/kustomization.yaml": "resources: ['https://x.example.org/all.yaml']\n",
        "charts/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
        "charts/own/values.yaml": f"side: {{repo: {there}/test, version: '1'}}\n",
        "charts/own/templates/a.yaml": POD + JOINED,
        # The same chart once more, with what an application sets.
        "charts/set/Chart.yaml": "apiVersion: v2\nname: set\nversion: 1.0.0\n",
        "charts/set/values.yaml": f"side: {{repo: {there}/test, version: '1'}}\n",
        "charts/set/templates/a.yaml": POD + JOINED,
        "app.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source: "
        "{repoURL: x, path: charts/set, helm: {valuesObject: {side: "
        f"{{repo: {there}/other, version: '4'}}}}}}}}\n",
    }
    source = repository(tmp_path / "source", files)
    made = create(tmp_path / "b", rendering(), git=[git_line(source, images=True)])
    assert names(made) == {"plain:1", "side:3", "test:1", "other:4"}
    sentences = [what for kind, what in told(made) if kind == "untold"]
    assert any(one.startswith("what Kustomize makes of overlays/broken: ") for one in sentences)
    assert any("https://x.example.org/all.yaml holds" in one for one in sentences)
    assert any("nothing.yaml holds, which is not here" in one for one in sentences)
    assert len(sentences) == 3
    assert not any(str(tmp_path) in one for one in sentences)
    assert again(made, tmp_path / "again") == (tmp_path / "b/index.json").read_bytes()


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_charts_that_kustomize_takes_in_are_laid_beside_it_and_rendered(
    there: str, www: Path, tmp_path: Path
) -> None:
    """What Helm alone renders is patched by the kustomization, which only rendering shows."""
    values = f"side: {{repo: {there}/test, version: '1'}}\n"
    publish(www, {"values.yaml": values, "templates/a.yaml": POD + JOINED})
    patch = (
        "replacements:\n- source: {kind: ConfigMap, name: which, fieldPath: data.image}\n"
        "  targets: [{select: {kind: Pod}, fieldPaths: [spec.containers.0.image]}]\n"
        "configMapGenerator:\n- name: which\n  literals: "
    )
    with serving(www) as url:
        files = {
            "site/kustomization.yaml": f"resources: [../far]\n{patch}[image={there}/side:3]\n",
            "far/kustomization.yaml": "helmCharts:\n"
            f"- {{name: app, repo: '{url}', version: 1.0.0}}\n",
            # A chart that lies in the repository, in a generator's own file.
            "near/kustomization.yaml": f"generators: [g.yaml]\n{patch}[image={there}/other:4]\n",
            "near/g.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\n"
            "metadata: {name: g}\nname: own\n",
            "near/charts/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
            "near/charts/own/values.yaml": values,
            "near/charts/own/templates/a.yaml": POD + JOINED,
        }
        source = repository(tmp_path / "source", files)
        made = create(tmp_path / "b", rendering(), git=[git_line(source, images=True)])
    assert names(made) >= {"side:3", "other:4"}
    assert [what for kind, what in told(made) if kind == "untold"] == []
    assert not [what for _, what in told(made) if "without rendering it" in what]


def test_a_tree_that_no_folder_can_hold_is_told_by_its_names(tmp_path: Path) -> None:
    """What git can store and no disk can: one name twice, and one that is too long."""
    files = {
        "a/Chart.yaml": "apiVersion: v2\nname: a\nversion: 1.0.0\n",
        "base/kustomization.yaml": "resources: [nothing.yaml]\n",
    }
    source = repository(tmp_path / "source", files)
    longest = "f" * 300

    def git(*words: str, given: str | None = None) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
            input=given, cwd=source, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    blob = git("hash-object", "-w", "--stdin", given="x")
    entries = git("ls-tree", "HEAD")
    tree = git("rev-parse", "HEAD:a")
    clash = (
        f"100644 blob {blob}\ta\n{entries}\n100644 blob {blob}\t{'l' * 300}\n"
        f"040000 tree {tree}\t{longest}\n"
    )
    commit = git("commit-tree", "-m", "two", git("mktree", given=clash))
    git("update-ref", "refs/heads/main", commit)
    made = create(tmp_path / "b", rendering(), git=[git_line(source, images=True)])
    sentences = [what for kind, what in told(made) if kind == "untold"]
    beside = ", which cannot be written beside its other files ("
    assert any(f"with a/Chart.yaml{beside}" in one for one in sentences)
    assert any(f"{'l' * 300}{beside}File name too long)" in one for one in sentences)
    assert any(f"what {longest} renders, since it could not be written" in one for one in sentences)
    assert any("what Kustomize makes of base" in one for one in sentences)  # the rest goes on


def test_without_programs_the_same_repository_is_read_and_told(there: str, tmp_path: Path) -> None:
    files = {
        "charts/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
        "charts/own/values.yaml": f"image: {{repository: {there}/plain, tag: '1'}}\n"
        "side: {repo: x.io/y, version: '1'}\n",
        "charts/own/templates/a.yaml": POD + JOINED,
    }
    source = repository(tmp_path / "source", files)
    made = create(tmp_path / "b", git=[git_line(source, images=True)])
    assert names(made) == {"plain:1"}
    assert any(
        kind == "untold" and "charts/own/Chart.yaml: templates/a.yaml, line 6" in what
        for kind, what in told(made)
    )
    notes = [what for kind, what in told(made) if kind == "note"]
    assert notes == ["its charts were read without rendering them, since there is no Helm here"]


def test_helm_renders_in_an_empty_folder_of_its_own(
    there: str, www: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plugins and settings of the maker's Helm count for nothing."""
    plugin = tmp_path / "helm" / "plugins" / "bad"
    plugin.mkdir(parents=True)
    ran = tmp_path / "ran"
    (plugin / "plugin.yaml").write_text(
        f"name: bad\nversion: 1.0.0\ndownloaders: [{{command: touch {ran}, protocols: [https]}}]\n"
    )
    monkeypatch.setenv("HELM_PLUGINS", str(plugin.parent))
    monkeypatch.setenv("HELM_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HELM_KUBETOKEN", "x")
    publish(
        www, {"templates/a.yaml": POD + f"    - image: {there}/{{{{ .Release.Namespace }}}}:1\n"}
    )
    with serving(www) as url:
        line = {"name": "app", "repository": url, "version": "1.0.0"}
        with pytest.raises(SourceProblem, match="does not have it") as caught:
            create(tmp_path / "b", rendering(), charts=[line])
    assert "rendered/default" in (caught.value.where or "")
    assert not ran.exists()


def test_folders_of_kustomize_that_are_only_read_are_told_with_the_reason() -> None:
    files = {
        "a/kustomization.yaml": b"helmCharts: [{name: x, repo: https://c.example.org, version: 1}]",
        "b/kustomization.yaml": b"resources: [https://github.com/a/b//c?ref=v1]",
        "c/kustomization.yaml": b"resources: [../a]",
        "d/kustomization.yaml": b"resources: [x.yaml]",
    }
    assert unrendered(files) == {"b": "what the network brings"}
    around = Around("https://h.example.org/x.git", (("git@github.com:a/b.git", "v1"),))
    assert unrendered(files, around) == {"b": "what another line of the recipe brings"}
    assert kustomizations(files) == ["c", "d"]
