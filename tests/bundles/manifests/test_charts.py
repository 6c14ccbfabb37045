"""Helm charts and manifests from a real repository on the loopback, with what they name."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from pathlib import Path

import pytest

from bundles.format import media
from bundles.format.lock import parse_lock
from bundles.format.problems import HostileBundle, SourceProblem
from bundles.format.recipe import with_login
from bundles.make.create import CreateOptions
from bundles.manifests.chart_images import read_chart
from bundles.read.verify import verify_bundle
from bundles.sources.charts import _resolved
from tests.bundles.creating import QUICK, again, chart, create
from tests.bundles.odd_registry import OddRegistry, running
from tests.bundles.places import Layout, RunningRegistry, layer
from tests.bundles.servers import Answer, Asked, answering, serving

TAGGED = (
    'image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"\n'
)


def test_a_chart_comes_with_the_images_that_it_names(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    for name, tag in (("server", "7.0"), ("sidecar", "2"), ("sub", "1.1"), ("job", "3")):
        layout.name(layout.image([layer(name=name.encode())]), name)
        layout.push(name, f"{registry.host}/charted/{name}:{tag}")
    values = (
        f"image: {{repository: {registry.host}/charted/server, pullPolicy: Always}}\n"
        f"sidecar:\n  image: {{registry: '{registry.host}', repository: charted/sidecar, tag: 2}}\n"
        "source: {repository: https://example.org/x.git, tag: main}\n"
    )
    sub = "apiVersion: v2\nname: sub\nversion: '1'\nappVersion: '1.1'\n"
    raw = chart(
        "app",
        "0.3.1",
        {
            "values.yaml": values,
            "templates/job.yaml": f'      - image: "{registry.host}/charted/job:3"\n',
            "templates/deployment.yaml": TAGGED,
            "charts/sub/Chart.yaml": sub,
            "charts/sub/templates/deployment.yaml": TAGGED,
            "charts/sub/values.yaml": (
                f"image: {{repository: {registry.host}/charted/sub, tag: ''}}\n"
            ),
        },
    )
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "app-0.3.1.tgz").write_bytes(raw)
    entry = {
        "name": "app",
        "version": "0.3.1",
        "urls": ["app-0.3.1.tgz"],
        "digest": (digest := hashlib.sha256(raw).hexdigest()),
    }
    index = {"apiVersion": "v1", "entries": {"app": [entry]}}
    (tmp_path / "www" / "index.yaml").write_text(json.dumps(index))
    with serving(tmp_path / "www") as url:
        line = {"name": "app", "repository": url, "version": "0.3.1"}
        made = create(tmp_path / "bundle", charts=[line])
        assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()
        with pytest.raises(SourceProblem, match=r"no version 9\.9"):
            create(tmp_path / "none", charts=[{**line, "version": "9.9"}])
    found = verify_bundle(tmp_path / "bundle").structure.index
    (item,) = found.of_kind("chart")
    assert item.content == f"sha256:{digest}"
    assert item.licence == "MIT"
    names = {i.name.removeprefix(f"{registry.host}/charted/") for i in found.of_kind("image")}
    assert names == {"server:7.0", "sidecar:2", "sub:1.1", "job:3"}
    assert {item.licence for item in found.of_kind("image")} == {"Apache-2.0"}


def test_a_chart_as_helm_packs_it_is_read(tmp_path: Path) -> None:
    """Helm writes an extra field and a comment into gzip's header (its chartutil/save.go)."""
    values = "image: {repository: quay.io/a/b, tag: v1}\n"
    raw = gzip.decompress(chart("app", "1", {"values.yaml": values}))
    extra = b"+aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo="
    head = b"\x1f\x8b\x08\x14" + bytes(5) + b"\xff" + len(extra).to_bytes(2, "little")
    packed = zlib.compress(raw)[2:-4]
    tail = zlib.crc32(raw).to_bytes(4, "little") + len(raw).to_bytes(4, "little")
    (tmp_path / "app.tgz").write_bytes(head + extra + b"Helm\x00" + packed + tail)
    assert read_chart(tmp_path / "app.tgz", where="x").images == ("quay.io/a/b:v1",)


