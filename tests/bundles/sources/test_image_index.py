"""Image indexes as builders really publish them, from a stand-in for a registry to a bundle."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bundles.format import media
from bundles.format.problems import SourceProblem
from bundles.format.progress import Event
from bundles.format.reference import parse_reference
from bundles.make.create import Created, CreateOptions, create_bundle
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from bundles.read.verify import verify_bundle
from bundles.registries import referrers
from bundles.registries.push import push_bundle
from bundles.registries.registry import Endpoint, Registries, media_type_of
from bundles.registries.web import Web
from tests.bundles.conftest import MOMENT
from tests.bundles.odd_registry import OddRegistry, running, zipped
from tests.bundles.places import layer, skopeo, start_registry
from tests.bundles.registries.test_registry import QUICK, recipe_of
from tests.bundles.servers import Answer, Asked


def bring(
    registry: OddRegistry,
    folder: Path,
    name: str = "it",
    platforms: tuple[str, ...] = ("linux/amd64",),
    told: list[str] | None = None,
) -> Created:
    def listen(event: Event) -> None:
        if event.kind == "note" and told is not None:
            told.append(event.text)

    with running(registry) as server:
        recipe = recipe_of(f"{server.host}/t/{name}:1", platforms=platforms)
        options = CreateOptions(created=MOMENT, patience=QUICK)
        return asyncio.run(create_bundle(recipe, folder, options, listener=listen))


def taken(made: Created) -> list[tuple[str | None, str]]:
    return [(item.platform, item.digest) for item in made.structure.index.of_kind("image")]


def test_what_lies_beside_an_image_is_told(tmp_path: Path) -> None:
    """By the list of OCI, by the tags of cosign; and that it could not be asked."""
    registry = OddRegistry()
    image = registry.image("it", stated=False)
    registry.tag("it", image)
    assert bring(registry, tmp_path / "none").lock.all_untold == ()
    registry.referrers[image["digest"]] = ["application/spdx+json", "application/vnd.odd"]
    registry.tag(image["digest"].replace(":", "-") + ".sig", image)
    (entry,) = bring(registry, tmp_path / "some").lock.all_untold
    assert entry.kind == "note"
    assert (
        "lies a signature, a list of contents, an artefact of the type application/vnd.odd, which "
        "is not brought"
    ) in entry.what

    def busy(asked: Asked, answer: Answer) -> Answer:
        return Answer(503) if "/referrers/" in asked.path else answer

    registry.habits["it"] = busy
    (entry,) = bring(registry, tmp_path / "busy").lock.all_untold
    assert "whether signatures lie beside it could not be asked" in entry.what


async def test_a_registry_that_keeps_silent_does_not_hold_up_an_image_for_a_note(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent:
        """A stand-in for the client, with a server that never answers."""

        web: Any = None

        def authorize(self, *words: object) -> None:
            """Nobody is let in."""

        async def small(self, *words: object, **more: object) -> Any:
            await asyncio.Event().wait()

    asked: Any = Silent()
    asked.web = asked
    monkeypatch.setattr(referrers, "BESIDE_SECONDS", 0.01)
    reference = parse_reference("r.example.org/a/b:1")
    async with asyncio.timeout(10):
        beside = await referrers.look_beside(
            asked, Endpoint("r.example.org", "https://r.example.org"), reference, "sha256:0"
        )
    assert beside.problem == "the registry did not answer within 0 s"


def nested(registry: OddRegistry) -> dict[str, Any]:
    """An index of an index a platform, each with its image and an attestation, under `it`."""
    image = registry.image("nested")
    other = registry.image("nested", "linux/arm64")
    inner = registry.index(
        image, registry.attestation(), platform={"os": "linux", "architecture": "amd64"}
    )
    second = registry.index(other, platform={"os": "linux", "architecture": "arm64"})
    registry.tag("it", registry.index(inner, second))
    return image


def test_an_index_of_indexes_is_followed_and_every_index_on_the_way_is_brought(
    tmp_path: Path,
) -> None:
    registry = OddRegistry()
    image = nested(registry)
    made = bring(registry, tmp_path / "bundle")
    assert taken(made) == [("linux/amd64", image["digest"])]
    structure = verify_bundle(tmp_path / "bundle").structure
    assert len(structure.index.of_kind("image-index")) == 2
    assert registry.tags["it"] in structure.blobs
    (entry,) = made.lock.all_untold
    assert entry.kind == "note"
    assert entry.what.startswith("its index also leads to an attestation (provenance")


def test_both_platforms_of_an_index_of_indexes_reach_a_registry_of_the_site(
    tmp_path: Path,
) -> None:
    """Its arm64 part whole, its amd64 part without the attestation: so the tag is a smaller one."""
    registry = OddRegistry()
    nested(registry)
    bring(registry, tmp_path / "bundle", platforms=("linux/amd64", "linux/arm64"))
    site = start_registry(tmp_path / "site")
    try:

        async def push() -> None:
            async with Web(patience=QUICK) as web:
                with open_bundle(tmp_path / "bundle") as bundle:
                    items = read_structure(bundle).index.items
                    await push_bundle(bundle, items, site.host, Registries(web))

        asyncio.run(push())
        for arch in ("amd64", "arm64"):
            told = skopeo(
                f"--override-arch={arch}", "inspect", "--tls-verify=false",
                f"docker://{site.host}/t/it:1",
            )  # fmt: skip
            assert json.loads(told)["Architecture"] == arch
    finally:
        site.stop()


@pytest.mark.parametrize("turned", [False, True])
def test_what_fits_exactly_is_taken_wherever_it_stands(tmp_path: Path, turned: bool) -> None:
    registry = OddRegistry()
    plain = registry.image("one")
    both = [registry.image("three", "linux/amd64/v3"), plain]
    registry.tag("it", registry.index(*(reversed(both) if turned else both)))
    told: list[str] = []
    made = bring(registry, tmp_path / "bundle", told=told)
    assert taken(made) == [("linux/amd64", plain["digest"])]
    assert any("linux/amd64/v3" in text for text in told)


def test_an_older_variant_is_taken_and_told(tmp_path: Path) -> None:
    registry = OddRegistry()
    six = registry.image("six", "linux/arm/v6")
    registry.tag("it", registry.index(registry.image("five", "linux/arm/v5"), six))
    told: list[str] = []
    made = bring(registry, tmp_path / "bundle", platforms=("linux/arm/v7",), told=told)
    assert taken(made) == [("linux/arm/v6", six["digest"])]
    assert any("linux/arm/v6 is taken" in text and "2 that would run" in text for text in told)


def test_of_two_for_one_platform_the_one_that_asks_for_less_is_taken_and_told(
    tmp_path: Path,
) -> None:
    registry = OddRegistry()
    special = registry.image("special")
    special["platform"] |= {"os.version": "5.1", "os.features": ["odd"]}
    plain = registry.image("plain")
    registry.tag("it", registry.index(special, plain))
    told: list[str] = []
    made = bring(registry, tmp_path / "bundle", told=told)
    assert taken(made) == [("linux/amd64", plain["digest"])]
    assert any("2 that would run" in text for text in told)


def test_where_the_platform_is_left_out_the_configuration_tells_it(tmp_path: Path) -> None:
    registry = OddRegistry()
    arm = registry.image("arm", "linux/arm64", stated=False)
    mine = registry.image("mine", stated=False)
    registry.tag("it", registry.index(arm, {**mine, "platform": {}}))
    made = bring(registry, tmp_path / "bundle")
    assert taken(made) == [("linux/amd64", mine["digest"])]


def test_where_nothing_fits_all_that_was_seen_is_named(tmp_path: Path) -> None:
    registry = OddRegistry()
    artefact = registry.manifest(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": "application/vnd.example.sbom",
            "config": {
                "mediaType": media.OCI_EMPTY, "digest": registry.blob(b"{}"), "size": 2,
            },
            "layers": [],
        },
        media.OCI_MANIFEST,
    )  # fmt: skip
    registry.tag(
        "it",
        registry.index(
            registry.image("a", "linux/arm64"),
            registry.image("b", "linux/amd64/v3"),
            registry.attestation(),
            artefact,
        ),
    )
    with pytest.raises(SourceProblem, match="none for linux/amd64") as caught:
        bring(registry, tmp_path / "bundle")
    for words in ("linux/amd64/v3", "linux/arm64", "an attestation", "artefact of the type"):
        assert words in caught.value.cause
    assert caught.value.exit_code == 4


def test_indexes_without_end_are_not_followed(tmp_path: Path) -> None:
    registry = OddRegistry()
    deep = registry.image("deep")
    for _ in range(7):
        deep = registry.index(deep)
    registry.tag("it", deep)
    with pytest.raises(SourceProblem, match="more than 4 deep"):
        bring(registry, tmp_path / "bundle")
    wide = [registry.index(registry.image(str(i), "linux/arm64")) for i in range(70)]
    registry.tag("it", registry.index(*wide))
    with pytest.raises(SourceProblem, match="more than 64 others"):
        bring(registry, tmp_path / "second")


def test_a_manifest_that_a_proxy_packed_is_unpacked(tmp_path: Path) -> None:
    registry = OddRegistry(habits={"it": zipped})
    image = registry.image("packed")
    registry.tag("it", image)
    assert taken(bring(registry, tmp_path / "bundle")) == [("linux/amd64", image["digest"])]
    verify_bundle(tmp_path / "bundle")


def test_a_manifest_without_any_type_is_known_by_its_form(tmp_path: Path) -> None:
    def untyped(asked: Asked, answer: Answer) -> Answer:
        return Answer(answer.status, answer.body, {"Content-Type": "text/plain; charset=utf-8"})

    registry = OddRegistry(habits={"it": untyped})
    image = registry.image("untyped", typed=False)
    registry.tag("it", image)
    assert taken(bring(registry, tmp_path / "bundle")) == [("linux/amd64", image["digest"])]
    verify_bundle(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("stated", "document", "words"),
    [
        ("application/json", {"schemaVersion": 1, "fsLayers": []}, "schema 1"),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            {"schemaVersion": 1},
            "schema 1",
        ),
        (media.OCI_MANIFEST, {"mediaType": media.OCI_INDEX, "manifests": []}, "one of the two"),
        (media.OCI_INDEX, {"config": {}, "layers": []}, "not the form"),
        (media.OCI_INDEX, {"manifests": [], "layers": []}, "not the form"),
        ("text/html", {"schemaVersion": 2, "mediaType": "application/x"}, "application/x"),
        ("text/html", [], "text/html"),
    ],
)
def test_what_is_no_image_is_told_in_one_sentence(stated: str, document: Any, words: str) -> None:
    with pytest.raises(SourceProblem, match=words):
        media_type_of(stated, json.dumps(document).encode(), "https://registry.invalid/v2/a")


def test_what_a_registry_gives_wrongly_is_never_told_as_a_bundle_that_is_wrong(
    tmp_path: Path,
) -> None:
    registry = OddRegistry()
    for value in (
        {"schemaVersion": 2, "manifests": [{"digest": "sha512:" + "0" * 128, "size": 1}]},
        {"schemaVersion": 2, "manifests": "none"},
        {"schemaVersion": 2, "config": {}, "layers": []},
    ):
        kind = media.OCI_INDEX if "manifests" in value else media.OCI_MANIFEST
        registry.tag("it", registry.manifest(value, kind))
        with pytest.raises(SourceProblem) as caught:
            bring(registry, tmp_path / "bundle")
        assert caught.value.exit_code == 4
    registry.habits["it"] = lambda asked, answer: Answer(
        200, b"<html>log in to the hotel</html>", {"Content-Type": "text/html"}
    )
    with pytest.raises(SourceProblem, match="a web page came"):
        bring(registry, tmp_path / "bundle")


def test_a_layer_that_only_its_maker_gives_out_is_refused_in_one_sentence(tmp_path: Path) -> None:
    registry = OddRegistry()
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": f"sha256:{'a' * 64}", "size": 9, "urls": ["https://example.org/layer"],
    }  # fmt: skip
    value = json.loads(registry.manifests[registry.image("w")["digest"]][0])
    value["layers"].append(foreign)
    registry.tag("it", registry.manifest(value, media.OCI_MANIFEST))
    with pytest.raises(SourceProblem, match="given out by its maker alone") as caught:
        bring(registry, tmp_path / "bundle")
    assert "allow-nondistributable-artifacts" in caught.value.remedy


def test_a_layer_that_only_its_maker_gives_out_is_fetched_where_the_image_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maker's server is a stand-in without TLS; of two places only the second has it."""
    registry = OddRegistry()
    raw = layer(name=b"of the maker")
    digest = registry.blob(raw)
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": digest, "size": len(raw),
        "urls": ["https://maker.example/gone", "https://maker.example/layer"],
    }  # fmt: skip
    value = json.loads(registry.manifests[registry.image("it")["digest"]][0])
    value["layers"].append(foreign)
    registry.tag("it", registry.manifest(value, media.OCI_MANIFEST))
    registry.habits["it"] = lambda asked, answer: (
        Answer(404) if asked.path.endswith(f"/blobs/{digest}") else answer
    )
    download = Web.download
    with running(registry) as server:

        async def without_tls(self: Web, url: str, *words: Any, **more: Any) -> Any:
            if url.startswith("https://maker.example/"):
                place = f"blobs/{digest}" if url.endswith("layer") else "none"
                url = f"http://{server.host}/v2/t/maker/{place}"
            return await download(self, url, *words, **more)

        monkeypatch.setattr(Web, "download", without_tls)
        options = CreateOptions(created=MOMENT, patience=QUICK)
        recipe = recipe_of(f"{server.host}/t/it:1")
        made = asyncio.run(create_bundle(recipe, tmp_path / "b", options))
    (entry,) = made.lock.all_untold
    assert "was fetched there (https://maker.example/layer)" in entry.what
    assert (tmp_path / "b" / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes() == raw


def test_an_encrypted_layer_is_refused_in_one_sentence(tmp_path: Path) -> None:
    registry = OddRegistry()
    value = json.loads(registry.manifests[registry.image("w")["digest"]][0])
    value["layers"][0]["mediaType"] += "+encrypted"
    registry.tag("it", registry.manifest(value, media.OCI_MANIFEST))
    with pytest.raises(SourceProblem, match="a layer of it is encrypted") as caught:
        bring(registry, tmp_path / "bundle")
    assert "--decryption-key" in caught.value.remedy


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\n<!DOCTYPE html><html>Log in first</html>", "a web page came where a manifest is due"),
        (b"", "nothing came where a manifest is due"),
        (
            (
                b'{"schemaVersion": 2, "artifactType": "application/x", "layers": [], '
                b'"mediaType": "application/vnd.oci.image.manifest.v1+json"}'
            ),
            "an artefact of the type application/x and no container image",
        ),
    ],
)
def test_what_comes_in_the_place_of_a_manifest_is_named(raw: bytes, words: str) -> None:
    with pytest.raises(SourceProblem, match=words):
        media_type_of("text/html", raw, "here")
