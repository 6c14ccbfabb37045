"""Fixtures of the bundles' tests: signing keys, a small bundle, a real registry."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.read.archive_write import write_archive
from bundles.read.signature import load_signing_key
from bundles.read.signers import Signer, read_signers
from tests.bundles.places import RunningRegistry, start_registry
from tests.foundation.sshd import keygen

MOMENT = "2027-01-31T12:00:00Z"


@dataclass(frozen=True)
class Keys:
    """A maker's key, and the file in which a site trusts it."""

    key: Path
    allowed: Path

    @property
    def signers(self) -> tuple[Signer, ...]:
        return read_signers(self.allowed)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A maker's key as ssh-keygen makes it, and the allowed_signers file of a site."""
    folder = tmp_path_factory.mktemp("keys")
    key = keygen(folder / "maker")
    allowed = folder / "allowed_signers"
    public = (folder / "maker.pub").read_text()
    allowed.write_text(f'maker@example.org namespaces="sitewright-bundle" {public}')
    return Keys(key, allowed)


def file_recipe(folder: Path, **contents: bytes) -> Recipe:
    """A recipe of plain files that lie in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        lines.append({"name": name, "url": (folder / name).as_uri(), "sha256": sha256})
    return Recipe.model_validate({"solution": "test", "version": "1", "files": lines})


def make(recipe: Recipe, folder: Path, key: Path | None = None) -> Path:
    """A finished bundle."""
    options = CreateOptions(created=MOMENT, key=load_signing_key(key) if key else None)
    asyncio.run(create_bundle(recipe, folder, options))
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    """A signed bundle of two small files, as a folder; not to be changed."""
    folder = tmp_path_factory.mktemp("small")
    recipe = file_recipe(folder / "src", one=b"first " * 40, two=b"second " * 30)
    return make(recipe, folder / "bundle", keys.key)


@pytest.fixture(scope="session")
def small_file(small: Path) -> Path:
    """The same bundle as one file."""
    output = small.with_name("bundle.tar")
    write_archive(small, output)
    return output


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Debian's docker-registry, empty, open to everybody on the loopback."""
    running = start_registry(tmp_path_factory.mktemp("registry"))
    yield running
    running.stop()
