"""Differences: what the site has does not travel again, and the whole is verified."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bundles.format.problems import BundleProblem, HostileBundle, SignatureProblem, WrongContent
from bundles.read.difference import join_difference, make_difference
from bundles.read.verify import verify_bundle
from foundation.problems import InputProblem
from tests.bundles.conftest import Keys, file_recipe, make

COMMON = os.urandom(400_000)


@pytest.fixture
def two(tmp_path: Path, keys: Keys) -> tuple[Path, Path]:
    """An old and a new bundle that share most of their content."""
    old = make(file_recipe(tmp_path / "a", common=COMMON, x=b"old"), tmp_path / "old", keys.key)
    new = make(file_recipe(tmp_path / "b", common=COMMON, x=b"new"), tmp_path / "new", keys.key)
    return old, new


def test_a_difference_is_small_and_makes_the_new_bundle_whole(
    two: tuple[Path, Path], keys: Keys, tmp_path: Path
) -> None:
    old, new = two
    written, left = make_difference(new, old, tmp_path / "diff", keys.signers)
    assert left >= len(COMMON)
    assert written < len(COMMON) / 10
    verify_bundle(tmp_path / "diff", keys.signers, base=old)
    join_difference(tmp_path / "diff", old, tmp_path / "joined", keys.signers)
    names = sorted(p.relative_to(new) for p in new.rglob("*") if p.is_file())
    assert names == sorted(
        p.relative_to(tmp_path / "joined") for p in (tmp_path / "joined").rglob("*") if p.is_file()
    )
    assert (tmp_path / "joined/index.json").read_bytes() == (new / "index.json").read_bytes()


def test_a_difference_is_no_bundle_without_its_base(
    two: tuple[Path, Path], keys: Keys, tmp_path: Path
) -> None:
    old, new = two
    make_difference(new, old, tmp_path / "diff")
    with pytest.raises(HostileBundle, match="only the difference"):
        verify_bundle(tmp_path / "diff", keys.signers)
    with pytest.raises(InputProblem, match="for another bundle"):
        join_difference(tmp_path / "diff", new, tmp_path / "joined")


def test_a_damaged_base_is_noticed(two: tuple[Path, Path], keys: Keys, tmp_path: Path) -> None:
    old, new = two
    make_difference(new, old, tmp_path / "diff")
    blob = max((old / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    raw = bytearray(blob.read_bytes())
    raw[5000] ^= 1
    blob.write_bytes(raw)
    with pytest.raises(BundleProblem, match="damaged"):
        verify_bundle(tmp_path / "diff", keys.signers, base=old)
    with pytest.raises(WrongContent):
        join_difference(tmp_path / "diff", old, tmp_path / "joined", keys.signers)


def test_what_the_site_has_damaged_is_sent_again(two: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = two
    blob = max((old / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes()[:-1])
    written, _ = make_difference(new, old, tmp_path / "diff")
    assert written > len(COMMON)


def test_a_difference_of_a_stranger_is_refused(
    two: tuple[Path, Path], keys: Keys, tmp_path: Path
) -> None:
    old, new = two
    (new / "index.json.sig").unlink()
    with pytest.raises(SignatureProblem):
        make_difference(new, old, tmp_path / "diff", keys.signers)
    make_difference(new, old, tmp_path / "diff")
    with pytest.raises(SignatureProblem):
        join_difference(tmp_path / "diff", old, tmp_path / "joined", keys.signers)
    assert not (tmp_path / "joined").exists()
    shutil.rmtree(tmp_path / "diff")
