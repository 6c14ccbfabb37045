"""Every region of a bundle flipped, cut and swapped: none is accepted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.format.problems import BundleProblem, CorruptBundle, HostileBundle, SignatureProblem
from bundles.read.verify import verify_bundle
from tests.bundles.conftest import Keys

relaxed = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def changed_file(tmp_path: Path, raw: bytes) -> Path:
    path = tmp_path / "changed.tar"
    path.write_bytes(raw)
    return path


def refused(path: Path, keys: Keys) -> None:
    with pytest.raises(BundleProblem) as caught:
        verify_bundle(path, keys.signers, threads=1)
    assert caught.value.exit_code == 6


def test_an_untouched_bundle_is_accepted(small: Path, small_file: Path, keys: Keys) -> None:
    for path in (small, small_file):
        found = verify_bundle(path, keys.signers)
        assert found.signer
        assert found.signer.name == "maker@example.org"


@relaxed
@given(data=st.data())
def test_a_flipped_bit_anywhere_in_the_file_is_refused(
    data: st.DataObject, small_file: Path, keys: Keys, tmp_path: Path
) -> None:
    raw = bytearray(small_file.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    refused(changed_file(tmp_path, bytes(raw)), keys)


def test_every_single_byte_of_the_documents_counts(
    small_file: Path, keys: Keys, tmp_path: Path
) -> None:
    """All bytes of the layout and the signature with their headers, and each 61st of the rest."""
    raw = small_file.read_bytes()
    signature = raw.index(b"-----BEGIN SSH SIGNATURE")
    places = [*range(1024), *range(signature - 512, signature + 512), *range(0, len(raw), 61)]
    for at in places:
        changed = bytearray(raw)
        changed[at] ^= 0x20  # the bit that makes a capital letter small
        refused(changed_file(tmp_path, bytes(changed)), keys)


@relaxed
@given(data=st.data())
def test_a_cut_anywhere_is_refused(
    data: st.DataObject, small_file: Path, keys: Keys, tmp_path: Path
) -> None:
    raw = small_file.read_bytes()
    begin = data.draw(st.integers(0, len(raw) - 1))
    end = data.draw(st.one_of(st.just(len(raw)), st.integers(begin + 1, len(raw))))
    refused(changed_file(tmp_path, raw[:begin] + raw[end:]), keys)


@relaxed
@given(data=st.data())
def test_two_regions_swapped_are_refused(
    data: st.DataObject, small_file: Path, keys: Keys, tmp_path: Path
) -> None:
    raw = small_file.read_bytes()
    size = data.draw(st.sampled_from([1, 7, 64, 512, 1024]))
    one = data.draw(st.integers(0, len(raw) // 2 - size))
    other = data.draw(st.integers(len(raw) // 2, len(raw) - size))
    changed = bytearray(raw)
    changed[one : one + size], changed[other : other + size] = (
        raw[other : other + size],
        raw[one : one + size],
    )
    if bytes(changed) != raw:
        refused(changed_file(tmp_path, bytes(changed)), keys)


@relaxed
@given(extra=st.binary(min_size=1, max_size=1024))
def test_something_appended_is_refused(
    extra: bytes, small_file: Path, keys: Keys, tmp_path: Path
) -> None:
    refused(changed_file(tmp_path, small_file.read_bytes() + extra), keys)


@relaxed
@given(data=st.data())
def test_a_flipped_bit_in_any_file_of_a_folder_is_refused(
    data: st.DataObject, small: Path, keys: Keys, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(small, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    refused(folder, keys)


def copied(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "bundle"))


def blobs_of(folder: Path) -> list[Path]:
    return sorted((folder / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)


def test_everything_that_is_wrong_is_listed(small: Path, keys: Keys, tmp_path: Path) -> None:
    folder = copied(small, tmp_path)
    contents = {
        path: path.read_bytes()
        for path in blobs_of(folder)
        if path.read_bytes().startswith((b"first", b"second"))
    }
    one, two = contents
    one.write_bytes(contents[one][:-1])
    two.write_bytes(contents[two].upper())
    (folder / "blobs/sha256/notes.txt").write_text("a stray")
    (folder / "blobs/sha256" / ("0" * 64)).write_text("named by nothing")
    with pytest.raises(CorruptBundle) as caught:
        verify_bundle(folder, keys.signers)
    text = "\n".join(caught.value.wrong)
    assert len(caught.value.wrong) == 4
    assert "bytes instead of" in text
    assert "is damaged" in text
    assert "notes.txt belongs to no bundle" in text
    assert "is named by nothing" in text


def test_two_blobs_under_each_others_names_are_refused(
    small: Path, keys: Keys, tmp_path: Path
) -> None:
    folder = copied(small, tmp_path)
    one, two = blobs_of(folder)[:2]
    one.rename(tmp_path / "aside")
    two.rename(one)
    (tmp_path / "aside").rename(two)
    refused(folder, keys)


def test_links_pipes_and_devices_in_a_folder_are_refused(
    small: Path, keys: Keys, tmp_path: Path
) -> None:
    import os

    for kind in ("link", "pipe", "folder", "linked blobs"):
        folder = tmp_path / kind / "bundle"
        shutil.copytree(small, folder)
        blob = blobs_of(folder)[0]
        content = blob.read_bytes()
        if kind == "linked blobs":
            (folder / "blobs").rename(tmp_path / "elsewhere")
            (folder / "blobs").symlink_to(tmp_path / "elsewhere")
        else:
            blob.unlink()
        if kind == "link":
            (tmp_path / "outside").write_bytes(content)
            blob.symlink_to(tmp_path / "outside")
        elif kind == "pipe":
            os.mkfifo(blob)
        elif kind == "folder":
            blob.mkdir()
        with pytest.raises(HostileBundle):
            verify_bundle(folder, keys.signers)


def test_the_signature_is_judged_before_anything_else(
    small: Path, keys: Keys, tmp_path: Path
) -> None:
    folder = copied(small, tmp_path)
    (folder / "index.json.sig").unlink()
    (folder / "index.json").write_text("not even JSON")
    with pytest.raises(SignatureProblem, match="no signature"):
        verify_bundle(folder, keys.signers)
    (folder / "index.json.sig").write_bytes((small / "index.json.sig").read_bytes())
    with pytest.raises(SignatureProblem, match="was changed"):
        verify_bundle(folder, keys.signers)
    with pytest.raises(HostileBundle, match="not JSON"):
        verify_bundle(folder)
