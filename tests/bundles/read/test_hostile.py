"""Hostile bundles: foreign paths, links, devices, bombs, duplicates, strange types."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles.format.layout import parse_image_index, parse_index, parse_manifest
from bundles.format.problems import BundleProblem, HostileBundle
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from bundles.read.verify import verify_bundle
from foundation.problems import InputProblem


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            info.size = len(content)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


@pytest.mark.parametrize(
    "info",
    [
        member("/etc/passwd"),
        member("../outside"),
        member("blobs/sha256/../../../outside"),
        member("blobs/sha256/" + "a" * 63),
        member("./index.json"),
        member("readme.txt"),
        member("oci-layout", tarfile.SYMTYPE, "/etc/passwd"),
        member("oci-layout", tarfile.LNKTYPE, "index.json"),
        member("oci-layout", tarfile.CHRTYPE),
        member("oci-layout", tarfile.FIFOTYPE),
        member("oci-layout", tarfile.DIRTYPE),
        member("oci-layout", tarfile.XHDTYPE),
        member("oci-layout", tarfile.GNUTYPE_SPARSE),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_a_tar_with_anything_else_than_a_bundle_is_refused(
    info: tarfile.TarInfo, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.tar"
    path.write_bytes(tar_of((info, b"")))
    with pytest.raises(HostileBundle):
        verify_bundle(path)


def test_a_file_given_twice_is_refused(small_file: Path, tmp_path: Path) -> None:
    raw = small_file.read_bytes()
    path = tmp_path / "bundle.tar"
    path.write_bytes(raw[:1024] + raw)
    with pytest.raises(HostileBundle, match="twice"):
        verify_bundle(path)


def test_a_size_bomb_in_a_header_is_refused_before_it_costs_anything(tmp_path: Path) -> None:
    info = tarfile.TarInfo("index.json")
    info.size = 1 << 40
    info.mode = 0o644
    path = tmp_path / "bundle.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict") + bytes(2048))
    with pytest.raises(HostileBundle, match="more than"):
        verify_bundle(path)
    info.name = "blobs/sha256/" + "a" * 64
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict") + bytes(2048))
    with pytest.raises(HostileBundle, match="cut off"):
        verify_bundle(path)


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=4096))
def test_any_bytes_are_refused_with_a_problem_and_nothing_else(
    raw: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tar"
    path.write_bytes(raw)
    with pytest.raises(BundleProblem):
        verify_bundle(path)


def test_a_place_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostileBundle, match="no folder blobs"):
        verify_bundle(tmp_path)
    with pytest.raises(InputProblem, match="cannot be opened"):
        verify_bundle(tmp_path / "nothing")
    with pytest.raises(InputProblem, match="neither a folder nor a file"):
        verify_bundle(Path("/dev/null"))


def test_tar_reads_a_bundle_in_one_file(small: Path, small_file: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", small_file, "-C", tmp_path], check=True)
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {str(p.relative_to(small)) for p in small.rglob("*") if p.is_file()}
    verify_bundle(tmp_path)


Change = Callable[[dict[str, Any]], object]


def entry(value: dict[str, Any]) -> dict[str, Any]:
    found = next(
        one for one in value["manifests"] if one["annotations"]["sitewright.item.kind"] == "file"
    )
    assert isinstance(found, dict)
    return found


CHANGES: dict[str, tuple[Change, str]] = {
    "an item twice": (lambda v: v["manifests"].append(copy.deepcopy(entry(v))), "twice"),
    "an unknown kind": (
        lambda v: entry(v)["annotations"].update({"sitewright.item.kind": "script"}),
        "which no bundle has",
    ),
    "an unknown media type": (
        lambda v: entry(v).update(mediaType="application/x-sh"),
        "never has",
    ),
    "another artifact type": (
        lambda v: entry(v).update(artifactType="application/x-sh"),
        "has the type",
    ),
    "a path for a digest": (
        lambda v: entry(v).update(digest="sha256:../../../../etc/passwd"),
        "digest",
    ),
    "a negative size": (lambda v: entry(v).update(size=-1), "size"),
    "a bomb of a manifest": (lambda v: entry(v).update(size=1 << 40), "at most"),
    "a size that is no number": (lambda v: entry(v).update(size="12"), "size"),
    "a content size of its own": (
        lambda v: entry(v)["annotations"].update({"sitewright.item.content-size": "1"}),
        "the index says 1 bytes",
    ),
    "a content that is another": (
        lambda v: entry(v)["annotations"].update({"sitewright.item.content": "sha256:" + "0" * 64}),
        "not the one",
    ),
    "a name that moves the cursor": (
        lambda v: entry(v)["annotations"].update({"sitewright.item.name": "\x1b[2Jgone"}),
        "cannot be shown",
    ),
    "a name that is a path": (
        lambda v: entry(v)["annotations"].update({"sitewright.item.name": "../../etc/cron.d/x"}),
        "no name of a file",
    ),
    "a hidden name": (
        lambda v: entry(v)["annotations"].update({"sitewright.item.name": ".bashrc"}),
        "no name of a file",
    ),
    "a pinned file that is a path": (
        lambda v: entry(v)["annotations"].update({"sitewright.pin.file": "/etc/passwd"}),
        "no name of a file",
    ),
    "no solution": (lambda v: v["annotations"].pop("sitewright.bundle.solution"), "solution"),
    "another artifact": (lambda v: v.update(artifactType="application/x"), "that it is a bundle"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_unsigned_index_that_lies_is_refused(name: str, small: Path, tmp_path: Path) -> None:
    change, expected = CHANGES[name]
    folder = Path(shutil.copytree(small, tmp_path / "bundle"))
    value = json.loads((folder / "index.json").read_bytes())
    change(value)
    (folder / "index.json").write_text(json.dumps(value))
    with pytest.raises(HostileBundle, match=expected), open_bundle(folder) as bundle:
        read_structure(bundle)


@pytest.mark.parametrize("title", ["../x.snap", "/x.snap", "a/b", ".", "..", "", "-rf", "x\ny"])
def test_a_content_whose_name_leaves_the_target_is_refused(
    title: str, small: Path, tmp_path: Path
) -> None:
    with pytest.raises(HostileBundle, match="no name of a file"):
        _structure_with(small, tmp_path, lambda layers: layers[0]["annotations"].update(
            {"org.opencontainers.image.title": title}
        ))  # fmt: skip


def test_two_contents_of_one_name_are_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(HostileBundle, match="stands in it twice"):
        _structure_with(small, tmp_path, lambda layers: layers.append(copy.deepcopy(layers[0])))


def _structure_with(
    small: Path, tmp_path: Path, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    """The structure of a bundle in which the manifest of one item was written anew."""
    folder = Path(shutil.copytree(small, tmp_path / "bundle"))
    index = json.loads((folder / "index.json").read_bytes())
    item = entry(index)
    blobs = folder / "blobs" / "sha256"
    manifest = json.loads((blobs / item["digest"][7:]).read_bytes())
    change(manifest["layers"])
    raw = json.dumps(manifest).encode()
    name = hashlib.sha256(raw).hexdigest()
    (blobs / name).write_bytes(raw)
    item.update(digest=f"sha256:{name}", size=len(raw))
    (folder / "index.json").write_text(json.dumps(index))
    with open_bundle(folder) as bundle:
        read_structure(bundle)


def test_json_with_a_key_twice_or_without_end_is_refused() -> None:
    for raw in (b'{"a": 1, "a": 2}', b"[" * 100_000, b"NaN", b"\xff", b"null", b"{}", b"1e999999"):
        with pytest.raises(HostileBundle):
            parse_index(raw, where="x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["schemaVersion", "mediaType", "manifests", "layers", "config", "digest", "size"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(value=json_values)
def test_documents_of_any_shape_end_in_a_problem_or_a_document(value: object) -> None:
    raw = json.dumps(value).encode()
    for parse in (parse_index, parse_manifest, parse_image_index):
        with contextlib.suppress(HostileBundle):
            parse(raw, where="x")
