"""The quick starts as a person follows them: the commands of a page, in order, in an empty home.

What a page cannot know is substituted by name: addresses, who sits at the keyboard, and where
things come from that a lab has not. A substitution that is never used is a mistake of the test.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs/quickstart"
_BLOCK = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)


_REACHES = re.compile(r"PIP_|SSL_CERT_|(HTTPS?|NO)_PROXY$", re.IGNORECASE).match
"""Variables by which this machine reaches its package index; a page knows nothing of them."""


def without_sitewright() -> str:
    """A path on which the programs of these tests are not found."""
    ours = str(Path(sys.executable).parent)
    return ":".join(part for part in os.environ["PATH"].split(":") if part != ours)


def repository(folder: Path) -> str:
    """The address of a Git repository with the program as it lies here: a stand-in for its host."""
    work = folder / "sitewright"
    work.mkdir(parents=True)
    for name in ("install.sh", "pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, work / name)
    for name in ("foundation", "preflight", "bundles", "installer", "screens"):
        shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-C", str(work), "-c", "user.name=x", "-c", "user.email=x@x.test"]
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "--force", "."],
        ["commit", "-q", "-m", "x"],
        ["clone", "-q", "--bare", ".", str(folder / "sitewright.git")],
    ):
        subprocess.run([*git, *words], check=True)
    return f"file://{folder}/sitewright.git"


def commands_of(page: str) -> list[str]:
    """Every command that stands on a page, without the words beside it."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return [re.split(r" {3,}", line)[0] for line in _BLOCK.findall(text)]


def one_line(page: str, pattern: str) -> str:
    """What a page has a person write into a file; the pattern's group."""
    found = re.search(pattern, (PAGES / f"{page}.md").read_text(encoding="utf-8"))
    assert found is not None, pattern
    return found[1]


@dataclass
class Home:
    """An empty home in which commands are typed."""

    folder: Path
    substitutions: Mapping[str, str]
    """What stands on the page, and what stands for it here."""
    path: str = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    """Where programs are looked for: with the Sitewright of these tests, or without any."""
    place: Path | None = None
    """The folder that the person stands in: the home itself at first."""
    used: set[str] = field(default_factory=set)
    typed: list[str] = field(default_factory=list)

    def type(self, command: str, *codes: int) -> str:
        """Type a command of the page; what it says. `codes` are the exit codes that it may have.

        As in one shell, the folder and the path are those that the command before has left.
        """
        for there, here in self.substitutions.items():
            if there in command:
                self.used.add(there)
                command = command.replace(there, here)
        self.typed.append(command)
        left = self.folder / ".left"
        after = f'trap \'printf "%s\\0" "$PWD" "$PATH" >{shlex.quote(str(left))}\' EXIT'
        done = subprocess.run(
            ["bash", "-c", f"{after}\n{command}"],
            cwd=self.place or self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1500,
            env={
                "HOME": str(self.folder),
                "PATH": self.path,
                "LANG": "C.UTF-8",
                "USER": os.environ.get("USER", "root"),
                **{name: value for name, value in os.environ.items() if _REACHES(name)},
            },
        )
        place, self.path, _ = left.read_text().split("\0")
        self.place = Path(place)
        assert done.returncode in (codes or (0,)), f"{command}\n{done.stdout[-6000:]}"
        return done.stdout
