"""Making a bundle: where to, and with whose signature."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from foundation.secrets import Secret
from screens.bundle_seen import ToMake
from screens.dialog import Dialog
from screens.widgets.field import Field, Line
from screens.widgets.press import Press


class MakeScreen(Dialog[ToMake]):
    """The folder, the key and its passphrase."""

    HELP = "supplies"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f10,ctrl+n", "take", "Make", show=False, priority=True)
    ]

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
            with Horizontal(classes="dialog-buttons"):
                yield Press("Cancel Esc", id="cancel", action="screen.close")
                yield Press("Make F10", id="take", action="screen.take", primary=True)

    def on_mount(self) -> None:
        """Begin with the folder."""
        self.query_one("#folder", Line).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes from line to line, and from the last one on."""
        event.stop()
        following = {"folder": "#key", "key": "#passphrase"}.get(event.input.id or "")
        if following:
            self.query_one(following, Line).focus()
        else:
            self.action_take()

    def action_take(self) -> None:
        """Close with the answer, if a folder is named."""
        folder = self.query_one("#folder", Line).value.strip()
        key = self.query_one("#key", Line).value.strip()
        phrase = self.query_one("#passphrase", Line).value
        if not folder:
            self.query_one("#wrong", Static).update("Name a folder; it is made if it is not there.")
            return
        path = Path(key).expanduser() if key else None
        if path is not None and not path.is_file():
            self.query_one("#wrong", Static).update(f"{path} is no file.")
            return
        secret = Secret(phrase) if phrase else None
        self.dismiss(ToMake(Path(folder).expanduser(), path, secret))
