"""The licences that a Debian package names in its copyright file, where a program can read it."""

from __future__ import annotations

import re
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from bundles import budgets
from bundles.tar_stream import Budget, members
from foundation.isolation import environment

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
    try:
        # dpkg-deb knows every compression that a package may have, and only unpacks.
        process = subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
    except OSError:
        return None
    with process:
        try:
            budget = Budget(budgets.DEB_DATA_BYTES, budgets.DEB_FILES)
            with members(process.stdout, budget) as (tar, found):
                for member in found:
                    if member.isreg() and _COPYRIGHT.fullmatch(member.name):
                        file = tar.extractfile(member)
                        raw = file.read(_LIMIT) if file else b""
                        return raw.decode("utf-8", "replace")
        except (tarfile.TarError, EOFError, ValueError, OSError):
            return None
        finally:
            process.kill()
    return None
