"""Every path of ours on a machine is known, and shown."""

from __future__ import annotations

import re
from pathlib import Path

from foundation.hosts.places import PLACES, STATE, table

ROOT = Path(__file__).parents[3]
OURS = re.compile(
    r"/(?:var/lib|run|etc|usr/local)/[A-Za-z0-9_./-]*sitewright(?:[A-Za-z0-9_./-]*[A-Za-z0-9_-])?"
)
FOLDERS = {STATE, "/etc/sitewright", "/run/sitewright", "/usr/local/lib/sitewright"}
"""Folders that hold several: each of these stands in the table."""


def written() -> set[str]:
    """The paths that stand in the source, whichever language a file is in."""
    found: set[str] = set()
    for floor in ("foundation", "preflight", "bundles", "installer", "screens"):
        for path in (ROOT / floor).rglob("*"):
            if path.is_file() and path.name != "places.py" and "__pycache__" not in path.parts:
                found |= set(OURS.findall(path.read_text(encoding="utf-8", errors="replace")))
    return found


def test_every_path_in_the_source_is_in_the_table() -> None:
    known = tuple(place.path for place in PLACES)
    assert sorted(path for path in written() - FOLDERS if not path.startswith(known)) == []


def test_what_a_remedy_keeps_of_a_file_bears_our_name() -> None:
    """`sed -i.SUFFIX` leaves a file behind, which the table can show by its name alone."""
    suffix = re.compile(r"\bsed (?:-[A-Za-z]+ )*-i\.?([A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
    found = set()
    for floor in ("foundation", "preflight", "bundles", "installer", "screens"):
        for path in (ROOT / floor).rglob("*.py"):
            found |= set(suffix.findall(path.read_text(encoding="utf-8")))
    assert found <= {"", "before-sitewright"}
    assert "before-sitewright" in found


def test_every_path_in_the_table_is_in_the_source() -> None:
    paths = written()
    assert [
        p.path for p in PLACES if not any(one.startswith(p.path.rstrip("-")) for one in paths)
    ] == []


def test_the_page_shows_the_table() -> None:
    assert table() in (ROOT / "docs" / "machines.md").read_text()
