"""One place makes plurals, and no sentence makes one by itself; what a mistyped word meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from foundation.wording import are, counted, nearest, of_usual

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


ENDING: Final = re.compile(r"""\{'s?' if .* else 's?'\}""")
ODD: Final = {
    "preflight/checks/clock.py",  # of a verb: "1 answers", "2 answer"
    "screens/services/bundle_seen.py",  # "Git repository" has another plural
}


def test_no_sentence_hangs_an_s_on_a_noun() -> None:
    found = [
        str(path.relative_to(ROOT))
        for floor in ("screens", "installer", "preflight", "bundles", "foundation")
        for path in sorted((ROOT / floor).rglob("*.py"))
        if ENDING.search(path.read_text(encoding="utf-8"))
    ]
    assert sorted(set(found) - ODD) == []


NAMES: Final = (
    "counted", "how_many", "are", "listed", "shortened", "human_size", "duration", "took",
)  # fmt: skip
MADE: Final = re.compile(rf"^def ({'|'.join(NAMES)})\(", re.MULTILINE)


def test_each_of_these_words_is_made_in_one_place() -> None:
    """A second function of that name would soon say it otherwise."""
    made = [
        (name, str(path.relative_to(ROOT)))
        for floor in ("screens", "installer", "preflight", "bundles", "foundation")
        for path in sorted((ROOT / floor).rglob("*.py"))
        for name in MADE.findall(path.read_text(encoding="utf-8"))
    ]
    assert sorted(name for name, _ in made) == sorted(NAMES), made


def test_the_nearest_word() -> None:
    assert nearest("wroker", ["worker", "master"]) == "worker"
    assert nearest("xyz", ["worker", "master"]) is None


@pytest.mark.parametrize(
    ("seconds", "usual", "said"),
    [
        (120, 180, "2 min of 3 min"),
        (180, 180, "3 min of 3 min"),
        (185, 180, "3 min of 3 min"),  # as a person counts, not over it
        (240, 180, "4 min, usually 3"),
        (100, 40, "2 min, usually 40 s"),
        (88, 40, "88 s, usually 40"),
        (6000, 5700, "1 h 40 min, usually 1 h 35 min"),
        (6000, 180, "1 h 40 min, usually 3 min"),
    ],
)
def test_what_is_over_its_usual_time_is_no_riddle(seconds: float, usual: float, said: str) -> None:
    """ "4 min of 3 min" said nothing that a person could understand."""
    assert of_usual(seconds, usual) == said
