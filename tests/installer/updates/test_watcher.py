"""The watcher before a real docker-registry with several hundred tags, and before a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bundles.registries import tags
from installer.updates.allowed import read_named
from installer.updates.memory import read_memory, write_memory
from installer.updates.origins import read_bundle_origin
from installer.updates.registry_origin import Times
from installer.updates.serving import Ways
from tests.bundles.made import Made
from tests.bundles.places import RunningRegistry
from tests.bundles.serve.conftest import serving_bundle
from tests.installer.updates.conftest import QUICK, Running, watching
from tests.installer.updates.registries import Filling, fill_fast

LEDGER = "/image/mojaloop/central-ledger"
TAGS = [f"v{x}.{y}.{z}" for x in (10, 11, 12) for y in range(5) for z in range(40)]
TAGS += ["v11.0.0-patch.1", "v11.9.0-snapshot.1", "20231001", "2025.01.02", "v11.0.5-alpine"]
TAGS += ["v11.0.9-alpine", "latest"]
TAGS.insert(0, "v1.0.0")


@pytest.fixture(scope="module")
def filled(registry: RunningRegistry) -> RunningRegistry:
    """A repository of 608 tags."""
    fill_fast(registry, "mojaloop/central-ledger", TAGS)
    return registry


def ways(registry: RunningRegistry, **more: object) -> Ways:
    """Docker Hub's images, asked of the registry in its place."""
    made = Ways((read_named("docker.io"),), (("docker.io", registry.host),), patience=QUICK)
    return replace(made, **more)  # type: ignore[arg-type] # its own fields


@pytest.fixture
def watcher(filled: RunningRegistry) -> Iterator[Running]:
    with watching(ways(filled)) as running:
        yield running


def test_the_page_of_document_004(watcher: Running) -> None:
    """Its address and its two words; its slash before the tag is a colon, as images have it."""
    found = watcher.get(f"{LEDGER}/v11.0.38", strategy="bugfix")
    assert list(found)[:2] == ["tag", "fullImage"]
    assert found["tag"] == "v11.0.39"
    assert found["fullImage"] == "mojaloop/central-ledger:v11.0.39"
    assert found["newer"] is True
    answer = watcher.client.get(f"{LEDGER}/v11.0.38?strategy=bugfix")
    assert answer.headers["content-type"] == "application/json"


def test_the_strategies_over_several_hundred_tags(watcher: Running) -> None:
    image = "/images/mojaloop/central-ledger/v11.0.1"
    assert watcher.tag(image, strategy="bugfix") == "v11.0.39"
    assert watcher.tag(image, strategy="minor") == "v11.4.39"
    assert watcher.tag(image, strategy="major") == "v12.4.39"
    assert watcher.tag(image, strategy="patch") == ""
    assert watcher.tag("/images/mojaloop/central-ledger/v11.0.0") == "v11.0.0-patch.1"
    assert watcher.tag(f"{LEDGER}/v11.4.39", strategy="minor", prereleases="true") == (
        "v11.9.0-snapshot.1"
    )
    assert watcher.tag(f"{LEDGER}/v11.0.5-alpine", strategy="major") == "v11.0.9-alpine"
    assert watcher.get(f"{LEDGER}/v12.4.39", strategy="major")["tag"] == "v12.4.39"
    assert watcher.tag(f"{LEDGER}/v12.4.39", strategy="major") == ""


def test_what_is_wrong_is_told_in_the_swaggers_form(watcher: Running) -> None:
    for path, words, status, said in (
        ("/image/mojaloop/nothing/v1.0.0", {}, 404, "there is no such image"),
        (f"{LEDGER}/v99.0.0", {}, 404, "there is no tag v99.0.0"),
        (f"{LEDGER}/v11.0.0", {"strategy": "newest"}, 400, "is no strategy"),
        (f"{LEDGER}/v11.0.0", {"stategy": "major"}, 400, "is no word"),
        (f"{LEDGER}/v11.0.0", {"minimum-age": "soon"}, 400, "is no age"),
        (f"{LEDGER}/v11.0.0", {"digest": "sha256:12"}, 400, "is no digest"),
        (f"{LEDGER}/v11.0.0", {"prereleases": "perhaps"}, 400, "true or false"),
        (f"{LEDGER}/latest", {}, 400, "nothing can be called newer"),
        (f"{LEDGER}/20231001", {}, 400, "a date or a build"),
        ("/image/mojaloop/Ledger/v1.0.0", {}, 400, "capital letters"),
        ("/image/v1.0.0", {}, 400, "names no image"),
        ("/image/quay.io/team/app/v1.0.0", {}, 403, "no registry that was named"),
        ("/image/169.254.169.254/a/b/v1", {}, 403, "no registry that was named"),
        ("/image/localhost:22/a/v1", {}, 403, "no registry that was named"),
        ("/nothing", {}, 404, "no such address"),
    ):
        found, text = watcher.refusal(path, **words)
        assert (found, said in text) == (status, True), f"{path} {words}: {found} {text}"
    twice = watcher.client.get(f"{LEDGER}/v11.0.0?strategy=minor&strategy=major")
    assert twice.status_code == 400
    assert watcher.client.delete(f"{LEDGER}/v11.0.0").status_code == 405
    information = twice.json()["errorInformation"]
    assert information["errorCode"].isdecimal()
    assert len(information["errorCode"]) == 4


