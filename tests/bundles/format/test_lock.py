"""Locks that were changed by hand, and sources that changed behind them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bundles.format.lock import Lock, load_lock, make_lock, parse_lock
from bundles.format.problems import WrongContent
from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.registries.web import Patience
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


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://user:pass-word-1@git.example.org/env.git", "https://git.example.org/env.git"),
        ("https://ghp_token-of-mine@git.example.org/env.git", "https://git.example.org/env.git"),
        ("ssh://git@git.example.org/env.git", "ssh://git@git.example.org/env.git"),
        ("ssh://git:pass-word-1@git.example.org/x", "ssh://git@git.example.org/x"),
        ("https://git.example.org/a@b/env.git", "https://git.example.org/a@b/env.git"),
        ("https://h/x.git?private_token=pass-word-1&ref=main", "https://h/x.git?ref=main"),
        ("https://h/x?X-Amz-Signature=ab&X-Amz-Date=1&versionId=3", "https://h/x?versionId=3"),
        ("https://h/x?sv=1&sig=a%2Fb&se=2", "https://h/x"),
        ("https://h/x?q=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEyMzQ1Njc4", "https://h/x"),
        (f"https://h/x?sha={'0a' * 20}&raw=true", f"https://h/x?sha={'0a' * 20}&raw=true"),
    ],
)
def test_a_lock_that_every_site_is_given_holds_no_login_of_its_maker(
    address: str, kept: str
) -> None:
    line = {"name": "env", "url": address}
    recipe = Recipe.model_validate({"solution": "x", "version": "1", "git": [line]})
    raw = make_lock(recipe, "default", "2027-01-01T00:00:00Z", ()).as_bytes()
    assert json.loads(raw)["recipe"]["git"][0]["url"] == kept
    again = parse_lock(raw, where="lock")
    # It is the same line with and without the login, so that nothing seems to lack.
    assert again.recipe.lines[0].key == recipe.lines[0].key


@pytest.mark.parametrize(
    "address",
    ["fd::17", "ext::sh -c x", "file::ext::sh", "transport::x", "ssh://-oProxyCommand=x/y",
     "ssh://u@-h/x", "ssh://[-oX]/x", "https::https://h/x", "-oX:y"],
)  # fmt: skip
def test_an_address_is_that_of_a_server_or_a_file_and_no_option(address: str) -> None:
    lines: list[dict[str, Any]] = [
        {"git": [{"name": "x", "url": address}]},
        {"files": [{"name": "x", "url": address, "sha256": "0" * 64}]},
        {"charts": [{"name": "x", "repository": address, "version": "1.0.0"}]},
    ]
    for line in lines:
        with pytest.raises(ValidationError) as caught:
            Recipe.model_validate({"solution": "x", "version": "1", **line})
        assert "plain" in str(caught.value) or "should be an address" in str(caught.value)
