"""Programs that stand for others: scripts that say what Helm or kubectl would."""

from __future__ import annotations

from pathlib import Path


def stand_in(folder: Path, script: str, name: str = "helm") -> Path:
    """A script that says what Helm would."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
