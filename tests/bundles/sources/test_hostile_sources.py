"""Whatever a store, a chart or a repository gives, it ends in a result or in one clear problem."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bundles.format.problems import BundleProblem, SourceProblem
from bundles.manifests.chart_images import read_chart
from bundles.manifests.gitops import read_manifests
from bundles.sources.assertions import ROOT_KEY, check_chain, read_assertions
from bundles.sources.deb_licence import licences_in
from bundles.sources.snap_store import Release
from tests.bundles.creating import chart

ROOT = (Path(__file__).parent.parent / "data" / "canonical-root.account-key").read_bytes()
NOW = datetime(2027, 1, 31, tzinfo=UTC)

WORDS = st.sampled_from(
    ["name", "image", "images", "repository", "tag", "digest", "enabled", "values", "spec",
     "source", "sources", "chart", "repoURL", "targetRevision", "helm", "valuesObject",
     "containers", "initContainers", "dependencies", "alias", "condition", "version", "kind",
     "apiVersion", "helmCharts", "valuesInline", "valuesFile", "resources", "newTag", "newName",
     "template", "global", "registry"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.floats(allow_nan=False),
    st.sampled_from(
        ["Application", "ApplicationSet", "Kustomization", "argoproj.io/v1", "1.2.3", "~1",
         "https://x.org/c", "x.org/c", "a/b:1", "../../etc/passwd", "file:///etc", "{{ x }}",
         "x", "", "a\nimage: b/c:1\n", "redis:7@sha256:zz"]
    ),
    st.text(max_size=12),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, SCALARS.filter(lambda k: not isinstance(k, float))),
                        inner, max_size=5),
    ),
    max_leaves=25,
)  # fmt: skip
DOCUMENTS = st.dictionaries(WORDS, VALUES, max_size=8)


def text_of(value: Any) -> str:
    return yaml.safe_dump(value, allow_unicode=True)


@given(st.binary(max_size=400))
def test_any_bytes_are_no_assertion_or_some(raw: bytes) -> None:
    with suppress(SourceProblem):
        read_assertions(raw, where="x")


@example(ROOT.rindex(b"\n\n") + 9, b"\n", 0)
@given(st.integers(0, len(ROOT) - 1), st.binary(max_size=3), st.integers(0, 5))
def test_a_changed_assertion_is_never_believed(at: int, put: bytes, cut: int) -> None:
    raw = ROOT[:at] + put + ROOT[at + cut :]
    try:
        chain = read_assertions(raw, where="x")
        authority = check_chain(chain, ROOT_KEY, now=NOW)
    except (SourceProblem, BundleProblem):
        return
    # It says what it said: at most the signature is written otherwise, which breaks into lines
    # where it likes, and in which what was not hashed along counts for nothing.
    (own,) = read_assertions(ROOT, where="x")
    assert ([one.content for one in chain], authority) == ([own.content], "canonical")


@given(DOCUMENTS, st.sampled_from(["kustomization.yaml", "Chart.yaml", "a/b.yaml", "values.yaml"]))
def test_any_documents_name_something_or_nothing(document: dict[str, Any], name: str) -> None:
    found = read_manifests({name: text_of(document).encode(), "values.yaml": b"x: {y: 1}\n"})
    assert all(isinstance(image, str) for image in found.images)
    for one in found.charts:
        assert one.repository.startswith(("http://", "https://", "oci://"))
        assert ".." not in one.name


def test_a_name_that_is_a_list_is_no_name() -> None:
    line = {"name": ["x"], "alias": [1], "repository": "https://x.org", "version": "1.0.0"}
    found = read_manifests({"Chart.yaml": text_of({"dependencies": [line]}).encode()})
    assert not found.charts


@given(st.binary(max_size=200))
def test_any_bytes_of_a_repository_name_something_or_nothing(raw: bytes) -> None:
    read_manifests({"kustomization.yaml": raw})


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_any_chart_is_read_or_refused(
    head: dict[str, Any], values: dict[str, Any], below: dict[str, Any]
) -> None:
    files = {
        "Chart.yaml": text_of({"name": "app", **head}),
        "values.yaml": text_of(values),
        "charts/x/Chart.yaml": text_of({"name": "x", **below}),
        "charts/x/values.yaml": text_of(below),
    }
    path = Path(_folder().name) / "app.tgz"
    path.write_bytes(chart("app", "1", files))
    with suppress(BundleProblem):
        read_chart(path, where="x", values=values)


@given(st.text(max_size=300))
def test_any_description_of_a_snap_names_snaps_or_none(text: str) -> None:
    release = Release.model_validate(
        {
            "name": "x",
            "snap-id": "a" * 32,
            "revision": 1,
            "version": "1",
            "snap-yaml": text,
            "download": {"url": "https://x.org/s", "size": 1, "sha3-384": "0" * 96},
        }
    )
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in release.stands_on)


@given(st.text(max_size=300))
def test_any_copyright_file_gives_a_licence_or_none(text: str) -> None:
    head = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
    found = licences_in(head + text)
    assert found is None or found.isprintable()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    # One for all examples: a folder each takes longer than the test.
    return tempfile.TemporaryDirectory()
