"""One place makes plurals, and no sentence makes one by itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from foundation.counting import are, counted

ROOT: Final = Path(__file__).parents[2]
PLURAL: Final = re.compile(
    r"(?<!of )(?<!than )(?<!most )(?<!all )(?<!these )(?<!The )(?<!All )"
    r"\{(?:len\([^{}]*\)|count|number|self\.(?:missed|total))\} "
    r"(?:machines|keys|runs|sites|steps|stages|lines|findings|files|images|items|things|rules|volumes"
    r"|services|blobs|settings|questions|warnings|checks)\b(?! and charts)"
)


def test_one_is_no_plural() -> None:
    assert [counted(n, "key") for n in (0, 1, 2)] == ["0 keys", "1 key", "2 keys"]
    assert (are(1), are(2)) == ("is", "are")


BESIDE: Final = (" if ", "LIMIT")
"""A branch for one beside it is an answer too, and a limit is never one."""
STRANGE: Final = ("on_machine", "playbooks")
"""Folders of programs that run elsewhere, without our modules."""


@pytest.mark.parametrize("floor", ["screens", "installer", "preflight", "bundles", "foundation"])
def test_no_sentence_makes_a_plural_by_itself(floor: str) -> None:
    found = []
    for path in sorted((ROOT / floor).rglob("*.py")):
        if set(STRANGE) & set(path.parts):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if PLURAL.search(line) and not any(word in line for word in BESIDE):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)
