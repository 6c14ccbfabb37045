"""Files that the wizard writes, and the commands that repeat it, for both faces."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Final

from screens.answers.answers import Answers
from screens.services.services import Export

ABOUT: Final = {
    Export.TEXT: ("report.txt", "the report in plain text"),
    Export.HTML: ("report.html", "one page for a browser or a printer"),
    Export.JSON: ("report.json", "for programs"),
    Export.JUNIT: ("report.xml", "JUnit, for a CI system"),
    Export.FACTS: ("facts.json", "what was seen, to be judged again elsewhere"),
}
"""What each form is called by default, and for whom it is."""

HAND_OVER: Final = {
    Export.TEXT: ("hand-over.txt", "the report in plain text"),
    Export.HTML: ("hand-over.html", "one page for a browser or a printer"),
    Export.JSON: ("hand-over.json", "for programs"),
    Export.JUNIT: ("hand-over.xml", "JUnit, for a CI system"),
}
"""The same for the hand-over report."""

FACTS_SUFFIX: Final = ".json"
"""The end of a name by which a file that is opened is taken for facts."""


def names_facts(path: Path) -> bool:
    """Whether a file of this name is taken for facts when it is opened."""
    return path.suffix.lower() == FACTS_SUFFIX


def against_export_name(kind: Export, path: Path) -> str:
    """What stands against the name of what is written; only facts are opened here again."""
    if kind is not Export.FACTS or names_facts(path):
        return ""
    return "Facts end in .json; under another name they are not read as such."


CARRY_COMMAND: Final = "sitewright preflight"
"""What repeats the question what this machine can carry."""


def stem(answers: Answers) -> str:
    """How the files of a site begin: pm4ml-production."""
    return answers.name.replace(" ", "-")


def site_name(answers: Answers) -> Path:
    """The name of the site file where a person gives no other."""
    return Path(f"{stem(answers)}.yaml")


def shown_path(path: Path) -> Path:
    """The whole path of a file, as a person needs it to find the file again."""
    return path.absolute()


def home_path(path: Path) -> str:
    """A path as short as it can be written: with ~ for one's own folder."""
    try:
        return str(Path("~") / path.absolute().relative_to(Path.home()))
    except ValueError:
        return str(path.absolute())


def repeat_command(site: Path) -> str:
    """The command that repeats the preflight of a site file."""
    return f"sitewright preflight --site {quote(str(site))}"


def facts_command(answers: Answers) -> str:
    """The command that judges a file of facts again."""
    command = f"sitewright preflight --facts {quote(str(answers.facts_file))}"
    if answers.solution:
        command += f" --solution {quote(answers.solution)}"
    if answers.environment:
        command += f" --environment {quote(answers.environment)}"
    return command