def test_many_images_at_once_each_with_its_own_answer(watcher: Running) -> None:
    batch = {
        "strategy": "bugfix",
        "images": [
            "mojaloop/central-ledger:v11.0.0",
            "mojaloop/central-ledger/v11.1.0",  # as the page writes them
            {"image": "mojaloop/central-ledger:v11.1.0", "strategy": "major"},
            "mojaloop/nothing:v1.0.0",
            "NO:image",
        ],
    }
    answer = watcher.client.post("/images", json=batch)
    assert answer.status_code == 200
    found = answer.json()["images"]
    assert [one["status"] for one in found] == [200, 200, 200, 404, 400]
    assert [one.get("tag") for one in found[:3]] == ["v11.0.39", "v11.1.39", "v12.4.39"]
    assert "errorInformation" in found[3]
    for body in (b"x", b"[]", b'{"images": []}', json.dumps({"images": ["a"] * 1001}).encode()):
        assert watcher.client.post("/images", content=body).status_code == 400
    assert watcher.client.post("/images", content=b" " * (600 << 10)).status_code == 413


def test_health_and_metrics(watcher: Running) -> None:
    watcher.tag(f"{LEDGER}/v11.0.1", strategy="major")
    health = watcher.get("/health")
    assert health["status"] == "OK"
    assert health["registries"] == ["docker.io"]
    text = watcher.client.get("/metrics").text
    assert 'sitewright_image_watcher_requests_total{status="200"}' in text


def test_the_second_time_nobody_is_asked_also_after_a_restart(filled: RunningRegistry) -> None:
    with watching(ways(filled)) as watcher:
        watcher.tag(f"{LEDGER}/v11.0.1", strategy="major")
        asked = watcher.get("/health")["questions"]
        assert asked == 3  # the tags, and the two digests
        watcher.tag(f"{LEDGER}/v11.0.1", strategy="major")
        watcher.tag("/images/mojaloop/central-ledger/v11.0.1", strategy="major")
        assert watcher.get("/health")["questions"] == asked
    with watching(ways(filled)) as watcher:
        watcher.tag(f"{LEDGER}/v11.0.1", strategy="major")
        assert watcher.get("/health")["questions"] == 0


def test_a_digest_is_told_and_bytes_that_run_already_are_no_update(
    filled: RunningRegistry,
) -> None:
    filling = Filling(filled.host, "test/built")
    first = filling.put(filling.image("first"), "v1.0.0", "v1.0.1")
    with watching(ways(filled)) as watcher:
        assert watcher.get("/digest/test/built/v1.0.0")["digest"] == first
        found = watcher.get("/image/test/built/v1.0.0", strategy="major")
        assert not found["newer"]
        assert "the very bytes that run already" in str(found["passedOver"])
    second = filling.put(filling.image("second"), "v1.0.0")
    with watching(ways(filled, times=Times(fresh=0))) as watcher:
        path = "/image/test/built/v1.0.0"
        found = watcher.get(path, digest=first)
        assert (found["tag"], found["newer"], found["rebuilt"]) == ("v1.0.0", True, True)
        assert found["digest"] == second
        assert not watcher.get(path, digest=second)["newer"]
        assert not watcher.get("/digest/test/built/v1.0.0", digest=first)["same"]
        # Without a word of what runs, the tag's own bytes are what runs.
        assert not watcher.get(path)["newer"]
        filling.put(filling.image("third"), "latest")
        assert watcher.get("/image/test/built/latest", digest=first)["rebuilt"]
    filling.close()


def test_a_platform_of_an_index_runs_already(filled: RunningRegistry) -> None:
    filling = Filling(filled.host, "test/platforms")
    images = [filling.image("amd64"), filling.image("arm64")]
    filling.put(filling.index(*images), "v1.0.0")
    platform = filling.put(images[1])
    other = filling.put(filling.image("another"))
    filling.close()
    with watching(ways(filled)) as watcher:
        assert not watcher.get("/image/test/platforms/v1.0.0", digest=platform)["newer"]
        assert watcher.get("/image/test/platforms/v1.0.0", digest=other)["rebuilt"]


def test_a_tag_that_is_listed_and_not_there_is_passed_over(filled: RunningRegistry) -> None:
    fill_fast(filled, "test/gone", ["v1.0.0", "v1.0.1", "v1.0.2"])
    link = filled.folder / "data/docker/registry/v2/repositories/test/gone/_manifests/tags"
    (link / "v1.0.2/current/link").write_text(f"sha256:{7:064x}")
    with watching(ways(filled)) as watcher:
        found = watcher.get("/image/test/gone/v1.0.0", strategy="major")
        assert found["tag"] == "v1.0.1"
        assert found["passedOver"] == [{"tag": "v1.0.2", "why": "it is listed and not there"}]
        # What runs and is gone from the registry is told, and what is newer with it.
        found = watcher.get("/image/test/gone/v0.9.0", strategy="major")
        assert found["tag"] == "v1.0.1"
        assert found["notes"] == ["v0.9.0 itself is not there any more"]


