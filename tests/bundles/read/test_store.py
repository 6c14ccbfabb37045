"""The blobs of a bundle in the making: what counts as there, after whatever interruption."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bundles.format.problems import WrongContent
from bundles.read.store import Blob, Store

SMALL = b"small " * 100
LARGE = b"large " * 200_000


def digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize("raw", [SMALL, LARGE])
def test_a_blob_of_an_earlier_run_is_there(raw: bytes, tmp_path: Path) -> None:
    blob = Store(tmp_path).add(raw)
    again = Store(tmp_path)
    assert again.has(blob.digest, len(raw))
    assert again.find(blob.digest, len(raw)) == blob
    assert not again.has(blob.digest, len(raw) + 1)


def test_a_small_blob_that_the_power_cut_emptied_is_not_there(tmp_path: Path) -> None:
    """A journalled file system may keep the name and the size and lose the bytes."""
    store = Store(tmp_path)
    blob = store.add(SMALL)
    path = store.path(blob.digest)
    path.write_bytes(bytes(len(SMALL)))
    again = Store(tmp_path)
    assert not again.has(blob.digest, len(SMALL))
    assert again.add(SMALL) == blob
    assert path.read_bytes() == SMALL


def test_large_blobs_are_on_the_medium_before_they_have_a_name_and_small_ones_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store = Store(tmp_path)
    store.add(LARGE)
    assert synced == [len(LARGE)]
    store.add(SMALL)
    assert synced == [len(LARGE)]
    store.sync()
    assert synced == [len(LARGE), len(SMALL)]
    store.sync()
    assert len(synced) == 2


def test_a_blob_that_came_under_another_hash_is_found_by_both(tmp_path: Path) -> None:
    name = "sha3-384:" + hashlib.sha3_384(SMALL).hexdigest()
    with Store(tmp_path).begin(name, len(SMALL)) as partial:
        partial.write(SMALL)
        blob = partial.finish()
    assert blob == Blob(digest_of(SMALL), len(SMALL))
    again = Store(tmp_path)
    assert again.find(name, len(SMALL)) == blob
    assert again.find(name, len(SMALL) + 1) is None
    assert again.find("sha3-384:" + "0" * 96, 1) is None


def test_bytes_under_another_hash_that_are_not_its_own_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = "sha3-384:" + hashlib.sha3_384(b"another").hexdigest()
    with store.begin(name, len(SMALL)) as partial:
        partial.write(SMALL)
        with pytest.raises(WrongContent, match="sha3-384"):
            partial.finish()
    assert list((tmp_path / "blobs" / "sha256").iterdir()) == []
    assert store.find(name, len(SMALL)) is None


def test_a_part_that_broke_off_goes_on_and_is_compared_whole(tmp_path: Path) -> None:
    with Store(tmp_path).begin(digest_of(LARGE), len(LARGE)) as partial:
        partial.write(LARGE[:1000])
    with Store(tmp_path).begin(digest_of(LARGE), len(LARGE)) as partial:
        assert partial.received == 1000
        partial.write(LARGE[1000:])
        assert partial.finish().size == len(LARGE)
