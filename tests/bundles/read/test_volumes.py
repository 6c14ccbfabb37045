"""Volumes: cut, lose one, damage others, join."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.format.problems import BundleProblem, CorruptBundle
from bundles.read.verify import verify_bundle
from bundles.read.volumes import combine, join_volumes, split_bundle
from foundation.problems import InputProblem
from tests.bundles.conftest import Keys, file_recipe, make

SIZE = 128 * 1024


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    """A signed bundle of about 900 kB."""
    folder = tmp_path_factory.mktemp("large")
    recipe = file_recipe(folder / "src", a=os.urandom(500_000), b=os.urandom(400_000))
    return make(recipe, folder / "bundle", keys.key)


def split(bundle: Path, folder: Path, *, group: int = 4) -> list[Path]:
    return split_bundle(bundle, folder, SIZE, group=group)


def test_volumes_fit_their_medium_and_join_to_the_same_bundle(
    bundle: Path, keys: Keys, tmp_path: Path
) -> None:
    paths = split(bundle, tmp_path / "v")
    sizes = {path.stat().st_size for path in paths}
    assert max(sizes) <= SIZE
    assert join_volumes([tmp_path / "v"], tmp_path / "joined.tar") == ()
    found = verify_bundle(tmp_path / "joined.tar", keys.signers)
    assert found.signer


def test_any_one_volume_may_be_lost(bundle: Path, tmp_path: Path) -> None:
    paths = split(bundle, tmp_path / "v", group=100)
    join_volumes([tmp_path / "v"], tmp_path / "whole.tar")
    whole = hashlib.sha256((tmp_path / "whole.tar").read_bytes()).digest()
    for number, path in enumerate(paths):
        aside = path.rename(tmp_path / "aside")
        output = tmp_path / f"{number}.tar"
        repaired = join_volumes([tmp_path / "v"], output)
        assert hashlib.sha256(output.read_bytes()).digest() == whole
        assert ("P" in path.suffix) == (not repaired)
        aside.rename(path)


def test_a_volume_of_each_group_may_be_damaged_in_any_way(bundle: Path, tmp_path: Path) -> None:
    paths = split(bundle, tmp_path / "v", group=4)
    data = [path for path in paths if "volumeP" not in path.name]
    assert len(data) > 4
    data[1].write_bytes(data[1].read_bytes()[:1000])
    raw = bytearray(data[5].read_bytes())
    raw[77] ^= 1
    data[5].write_bytes(raw)
    repaired = join_volumes([tmp_path / "v"], tmp_path / "joined.tar")
    assert len(repaired) == 2
    assert "damaged" in repaired[0]
    verify_bundle(tmp_path / "joined.tar")


def test_too_much_lost_is_named_and_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    paths = split(bundle, tmp_path / "v", group=4)
    paths[0].unlink()
    paths[2].unlink()
    with pytest.raises(CorruptBundle) as caught:
        join_volumes([tmp_path / "v"], tmp_path / "joined.tar")
    assert paths[0].name in caught.value.cause
    assert any(paths[2].name in line for line in caught.value.wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_happens_to_one_volume_the_bundle_is_the_same_or_refused(
    data: st.DataObject, bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("v")
    paths = split(bundle, folder / "v", group=4)
    path = data.draw(st.sampled_from(paths))
    raw = path.read_bytes()
    begin = data.draw(st.integers(0, len(raw) - 1))
    end = data.draw(st.integers(begin, len(raw)))
    path.write_bytes(raw[:begin] + data.draw(st.binary(max_size=50)) + raw[end:])
    try:
        join_volumes([folder / "v"], folder / "joined.tar")
    except BundleProblem:
        assert not (folder / "joined.tar").exists()
    else:
        verify_bundle(folder / "joined.tar")


def test_volumes_of_two_cuts_never_mix(bundle: Path, keys: Keys, tmp_path: Path) -> None:
    recipe = file_recipe(tmp_path / "src", a=os.urandom(900_000))
    other = make(recipe, tmp_path / "other" / "bundle")
    mine = split(bundle, tmp_path / "v")
    foreign = split(other, tmp_path / "w")
    mine[1].write_bytes(foreign[1].read_bytes())
    with pytest.raises(InputProblem, match="different cuts"):
        join_volumes([tmp_path / "v"], tmp_path / "joined.tar")
    with pytest.raises(InputProblem, match="earlier cut"):
        split(bundle, tmp_path / "v")


def test_sizes_that_make_no_sense_are_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="at least"):
        split_bundle(bundle, tmp_path / "v", 1000)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputProblem, match="no volumes"):
        join_volumes([tmp_path / "empty"], tmp_path / "x.tar")


@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_parity_gives_back_any_one_part(parts: list[bytes]) -> None:
    size = max(len(part) for part in parts)
    parity = combine(parts, size)
    for number, part in enumerate(parts):
        others = [*parts[:number], *parts[number + 1 :], parity]
        assert combine(others, size)[: len(part)] == part