def test_a_minimum_age_by_the_images_word_or_since_it_was_seen(filled: RunningRegistry) -> None:
    filling = Filling(filled.host, "test/aged")
    now = datetime.now(UTC)
    for tag, created in (
        ("v1.0.0", now - timedelta(days=90)),
        ("v1.0.1", now - timedelta(days=30)),
        ("v1.0.2", now - timedelta(hours=1)),
        ("v1.0.3", "1970-01-01T00:00:00Z"),  # as builders write that make the same bytes twice
        ("v1.0.4", now + timedelta(days=400)),  # what cannot be true
        ("v1.0.5", None),
    ):
        filling.put(filling.image(tag, created), tag)
    filling.close()
    with watching(ways(filled)) as watcher:
        found = watcher.get(
            "/image/test/aged/v1.0.0", **{"strategy": "bugfix", "minimum-age": "7d"}
        )
        assert found["tag"] == "v1.0.1"
        assert [one["tag"] for one in found["passedOver"]] == [
            "v1.0.5", "v1.0.4", "v1.0.3", "v1.0.2"
        ]  # fmt: skip
        assert "since it was first seen" not in found["passedOver"][3]["why"]
        assert "when it was first seen here" in found["passedOver"][0]["why"]
        assert watcher.tag("/image/test/aged/v1.0.0", strategy="bugfix") == "v1.0.5"
        kept = Path.home() / "cache/sitewright/updates.json"
    # A week on, by what was kept: where nobody states a time, the age is reached all the same.
    memory = read_memory(kept)
    for key in json.loads(kept.read_text())["repositories"]:
        one = memory.find(key)
        assert one is not None
        one.met = {digest: since - 8 * 86400 for digest, since in one.met.items()}
    write_memory(memory, kept)
    with watching(ways(filled)) as watcher:
        words = {"strategy": "bugfix", "minimum-age": "7d"}
        assert watcher.tag("/image/test/aged/v1.0.0", **words) == "v1.0.5"
    # Other bytes under the old tag are as young as they are.
    filling = Filling(filled.host, "test/aged")
    filling.put(filling.image("v1.0.5 moved"), "v1.0.5")
    filling.close()
    with watching(ways(filled, times=Times(fresh=0))) as watcher:
        assert watcher.tag("/image/test/aged/v1.0.0", **words) == "v1.0.4"


def test_a_bundle_answers_where_nobody_can_be_asked(tmp_path: Path) -> None:
    made = Made(tmp_path / "bundle")
    for tag in ("v11.0.0", "v11.0.1", "v12.0.0"):
        made.image(f"docker.io/mojaloop/central-ledger:{tag}")
    made.image("quay.io/team/app:1.0.0")
    origin = read_bundle_origin(made.write(), ())
    with watching(origin) as watcher:
        found = watcher.get(f"{LEDGER}/v11.0.0", strategy="bugfix")
        assert (found["tag"], found["asked"]) == ("v11.0.1", "2026-03-01T12:00:00Z")
        assert watcher.tag(f"{LEDGER}/v10.0.0", strategy="major") == "v12.0.0"
        assert watcher.tag("/image/quay.io/team/app/1.0.0", strategy="major") == ""
        status, text = watcher.refusal("/image/mojaloop/nothing/v1.0.0")
        assert status == 404
        assert "the bundle has no such image" in text
        assert "the bundle" in watcher.get("/health")["origin"]
        words = {"strategy": "bugfix", "minimum-age": "1d"}
        assert watcher.tag(f"{LEDGER}/v11.0.0", **words) == "v11.0.1"


def test_a_bundle_that_is_served_at_the_site_is_asked_in_place_of_registries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bundle serve` is the site's registry; its list of tags comes in pages of five."""
    monkeypatch.setattr(tags, "_PAGE", 5)
    made = Made(tmp_path / "bundle")
    for number in range(12):
        made.image(f"docker.io/mojaloop/central-ledger:v11.0.{number}")
    made.image("quay.io/team/app:1.0.0")
    made.image("quay.io/team/app:1.1.0")
    with serving_bundle(made.write(), tmp_path, tls=False) as served:
        host = served.served.registry
        found = Ways(
            (read_named("docker.io"), read_named("quay.io")),
            (("docker.io", host), ("quay.io", f"{host}/quay.io")),
            patience=QUICK,
        )
        with watching(found) as watcher:
            assert watcher.tag(f"{LEDGER}/v11.0.0", strategy="bugfix") == "v11.0.11"
            assert watcher.tag("/image/quay.io/team/app/1.0.0", strategy="minor") == "1.1.0"
            assert watcher.refusal("/image/mojaloop/nothing/v1.0.0")[0] == 404
            words = {"strategy": "bugfix", "minimum-age": "1s"}
            assert watcher.get(f"{LEDGER}/v11.0.0", **words)["tag"]
