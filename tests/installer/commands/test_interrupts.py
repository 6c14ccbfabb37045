"""Ctrl-C while the command carries a run through: a whole process, on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.screens.terminal import Terminal
from tests.screens.tiny import SIZING, SOLUTION

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root"),
]

STAGES = """
stage:
  id: {id}
  title: The {id} stage
  why: It is there.
  source: none
  steps:
    - id: slow
      kind: script
      title: Take a while
      on: [box]
      script: |
        echo waiting; until [ -e {folder}/go ]; do sleep 0.05; done; echo {id} >> {folder}/effects
    - id: next
      kind: script
      title: Go on
      on: [box]
      script: "echo {id}-next >> {folder}/effects"
    - id: ask
      kind: confirm
      title: Ask
      text: Is the change window open?
"""


class Tiny:
    """A solution of two stages on this machine, and the command that installs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        made = folder / "solutions" / "tiny"
        (made / "stages").mkdir(parents=True)
        (made / "solution.yaml").write_text(SOLUTION)
        (made / "sizing.yaml").write_text(SIZING)
        (made / "ports.yaml").write_text("tables: []\n")
        (made / "settings.yaml").write_text("settings: []\n")
        for number, name in enumerate(("one", "two")):
            text = STAGES.format(id=name, folder=folder)
            (made / "stages" / f"{number}0-{name}.yaml").write_text(text)
        self.site = folder / "site.yaml"
        self.site.write_text("solution: tiny\nhosts: [{name: b1, address: local, roles: [box]}]\n")

    def command(self, *words: str) -> Terminal:
        """`sitewright WORDS` on a terminal."""
        code = (
            "import sys, pathlib, installer.catalogue.solution as s; "
            f"s.FOLDER = pathlib.Path({str(self.folder / 'solutions')!r}); "
            f"from installer import cli; sys.exit(cli.main({list(words)!r}))"
        )
        return Terminal(code, environment={"TERM": "dumb"})

    def install(self, *more: str) -> Terminal:
        """`sitewright install`."""
        return self.command("install", "--site", str(self.site), "--yes", "--by", "Ma Ma", *more)

    def resume(self, *more: str) -> Terminal:
        """`sitewright resume`."""
        confirm = ("--confirm", "one/ask", "--confirm", "two/ask")
        return self.command("resume", "--site", str(self.site), "--by", "Ma Ma", *confirm, *more)

    def go(self) -> None:
        """Let the slow step end."""
        (self.folder / "go").touch()

    @property
    def effects(self) -> list[str]:
        """What was done, in order."""
        file = self.folder / "effects"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """The solution in a folder of the test."""
    return Tiny(tmp_path)


def test_once_ends_after_the_step_that_runs_and_resume_keeps_to_the_part(tiny: Tiny) -> None:
    """Nothing more is begun; the part that was asked for is gone on with, then the rest."""
    with tiny.install("--until", "one") as terminal:
        terminal.wait_for("| waiting")
        terminal.send("\x03")
        terminal.wait_for("Press Ctrl-C again to leave at once")
        tiny.go()
        assert terminal.end() == 130
        assert b"No step runs any more. Go on with: sitewright resume" in terminal.output
    assert tiny.effects == ["one"]
    with tiny.resume() as terminal:
        assert terminal.end() == 0
        assert b"Goes on as it was begun: --until one" in terminal.output
    assert tiny.effects == ["one", "one-next"]
    with tiny.resume() as terminal:
        assert terminal.end() == 0
        assert b"Goes on as it was begun" not in terminal.output
    assert tiny.effects == ["one", "one-next", "two", "two-next"]


def test_twice_leaves_at_once_and_resume_takes_up_what_runs(tiny: Tiny) -> None:
    with tiny.install() as terminal:
        terminal.wait_for("| waiting")
        terminal.send("\x03")
        terminal.wait_for("Press Ctrl-C again")
        terminal.send("\x03")
        assert terminal.end() == 130
        assert b"What runs on the machines goes on there" in terminal.output
    assert tiny.effects == []
    tiny.go()
    with tiny.resume() as terminal:
        assert terminal.end() == 0
    assert tiny.effects == ["one", "one-next", "two", "two-next"]


def test_at_a_question_once_is_enough(tiny: Tiny) -> None:
    """Nothing runs that could be waited for, and the person wants their prompt back."""
    tiny.go()
    with tiny.install() as terminal:
        terminal.wait_for("Is it so? (yes/no)")
        terminal.send("\x03")
        assert terminal.end() == 130
    assert tiny.effects == ["one", "one-next"]
