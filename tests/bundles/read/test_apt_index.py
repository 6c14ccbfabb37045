"""A package source made from packages: apt itself reads it, checks it and refuses what differs."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundles.format.layout import Item
from bundles.format.problems import HostileBundle
from bundles.read.apt_index import AptTree, apt_tree
from bundles.read.apt_signature import AptKey
from bundles.read.opened import BlobReader
from tests.bundles.debs import build_deb, deb_item
from tests.bundles.places import need

MOMENT = "2026-03-01T12:00:00Z"


class Files:
    """Files that stand for the blobs of a bundle."""

    strays: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.files: dict[str, Path] = {}

    def add(self, file: Path) -> str:
        digest = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
        self.files[digest] = file
        return digest

    @property
    def blobs(self) -> Mapping[str, int]:
        return {digest: file.stat().st_size for digest, file in self.files.items()}

    def document(self, name: str) -> bytes | None:
        return None

    @contextmanager
    def blob(self, digest: str) -> Iterator[BlobReader]:
        with self.files[digest].open("rb") as file:
            yield BlobReader(file.fileno(), 0, self.files[digest].stat().st_size)

    def close(self) -> None:
        """Nothing is held."""


def source(folder: Path, *debs: tuple[str, str, str]) -> tuple[Files, list[Item]]:
    """Packages (name, version, packing) and their items."""
    files = Files(folder)
    items = []
    for name, version, packing in debs:
        file = build_deb(folder, name, version, packing=packing)
        items.append(deb_item(name, version, files.add(file), file.stat().st_size))
    return files, items


def write(tree: AptTree, files: Files, folder: Path) -> Path:
    """The source as files below a folder."""
    for name, raw in tree.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    for name, digest in tree.blobs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(files.files[digest].read_bytes())
    (folder / "key.gpg").write_bytes(tree.keyring)
    return folder


def apt(root: Path, top: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """apt in a root of its own, with this source alone."""
    need("apt-get")
    for name in ("lists/partial", "cache/archives/partial", "etc/parts", "etc/preferences.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "etc/sources.list").write_text(
        f"deb [signed-by={top}/key.gpg] file:{top} bookworm main\n"
    )
    options = {
        "Dir": str(root),
        "Dir::Etc": str(root / "etc"),
        "Dir::Etc::sourceparts": str(root / "etc/parts"),
        "Dir::Etc::trustedparts": str(root / "etc/parts"),
        "Dir::State": str(root),
        "Dir::State::status": str(root / "status"),
        "Dir::State::lists": str(root / "lists"),
        "Dir::Cache": str(root / "cache"),
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "true",
    }
    argv = ["apt-get", *(w for k, v in options.items() for w in ("-o", f"{k}={v}")), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=root)


@pytest.mark.processes
@pytest.mark.parametrize("packing", ["gzip", "xz", "zstd", "none"])
def test_apt_takes_the_source_and_checks_the_package(tmp_path: Path, packing: str) -> None:
    files, items = source(tmp_path, ("one", "2:1.0-1", packing), ("two", "3", packing))
    top = write(apt_tree(files, items, created=MOMENT), files, tmp_path / "top")
    root = tmp_path / "root"
    updated = apt(root, top, "update")
    assert (updated.returncode, "W:" in updated.stderr) == (0, False), updated.stderr
    got = apt(root, top, "download", "one", "two")
    assert got.returncode == 0, got.stderr
    assert (root / "one_2%3a1.0-1_all.deb").is_file()


@pytest.mark.processes
def test_apt_refuses_a_source_that_was_changed(tmp_path: Path) -> None:
    files, items = source(tmp_path, ("one", "1.0", "xz"))
    top = write(apt_tree(files, items, created=MOMENT), files, tmp_path / "top")
    release = top / "dists/bookworm/InRelease"
    release.write_text(release.read_text().replace("Label: Sitewright", "Label: Somebody"))
    (top / "dists/bookworm/Release").unlink()
    (top / "dists/bookworm/Release.gpg").unlink()
    assert "BADSIG" in apt(tmp_path / "root", top, "update").stderr


@pytest.mark.processes
def test_apt_refuses_a_package_that_was_changed(tmp_path: Path) -> None:
    files, items = source(tmp_path, ("one", "1.0", "xz"))
    top = write(apt_tree(files, items, created=MOMENT), files, tmp_path / "top")
    package = next((top / "pool/bookworm").iterdir())
    raw = bytearray(package.read_bytes())
    raw[-1] ^= 1
    package.write_bytes(raw)
    root = tmp_path / "root"
    assert apt(root, top, "update").returncode == 0
    got = apt(root, top, "download", "one")
    assert got.returncode != 0
    assert "Hash Sum mismatch" in got.stderr


@pytest.mark.processes
def test_gpgv_agrees_with_both_signatures(tmp_path: Path) -> None:
    need("gpgv")
    key = AptKey.new(1_700_000_000)
    release = b"Origin: x\n- a line with a dash\nblanks at its end  \nSHA256:\n abc 1 x\n"
    (tmp_path / "key.gpg").write_bytes(key.public)
    (tmp_path / "Release").write_bytes(release)
    (tmp_path / "Release.gpg").write_bytes(key.detached(release))
    (tmp_path / "InRelease").write_bytes(key.inline(release))
    for words in (["Release.gpg", "Release"], ["InRelease"]):
        argv = ["gpgv", "--keyring", str(tmp_path / "key.gpg"), *words]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert key.fingerprint in done.stderr


def test_a_package_that_is_another_is_refused(tmp_path: Path) -> None:
    files, items = source(tmp_path, ("one", "1.0", "xz"))
    content = items[0].content or ""
    with pytest.raises(HostileBundle, match="is really one"):
        apt_tree(files, [deb_item("two", "1.0", content, items[0].content_size)], created=MOMENT)


@pytest.mark.parametrize(
    ("name", "version", "release"),
    [("../x", "1", "bookworm"), ("one", "1/../../x", "bookworm"), ("one", "1.0", "../up")],
)
def test_a_name_that_is_a_path_is_refused(
    tmp_path: Path, name: str, version: str, release: str
) -> None:
    files, items = source(tmp_path, ("one", "1.0", "xz"))
    item = deb_item(name, version, items[0].content or "", items[0].content_size, release)
    with pytest.raises(HostileBundle):
        apt_tree(files, [item], created=MOMENT)


@pytest.mark.parametrize(
    "raw", [b"", b"!<arch>\n", b"no package at all", b"!<arch>\n" + b"x" * 200]
)
def test_a_file_that_is_no_package_is_refused(tmp_path: Path, raw: bytes) -> None:
    files = Files(tmp_path)
    (tmp_path / "x").write_bytes(raw)
    digest = files.add(tmp_path / "x")
    with pytest.raises(HostileBundle, match="no Debian package"):
        apt_tree(files, [deb_item("xx", "1", digest, len(raw))], created=MOMENT)


@pytest.mark.parametrize(
    "more", ["\nPackage: other\nVersion: 1\n", "SHA256: 00\n", "no field\n"], ids=repr
)
def test_a_control_file_that_smuggles_something_in_is_refused(tmp_path: Path, more: str) -> None:
    from bundles.read.apt_index import _checked

    with pytest.raises(HostileBundle):
        _checked(f"Package: one\nVersion: 1.0\n{more}Section: x", "here")
