"""What one machine gets: chosen, named safely, placed once, packed as runtimes read it."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundles.deliver.cargo import Cargo, load, place_command
from bundles.deliver.delivery import narrowed
from bundles.deliver.machine import Machine, machine_from, suiting
from bundles.deliver.on_machine.runtimes import RUNTIMES, Containerd, batches, familiar, pack
from bundles.deliver.pace import Pace
from bundles.deliver.selection import TARGETS, check_target, select
from bundles.format.layout import Item
from bundles.format.problems import HostileBundle
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from foundation.problems import InputProblem
from tests.bundles.offline import make_bundle, push_image
from tests.bundles.places import RunningRegistry, need, skopeo
from tests.bundles.snap_store import SnapStoreStandIn, running, usual


def item(kind: str, name: str, **more: Any) -> Item:
    return Item(kind=kind, name=name, origin="o", media_type="x/y", digest="sha256:" + "a" * 64,
                size=1, content_size=1, **more)  # fmt: skip


ITEMS = (
    item("image", "docker.io/mojaloop/ledger:1"),
    item("image", "quay.io/other/thing:2"),
    item("file", "kubectl"),
    item("snap", "microk8s"),
)


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        (["images:*"], ["docker.io/mojaloop/ledger:1", "quay.io/other/thing:2"]),
        (["images:docker.io/mojaloop/*"], ["docker.io/mojaloop/ledger:1"]),
        (["snaps:microk8s", "files:kube*"], ["kubectl", "microk8s"]),
        (["files:kubectl", "files:*"], ["kubectl"]),
    ],
)
def test_selectors_choose_items_once_in_the_bundle_s_order(
    selectors: list[str], names: list[str]
) -> None:
    assert [one.name for one in select(ITEMS, selectors)] == names


def test_every_selector_that_finds_nothing_is_named() -> None:
    with pytest.raises(InputProblem, match=r"nothing for charts:\*, files:helm"):
        select(ITEMS, ["charts:*", "files:helm", "snaps:*"])


@pytest.mark.parametrize("text", ["kubectl", "files:", ":x", "pods:*", ""])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(InputProblem):
        select(ITEMS, [text])


def test_images_do_not_go_to_apt() -> None:
    with pytest.raises(InputProblem, match="cannot be delivered to apt"):
        check_target(["debs:*", "images:*"], "apt")


def test_a_machine_gets_what_is_for_its_release_and_architecture() -> None:
    debs = (
        item("deb", "one", pins={"release": "noble", "architecture": "amd64"}),
        item("deb", "two", pins={"release": "noble", "architecture": "arm64"}),
        item("deb", "three", pins={"release": "jammy", "architecture": "amd64"}),
        item("deb", "four", pins={"release": "noble", "architecture": "all"}),
        item("image", "i", platform="linux/amd64"),
        item("image", "j", platform="linux/arm64/v8"),
    )
    seen = machine_from(b"noble\nx86_64\n")
    assert [one.name for one in suiting(debs, seen, where="m1")] == ["one", "four", "i"]
    arm = machine_from(b"noble\naarch64\n")
    assert [one.name for one in suiting(debs, arm, where="m1")] == ["two", "four", "j"]
    with pytest.raises(InputProblem, match=r"no deb for this machine \(bookworm, amd64\)"):
        suiting(debs, Machine("bookworm", "amd64"), where="m1")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, registry: RunningRegistry, keys: Any) -> Path:
    """A bundle with an image of two layers and two files."""
    from tests.bundles.offline import file_line

    folder = tmp_path_factory.mktemp("cargo")
    push_image(registry, folder / "layout", "a page", "more")
    return make_bundle(
        folder / "bundle", registry, keys.key, images=["docker.io/example/web:1.0"],
        files=[file_line(folder / "f", "kubectl", b"k"), file_line(folder / "f", "helm", b"h")],
    )  # fmt: skip


def loaded(bundle: Path, target: str, *selectors: str, record: str = "r", **hostile: Any) -> Cargo:
    with open_bundle(bundle) as opened:
        index = read_structure(opened).index
        items = [replace(one, **hostile) for one in select(index.items, selectors)]
        return load(opened, items, target, record, created=index.created)


def stored(bundle: Path, cargo: Cargo, store: Path) -> None:
    """What a transfer would have brought."""
    (store / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    for name in cargo.blobs:
        raw = (bundle / "blobs/sha256" / name).read_bytes()
        (store / "blobs/sha256" / name).write_bytes(raw)


def place(verb: str, cargo: Cargo, store: Path) -> int:
    argv = [sys.executable, *place_command(verb)[1:]]
    done = subprocess.run(argv, input=cargo.as_bytes(str(store)), capture_output=True, check=False)
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode


def test_files_are_placed_asked_for_and_taken_back(bundle: Path, tmp_path: Path) -> None:
    one = loaded(bundle, "folder", "files:*", record="one")
    two = loaded(bundle, "folder", "files:helm", record="two")
    store = tmp_path / "store"
    stored(bundle, one, store)
    assert place("check", one, store) == 1
    assert place("place", one, store) == 0
    assert place("check", one, store) == 0
    kubectl = store / "files/kubectl"
    assert kubectl.read_bytes() == b"k"
    assert kubectl.stat().st_nlink == 2  # the store's own bytes, not a copy
    assert kubectl.stat().st_mode & 0o777 == 0o644
    # What was put in its place by somebody else is seen, and put right.
    kubectl.unlink()
    kubectl.write_bytes(b"another")
    assert place("check", one, store) == 1
    assert place("place", one, store) == 0
    assert kubectl.read_bytes() == b"k"
    # Two uses of one blob: it goes with the last of them.
    assert place("place", two, store) == 0
    helm = hashlib.sha256(b"h").hexdigest()
    assert place("undo", one, store) == 0
    assert [file.name for file in (store / "blobs/sha256").iterdir()] == [helm]
    assert place("undo", two, store) == 0
    assert list((store / "blobs/sha256").iterdir()) == []
    assert list((store / "files").iterdir()) == []


def test_what_a_newer_bundle_does_not_bring_any_more_is_let_go(
    bundle: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    before = loaded(bundle, "folder", "files:*")
    stored(bundle, before, store)
    assert place("place", before, store) == 0
    part = loaded(bundle, "folder", "files:helm")
    part.whole = False
    assert place("place", part, store) == 0
    assert sorted(file.name for file in (store / "files").iterdir()) == ["helm", "kubectl"]
    after = loaded(bundle, "folder", "files:helm")
    assert place("place", after, store) == 0
    assert [file.name for file in (store / "files").iterdir()] == ["helm"]
    assert len(list((store / "blobs/sha256").iterdir())) == 1


def test_a_blob_that_is_not_there_is_said_without_a_traceback(bundle: Path, tmp_path: Path) -> None:
    cargo = loaded(bundle, "folder", "files:kubectl")
    assert place("place", cargo, tmp_path / "store") == 2


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/b", "..", ".hidden", "a\nb", ""]
)
def test_a_name_that_is_no_file_name_is_refused(bundle: Path, name: str) -> None:
    with pytest.raises(HostileBundle):
        loaded(bundle, "folder", "files:kubectl", name=name)


def test_two_items_of_one_path_are_refused(bundle: Path) -> None:
    with pytest.raises(HostileBundle, match="two items"):
        loaded(bundle, "folder", "files:*", name="same")


def test_runtimes_old_and_new_read_what_is_packed(bundle: Path, tmp_path: Path) -> None:
    """The one archive is what `docker load` of old asks for, and an OCI layout."""
    need("skopeo")
    cargo = loaded(bundle, "containers-docker", "images:*")
    stored(bundle, cargo, tmp_path)
    archive = tmp_path / "image.tar"
    with archive.open("wb") as out:
        pack(cargo.images, tmp_path / "blobs/sha256", out)
    digest = "sha256:" + cargo.images[0]["manifest"]
    assert json.loads(skopeo("inspect", f"oci-archive:{archive}:1.0"))["Digest"] == digest
    seen = json.loads(skopeo("inspect", "--config", f"docker-archive:{archive}"))
    assert seen["architecture"] == "amd64"


def test_an_image_has_the_names_that_its_runtime_asks_for(bundle: Path) -> None:
    docker = loaded(bundle, "containers-docker", "images:*").images[0]["names"]
    assert docker == ["docker.io/example/web:1.0"]
    cri = loaded(bundle, "containers-microk8s", "images:*").images[0]
    assert cri["names"][0] == "docker.io/example/web:1.0"
    assert f"docker.io/example/web@sha256:{cri['manifest']}" in cri["names"]
    untagged = loaded(bundle, "containers-docker", "images:*",
                      name="docker.io/example/web@sha256:" + "b" * 64)  # fmt: skip
    assert untagged.images[0]["names"][0].startswith("docker.io/example/web:sha256-")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("docker.io/library/haproxy:2.8", "haproxy:2.8"),
        ("docker.io/mojaloop/x:1", "mojaloop/x:1"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
    ],
)
def test_an_image_is_looked_for_by_the_name_that_docker_shows(name: str, shown: str) -> None:
    assert familiar(name) == shown


CTR = """\
#!/bin/sh
[ "$1" = ctr ] && [ "$2" = image ] || exit 9
case $3 in
ls) echo REF TYPE DIGEST; cat {has} ;;
import) cat >/dev/null; echo "docker.io/library/a:1 x sha256:{manifest}" >>{has}
        echo "sha256:{config} x sha256:{manifest}" >>{has} ;;
