"""What is kept of a saved plan and of a look: what each came to, and of which state it was made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from foundation import bounded_files
from foundation.paths import write_private
from installer.opentofu.changes import Change

_LARGEST: Final = 64 << 20
_CONFIGURATION: Final = ("*.tf", "*.tf.json", "*.tofu", "*.tofu.json", "*.tfvars", "*.tfvars.json")


@dataclass(frozen=True, slots=True)
class Kept:
    """A plan that was made, in words, and what tells whether it still holds."""

    at: str
    """UTC, ISO 8601."""
    sha256: str
    """Of the file of the plan."""
    configuration: str
    """A digest of the files that the plan was made from."""
    program: str
    version: str
    lineage: str
    serial: int
    summary: str
    destroy: bool = False
    changes: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()
    outputs: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def destroyed(self) -> tuple[str, ...]:
        """The resources that are destroyed, by their addresses."""
        return tuple(one.address for one in self.changes if one.destroys)

    @property
    def differs(self) -> bool:
        """Whether an apply would change anything, or anything was changed outside."""
        return bool(self.changes or self.outputs or self.drift)


def write_kept(path: Path, kept: Kept) -> None:
    """Write it beside its plan; raises OSError."""
    write_private(path.with_suffix(".json"), json.dumps(asdict(kept), indent=1) + "\n")


def read_kept(path: Path) -> Kept | None:
    """What is kept beside a plan; None where there is none that can be read."""
    try:
        text = bounded_files.read_text(path.with_suffix(".json"), _LARGEST)
        return TypeAdapter(Kept).validate_json(text)
    except (OSError, ValueError, ValidationError):
        return None


def digest_of(path: Path) -> str:
    """The SHA-256 of a file; "" where it is not there."""
    try:
        return hashlib.sha256(bounded_files.read_bytes(path, _LARGEST)).hexdigest()
    except OSError:
        return ""


def configuration_digest(folder: Path, *beside: Path) -> str:
    """What tells a configuration, and the files beside it, from what they were before."""
    found = {one for pattern in _CONFIGURATION for one in folder.glob(pattern)}
    digest = hashlib.sha256()
    for one in (*sorted(found), *beside):
        digest.update(f"{one.name}\0{digest_of(one)}\n".encode())
    return digest.hexdigest()