def test_values_decide_which_images_of_a_chart_count(tmp_path: Path) -> None:
    head = (
        "apiVersion: v2\nname: app\nversion: '1'\ndependencies:\n"
        "- {name: store, alias: cache, condition: cache.enabled}\n"
        "- {name: store, alias: ledger}\n"
        "- {name: extra, condition: extra.enabled}\n"
    )
    values = (
        "metrics: {enabled: false, image: {repository: q.io/m, tag: 1}}\n"
        "cache: {enabled: true, image: {tag: new}}\n"
        "extra: {enabled: false}\n"
    )
    files = {
        "Chart.yaml": head,
        "values.yaml": values,
        "charts/store/Chart.yaml": "name: store\nversion: '2'\n",
        "charts/store/values.yaml": "image: {repository: q.io/store, tag: old}\n",
        "charts/extra/Chart.yaml": "name: extra\nversion: '2'\n",
        "charts/extra/values.yaml": "image: {repository: q.io/extra, tag: '1'}\n",
        "charts/extra/templates/pod.yaml": "  image: q.io/literal:1\n",
    }
    path = tmp_path / "app.tgz"
    path.write_bytes(chart("app", "1", files))
    assert read_chart(path, where="x").images == ("q.io/store:new", "q.io/store:old")
    given = {"extra": {"enabled": True}, "cache": {"image": {"repository": "r.io/s"}}}
    assert read_chart(path, where="x", values=given).images == (
        "q.io/extra:1",
        "q.io/literal:1",
        "q.io/store:old",
        "r.io/s:new",
    )


