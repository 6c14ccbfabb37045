"""An acceptance in a thread of its own: ended too early, ended twice, failed, and kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from foundation.problems import Interrupted
from installer.acceptance import accept as whole
from installer.acceptance.accept import Asked, Progress, SmokeFailed
from installer.acceptance.carried import PAGES, UNCLEAN, Carried
from installer.acceptance.hub_file import EXAMPLE, read_hub_file
from installer.acceptance.result import Result
from tests.installer.acceptance.made import PROFILE, result


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Carried:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = tmp_path / "hub.yaml"
    file.write_text(EXAMPLE)
    return Carried(Asked(read_hub_file(file), PROFILE, 1), lambda _: None, lambda *_: None)


def folders(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "data/sitewright/acceptances").iterdir())


def test_what_is_ended_before_it_began_is_left_and_leaves_no_folder(
    carried: Carried, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    async def accept(*_: object) -> Result:
        begun.append(1)
        await asyncio.sleep(600)
        raise AssertionError

    monkeypatch.setattr(whole, "accept", accept)
    carried.end()
    carried.begin()
    carried.begin()  # a second word changes nothing
    assert carried.ended(60)
    with pytest.raises(Interrupted, match="was taken back"):
        carried.result()
    assert len(begun) <= 1
    assert folders(tmp_path) == []


def test_a_failure_is_told_to_whoever_asks_for_the_result(
    carried: Carried, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(_: Asked, progress: Progress) -> Result:
        raise SmokeFailed("the hub answered 503")

    monkeypatch.setattr(whole, "accept", accept)
    carried.begin()
    assert carried.ended(60)
    carried.end()  # too late, and no matter
    with pytest.raises(SmokeFailed, match="503"):
        carried.result()
    assert folders(tmp_path) == []


def test_the_pages_lie_in_a_folder_once_it_has_ended(
    carried: Carried, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(*_: object) -> Result:
        return result()

    monkeypatch.setattr(whole, "accept", accept)
    carried.begin()
    assert carried.ended(60)
    assert carried.folder is not None
    assert {one.name for one in carried.folder.iterdir()} == {*PAGES.values(), UNCLEAN}
    assert carried.result().name == result().name
