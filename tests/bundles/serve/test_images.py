"""Which repository a client means, and what the registry's lists say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundles.serve.images import ImageRegistry, Listing, Missing
from bundles.serve.resources import Stored
from tests.bundles.made import Made


@pytest.fixture
def made(tmp_path: Path) -> Made:
    made = Made(tmp_path / "bundle")
    for name in (
        "docker.io/library/app:1",
        "quay.io/library/app:1",
        "quay.io/team/tool:2",
        "registry.example.org:5000/own/thing:3",
    ):
        made.image(name)
    child = made.image("ghcr.io/many/arch:9", architecture="arm64")
    made.image_index("ghcr.io/many/arch:9", child, absent=1)
    made.chart("web", "1.0+b2")
    return made


@pytest.fixture
def registry(made: Made) -> ImageRegistry:
    return ImageRegistry(made.items, {})


def digest(made: Made, name: str, kind: str = "image") -> str:
    return next(item.digest for item in made.items if (item.kind, item.name) == (kind, name))


@pytest.mark.parametrize(
    ("path", "ns", "name"),
    [
        ("docker.io/library/app/manifests/1", None, "docker.io/library/app:1"),
        ("library/app/manifests/1", None, "docker.io/library/app:1"),
        ("app/manifests/1", None, "docker.io/library/app:1"),
        ("library/app/manifests/1", "docker.io", "docker.io/library/app:1"),
        ("library/app/manifests/1", "registry-1.docker.io", "docker.io/library/app:1"),
        ("library/app/manifests/1", "quay.io", "quay.io/library/app:1"),
        ("team/tool/manifests/2", "quay.io", "quay.io/team/tool:2"),
        ("team/tool/manifests/2", None, "quay.io/team/tool:2"),
        ("own/thing/manifests/3", "registry.example.org:5000",
         "registry.example.org:5000/own/thing:3"),
        ("quay.io/team/tool/manifests/2", "10.10.0.1:5443", "quay.io/team/tool:2"),
    ],
)  # fmt: skip
def test_an_image_is_found_by_each_of_its_names(
    registry: ImageRegistry, made: Made, path: str, ns: str | None, name: str
) -> None:
    found = registry.answer(f"v2/{path}", {"ns": ns} if ns else {})
    assert isinstance(found, Stored)
    assert found.digest == digest(made, name)


@pytest.mark.parametrize(
    ("path", "ns", "code"),
    [
        ("team/tool/manifests/2", "docker.io", "NAME_UNKNOWN"),
        ("team/tool/manifests/3", "quay.io", "MANIFEST_UNKNOWN"),
        ("library/app/manifests/1", "gcr.io", "NAME_UNKNOWN"),
        ("nothing/here/manifests/1", None, "NAME_UNKNOWN"),
        ("team/tool/blobs/sha256:00", "quay.io", "BLOB_UNKNOWN"),
        ("team/tool/tags/other", "quay.io", "NAME_INVALID"),
        ("team/tool", "quay.io", "NAME_INVALID"),
    ],
)
def test_what_is_not_there_is_never_another_image(
    registry: ImageRegistry, path: str, ns: str | None, code: str
) -> None:
    found = registry.answer(f"v2/{path}", {"ns": ns} if ns else {})
    assert isinstance(found, Missing)
    assert json.loads(found.body())["errors"][0]["code"] == code


def test_a_tag_is_the_index_that_the_maker_published(registry: ImageRegistry, made: Made) -> None:
    tagged = registry.answer("v2/many/arch/manifests/9", {"ns": "ghcr.io"})
    assert isinstance(tagged, Stored)
    assert tagged.digest == digest(made, "ghcr.io/many/arch:9", "image-index")
    child = digest(made, "ghcr.io/many/arch:9")
    assert isinstance(registry.answer(f"v2/many/arch/manifests/{child}", {}), Stored)


def test_lists_come_in_pages(registry: ImageRegistry) -> None:
    names: list[str] = []
    query = {"n": "2"}
    for _ in range(9):
        page = registry.answer("v2/_catalog", query)
        assert isinstance(page, Listing)
        names += json.loads(page.body)["repositories"]
        if page.following is None:
            break
        query = dict(part.split("=") for part in page.following.partition("?")[2].split("&"))
    assert names == sorted(registry.repositories)
    assert "charts/web" in names
    tags = registry.answer("v2/charts/web/tags/list", {})
    assert isinstance(tags, Listing)
    assert json.loads(tags.body) == {"name": "charts/web", "tags": ["1.0_b2"]}
