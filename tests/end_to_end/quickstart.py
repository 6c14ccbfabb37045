"""The quick starts as a person follows them: the commands of a page, in order, in an empty home.

What a page cannot know is substituted by name: addresses, who sits at the keyboard, and where
things come from that a lab has not. A substitution that is never used is a mistake of the test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs/quickstart"
_BLOCK = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)


def commands_of(page: str) -> list[str]:
    """Every command that stands on a page, without the words beside it."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return [re.split(r" {3,}", line)[0] for line in _BLOCK.findall(text)]


@dataclass
class Home:
    """An empty home in which commands are typed."""

    folder: Path
    substitutions: Mapping[str, str]
    """What stands on the page, and what stands for it here."""
    used: set[str] = field(default_factory=set)
    typed: list[str] = field(default_factory=list)

    def type(self, command: str, *codes: int) -> str:
        """Type a command of the page; what it says. `codes` are the exit codes that it may have."""
        for there, here in self.substitutions.items():
            if there in command:
                self.used.add(there)
                command = command.replace(there, here)
        self.typed.append(command)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1500,
            env={
                "HOME": str(self.folder),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "LANG": "C.UTF-8",
                "USER": os.environ.get("USER", "root"),
            },
        )
        assert done.returncode in (codes or (0,)), f"{command}\n{done.stdout[-6000:]}"
        return done.stdout
