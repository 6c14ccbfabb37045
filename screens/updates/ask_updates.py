"""Of what newer images are asked for, how far they may go, and where they may be."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from foundation.problems import InputProblem, as_sentence
from screens.services.cluster_way import machines_in
from screens.services.services import ClusterWay, ToUpdate
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line

ABOUT = "What runs is read, and what is newer is asked for. Nothing is changed."


class AskUpdatesScreen(Form[ToUpdate]):
    """Lines that may all stay as they are."""

    HELP = "updates-way"

    def __init__(self, before: ToUpdate) -> None:
        super().__init__()
        self.before = before

    def compose(self) -> ComposeResult:
        """What it is, the lines, the buttons."""
        asked, way = self.before, self.before.way
        file = "" if way.kubeconfig is None else str(way.kubeconfig)
        with Vertical(classes="dialog -wide"):
            yield Static("What is newer, and where?", classes="dialog-title", markup=False)
            yield Static(ABOUT, classes="paragraph", markup=False)
            yield Field("Context", id="context", value=way.context, example="the current one")
            yield Field("Kubeconfig", id="kubeconfig", value=file, example="~/.kube/config")
            yield Field("Or machine", id="machine", value=way.machine, example="ops@10.10.0.11")
            yield Field("Compose on", id="on", value=", ".join(asked.on), example="box, box2")
            yield Field("Strategy", id="strategy", value=asked.strategy, example="bugfix")
            yield Field(
                "Newer from", id="newer", value=asked.newer, example="docker.io, or FILE.bundle"
            )
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Look")

    def on_mount(self) -> None:
        """Begin in the first line."""
        self.query_one("#context", Line).focus()

    def action_take(self) -> None:
        """Close with what was typed, if the lines go together."""
        from installer.updates.asked import read_strategy

        context, file, machine, on, strategy, newer = (
            self.query_one(f"#{name}", Line).value.strip()
            for name in ("context", "kubeconfig", "machine", "on", "strategy", "newer")
        )
        if machine and (context or file):
            self.wrong("A machine asks its own cluster: leave the first two lines empty.")
            return
        if on and (machine or context or file):
            self.wrong("Compose on machines, or a cluster: leave the other lines empty.")
            return
        path = None
        if file and (path := self.path_of(file)) is None:
            return
        try:
            known = read_strategy(strategy or "bugfix")
        except InputProblem as problem:
            remedy = (problem.remedy or "").partition(";")[0]
            self.wrong(f"{as_sentence(problem.cause)}. {remedy}.")
            return
        way = ClusterWay(context, path, machine)
        self.dismiss(
            replace(self.before, way=way, on=machines_in(on), strategy=known.value, newer=newer)
        )
