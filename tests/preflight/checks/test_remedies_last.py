"""Every printed command that changes a machine outlives its next start, or says how it would."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from installer.guide.guide import load_map
from preflight.checks.firewall import FORWARD_FOR_GOOD
from tests.preflight.checks.lasting import EXCUSED, FLEETING, LASTS, LOOKS, NO_COMMANDS, ONCE
from tests.preflight.checks.printed import ROOT, Printed, printed, uses
from tests.preflight.checks.trials import OF_FIREWALLD, OF_NAMES, TRIALS


@cache
def texts() -> tuple[Printed, ...]:
    # A command has a word after its name.
    return tuple(dict.fromkeys(one for one in printed() if " " in one.text))


@pytest.mark.parametrize("words", FLEETING, ids=lambda words: words[:24])
def test_what_a_start_forgets_stands_beside_what_it_keeps(words: str) -> None:
    used = [one for one in texts() if uses(words, one.text)]
    alone = [
        one
        for one in used
        if not re.search(FLEETING[words], one.text)
        and not any(one.file == file and text in one.text for file, text in EXCUSED)
    ]
    assert alone == []


def test_no_command_that_changes_a_machine_stands_outside_the_tables() -> None:
    """Each `sudo …` is one that only looks, or is in a table, by which a start is thought of."""
    known = [*LASTS, *FLEETING, *LOOKS, *ONCE]
    outside = {
        (one.file, rest[:60])
        for one in texts()
        for rest in re.findall(r"\bsudo (?:sh -c '(?:PATH=[^;]*; )?)?([a-z{][^\n`]*)", one.text)
        if not any(re.match(rf"(?:{words})", rest) for words in [*known, *NO_COMMANDS])
    }
    assert outside == set()


def test_each_row_is_used_and_its_trial_is_there() -> None:
    """A row that nothing uses has outlived its command; a trial that nobody names shows nothing."""
    for words in [*LASTS, *FLEETING, *LOOKS, *ONCE]:
        assert any(uses(words, one.text) for one in texts()), words
    for file, text in EXCUSED:
        assert any(one.file == file and text in one.text for one in texts()), (file, text)
    trials = {one.name for one in [*TRIALS, *OF_FIREWALLD, *OF_NAMES]}
    named = {name for why in LASTS.values() for name in re.findall(r"trial:([a-z-]+)", why)}
    assert named <= trials


def test_every_trial_has_its_commands() -> None:
    """They are taken from what is printed, so that a trial tries what a person reads."""
    for one in [*TRIALS, *OF_FIREWALLD, *OF_NAMES]:
        assert one.commands(), one.name


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_pages_say_it_as_the_program_does(path: Path) -> None:
    blocks = re.split(r"\n\s*\n", path.read_text())
    for words, beside in FLEETING.items():
        for block in blocks:
            assert not uses(rf"sudo (?:{words})", block) or re.search(beside, block), block


def test_the_map_lets_forwarded_packets_pass_as_preflight_does() -> None:
    commands = [
        command
        for option in load_map().options
        for trouble in option.file.troubleshooting
        for command in trouble.commands
        if "FORWARD" in command
    ]
    assert commands
    assert set(commands) == {FORWARD_FOR_GOOD}
