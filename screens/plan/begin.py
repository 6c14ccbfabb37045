"""The last question before machines are changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from foundation.wording import counted
from installer.supply.review import beside_the_steps
from preflight.report.words import clean_lines
from screens.shell.dialog import Buttons, Foot, Form
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key
from screens.words.plan_words import final_steps, size_sentence, touched

if TYPE_CHECKING:
    from installer.plans.plan import Plan


_BESIDE: Final = 4
"""Lines of what stands beside the steps; a dialog has room for no more."""


class BeginScreen(Form[str]):
    """How many machines will be changed, by whom, and yes or no; returns the person's name."""

    HELP = "plan"
    GRAVE = True
    KEYS = (Key("y", "Begin", "screen.do"), Key("n", "Cancel", "screen.close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        # Where the cursor is in the name, these are letters of it.
        Binding("y", "do", "Begin", show=False),
        Binding("n", "close", "Cancel", show=False),
    ]

    def __init__(self, plan: Plan, person: str, first_time: Sequence[str] = ()) -> None:
        super().__init__()
        self.plan = plan
        self.first_time = first_time
        self.person = person

    def compose(self) -> ComposeResult:
        """What will be changed, the name, the buttons."""
        names = touched(self.plan)
        shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        final = final_steps(self.plan)
        with Vertical(classes="dialog -wide"):
            yield Static("Begin the installation?", classes="dialog-title", markup=False)
            yield Static(
                f"{counted(len(names), 'machine')} will be changed: {shown}.",
                classes="paragraph",
                markup=False,
            )
            yield Static(size_sentence(self.plan), classes="paragraph", markup=False)
            # What came from elsewhere comes first: it is what nobody has looked at yet.
            told = (*self.first_time, *beside_the_steps(self.plan, notes=False))
            beside = clean_lines("\n".join(told))
            if len(beside) > _BESIDE:
                more = f"and {len(beside) - _BESIDE + 1} more, which the steps of playbooks show"
                beside = [*beside[: _BESIDE - 1], more]
            if beside:
                yield Static("\n".join(beside), classes="paragraph", markup=False)
            if final:
                lines = [f"- {step.title}: {step.irreversible}" for step in final[:4]]
                yield Static("\n".join(lines), classes="paragraph", markup=False)
            with Foot():
                yield Field("Your name", id="by", value=self.person, example="for the record")
                yield Static("", classes="dialog-error", id="wrong", markup=False)
                yield Buttons("Begin")

    def on_mount(self) -> None:
        """Begin on the button that changes nothing, or on the name where it is not known.

        Whoever types a name must not hit the keys of the buttons with its letters.
        """
        self.query_one("#cancel" if self.person else "#by").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the name goes on to the button that begins, once somebody stands there."""
        event.stop()
        event.prevent_default()
        self.query_one("#take" if event.value.strip() else "#cancel").focus()

    def action_take(self) -> None:
        """Yes, by name."""
        name = self.query_one("#by", Line).value.strip()
        if name:
            self.dismiss(name)
        else:
            self.wrong("Say who begins it; it stands in the record.")
            self.query_one("#by", Line).focus()
