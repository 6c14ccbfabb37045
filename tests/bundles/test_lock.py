"""Locks that were changed by hand, and sources that changed behind them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bundles.create import CreateOptions, create_bundle
from bundles.lock import Lock, load_lock, parse_lock
from bundles.problems import WrongContent
from bundles.web import Patience
from foundation.problems import InputProblem
from tests.bundles.conftest import MOMENT, file_recipe

QUICK = Patience(attempts=1, first_pause=0.001)


def locked(tmp_path: Path) -> Lock:
    recipe = file_recipe(tmp_path / "src", one=b"first")
    options = CreateOptions(created=MOMENT)
    return asyncio.run(create_bundle(recipe, tmp_path / "bundle", options)).lock


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = locked(tmp_path)
    (tmp_path / "lock").write_bytes(lock.as_bytes())
    assert load_lock(tmp_path / "lock").as_bytes() == lock.as_bytes()


def test_a_file_that_changed_behind_its_lock_is_refused(tmp_path: Path) -> None:
    lock = locked(tmp_path)
    (tmp_path / "src" / "one").write_bytes(b"other")
    options = CreateOptions(lock=lock, patience=QUICK)
    with pytest.raises(WrongContent) as caught:
        asyncio.run(create_bundle(lock.recipe, tmp_path / "again", options))
    assert caught.value.exit_code == 6


def test_a_lock_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    value = json.loads(locked(tmp_path).as_bytes())
    value["items"][0]["content_size"] = 999
    lock = parse_lock(json.dumps(value).encode(), where="x")
    options = CreateOptions(lock=lock, patience=QUICK)
    with pytest.raises(WrongContent, match="file one"):
        asyncio.run(create_bundle(lock.recipe, tmp_path / "again", options))
    assert not (tmp_path / "again" / "index.json").exists()


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"schema": "x"}', b"\xff", b'{"a":1,"a":2}'])
def test_what_is_no_lock_is_refused(raw: bytes) -> None:
    with pytest.raises(InputProblem):
        parse_lock(raw, where="x")
