"""What a bundle lacks: against its recipe, what its charts name, and the machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundles.format import media
from bundles.format.layout import BundleIndex, Item
from bundles.format.recipe import Recipe
from bundles.format.untold import told
from bundles.read.completeness import (
    Contents,
    Gap,
    Named,
    Target,
    architecture_name,
    find_gaps,
    read_contents,
    release_name,
)
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from tests.bundles.creating import chart, create
from tests.bundles.places import Layout, RunningRegistry, layer
from tests.bundles.servers import serving

DIGEST = "sha256:" + "a" * 64


def item(kind: str, name: str, version: str | None = None, **more: Any) -> Item:
    return Item(
        kind=kind,
        name=name,
        version=version,
        origin="https://example.org/",
        media_type=media.OCI_MANIFEST,
        digest=DIGEST,
        size=1,
        content_size=10,
        **more,
    )


def image(name: str, platform: str = "linux/amd64") -> Item:
    return item("image", name, platform=platform)


def deb(name: str, release: str = "noble", architecture: str = "amd64") -> Item:
    return item("deb", name, pins={"release": release, "architecture": architecture})


def snap(name: str, kind: str = "app", base: str = "core20") -> Item:
    pins = {"architecture": "amd64", "type": kind, "base": base, "revision": "7"}
    return item("snap", name, "1", pins=pins)


def contents(*items: Item, named: tuple[Named, ...] = ()) -> Contents:
    return Contents(BundleIndex("t", "1", "e", DIGEST, "now", items), named)


def recipe(**lines: Any) -> Recipe:
    return Recipe.model_validate({"solution": "t", "version": "1", **lines}).for_environment("e")


SOURCE = [{"url": "http://archive.ubuntu.com/ubuntu", "suites": ["noble"]}]
WHOLE = (
    image("docker.io/library/redis:7"),
    item("chart", "app", "1.2"),
    item("file", "kubectl", content=DIGEST),
    item("git", "site", "main", pins={"ref": "main"}),
    snap("microk8s"),
    snap("core20", "base", ""),
    snap("snapd", "snapd", ""),
    deb("haproxy"),
    deb("libc6"),
    item("wheel", "ansible-core", platform="python3.12"),
    item("wheel", "sitewright"),
    item("wheel", "textual", platform="python3.12"),
)
WANTED: dict[str, list[Any]] = {
    "images": ["redis:7"],
    "charts": [{"name": "app", "repository": "https://x.org/", "version": "1.2"}],
    "files": [{"name": "kubectl", "url": "https://x.org/k", "sha256": "a" * 64}],
    "git": [{"name": "site", "url": "https://x.org/s.git", "ref": "main"}],
    "snaps": [{"name": "microk8s"}],
    "debs": [{"release": "noble", "sources": SOURCE, "packages": ["haproxy=2.8", "libc6:amd64"]}],
    "wheels": [{"python": "3.12", "requirements": ["ansible_core==2.18"]}],
    "sitewright": [{"pythons": ["3.12"]}],
}


def test_a_whole_bundle_lacks_nothing() -> None:
    machine = Target("w1", release="noble", architecture="amd64", free_bytes=10**9)
    assert find_gaps(contents(*WHOLE), recipe(**WANTED), [machine]) == ()


@pytest.mark.parametrize("number", range(len(WHOLE)))
def test_whatever_is_taken_out_is_named(number: int) -> None:
    rest = [one for at, one in enumerate(WHOLE) if at != number]
    gaps = find_gaps(contents(*rest), recipe(**WANTED))
    assert len(gaps) == 1, gaps
    gone = WHOLE[number]
    assert gaps[0].kind == gone.kind
    wanted = "sitewright" if gone.name == "textual" else gone.name
    assert wanted.replace("-", "_") in gaps[0].name.replace("-", "_")
    assert gaps[0].remedy


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda one: {"version": "1.3"} if one.kind == "chart" else {}, "app 1.2"),
        (lambda one: {"content": "sha256:" + "b" * 64} if one.kind == "file" else {}, "kubectl"),
        (lambda one: {"pins": {"ref": "old"}} if one.kind == "git" else {}, "site at main"),
        (
            lambda one: {"platform": "linux/arm64"} if one.kind == "image" else {},
            "docker.io/library/redis:7 for linux/amd64",
        ),
        (
            lambda one: {"platform": "python3.11"} if one.name == "ansible-core" else {},
            "ansible_core==2.18 for Python 3.12",
        ),
        (
            lambda one: {"pins": {**one.pins, "release": "jammy"}} if one.name == "haproxy" else {},
            "haproxy for noble amd64",
        ),
    ],
)
def test_another_version_is_not_the_one(
    change: Callable[[Item], dict[str, Any]], name: str
) -> None:
    from dataclasses import replace

    changed = [replace(one, **change(one)) for one in WHOLE]
    assert name in [gap.name for gap in find_gaps(contents(*changed), recipe(**WANTED))]


def test_an_image_that_a_chart_names_is_told_with_the_chart() -> None:
    named = Named("the chart app", ("docker.io/library/redis:7", "quay.io/side/car:2"))
    gaps = find_gaps(contents(image("docker.io/library/redis:7"), named=(named,)))
    assert [str(gap) for gap in gaps] == ["image quay.io/side/car:2, needed by the chart app"]
    assert "--with FILE" in gaps[0].remedy


def test_an_image_that_was_told_as_not_to_be_had_is_no_gap_as_well() -> None:
    named = Named("the chart app", ("quay.io/side/car:2",))
    entry = told("the chart app", "it cannot be had", image="quay.io/side/car:2")
    plain = contents(named=(named,))
    assert find_gaps(plain)
    assert not find_gaps(Contents(plain.index, plain.named, untold=(entry,)))


def test_a_platform_that_a_chart_needs_is_told() -> None:
    both = (image("a.io/x:1"), image("a.io/x:1", "linux/arm64/v8"), image("a.io/y:1"))
    named = Named("the chart app", ("a.io/x:1", "a.io/y:1"))
    wanted = recipe(images=["a.io/x:1"], platforms=["linux/amd64", "linux/arm64"])
    gaps = find_gaps(contents(*both, named=(named,)), wanted)
    assert [gap.name for gap in gaps] == ["a.io/y:1 for linux/arm64/v8"]


@pytest.mark.parametrize(
    ("machine", "missing"),
    [
        (Target("w1", "noble", "amd64"), []),
        (Target("w1", "bookworm", "amd64"), ["deb any for bookworm amd64, needed by w1"]),
        (
            Target("w1", "noble", "arm64"),
            ["image any for arm64, needed by w1", "deb any for noble arm64, needed by w1"],
        ),
        (Target("w1", None, None), []),
        (Target("w1", free_bytes=100), ["space 120 bytes (100 are free), needed by w1"]),
    ],
)
def test_a_machine_of_another_kind_is_told(machine: Target, missing: list[str]) -> None:
    bundle = contents(*WHOLE, deb("docs", "bookworm", "all"))
    if machine.free_bytes:
        bundle = contents(*WHOLE)
    assert [str(gap) for gap in find_gaps(bundle, targets=[machine])] == missing


def test_one_thing_that_two_need_is_told_once() -> None:
    named = tuple(Named(f"the chart {name}", ("a.io/x:1",)) for name in "ab")
    assert len(find_gaps(contents(named=named))) == 1


def test_names_of_releases_and_architectures() -> None:
    assert release_name("ubuntu", "24.04") == "noble"
    assert release_name("plan9", "4") is None
    assert architecture_name("x86_64") == "amd64"
    assert architecture_name("mips") is None


def test_a_real_bundle_is_asked_what_its_charts_name(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    layout.name(layout.image([layer(server=b"x")]), "server")
    layout.push("server", f"{registry.host}/complete/server:1")
    values = (
        f"image: {{repository: {registry.host}/complete/server, tag: 1}}\n"
        f"side: {{image: {{repository: {registry.host}/complete/side, tag: 1}}}}\n"
    )
    raw = chart("app", "1", {"values.yaml": values})
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "app-1.tgz").write_bytes(raw)
    entries = {"app": [{"version": "1", "urls": ["app-1.tgz"]}]}
    (tmp_path / "www" / "index.yaml").write_text(json.dumps({"entries": entries}))
    text = f"spec:\n  image: {registry.host}/complete/job:1\n"
    (tmp_path / "job.yaml").write_text(text)
    file = {
        "name": "job.yaml",
        "url": (tmp_path / "job.yaml").as_uri(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    with serving(tmp_path / "www") as url:
        line = {"name": "app", "repository": url, "version": "1"}
        # Somebody left the side's image out, and asked for no image of the manifest.
        without = {**line, "without": ["*/complete/side:*"]}
        create(tmp_path / "bundle", charts=[without], files=[file])
        full = Recipe.model_validate(
            {
                "solution": "test",
                "version": "1",
                "charts": [line],
                "files": [{**file, "images": True}],
            }
        ).for_environment("default")
    with open_bundle(tmp_path / "bundle") as bundle:
        found = read_contents(bundle, read_structure(bundle), full)
    gaps: tuple[Gap, ...] = find_gaps(found, full)
    assert [str(gap) for gap in gaps] == [
        f"image {registry.host}/complete/side:1, needed by the chart app",
        f"image {registry.host}/complete/job:1, needed by the manifest job.yaml",
    ]