def test_a_manifest_comes_with_the_images_that_it_names(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    layout.name(layout.image([layer(server=b"x")]), "server")
    layout.push("server", f"{registry.host}/manifested/server:1")
    text = (
        "kind: Deployment\nspec:\n  containers:\n"
        f"  - image: {registry.host}/manifested/server:1\n    name: s\n"
        "---\nschema:\n  image:\n    type: string\n"
    )
    (tmp_path / "install.yaml").write_text(text)
    line = {
        "name": "install.yaml",
        "url": (tmp_path / "install.yaml").as_uri(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "images": True,
    }
    made = create(tmp_path / "bundle", files=[line])
    assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()
    index = verify_bundle(tmp_path / "bundle").structure.index
    assert [i.name for i in index.of_kind("image")] == [f"{registry.host}/manifested/server:1"]
    assert [i.name for i in index.of_kind("file")] == ["install.yaml"]


def test_an_image_that_the_site_does_without_is_not_looked_for(tmp_path: Path) -> None:
    values = "image: {repository: 127.0.0.1:9/withdrawn/thing, tag: 1}\n"
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "app-1.tgz").write_bytes(chart("app", "1", {"values.yaml": values}))
    entries = {"app": [{"version": "1", "urls": ["app-1.tgz"]}]}
    (tmp_path / "www" / "index.yaml").write_text(json.dumps({"entries": entries}))
    with serving(tmp_path / "www") as url:
        line = {"name": "app", "repository": url, "version": "1"}
        create(tmp_path / "b", charts=[{**line, "without": ["127.0.0.1:9/withdrawn/*"]}])
    index = verify_bundle(tmp_path / "b").structure.index
    assert index.of_kind("image") == ()


def test_an_image_that_a_chart_names_and_nobody_has_is_told_with_the_chart(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    values = f"image: {{repository: {registry.host}/charted/nobody, tag: 1}}\n"
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "app-1.tgz").write_bytes(chart("app", "1", {"values.yaml": values}))
    entries = {"app": [{"version": "1", "urls": ["app-1.tgz"]}]}
    (tmp_path / "www" / "index.yaml").write_text(json.dumps({"entries": entries}))
    with serving(tmp_path / "www") as url, pytest.raises(SourceProblem, match="chart app names"):
        create(tmp_path / "b", charts=[{"name": "app", "repository": url, "version": "1"}])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_chart_with_links_or_devices_is_refused(kind: bytes, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("app/Chart.yaml")
        info.type = kind
        info.linkname = "/etc/passwd"
        tar.addfile(info)
    (tmp_path / "app.tgz").write_bytes(packed.getvalue())
    with pytest.raises(HostileBundle, match="leaves the chart"):
        read_chart(tmp_path / "app.tgz", where="x")


def test_an_index_that_leads_to_a_registry_is_followed(tmp_path: Path) -> None:
    """As that of Bitnami does: its addresses begin with oci://."""
    odd = OddRegistry()
    raw = chart("app", "0.3.1", {})
    parts = [(media.HELM_CONFIG, b'{"name": "app", "version": "0.3.1"}'), (media.HELM_CHART, raw)]
    config, packed = (
        {"mediaType": kind, "digest": odd.blob(one), "size": len(one)} for kind, one in parts
    )
    value = {"schemaVersion": 2, "config": config, "layers": [packed]}
    odd.tag("app", odd.manifest(value, media.OCI_MANIFEST))
    (tmp_path / "www").mkdir()
    with running(odd) as server, serving(tmp_path / "www") as url:
        entry = {"version": "0.3.1", "urls": [f"oci://{server.host}/charts/app:0.3.1"]}
        index = json.dumps({"entries": {"app": [entry]}})
        (tmp_path / "www" / "index.yaml").write_text(index)
        line = {"name": "app", "repository": url, "version": "0.3.1"}
        made = create(tmp_path / "bundle", charts=[line])
        assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()
    (item,) = made.structure.index.of_kind("chart")
    assert item.content == packed["digest"]


def test_addresses_in_an_index_are_resolved_as_helm_does() -> None:
    assert _resolved("https://h.org/charts", "a.tgz") == "https://h.org/charts/a.tgz"
    assert _resolved("https://h.org/charts", "/dl/a.tgz") == "https://h.org/dl/a.tgz"
    assert _resolved("https://h.org/charts", "https://x.org/a.tgz") == "https://x.org/a.tgz"
    assert _resolved("https://h.org/c", "//evil.org/a.tgz").startswith("https://h.org/")


def test_the_login_of_a_chart_repository_stays_with_its_maker(tmp_path: Path) -> None:
    """Every site is given recipe, lock and index; for the same again the login is given again."""
    raw = chart("app", "1.0.0", {"values.yaml": "a: 1\n"})
    entry = {
        "version": "1.0.0", "urls": ["app-1.0.0.tgz"], "digest": hashlib.sha256(raw).hexdigest(),
    }  # fmt: skip
    listed = json.dumps({"entries": {"app": [entry]}}).encode()

    def private(asked: Asked) -> Answer:
        if "authorization" not in asked.headers:
            return Answer(401)
        return Answer(body=listed if asked.path.endswith("index.yaml") else raw)

    with answering(private) as server:
        own = f"http://anna:pass-word-1@{server.host}"
        line = {"name": "app", "repository": own, "version": "1.0.0"}
        said = create(tmp_path / "a", charts=[line]).lock.as_bytes()
        mine = json.loads(said)
        mine["recipe"]["charts"][0]["repository"] = own
        lock = parse_lock(json.dumps(mine).encode(), where="lock")
        create(tmp_path / "b", CreateOptions(lock=lock, patience=QUICK, programs=""), charts=[line])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"pass-word-1" in path.read_bytes()] == []
    first, second = ((tmp_path / name / "index.json").read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("https://h.org/a.tgz", "https://u:p@h.org/a.tgz"),
        ("https://h.org:8443/a.tgz", "https://h.org:8443/a.tgz"),
        ("https://h.org.evil.example/a.tgz", "https://h.org.evil.example/a.tgz"),
        ("http://h.org/a.tgz", "http://h.org/a.tgz"),
        ("1.0.0", "1.0.0"),
    ],
)
def test_a_login_goes_back_to_its_very_server_alone(address: str, given: str) -> None:
    line = {"name": "x", "sources": [{"url": "https://u:p@H.org/charts", "suites": ["a/"]}]}
    assert with_login(address, line) == given
