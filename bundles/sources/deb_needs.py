"""What a Debian package needs beside what a bundle brings of it: read from its own control files.

Packages that apt was not asked to follow, what they recommend, and what their scripts fetch from
elsewhere when they are installed (Ubuntu's packages that stand for a snap; downloaders of fonts).
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bundles.format import budgets
from bundles.format.problems import SourceProblem
from bundles.format.tar_stream import Budget
from bundles.sources.deb_parts import part_of_deb

_LIMIT: Final = budgets.LICENCE_BYTES
_SCRIPTS: Final = re.compile(r"(?:\./)?(preinst|postinst|config)")
_NAME: Final = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)")
_BEGINS: Final = r"(?:^|[;&|(`]|\b(?:then|do|else|if|exec|!)\s)\s*"
"""Where a command of a shell script begins."""
_FETCHES: Final = re.compile(
    _BEGINS + r"(snap\s+install|wget|curl|pip3?\s+install|apt-get\s+(?:install|update))\s+\S", re.M
)


def unmet(record: Mapping[str, str], field: str, there: Iterable[str]) -> tuple[str, ...]:
    """The relations of a field (Depends) for which none of the packages that are there stands."""
    have = set(there)
    return tuple(
        relation.strip()
        for relation in record.get(field, "").split(",")
        if relation.strip()
        and not have & {m[1] for one in relation.split("|") if (m := _NAME.match(one))}
    )


def names_of(records: Sequence[Mapping[str, str]]) -> set[str]:
    """The names under which some packages can be asked for, virtual ones among them."""
    found = {record.get("Package", "") for record in records}
    for record in records:
        found.update(
            m[1] for one in record.get("Provides", "").split(",") if (m := _NAME.match(one))
        )
    return found - {""}


def fetches_of_deb(path: Path) -> tuple[str, str] | None:
    """What a package fetches from elsewhere when it is installed: the script and the program.

    None where it fetches nothing, as far as its scripts are written in shell. Raises SourceProblem
    where they cannot be read.
    """
    for name, text in _scripts_in(path).items():
        program = fetches_in(text)
        if program:
            return name, program
    return None


def fetches_in(script: str) -> str | None:
    """The first program that fetches something in a shell script; comments do not count."""
    lines = (line for line in script.splitlines() if not line.lstrip().startswith("#"))
    found = _FETCHES.search("\n".join(lines))
    return " ".join(found[1].split()) if found else None


def _scripts_in(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    budget = Budget(budgets.DEB_CONTROL_BYTES, budgets.DEB_FILES)
    try:
        with part_of_deb(path, "ctrl", budget) as (tar, each):
            for member in each:
                name = _SCRIPTS.fullmatch(member.name)
                if member.isreg() and name:
                    file = tar.extractfile(member)
                    raw = file.read(_LIMIT) if file else b""
                    found[name[1]] = raw.decode("utf-8", "replace")
    except FileNotFoundError:
        return found
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise SourceProblem(f"its scripts cannot be read: {error}") from error
    return found
