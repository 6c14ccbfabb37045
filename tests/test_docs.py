"""The pages that are made from the code are those that the code makes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.cli import COMMANDS, build_parser
from installer.commands.checks import page
from installer.guide.guide import Option, load_map
from tests.drawing.pages import pages
from tests.website import build

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OPTIONS = load_map().options


def test_the_page_of_checks_is_up_to_date() -> None:
    """docs/checks.md is what `sitewright checks --format markdown` prints."""
    assert (ROOT / "docs" / "checks.md").read_text() == page()


def test_the_pages_of_the_options_are_up_to_date() -> None:
    """docs/options/ and the map's picture are what `python -m tests.drawing.pages docs` writes."""
    made = pages(load_map())
    stale = [
        name
        for name, text in made.items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text(encoding="utf-8") != text
    ]
    assert not stale, "run: python -m tests.drawing.pages docs"
    there = {f"options/{path.name}" for path in (DOCS / "options").iterdir()}
    assert there == {name for name in made if name.startswith("options/")}


@pytest.mark.parametrize("option", OPTIONS, ids=[option.id for option in OPTIONS])
def test_a_page_has_everything_that_the_map_knows(option: Option) -> None:
    """Requirements, steps, ports, verification and troubleshooting, each with its source."""
    text = pages(load_map())[f"options/{option.id}.md"]
    for heading in ("Requirements", "Install", "Ports", "Verify", "Troubleshooting"):
        assert f"\n## {heading}\n" in text
    file = option.file
    for commands in (*(s.commands for s in file.steps), *(c.commands for c in file.verify)):
        assert all(f"    {command}" in text for command in commands)
    for reference in file.references():
        assert f"sources.md#{reference.partition(' ')[0]})" in text


@pytest.mark.parametrize(
    "path",
    [ROOT / "README.md", *sorted((DOCS / "quickstart").iterdir()), *sorted(DOCS.glob("options/*"))],
    ids=lambda path: path.stem,
)
def test_the_commands_on_the_pages_can_be_typed(path: Path) -> None:
    """Every line that begins with sitewright is understood by the command as it is."""
    for line in re.findall(r"^ {4}(?:\$ )?sitewright (.+)$", path.read_text("utf-8"), re.MULTILINE):
        words = shlex.split(re.split(r" {2,}", line)[0])
        try:
            build_parser(words[0]).parse_args(words)
        except (SystemExit, InputProblem):
            pytest.fail(f"sitewright {line}")


def test_every_link_between_the_pages_leads_somewhere() -> None:
    """A file that is linked is there, and so is the place in it."""
    dead = []
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            name, _, place = target.partition("#")
            if "://" in target:
                continue
            file = path.parent / name if name else path
            if not file.exists() or (place and not _has_place(file, place)):
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert not dead


def test_the_site_is_built_and_every_link_in_it_leads_somewhere(tmp_path: Path) -> None:
    """`python -m tests.website` makes a page of each file; nothing comes from elsewhere."""
    places = build(tmp_path)
    assert {"index.html", "options/index.html", "options/miniloop.html"} <= set(places)
    dead = []
    for place in places:
        text = (tmp_path / place).read_text(encoding="utf-8")
        assert text.count("<h1") == 1
        assert "<script" not in text
        assert "<link" not in text
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            name, _, mark = target.partition("#")
            file = (tmp_path / place).parent / name if name else tmp_path / place
            if "://" in target:
                continue
            if not file.exists() or (mark and f'id="{mark}"' not in file.read_text("utf-8")):
                dead.append(f"{place}: {target}")
    assert not dead


def _has_place(file: Path, place: str) -> bool:
    text = file.read_text(encoding="utf-8")
    heads = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    return place in slugs or f'<a id="{place}"></a>' in text


def test_every_command_is_in_the_page_of_commands() -> None:
    """docs/command.md names every command there is."""
    text = (ROOT / "docs" / "command.md").read_text()
    assert not [name for name in COMMANDS if f"sitewright {name}" not in text]
