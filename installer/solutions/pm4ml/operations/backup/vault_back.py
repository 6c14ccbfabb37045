"""What Vault keeps, out of a backup and into Vaults that hold nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO

from . import vault
from .reading import chosen, read_through, unchanged
from .restoring import of_another_site, the_checked
from .saving import alone
from .target import Ssh, target_of
from .told import STATE, Json, Objection, Untold

BEGUN = STATE / "vault-begun.json"
"""By what a Vault with nothing in it was opened to take a snapshot; nothing once it has it."""
CHUNK = 1 << 20


def fit(config: Json, name: str) -> list[str]:
    """What stands against it here, all of it; nothing is changed."""
    against: list[str] = []
    try:
        if no := vault.against(config, BEGUN):
            against.append(no)
    except (Objection, Untold) as problem:
        against.append(str(problem))
    try:
        target = target_of(config)
        if isinstance(target, Ssh):
            target.check()
        outer = chosen(target, name)
        against += of_another_site(config, outer)
        if not any(one["name"] == vault.NAME for one in outer["members"]):
            against.append(f"what Vault keeps is not in the backup {outer['name']}")
        if not against:
            unchanged(target, outer)
    except (Objection, Untold) as problem:
        against.append(str(problem))
    return against


def apply(config: Json, name: str, session_key: str) -> str:
    """Put it back; one sentence about what is there now. Raises Objection and Untold."""
    target = target_of(config)
    outer = the_checked(target, name)
    with alone():
        if against := fit(config, str(outer["name"])):
            raise Objection("; ".join(against))
        for left in STATE.glob("vault-work-*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="vault-work-", dir=STATE) as work:
            path = Path(work) / vault.NAME

            def take(member: str, content: IO[bytes]) -> None:
                if member != vault.NAME:
                    return
                path.touch(0o600)
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file, CHUNK)

            read_through(target, outer, session_key, take)
            return vault.restore(config, path, BEGUN)
