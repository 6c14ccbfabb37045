"""Bundles made from a few lines of a recipe, charts made from nothing, and programs run."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from bundles.format.recipe import Recipe
from bundles.make.create import Created, CreateOptions, create_bundle
from bundles.registries.web import Patience
from tests.bundles.conftest import MOMENT

QUICK = Patience(attempts=2, first_pause=0.001, longest_pause=0.002)


def create(folder: Path, options: CreateOptions | None = None, **parts: Any) -> Created:
    recipe = Recipe.model_validate({"solution": "test", "version": "1", **parts})
    # Whatever this machine has, charts are only read; tests that render name their program.
    made = options or CreateOptions(created=MOMENT, patience=QUICK, programs="")
    return asyncio.run(create_bundle(recipe, folder, made))


def again(made: Created, folder: Path) -> bytes:
    """The index of the same bundle, made a second time from its lock."""
    options = CreateOptions(lock=made.lock, patience=QUICK, programs="")
    asyncio.run(create_bundle(made.lock.recipe, folder, options))
    return (folder / "index.json").read_bytes()


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def chart(name: str, version: str, files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    head = f"apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: '7.0'\n"
    head += "annotations: {artifacthub.io/license: MIT}\n"
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, content in {"Chart.yaml": head, **files}.items():
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    return packed.getvalue()
