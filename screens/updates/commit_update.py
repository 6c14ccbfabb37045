"""The commit that Argo CD's or Flux's workloads need: shown whole, and put on a branch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.problems import Problem
from preflight.report.words import clean, clean_lines
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line
from screens.words.applied_words import COMMIT, problem_words

if TYPE_CHECKING:
    from installer.updates.applying.commits import Planned as Commit

_BRANCH: Final = "sitewright-update"


class CommitUpdateScreen(Form[str]):
    """The patch, and the name of the branch; returns what is to be done once it is there."""

    HELP = "updates-commit"

    def __init__(self, commit: Commit) -> None:
        super().__init__()
        self.commit = commit
        self.making = False

    def compose(self) -> ComposeResult:
        """The patch, scrolling; the line; the buttons."""
        told = "\n".join((*self.commit.untold, COMMIT))
        with Vertical(classes="dialog -whole"):
            yield Static("Commit this update?", classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll"):
                patch = "\n".join(clean_lines(self.commit.patch))
                yield Static(Text(patch, overflow="fold"), id="patch", markup=False)
            yield Static(clean(told), classes="paragraph", markup=False)
            yield Field("New branch", id="branch", value=_BRANCH)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Commit")

    def on_mount(self) -> None:
        """The arrows scroll the patch; Tab leads to the name."""
        self.query_one(VerticalScroll).focus()

    def action_take(self) -> None:
        """Make it, and close."""
        branch = self.query_one("#branch", Line).value.strip()
        if not branch:
            self.wrong("Name the branch; it is a new one.")
        elif not self.making:
            self.making = True
            self.run_worker(self._make(branch), group="commit", exit_on_error=False)

    async def _make(self, branch: str) -> None:
        try:
            told = await self.wizard.services.make_commit(self.commit, branch)
        except Problem as problem:
            self.making = False
            self.wrong(clean(problem_words(problem)))
        else:
            self.dismiss(told)
