"""docs/security.md says nothing that no test shows: every test that it names is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    files: dict[str, list[Path]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        files.setdefault(path.name, []).append(path)
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", PAGE)
    assert len(named) > 40
    missing = []
    for file, test in named:
        if not test:
            found = file in files
        else:
            found = any(test in _tests_of(path) for path in files.get(file, []))
        if not found:
            missing.append(f"{file}::{test}")
    assert missing == []


def _tests_of(path: Path) -> set[str]:
    return set(
        re.findall(r"^ *(?:async )?def (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:foundation|installer|bundles|screens)/[\w/]+\.py)`", PAGE)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_who_reports_finds_the_page_and_the_page_who_reports() -> None:
    assert "docs/security.md" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "SECURITY.md" in PAGE
    assert "docs/security.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_bounds_of_the_page_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| `([a-z_.]+)\.(\w+)` \|$", PAGE, re.M)
    assert len(rows) > 20
    wrong = []
    for said, module, name in rows:
        value = getattr(importlib.import_module(module), name)
        number, _, unit = said.partition(" ")
        times = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
        if float(number) * times != value:
            wrong.append(f"{module}.{name} is {value}, and the page says {said}")
    assert wrong == []
