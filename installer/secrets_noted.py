"""Secrets noted: whether the secrets of a run are those with which it was begun.

Of each a keyed hash is kept in the run's folder; the key lies elsewhere, so that the folder alone,
in a support bundle or on a medium, tells nothing by which a short password could be guessed.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from foundation.paths import data_folder, write_private
from foundation.secrets import Secret
from installer.runs import Run

_KEY_BYTES: Final = 32
_LARGEST: Final = 64 * 1024


def noted_in(run: Run) -> Path:
    """The file of the hashes."""
    return run.folder / "secrets.json"


def told_of_other_secrets(run: Run, given: Mapping[str, Secret]) -> list[str]:
    """Sentences on secrets that are not those that the run had before, and note them all.

    Raises OSError where they cannot be noted.
    """
    key = own_key()
    before = _read(noted_in(run))
    now = {
        name: hmac.digest(key, f"{name}\0{secret.reveal()}".encode(), "sha256").hex()
        for name, secret in given.items()
    }
    changed = [name for name, value in now.items() if before.get(name, value) != value]
    if now.items() - before.items():
        write_private(noted_in(run), json.dumps({**before, **now}, indent=1) + "\n")
    return [
        f"The secret {name} is another than the one with which this run worked before. What was "
        "done with the first stands as it is."
        for name in changed
    ]


def own_key() -> bytes:
    """The key of the hashes, which lies outside of every run; raises OSError."""
    path = data_folder() / "secrets.key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    key = secrets.token_bytes(_KEY_BYTES)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8") as file:
            value = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(name): str(one) for name, one in value.items()} if isinstance(value, dict) else {}
