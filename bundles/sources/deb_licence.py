"""The licences that a Debian package names in its copyright file, where a program can read it."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Final

from bundles.format import budgets
from bundles.format.tar_stream import Budget
from bundles.sources.deb_parts import part_of_deb

_COPYRIGHT: Final = re.compile(r"\./usr/share/doc/[^/]+/copyright")
_LIMIT: Final = budgets.LICENCE_BYTES
_LONGEST: Final = 200
"""Characters of the answer; a package of many parts names dozens."""
_FORMAT: Final = re.compile(r"^Format: *https?://www\.debian\.org/doc/packaging-manuals/", re.M)
_LICENCE: Final = re.compile(r"^License: *(\S[^\n]*)$", re.M)


def licence_of_deb(path: Path) -> str | None:
    """The short names of its licences; None where there are none to be read."""
    text = _copyright_in(path)
    return licences_in(text) if text else None


def licences_in(text: str) -> str | None:
    """The licences of a machine-readable copyright file (DEP 5), each once, in its order."""
    if not _FORMAT.search(text[:4096]):
        return None
    names = list(dict.fromkeys(name.strip() for name in _LICENCE.findall(text)))
    if not names:
        return None
    whole = ", ".join(names)
    if len(whole) > _LONGEST:
        whole = whole[:_LONGEST].rpartition(",")[0] + ", …"
    return whole if whole.isprintable() else None


def _copyright_in(path: Path) -> str | None:
    budget = Budget(budgets.DEB_DATA_BYTES, budgets.DEB_FILES)
    try:
        with part_of_deb(path, "fsys", budget) as (tar, found):
            for member in found:
                if member.isreg() and _COPYRIGHT.fullmatch(member.name):
                    file = tar.extractfile(member)
                    raw = file.read(_LIMIT) if file else b""
                    return raw.decode("utf-8", "replace")
    except (tarfile.TarError, EOFError, ValueError, OSError):
        return None
    return None
