"""Which cluster: a context of a kubeconfig, or a machine that has a kubectl of its own."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from screens.services.services import ClusterWay
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line

ABOUT = (
    "It is only read, layer by layer; nothing in it is changed. Leave all empty for the cluster "
    "that kubectl would ask here."
)


class WayScreen(Form[ClusterWay]):
    """Three lines, each of which may stay empty."""

    HELP = "cluster-way"

    def __init__(self, before: ClusterWay) -> None:
        super().__init__()
        self.before = before

    def compose(self) -> ComposeResult:
        """What it is, the lines, the buttons."""
        way = self.before
        file = "" if way.kubeconfig is None else str(way.kubeconfig)
        with Vertical(classes="dialog -wide"):
            yield Static("Which cluster?", classes="dialog-title", markup=False)
            yield Static(ABOUT, classes="paragraph", markup=False)
            yield Field("Context", id="context", value=way.context, example="the current one")
            yield Field("Kubeconfig", id="kubeconfig", value=file, example="~/.kube/config")
            yield Static(
                "Or through a machine of it, which needs no kubeconfig:",
                classes="paragraph",
                id="or",
                markup=False,
            )
            yield Field("Machine", id="machine", value=way.machine, example="ops@10.10.0.11")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Look")

    def on_mount(self) -> None:
        """Begin in the first line."""
        self.query_one("#context", Line).focus()

    def action_take(self) -> None:
        """Close with the way, if the lines go together."""
        context, file, machine = (
            self.query_one(f"#{name}", Line).value.strip()
            for name in ("context", "kubeconfig", "machine")
        )
        if machine and (context or file):
            self.wrong("A machine asks its own cluster: leave the other two lines empty.")
            return
        path = None
        if file and (path := self.path_of(file)) is None:
            return
        self.dismiss(ClusterWay(context, path, machine))
