"""The secrets that an installation still needs, typed unseen and kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, Static

from foundation.secrets import Secret
from screens.dialog import Dialog
from screens.widgets.field import Field, Line
from screens.widgets.press import Press


class SecretsScreen(Dialog[bool]):
    """A line for each; True once all of them are in memory."""

    HELP = "settings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f10,ctrl+n", "take", "Take them", show=False, priority=True),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)

    def compose(self) -> ComposeResult:
        """A line a secret."""
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
                    yield Field(name, id=f"secret-{name}", secret=True)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Press("Cancel Esc", id="cancel", action="screen.close")
                yield Press("Take them F10", id="take", action="screen.take", primary=True)

    def on_mount(self) -> None:
        """Begin in the first line."""
        self.query_one(f"#secret-{self.names[0]}", Line).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next line, and takes them on the last."""
        event.stop()
        if event.input.id == f"secret-{self.names[-1]}":
            self.action_take()
        else:
            self.focus_next()

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
