"""The first files of an environment, and of a centre."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from foundation.documents import dump_yaml
from foundation.paths import write_whole
from foundation.problems import InputProblem, Refused
from installer.environments.centre import CENTRE, ENVIRONMENT, folder_of, read_centre

_IGNORED: Final = """\
# Written by Sitewright: states and saved plans are secrets, and no part of a repository.
*.tfstate
*.tfstate.*
.terraform/
*.plan
.terraform.tfstate.lock.info
"""


def begin(roof: Path, name: str, *, line: str, kind: str, version: str) -> list[str]:
    """Write them; sentences on what was written. Raises InputProblem, Refused, OSError."""
    folder = folder_of(roof, name)
    if (folder / ENVIRONMENT).exists():
        raise Refused(
            "the environment is there already", where=str(folder), remedy="Give it another name."
        )
    said = []
    if not (roof / CENTRE).exists():
        if not line:
            raise InputProblem(
                "the centre is new, and its line is not said",
                where="--line",
                remedy="Say --line iac-modules or --line iac-lite.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(roof / CENTRE, dump_yaml({"line": line}), mode=0o644)
        if not (roof / ".gitignore").exists():
            write_whole(roof / ".gitignore", _IGNORED, mode=0o644)
        said.append(f"{roof / CENTRE} was written.")
    read_centre(roof)
    folder.mkdir(parents=True, exist_ok=True)
    text = dump_yaml({"environment": kind, **({"version": version} if version else {})})
    write_whole(folder / ENVIRONMENT, text, mode=0o644)
    said.append(f"{folder / ENVIRONMENT} was written. Put its configuration (*.tf) beside it.")
    return said
