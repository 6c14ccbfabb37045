"""A medium that is too small is told before it is filled."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.registries.web import Patience
from foundation.problems import InputProblem
from tests.bundles.conftest import MOMENT
from tests.bundles.servers import Answer, Asked, answering

Usage = namedtuple("Usage", ["total", "used", "free"])
QUICK = Patience(attempts=2, first_pause=0.001, longest_pause=0.002)
CONTENT = {"one": b"1" * 700, "two": b"2" * 600}


def give(asked: Asked) -> Answer:
    return Answer(body=CONTENT[asked.path[1:]])


def recipe(url: str) -> Recipe:
    files = [
        {"name": name, "url": f"{url}/{name}", "size": len(text),
         "sha256": hashlib.sha256(text).hexdigest()}
        for name, text in CONTENT.items()
    ]  # fmt: skip
    return Recipe.model_validate({"solution": "t", "version": "1", "files": files})


def medium(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 0, free))


def test_what_is_known_to_be_needed_is_compared_before_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium(1200, monkeypatch)
    with answering(give) as server:
        options = CreateOptions(created=MOMENT, patience=QUICK, parallel=1)
        with pytest.raises(InputProblem, match=r"1300 bytes are needed .* 1200 are free"):
            asyncio.run(create_bundle(recipe(server.url), tmp_path / "b", options))
    assert not (tmp_path / "b" / "index.json").exists()


def test_a_locked_bundle_is_known_whole_and_nothing_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(give) as server:
        options = CreateOptions(created=MOMENT, patience=QUICK)
        made = asyncio.run(create_bundle(recipe(server.url), tmp_path / "b", options))
        before = len(server.asked)
        medium(1200, monkeypatch)
        again = CreateOptions(lock=made.lock, patience=QUICK)
        with pytest.raises(InputProblem, match="1300 bytes are needed"):
            asyncio.run(create_bundle(made.lock.recipe, tmp_path / "again", again))
        assert len(server.asked) == before


def test_what_is_there_already_needs_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(give) as server:
        options = CreateOptions(created=MOMENT, patience=QUICK)
        made = asyncio.run(create_bundle(recipe(server.url), tmp_path / "b", options))
        medium(0, monkeypatch)
        again = CreateOptions(lock=made.lock, patience=QUICK)
        asyncio.run(create_bundle(made.lock.recipe, tmp_path / "b", again))