rm) grep -v "^$4 " {has} >{has}.new; mv {has}.new {has} ;;
esac
"""


def test_a_runtime_of_another_distribution_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images wait for it until it is there; then it is asked, given what it lacks, and let go."""
    blobs, has = tmp_path / "blobs", tmp_path / "has"
    blobs.mkdir()
    manifest, config = "a" * 64, "b" * 64
    for name in (manifest, config):
        (blobs / name).write_bytes(b"{}")
    image: dict[str, Any] = {
        "names": ["docker.io/library/a:1"], "manifest": manifest, "config": config, "layers": [],
        "media_type": "x/y", "manifest_size": 2,
    }  # fmt: skip
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    k3s = Containerd("K3s", ("k3s-of-a-test", "ctr"), "/none", tmp_path / "waiting")
    k3s.load(k3s.lacking([image]), blobs)
    assert k3s.lacking([image]) == []
    assert len(list((tmp_path / "waiting").iterdir())) == 1
    program = tmp_path / "bin" / "k3s-of-a-test"
    program.parent.mkdir()
    has.write_text("")
    program.write_text(CTR.format(has=has, manifest=manifest, config=config))
    program.chmod(0o755)
    assert k3s.lacking([image]) == [image]
    k3s.load([image], blobs)
    assert k3s.lacking([image]) == []
    k3s.forget(image["names"], [image])
    assert has.read_text() == ""
    assert list((tmp_path / "waiting").iterdir()) == []
    assert list(TARGETS)[: len(RUNTIMES)] == list(RUNTIMES)


