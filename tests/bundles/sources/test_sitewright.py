"""A bundle that brings Sitewright itself: made from the package index, installed without it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bundles.format.layout import Item
from bundles.format.lock import parse_lock
from bundles.format.problems import CorruptBundle
from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.read.archive_write import write_archive
from bundles.read.signature import load_signing_key
from bundles.read.verify import verify_bundle
from bundles.sources.sitewright import requirements_for
from tests.bundles.conftest import MOMENT, Keys
from tests.bundles.places import need

LOCK = """\
ansible-core==2.19.14 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
ansible-core==2.21.5 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
cffi==2.1.1 ; platform_python_implementation != 'PyPy' \\
    --hash=sha256:dd
colorama==1 ; sys_platform == 'win32' \\
    --hash=sha256:ee
arm==1 ; platform_machine == 'aarch64' \\
    --hash=sha256:ff
"""


@pytest.mark.parametrize(
    ("python", "platform", "names"),
    [
        ("3.11", "manylinux_2_28_x86_64", ["ansible-core==2.19.14", "cffi==2.1.1"]),
        ("3.13", "manylinux2014_x86_64", ["ansible-core==2.21.5", "cffi==2.1.1"]),
        ("3.12", "manylinux2014_aarch64", ["ansible-core==2.21.5", "cffi==2.1.1", "arm==1"]),
    ],
)
def test_markers_are_judged_for_the_target_and_not_for_here(
    python: str, platform: str, names: list[str]
) -> None:
    lines = requirements_for(LOCK, python, (platform,))
    assert [line.split(" ")[0] for line in lines] == names
    assert all("--hash=sha256:" in line and ";" not in line for line in lines)
    assert lines[0].count("--hash=") == (2 if python == "3.11" else 1)


def make_bundle(folder: Path, key: Path) -> Path:
    """A signed bundle with Sitewright for the Python that runs here, from the package index."""
    python = "{}.{}".format(*sys.version_info[:2])
    line = {"pythons": [python]}
    recipe = Recipe.model_validate({"solution": "self", "version": "1", "sitewright": [line]})
    options = CreateOptions(created=MOMENT, key=load_signing_key(key))
    asyncio.run(create_bundle(recipe, folder, options))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    need("unshare", "ssh-keygen")
    return make_bundle(tmp_path_factory.mktemp("self") / "bundle", keys.key)


def start(
    bundle: Path, home: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """install.sh where there is no network at all, not even a loopback."""
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("a network of nothing is made by root")
    return subprocess.run(
        ["unshare", "--net", "/bin/sh", bundle / "install.sh", *words],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            # Not the virtual environment's own: an environment of an environment has no more.
            "SITEWRIGHT_PYTHON": os.path.realpath(sys.executable),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def of(bundle: Path, name: str) -> Item:
    return next(item for item in verify_bundle(bundle).structure.index.items if item.name == name)


def path_of(bundle: Path, item: Item) -> Path:
    return bundle / "blobs" / "sha256" / (item.content or "").removeprefix("sha256:")


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_it_is_installed_without_any_network(whole: Path, keys: Keys, tmp_path: Path) -> None:
    done = start(whole, tmp_path, "--version", SITEWRIGHT_KEYS=str(keys.allowed))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sitewright ")
    assert "Signature: good, by maker@example.org" in done.stderr
    again = start(whole, tmp_path, "bundle", "verify", str(whole))
    assert "whole" in again.stdout, again.stderr
    assert "Installing" not in again.stderr
    assert "NOT checked" in again.stderr


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_the_same_is_made_again_from_its_lock(whole: Path, keys: Keys, tmp_path: Path) -> None:
    (record,) = [
        item
        for item in verify_bundle(whole).structure.index.of_kind("record")
        if item.name == "bundle.lock"
    ]
    lock = parse_lock(path_of(whole, record).read_bytes(), where="lock")
    options = CreateOptions(lock=lock, key=load_signing_key(keys.key))
    asyncio.run(create_bundle(lock.recipe, tmp_path / "again", options))
    assert (tmp_path / "again/index.json").read_bytes() == (whole / "index.json").read_bytes()


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_it_says_where_everything_came_from_and_its_licence(whole: Path) -> None:
    index = verify_bundle(whole).structure.index
    wheels = {item.name: item for item in index.of_kind("wheel")}
    assert {"sitewright", "pip", "ansible-core", "textual"} <= set(wheels)
    assert all(item.licence for item in wheels.values()), [
        name for name, item in wheels.items() if not item.licence
    ]
    assert all(
        item.origin.startswith("https://") or item.name == "sitewright" for item in wheels.values()
    )


@pytest.mark.processes
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("damaged", "textual is damaged"),
        ("missing", "textual is missing"),
        ("link", "textual is missing"),
        ("name", "no name of a wheel"),
        ("python", "none of the Pythons that the bundle has packages for"),
        ("unsigned", "the bundle is not signed"),
        ("signature", "the bundle's signature is not good"),
        ("stranger", "the bundle's signature is not good"),
    ],
)
def test_a_bundle_that_is_not_right_leaves_nothing(
    trouble: str, said: str, whole: Path, keys: Keys, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(whole, bundle)
    environment = {}
    blob = path_of(bundle, of(bundle, "textual"))
    index = bundle / "index.json"
    if trouble == "damaged":
        raw = blob.read_bytes()
        blob.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    elif trouble in ("missing", "link"):
        blob.unlink()
        if trouble == "link":
            blob.symlink_to(path_of(whole, of(whole, "textual")))
    elif trouble == "name":
        index.write_text(index.read_text().replace('"textual-', '"../textual-'))
    elif trouble == "python":
        index.write_text(index.read_text().replace('"python3.', '"python3.99'))
    elif trouble == "unsigned":
        (bundle / "index.json.sig").unlink()
        environment["SITEWRIGHT_KEYS"] = str(keys.allowed)
    elif trouble == "signature":
        index.write_text(index.read_text().replace('"self"', '"sElf"'))
        environment["SITEWRIGHT_KEYS"] = str(keys.allowed)
    elif trouble == "stranger":
        (tmp_path / "none").write_text("")
        environment["SITEWRIGHT_KEYS"] = str(tmp_path / "none")
    done = start(bundle, tmp_path / "home", "--version", **environment)
    assert done.returncode == (1 if trouble == "python" else 6), done.stderr
    assert said in done.stderr
    assert not list((tmp_path / "home").rglob("pyvenv.cfg"))


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_what_was_there_before_comes_back_when_it_fails(whole: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(whole, bundle)
    path_of(bundle, of(bundle, "textual")).unlink()
    (venv := tmp_path / "venv").mkdir()
    (venv / "mine").write_text("kept")
    done = start(bundle, tmp_path, "--version", SITEWRIGHT_VENV=str(venv))
    assert done.returncode == 1
    assert "something else is in" in done.stderr
    assert [path.name for path in venv.iterdir()] == ["mine"]
    (venv / ".stamp").write_text("of an older one")
    done = start(bundle, tmp_path, "--version", SITEWRIGHT_VENV=str(venv))
    assert done.returncode == 6
    assert (venv / "mine").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("venv.")] == []


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_an_install_script_that_was_changed_is_not_accepted(whole: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(whole, bundle)
    script = bundle / "install.sh"
    script.write_text(script.read_text() + "\n# and more\n")
    with pytest.raises(CorruptBundle, match=r"install\.sh is damaged"):
        verify_bundle(bundle)
    script.unlink()
    with pytest.raises(CorruptBundle, match=r"install\.sh is missing"):
        verify_bundle(bundle)


def test_an_install_script_that_no_index_names_is_not_accepted(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "bundle")
    (tmp_path / "bundle" / "install.sh").write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(CorruptBundle, match=r"install\.sh belongs to no bundle"):
        verify_bundle(tmp_path / "bundle")


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_tar_alone_unpacks_the_one_file_to_a_folder_that_installs(
    whole: Path, tmp_path: Path
) -> None:
    write_archive(whole, tmp_path / "one.tar")
    (unpacked := tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "one.tar", "-C", unpacked], check=True)
    assert (unpacked / "install.sh").read_bytes() == (whole / "install.sh").read_bytes()
    verify_bundle(unpacked)
    verify_bundle(tmp_path / "one.tar")


@pytest.mark.processes
def test_the_index_can_be_compared_by_hand(whole: Path) -> None:
    """As the note in the hand-over says: sha256sum and a reader of JSON are enough."""
    index = json.loads((whole / "index.json").read_bytes())
    notes = [one["annotations"] for one in index["manifests"]]
    (digest,) = [
        n["sitewright.item.content"] for n in notes if n["sitewright.item.name"] == "install.sh"
    ]
    said = subprocess.run(
        ["sha256sum", whole / "install.sh"], capture_output=True, text=True, check=True
    )
    assert said.stdout.split()[0] == digest.removeprefix("sha256:")
