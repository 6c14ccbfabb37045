"""What is to be proven: a profile with what it costs, and faults that are set meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from foundation.problems import Problem
from preflight.report.words import clean
from screens.acceptance.ask_hub import problem_words
from screens.shell.dialog import Buttons, Dialog, Form
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key
from screens.words.acceptance_words import cost_cells

if TYPE_CHECKING:
    from installer.acceptance.accept import Asked
    from installer.acceptance.choice import Choice
    from installer.acceptance.hub_file import HubFile
    from installer.acceptance.profile import Profile

OWN: Final = "own"


class ChooseScreen(Dialog[tuple["Choice", "Asked"]]):
    """The profiles, and the drills that the hub file names; all is checked before it closes."""

    HELP = "acceptance"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Space", "Choose", "screen.mark"),
        Key("o", "Own rate", "screen.own"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Choose", show=False),
        Binding("o", "own", "Own rate", show=False),
    ]

    def __init__(self, choice: Choice, hub: HubFile) -> None:
        super().__init__()
        self.choice = choice
        self.hub = hub

    def compose(self) -> ComposeResult:
        """The list, what the line under the cursor means, the buttons."""
        with Vertical(classes="dialog -whole"):
            yield Static("What is to be proven?", classes="dialog-title", markup=False)
            yield Board(
                (
                    Column("", 3),
                    Column("profile"),
                    Column("takes"),
                    Column("transfers"),
                    Column("money moved"),
                ),
                id="profiles",
                filters=False,
            )
            yield Static("", classes="dialog-note", id="about", markup=False)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Review")

    def on_mount(self) -> None:
        """Begin on what is chosen."""
        self.show_rows()
        board = self.query_one("#profiles", Board)
        board.move_to(self._chosen())
        board.focus()

    def _chosen(self) -> str:
        from installer.acceptance.offers import OFFERS

        found = (one.id for one in OFFERS if one.profile == self.choice.profile)
        return next(found, OWN)

    def show_rows(self) -> None:
        """Draw the list anew."""
        from installer.acceptance.offers import OFFERS

        chosen = self._chosen()
        rows = [
            self._profile_row(one.id, one.title, one.profile, chosen) for one in OFFERS
        ]  # fmt: skip
        if chosen == OWN:
            rows.append(self._profile_row(OWN, "Your own", self.choice.profile, chosen))
        if self.hub.drills:
            rows.append(
                Row("drills", (Cell("Faults under load, from the hub file"),), heading=True)
            )
        for drill in self.hub.drills:
            mark = "[x]" if drill.name in self.choice.drills else "[ ]"
            rows.append(Row(f"drill {drill.name}", (Cell(mark), Cell(drill.name))))
        board = self.query_one("#profiles", Board)
        board.set_rows(rows, keep=board.key)
        self._explain()

    def _profile_row(self, key: str, title: str, profile: Profile, chosen: str) -> Row:
        from installer.acceptance.choice import bounds, processes_for

        processes = self.choice.processes or processes_for(profile.rate)
        mark = "(*)" if key == chosen else "( )"
        cells = cost_cells(self.hub, profile, processes, bounds())
        return Row(key, (Cell(mark), Cell(title), *(Cell(one) for one in cells)))

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Say what the line under the cursor means."""
        event.stop()
        self._explain()

    def _explain(self) -> None:
        self.query_one("#about", Static).update(clean(self._about()))

    def _about(self) -> str:
        import shlex

        from installer.acceptance.offers import OFFERS
        from installer.acceptance.report.review import profile_words

        key = self.query_one("#profiles", Board).key or ""
        offer = next((one for one in OFFERS if one.id == key), None)
        if offer is not None:
            why = f"{offer.why[:1].upper()}{offer.why[1:]}"
            return f"{why}. {profile_words(offer.profile)}."
        drill = next((one for one in self.hub.drills if f"drill {one.name}" == key), None)
        if drill is not None:
            return shlex.join(drill.command)
        return f"{profile_words(self.choice.profile)}."

    # ---- choosing

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter chooses; on what is chosen already it goes on to the review."""
        event.stop()
        if event.key == self._chosen():
            self.action_do()
        else:
            self.action_mark()

    def action_mark(self) -> None:
        """Choose the profile under the cursor, or the drill beside the others."""
        from installer.acceptance.offers import OFFERS

        key = self.query_one("#profiles", Board).key or ""
        offer = next((one for one in OFFERS if one.id == key), None)
        if offer is not None:
            self.choice = replace(self.choice, profile=offer.profile)
        elif key.startswith("drill "):
            name = key.removeprefix("drill ")
            wanted = {*self.choice.drills} ^ {name}
            order = [one.name for one in self.hub.drills if one.name in wanted]
            self.choice = replace(self.choice, drills=tuple(order))
        self.wrong("")
        self.show_rows()

    def action_own(self) -> None:
        """A rate and times of one's own."""

        def take(choice: Choice | None) -> None:
            if choice is not None:
                self.choice = choice
                self.show_rows()
                self.query_one("#profiles", Board).move_to(self._chosen())

        self.app.push_screen(OwnScreen(self.choice), take)

    def action_take(self) -> None:
        """Check all that is chosen, and close with it."""
        self.run_worker(self._check(), group="check", exclusive=True, exit_on_error=False)

    async def _check(self) -> None:
        try:
            asked = await self.wizard.services.read_acceptance(self.choice)
        except Problem as problem:
            self.wrong(clean(problem_words(problem)))
            return
        self.dismiss((self.choice, asked))


class OwnScreen(Form["Choice"]):
    """A rate, its times, and by how many processes."""

    HELP = "acceptance"

    def __init__(self, before: Choice) -> None:
        super().__init__()
        self.before = before

    def compose(self) -> ComposeResult:
        """The lines and the buttons."""
        profile = self.before.profile
        with Vertical(classes="dialog"):
            yield Static("A profile of your own", classes="dialog-title", markup=False)
            yield Field("Transfers a second", id="rate", value=f"{profile.rate:g}", example="1000")
            yield Field("For", id="steady", value=_time(profile.steady), example="90s, 10m, 1h")
            yield Field("Warm-up", id="warm", value=_time(profile.warm_up), example="60s")
            yield Field("Ramp", id="ramp", value=_time(profile.ramp), example="60s")
            yield Field(
                "Processes", id="processes", value=str(self.before.processes or ""),
                example="as the rate needs",
            )  # fmt: skip
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Take it")

    def on_mount(self) -> None:
        """Begin with the rate."""
        self.query_one("#rate", Line).focus()

    def action_take(self) -> None:
        """Close with the profile, if every line can be read."""
        from installer.acceptance.choice import read_processes, read_rate, read_seconds
        from installer.acceptance.profile import Profile

        typed = [
            self.query_one(f"#{name}", Line).value.strip()
            for name in ("rate", "steady", "warm", "ramp", "processes")
        ]
        try:
            profile = Profile(read_rate(typed[0]), *(read_seconds(one) for one in typed[1:4]))
            processes = read_processes(typed[4]) if typed[4] else None
        except ValueError as error:
            words = str(error)
            self.wrong(clean(f"{words[:1].upper()}{words[1:]}."))
            return
        self.dismiss(replace(self.before, profile=profile, processes=processes))


def _time(seconds: float) -> str:
    """A time as it is typed."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
