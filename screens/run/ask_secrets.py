"""The secrets that an installation still needs, typed unseen and kept in memory."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.secrets import Secret
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line


class SecretsScreen(Form[bool]):
    """A line for each; True once all of them are in memory."""

    HELP = "settings"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)

    def compose(self) -> ComposeResult:
        """A line a secret."""
        longest = max(map(len, self.names))
        with Vertical(classes="dialog -wide"):
            yield Static("Secrets it needs", classes="dialog-title", markup=False)
            yield Static(
                "They are shown as dots, stay in memory, and go to machines over standard input "
                "only.",
                classes="paragraph",
                markup=False,
            )
            with VerticalScroll(classes="dialog-lines"):
                for name in self.names:
                    yield Field(name, id=f"secret-{name}", secret=True, room=longest)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Take them")

    def on_mount(self) -> None:
        """Begin in the first line."""
        self.query_one(f"#secret-{self.names[0]}", Line).focus()

    def action_take(self) -> None:
        """Keep them, if none is empty."""
        lines = {name: self.query_one(f"#secret-{name}", Line) for name in self.names}
        for name, line in lines.items():
            if not line.value:
                self.query_one("#wrong", Static).update(f"{name} is needed.")
                line.focus()
                return
        for name, line in lines.items():
            self.wizard.memory.secrets[name] = Secret(line.value)
        self.dismiss(True)
