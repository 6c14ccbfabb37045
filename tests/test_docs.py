"""The pages that are made from the code are those that the code makes."""

from __future__ import annotations

from pathlib import Path

from installer.cli import COMMANDS
from installer.commands.checks import page

ROOT = Path(__file__).parent.parent


def test_the_page_of_checks_is_up_to_date() -> None:
    """docs/checks.md is what `sitewright checks --format markdown` prints."""
    assert (ROOT / "docs" / "checks.md").read_text() == page()


def test_every_command_is_in_the_page_of_commands() -> None:
    """docs/command.md names every command there is."""
    text = (ROOT / "docs" / "command.md").read_text()
    assert not [name for name in COMMANDS if f"sitewright {name}" not in text]


def test_the_house_on_paper_is_the_house() -> None:
    """docs/architecture.md names every module of foundation, preflight and installer."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    places = [
        path
        for floor in ("foundation/hosts", "preflight", "installer")
        for path in (ROOT / floor).glob("*.py")
        if not path.name.startswith("__")
    ]
    assert not [str(path.relative_to(ROOT)) for path in places if path.stem not in text]