def test_images_are_handed_over_in_groups_that_share_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bundles.deliver.on_machine.runtimes.BATCH", 100)
    shared = {"sha256": "s", "size": 60}
    images = [{"layers": [shared, {"sha256": str(n), "size": 20}]} for n in range(5)]
    assert [len(batch) for batch in batches(images)] == [2, 2, 1]


def test_the_pace_tells_rate_and_time_left_and_not_too_often() -> None:
    now = 0.0
    told: list[tuple[int, int, str]] = []
    pace = Pace(lambda *words: told.append(words), every=0.5, clock=lambda: now)
    for step in range(11):
        now = step * 0.25
        pace(step * 10_000_000, 100_000_000)
    assert len(told) == 6
    assert told[1][2] == "20.0 MB of 100.0 MB, 40.0 MB/s, 2 s left"
    assert told[-1][0] == 100_000_000


SNAP = """\
#!/bin/sh
# STAND-IN for snapd's `snap`: knows what was installed, and writes down what it was asked.
case $1 in
    list) grep -qx "$2" "$STATE/installed" 2>/dev/null ;;
    ack) echo "ack $(basename "$2")" >> "$STATE/calls" ;;
    install)
        shift
        for word; do file=$word; done
        echo "install $* $(head -c 20 "$file")" | sed "s|$STORE||" >> "$STATE/calls"
        basename "$file" | cut -d_ -f1 >> "$STATE/installed" ;;
esac
"""


def test_snaps_are_trusted_by_their_assertions_and_installed_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Any
) -> None:
    """snapd first, then the base, then what needs both; a classic one is installed as one."""
    with running(SnapStoreStandIn(*usual())) as standing:
        bundle = make_bundle(
            tmp_path / "bundle", None, keys.key, snap_store=standing.address,
            snaps=[{"name": "microk8s", "channel": "1.31/stable"}],
        )  # fmt: skip
    cargo = loaded(bundle, "snap", "snaps:*")
    store = tmp_path / "store"
    stored(bundle, cargo, store)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/snap").write_text(SNAP)
    (tmp_path / "bin/snap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("STATE", str(tmp_path))
    monkeypatch.setenv("STORE", str(store))
    assert place("check", cargo, store) == 1
    assert place("place", cargo, store) == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split(" /")[0] for call in calls] == [
        "ack snapd_23545.assert", "install", "ack core20_2434.assert", "install",
        "ack microk8s_7394.assert", "install --classic",
    ]  # fmt: skip
    assert place("check", cargo, store) == 0
    assert place("place", cargo, store) == 0
    assert len((tmp_path / "calls").read_text().splitlines()) == 6


@pytest.mark.parametrize("program", ["place", "receive"])
def test_programs_for_machines_keep_to_the_python_that_is_there(program: str) -> None:
    """Ubuntu 20.04 has 3.8; what they import is of Python's own library."""
    receive = Path(__file__).parents[3] / "foundation/hosts/on_machine/receive.py"
    text = place_command("place")[4] if program == "place" else receive.read_text()
    tree = ast.parse(text, feature_version=(3, 8))
    imported = {
        name.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ([], ["docker.io/mojaloop/ledger:1", "quay.io/other/thing:2", "kubectl", "microk8s"]),
        (["kube*"], ["kubectl"]),
        (["images:*", "snaps:micro*"],
         ["docker.io/mojaloop/ledger:1", "quay.io/other/thing:2", "microk8s"]),
        (["files:*ledger*"], []),
    ],
)  # fmt: skip
def test_a_delivery_is_narrowed_to_what_a_glob_chooses(only: list[str], names: list[str]) -> None:
    assert [one.name for one in narrowed(ITEMS, only)] == names
