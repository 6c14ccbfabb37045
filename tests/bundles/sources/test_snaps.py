"""Snaps with their assertions, from a stand-in that keeps the snap store's protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bundles.format.layout import Item
from bundles.format.problems import CorruptBundle, HostileBundle, SourceProblem, WrongContent
from bundles.format.recipe import Recipe
from bundles.make.create import Created, CreateOptions, create_bundle
from bundles.read.verify import verify_bundle
from bundles.registries.web import Patience
from bundles.sources.assertions import ROOT_KEY, check_chain, read_assertions
from bundles.sources.snap_store import StoreAddress
from foundation.problems import ExitCode, Problem
from tests.bundles.conftest import MOMENT
from tests.bundles.servers import Answer, Asked
from tests.bundles.snap_store import Key, Snap, SnapStoreStandIn, running, usual

QUICK = Patience(attempts=2, first_pause=0.001, longest_pause=0.002)
MICROK8S = {"name": "microk8s", "channel": "1.31/stable"}


@pytest.fixture(scope="module")
def keys() -> tuple[Key, Key]:
    """Keys take their time to make, so the stores of this module share theirs."""
    return Key("canonical"), Key("canonical")


@pytest.fixture
def store(keys: tuple[Key, Key]) -> Iterator[SnapStoreStandIn]:
    with running(SnapStoreStandIn(*usual(), keys=keys)) as standing:
        yield standing


def create(folder: Path, store: SnapStoreStandIn, *lines: dict[str, Any], **more: Any) -> Created:
    recipe = Recipe.model_validate({"solution": "test", "version": "1", "snaps": lines})
    options = CreateOptions(created=MOMENT, patience=QUICK, snap_store=store.address, **more)
    return asyncio.run(create_bundle(recipe, folder, options))


def snaps_of(bundle: Path) -> dict[str, Item]:
    index = verify_bundle(bundle).structure.index
    return {item.name: item for item in index.of_kind("snap")}


def files_of(bundle: Path, item: Item) -> dict[str, bytes]:
    blobs = bundle / "blobs" / "sha256"
    manifest = json.loads((blobs / item.digest[7:]).read_bytes())
    return {
        layer["annotations"]["org.opencontainers.image.title"]: (
            blobs / layer["digest"][7:]
        ).read_bytes()
        for layer in manifest["layers"]
    }


def test_a_snap_comes_with_its_base_snapd_and_assertions(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    create(tmp_path / "b", store, MICROK8S)
    items = snaps_of(tmp_path / "b")
    assert set(items) == {"microk8s", "core20", "snapd"}
    found = files_of(tmp_path / "b", items["microk8s"])
    assert set(found) == {"microk8s_7394.snap", "microk8s_7394.assert"}
    assert found["microk8s_7394.snap"] == store.snaps["microk8s"].content
    types = [one.type for one in read_assertions(found["microk8s_7394.assert"], where="x")]
    # What something stands on comes before it, and the root key is left to snapd.
    assert types == ["account-key", "account", "snap-declaration", "snap-revision"]
    pins = items["microk8s"].pins
    assert (pins["revision"], pins["confinement"], pins["base"]) == ("7394", "classic", "core20")
    assert items["core20"].pins["type"] == "base"
    assert items["microk8s"].licence == "Apache-2.0"


def test_the_store_is_asked_as_snapd_asks_it(store: SnapStoreStandIn, tmp_path: Path) -> None:
    create(tmp_path / "b", store, MICROK8S)
    asked = [one for one in store.server.asked if one.method == "POST"]
    assert {one.headers["snap-device-architecture"] for one in asked} == {"amd64"}
    first = json.loads(asked[0].body)
    assert first["context"] == []
    (action,) = first["actions"]
    assert action["channel"] == "1.31/stable"
    assert action["epoch"] is None
    roots = [one for one in store.server.asked if store.root.name in one.path]
    assert len(roots) == 1


def test_the_same_bundle_is_made_again_though_the_store_asserts_anew(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    made = create(tmp_path / "b", store, MICROK8S)
    store.add_account("publisher")
    store.add_snap(store.snaps["microk8s"], revised={"revision": "9"})
    options = CreateOptions(lock=made.lock, patience=QUICK, snap_store=store.address)
    asyncio.run(create_bundle(made.lock.recipe, tmp_path / "again", options))
    first, second = (tmp_path / name / "index.json" for name in ("b", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_a_lock_whose_assertions_were_changed_is_refused(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    made = create(tmp_path / "b", store, MICROK8S)
    items = tuple(
        item.model_copy(update={"pins": {**item.pins, "revision": "8"}})
        if item.name == "microk8s"
        else item
        for item in made.lock.items
    )
    lock = made.lock.model_copy(update={"items": items})
    options = CreateOptions(lock=lock, patience=QUICK, snap_store=store.address)
    with pytest.raises(WrongContent, match="states the revision 7394, and it is 8"):
        asyncio.run(create_bundle(lock.recipe, tmp_path / "again", options))


def test_a_base_with_a_line_of_its_own_comes_once_at_that_line(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    store.snaps["core20"].channel = "latest/candidate"
    create(tmp_path / "b", store, MICROK8S, {"name": "core20", "channel": "latest/candidate"})
    assert set(snaps_of(tmp_path / "b")) == {"microk8s", "core20", "snapd"}


def test_providers_of_content_are_brought_too(store: SnapStoreStandIn, tmp_path: Path) -> None:
    store.add_snap(Snap("themes", b"themes", type="app", base="core20"))
    yaml = "plugs: {t: {interface: content, default-provider: 'themes:slot'}, n: null}\nx: =\n"
    store.snaps["microk8s"].snap_yaml = yaml
    create(tmp_path / "b", store, MICROK8S)
    assert "themes" in snaps_of(tmp_path / "b")


def test_what_a_snap_stands_on_and_nobody_brings_is_told(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    plugs = "{themes: {interface: content}, content: {target: $SNAP/x, default-provider: '../x'}}"
    store.snaps["microk8s"].snap_yaml = f"name: microk8s\nplugs: {plugs}\n"
    made = create(tmp_path / "b", store, {**MICROK8S, "needs": False})
    assert set(snaps_of(tmp_path / "b")) == {"microk8s"}
    told = [(one.kind, one.of, one.what) for one in made.lock.all_untold]
    assert {kind for kind, _, _ in told} == {"perhaps"}
    assert {of for _, of, _ in told} == {"the snap microk8s"}
    words = " | ".join(what for _, _, what in told)
    assert "it stands on core20, left out as the recipe says (needs: false)" in words
    assert "its plug themes takes content of another snap and names none by default" in words
    assert "its plug content names the provider ../x, which is no snap" in words
    store.snaps["microk8s"].snap_yaml = "no: [snap"
    made = create(tmp_path / "unread", store, MICROK8S)
    unread = [one for one in made.lock.all_untold if "its snap.yaml cannot be read" in one.what]
    assert [one.kind for one in unread] == ["untold"]


def test_the_base_that_is_called_bare_is_a_snap_as_any_other(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    """snapd asks for it before it installs themes, and refuses them without it."""
    store.add_snap(Snap("bare", b"nearly nothing", type="base"))
    store.snaps["microk8s"].base = "bare"
    create(tmp_path / "b", store, MICROK8S)
    assert set(snaps_of(tmp_path / "b")) == {"microk8s", "bare", "snapd"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"name": "nothing"}, "no snap of this name"),
        ({"name": "microk8s", "channel": "1.99/stable"}, r"none for amd64 there; there are 1\.31/"),
        ({**MICROK8S, "architecture": "riscv64"}, "none for riscv64 there"),
        ({"name": "microk8s", "revision": 1}, "none for amd64"),
    ],
)
def test_what_the_store_has_not_is_said(
    line: dict[str, Any], said: str, store: SnapStoreStandIn, tmp_path: Path
) -> None:
    with pytest.raises(SourceProblem, match=said):
        create(tmp_path / "b", store, line)


# Trouble: nothing of a snap that is not what signed assertions say it is may stand in a bundle.


def refused(folder: Path, store: SnapStoreStandIn) -> Problem:
    with pytest.raises(Problem) as caught:
        create(folder, store, {**MICROK8S, "needs": False})
    assert not (folder / "index.json").exists()
    blobs = {path.read_bytes() for path in (folder / "blobs" / "sha256").iterdir()}
    assert store.snaps["microk8s"].content not in blobs
    return caught.value


def test_another_file_than_the_store_states_is_refused(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    snap = store.snaps["microk8s"]
    whole = store.answer

    def swapped(asked: Asked) -> Answer:
        answer = whole(asked)
        if asked.path.startswith("/download/"):
            return Answer(body=answer.body[:-1] + b"!")
        return answer

    store.answer = swapped  # type: ignore[method-assign]  # the stand-in is made to lie
    with running(store):
        problem = refused(tmp_path / "b", store)
    assert isinstance(problem, WrongContent)
    assert problem.exit_code == ExitCode.BUNDLE_INVALID
    assert f"sha3-384:{snap.sha3.hex()}" in problem.cause


@pytest.mark.parametrize(
    ("header", "value", "said"),
    [
        ("snap-size", "1", "states the size 1"),
        ("snap-revision", "8", "states the revision 8"),
        ("snap-id", "b" * 32, "404"),
        ("provenance", "factory", "authority of its own"),
    ],
)
def test_an_assertion_that_speaks_of_something_else_is_refused(
    header: str, value: str, said: str, store: SnapStoreStandIn, tmp_path: Path
) -> None:
    store.add_snap(store.snaps["microk8s"], revised={header: value})
    assert said in refused(tmp_path / "b", store).cause


def test_a_key_that_nobody_vouches_for_is_refused(store: SnapStoreStandIn, tmp_path: Path) -> None:
    stranger = Key("canonical")
    store.add_key(stranger, stranger)
    store.add_snap(store.snaps["microk8s"], key=stranger)
    assert "circle" in refused(tmp_path / "b", store).cause


def test_another_root_than_the_known_one_is_refused(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    false = Key("canonical")
    store.add_key(false, false)
    raw = store.assertions[f"account-key/{false.name}"]
    name = store.root.name.encode()
    store.assertions[f"account-key/{store.root.name}"] = raw.replace(false.name.encode(), name)
    assert "another key than it is named after" in refused(tmp_path / "b", store).cause


def test_another_account_may_not_vouch(store: SnapStoreStandIn, tmp_path: Path) -> None:
    mallory = Key("publisher")
    store.add_key(mallory, store.root)
    store.add_snap(store.snaps["microk8s"], key=mallory)
    assert "only canonical may" in refused(tmp_path / "b", store).cause


def test_a_key_whose_time_is_over_is_refused(store: SnapStoreStandIn, tmp_path: Path) -> None:
    store.add_key(store.signing, store.root, until="2025-01-01T00:00:00Z")
    assert "good until 2025-01-01" in refused(tmp_path / "b", store).cause


@pytest.mark.parametrize("kind", ["account-key", "account", "snap-declaration", "snap-revision"])
def test_a_changed_assertion_is_refused(kind: str, store: SnapStoreStandIn, tmp_path: Path) -> None:
    for name, raw in store.assertions.items():
        if name.startswith(f"{kind}/"):
            store.assertions[name] = raw.replace(b"authority-id: ", b"revision: 5\nauthority-id: ")
    assert "signature is not good" in refused(tmp_path / "b", store).cause


def test_canonicals_own_root_key_is_read_and_its_signature_is_good() -> None:
    raw = (Path(__file__).parent.parent / "data" / "canonical-root.account-key").read_bytes()
    chain = read_assertions(raw, where="x")
    assert check_chain(chain, ROOT_KEY, now=datetime.now(UTC)) == "canonical"


def test_names_of_people_are_taken_as_they_are_written(keys: tuple[Key, Key]) -> None:
    root, _ = keys
    headers = {"type": "account", "account-id": "x", "display-name": "Ana\u00a0Mária Ⅱ"}
    raw = root.sign(headers)
    (one,) = read_assertions(raw, where="x")
    assert one.headers["display-name"] == "Ana\u00a0Mária Ⅱ"
    with pytest.raises(SourceProblem):
        read_assertions(raw.replace(b"Ana", b"A\x1b[2J"), where="x")


def test_every_bit_of_an_assertion_counts(keys: tuple[Key, Key]) -> None:
    store = SnapStoreStandIn(keys=keys)
    root, _ = keys
    raws = [store.assertions[f"account-key/{key.name}"] for key in keys]
    raw = b"\n".join(raws)
    now = datetime.now(UTC)
    assert check_chain(read_assertions(raw, where="x"), root.name, now=now) == "canonical"
    for at in range(0, len(raw), 7):
        flipped = raw[:at] + bytes([raw[at] ^ 0x01]) + raw[at + 1 :]
        with pytest.raises((WrongContent, SourceProblem)):
            check_chain(read_assertions(flipped, where="x"), root.name, now=now)


def test_a_store_without_encryption_is_not_spoken_to(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    recipe = Recipe.model_validate({"solution": "t", "version": "1", "snaps": [MICROK8S]})
    options = CreateOptions(snap_store=StoreAddress("http://store.example.org"))
    with pytest.raises(SourceProblem, match="https"):
        asyncio.run(create_bundle(recipe, tmp_path / "b", options))
    assert not store.server.asked


def test_a_snap_goes_on_where_it_broke_off(store: SnapStoreStandIn, tmp_path: Path) -> None:
    whole = store.answer
    ranges = []

    def breaking(asked: Asked) -> Answer:
        answer = whole(asked)
        if "/download/" not in asked.path:
            return answer
        begin = int(asked.headers.get("range", "bytes=0-")[6:-1])
        ranges.append(begin)
        size = len(answer.body)
        headers = {"Content-Range": f"bytes {begin}-{size - 1}/{size}"} if begin else {}
        status = 206 if begin else 200
        return Answer(status, answer.body[begin:], headers, cut=None if begin else 100)

    store.answer = breaking  # type: ignore[method-assign]  # the stand-in is made to break off
    with running(store):
        create(tmp_path / "b", store, {**MICROK8S, "needs": False})
    assert ranges == [0, 100]
    assert set(snaps_of(tmp_path / "b")) == {"microk8s"}


def test_a_snap_whose_line_was_not_finished_is_not_fetched_twice(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    core = store.snaps.pop("core20")
    with pytest.raises(SourceProblem):
        create(tmp_path / "b", store, {**MICROK8S, "needs": False}, {"name": "core20"})
    store.snaps["core20"] = core
    create(tmp_path / "b", store, {**MICROK8S, "needs": False}, {"name": "core20"})
    fetched = [one.path for one in store.server.asked if "/download/" in one.path]
    assert len(fetched) == len(set(fetched))


# The items of "never", for a snap in a finished bundle


def test_a_damaged_snap_is_not_accepted(store: SnapStoreStandIn, tmp_path: Path) -> None:
    create(tmp_path / "b", store, MICROK8S)
    for name in ("snap", "assert"):
        item = snaps_of(tmp_path / "b")["microk8s"]
        manifest = json.loads((tmp_path / "b/blobs/sha256" / item.digest[7:]).read_bytes())
        layer = next(
            one for one in manifest["layers"] if one["annotations"].popitem()[1].endswith(name)
        )
        path = tmp_path / "b/blobs/sha256" / layer["digest"][7:]
        good = path.read_bytes()
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(CorruptBundle, match="microk8s"):
            verify_bundle(tmp_path / "b")
        path.write_bytes(good[:-1])
        with pytest.raises((CorruptBundle, HostileBundle)):
            verify_bundle(tmp_path / "b")
        path.write_bytes(good)
    verify_bundle(tmp_path / "b")


def test_a_snap_of_another_media_type_is_not_accepted(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    create(tmp_path / "b", store, {**MICROK8S, "needs": False})
    index = tmp_path / "b" / "index.json"
    raw = index.read_text()
    index.write_text(raw.replace("vnd.sitewright.snap.v1", "vnd.sitewright.deb.v1"))
    with pytest.raises(HostileBundle, match="has the type"):
        verify_bundle(tmp_path / "b")


def test_two_revisions_of_one_snap_in_one_recipe_are_told(
    store: SnapStoreStandIn, tmp_path: Path
) -> None:
    older = replace(store.snaps["snapd"], channel="latest/edge")
    store.snaps["snapd"] = older
    with pytest.raises(SourceProblem, match="snapd latest/stable"):
        create(tmp_path / "b", store, MICROK8S, {"name": "core20"})
