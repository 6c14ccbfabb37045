"""Making a bundle: where to, and with whose signature."""

from __future__ import annotations

import os
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from foundation.secrets import Secret
from screens.services.bundle_seen import ToMake
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line


class MakeScreen(Form[ToMake]):
    """The folder, the key and its passphrase."""

    HELP = "supplies"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.site = name

    def compose(self) -> ComposeResult:
        """The question, the lines, the buttons."""
        with Vertical(classes="dialog -wide"):
            yield Static(f"Make a bundle for {self.site}", classes="dialog-title", markup=False)
            yield Static(
                "Everything that the recipe names is fetched from the internet into one folder, "
                "often tens of gigabytes. Stopped, it goes on later where it was.",
                classes="paragraph",
                markup=False,
            )
            yield Field("Folder", id="folder", value=str(Path.cwd() / "site.bundle"))
            yield Field("Signing key", id="key", example="an Ed25519 key; empty: not signed")
            yield Field("Its passphrase", id="passphrase", secret=True, example="if it has one")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Make")

    def on_mount(self) -> None:
        """Begin with the folder."""
        self.query_one("#folder", Line).focus()

    def action_take(self) -> None:
        """Close with the answer, if a folder is named."""
        folder = self.query_one("#folder", Line).value.strip()
        key = self.query_one("#key", Line).value.strip()
        phrase = self.query_one("#passphrase", Line).value
        if not folder:
            self.wrong("Name a folder; it is made if it is not there.")
            return
        output = self.path_of(folder)
        path = self.path_of(key) if key else None
        if output is None or (key and path is None):
            return
        # A folder that may not be entered raises where it is asked for a file in it.
        if path is not None and not os.path.isfile(path):  # noqa: PTH113
            self.wrong(f"{path} is no file that you may see.")
            return
        secret = Secret(phrase) if phrase else None
        self.dismiss(ToMake(output, path, secret))
