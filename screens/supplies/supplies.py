"""Supplies: where the software comes from, and everything about the bundle that brings it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from foundation.problems import InputProblem, Problem
from foundation.wording import counted
from installer.sites.site_paths import whole_path
from screens.answers.answers import Answers
from screens.answers.wizard import StepId
from screens.dialogs.ask_file import FileScreen
from screens.services.bundle_seen import ABOUT, TITLES, BundleSeen, Going, Rows, ToMake, going_words
from screens.shell.step import StepScreen
from screens.supplies.bundle_inside import InsideScreen, missing_screen, untold_screen
from screens.supplies.bundle_make import MakeScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key

_WORK = "bundle"


class SuppliesScreen(StepScreen):
    """Two ways to choose from; beneath them what is known of the bundle, and what can be done."""

    STEP = StepId.SUPPLIES
    CSS_PATH = "supplies.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Enter", "Choose, do", "screen.do"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("delete", "stop", "Stop the work on the bundle", show=False)
    ]

    def __init__(self) -> None:
        super().__init__()
        self.state = Rows()
        self.working = ""
        """What is being done to a bundle, in a word; empty where nothing is."""

    def compose_body(self) -> ComposeResult:
        """The rows, how the work goes, and what the row under the cursor is for."""
        yield Board((Column("", 10), Column("")), header=False, id="supplies")
        yield Static("", id="bar", markup=False)
        yield Static("", id="going", markup=False)
        with VerticalScroll(id="about", can_focus=False):
            yield Static("", id="about-text", markup=False)

    def on_mount(self) -> None:
        """Show the choice so far, and read the bundle that was named before."""
        answers = self.answers
        self.state.made_of = answers.name
        before = answers.site.supplies
        bundle, keys = before.bundle, before.keys
        self.state.keys = Path(keys) if keys else None
        self.state.unsigned = before.unsigned == "accepted"
        remembered = self.memory.bundle
        if bundle:
            self.state.chosen, self.state.path = "bundle", self._absolute(bundle)
            if remembered is not None and remembered.path == self.state.path:
                self.state.bundle, self.state.keys = remembered, remembered.keys
            else:
                self._read(self.state.path)
        self._draw()
        self.query_one("#supplies", Board).focus()

    def _absolute(self, text: str) -> Path:
        file = self.answers.site_file
        base = file.absolute().parent if file else Path.cwd()
        return whole_path(text, base)

    # ---- what is shown

    def _draw(self) -> None:
        rows = []
        for key, text, tone in self.state.lines():
            strong = key == self.state.chosen
            cell = Cell(text, tone or ("strong" if strong else "plain"))
            rows.append(Row(key, (Cell(TITLES[key], "strong" if strong else "muted"), cell)))
        board = self.query_one("#supplies", Board)
        if [row.key for row in rows] == [row.key for row in board.rows]:
            board.update_rows(rows)
        else:
            board.set_rows(rows)
            board.styles.max_height = len(rows)  # less where something must be said beneath

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Say what the row is for."""
        self.query_one("#about-text", Static).update(ABOUT[event.key])

    def step_keys(self) -> Sequence[Key]:
        """Those of the list, and while a bundle is worked on the one that stops that."""
        more = (Key("Del", "Stop", "screen.stop"),) if self.working else ()
        return (*self.KEYS, *more)

    def _goes(self, going: Going) -> None:
        bar, words = going_words(self.working, going)
        self.query_one("#bar", Static).update(bar)
        self.query_one("#going", Static).update(words)
        if going.note:
            self.say(going.note)

    def _busy(self, what: str) -> None:
        self.working = what
        self.set_class(bool(what), "-busy")
        self.refresh_keys()
        if not what:
            self.query_one("#bar", Static).update("")
            self.query_one("#going", Static).update("")

    # ---- what is done

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter or a double click on a row."""
        event.stop()
        self.action_do()

    def action_do(self) -> None:
        """What the row under the cursor is for."""
        key = self.query_one("#supplies", Board).key
        if self.working and key not in ("inside", "missing", "untold"):
            self.say("A bundle is being worked on; Del stops that.")
            return
        seen = self.state.bundle
        match key:
            case "online" if self.state.chosen != "online":
                self._remember("Chose online")
                self.state.chosen = "online"
                self._draw()
            case "bundle" if seen is not None and self.state.chosen != "bundle":
                self._remember("Chose the bundle")
                self.state.chosen = "bundle"
                self._draw()
            case "bundle":
                self._ask_bundle()
            case "keys" | "signed":
                self._ask_keys()
            case "unsigned":
                self._remember("Changed whether a signature is asked for")
                self.state.unsigned = not self.state.unsigned
                self._draw()
            case "bytes" if seen is not None:
                self._verify(seen)
            case "inside" if seen is not None:
                self.app.push_screen(InsideScreen(seen))
            case "missing" if seen is not None and seen.missing:
                self.app.push_screen(missing_screen(seen))
            case "untold" if seen is not None:
                self.app.push_screen(untold_screen(seen))
            case "make":
                self.app.push_screen(MakeScreen(self.answers.name), self._make)

    def _remember(self, text: str) -> None:
        """Keep what is chosen as it is, so that what comes now can be taken back."""
        before, bundle = replace(self.state), self.memory.bundle

        def back() -> None:
            self.state, self.memory.bundle = before, bundle
            self._draw()

        self.slip(text, back, quiet=True)

    def action_stop(self) -> None:
        """Stop the work on a bundle; what is there already is kept."""
        if self.working:
            self.workers.cancel_group(self, _WORK)
            self.say(f"Stopped: {self.working}. What is there already is kept.")
            self._busy("")

    def _ask_bundle(self) -> None:
        about = "The folder or the file of the bundle, or the folder of its volumes."
        value = str(self.state.path) if self.state.path else ""
        screen = FileScreen("Which bundle?", about, example="/media/usb/site.bundle", value=value)
        self.app.push_screen(screen, self._take_bundle)

    def _take_bundle(self, path: Path | None) -> None:
        if path is not None:
            self._remember("Named another bundle")
            self._read(path.absolute())

    def _ask_keys(self) -> None:
        about = "allowed_signers, as ssh-keygen -Y verify reads it: a name and a public key a line."
        value = str(self.state.keys) if self.state.keys else ""
        screen = FileScreen("Who may have made it?", about, example="./signers", value=value)
        self.app.push_screen(screen, self._take_keys)

    def _take_keys(self, path: Path | None) -> None:
        if path is None:
            return
        self._remember("Named other keys")
        self.state.keys = path.absolute()
        self._draw()
        if self.state.path is not None:
            self._read(self.state.path)

    def _read(self, path: Path) -> None:
        self.run_quietly(self._reading(path), group=_WORK)

    async def _reading(self, path: Path) -> None:
        place = await self.services.bundle_place(path)
        if place.volumes:
            self._ask_output(path, place.volumes)
            return
        keys, before = self.state.keys, self.memory.bundle
        seen = await self.services.open_bundle(path, keys, self.answers)
        if before is not None and (before.index, before.path) == (seen.index, seen.path):
            seen = replace(seen, whole=before.whole)
        self._take(seen)

    def _take(self, seen: BundleSeen) -> None:
        state = self.state
        state.bundle, state.path, state.keys = seen, seen.path, seen.keys or state.keys
        state.chosen = "bundle"
        self.memory.bundle = seen
        self.say("")
        self._draw()

    def _ask_output(self, path: Path, count: int) -> None:
        about = f"{counted(count, 'volume')} lie there. They are joined, and repaired if need be."
        base = path if path.is_dir() else path.parent
        value = str(Path.cwd() / f"{base.name or 'site'}.bundle")
        screen = FileScreen("Join the volumes", about, value=value)

        def take(output: Path | None) -> None:
            if output is not None:
                self.run_quietly(self._joining(path, output.absolute()), group=_WORK)

        self.app.push_screen(screen, take)

    async def _joining(self, path: Path, output: Path) -> None:
        self._busy("joining")
        repaired = await self.services.join_volumes(path, output, self._goes)
        self._busy("")
        await self._reading(output)
        if repaired:
            self.say("; ".join(repaired))

    def _verify(self, seen: BundleSeen) -> None:
        self.run_quietly(self._verifying(seen), group=_WORK)

    async def _verifying(self, seen: BundleSeen) -> None:
        self._busy("verifying")
        self._take(await self.services.verify_bundle(seen, self._goes, self.answers))
        self._busy("")

    def _make(self, wanted: ToMake | None) -> None:
        if wanted is not None:
            self.run_quietly(self._making(wanted), group=_WORK)

    async def _making(self, wanted: ToMake) -> None:
        self._busy("making")
        await self.services.make_bundle(wanted, self.answers, self._goes)
        self._busy("")
        await self._reading(wanted.folder.absolute())
        self.say(f"The bundle is made: {wanted.folder}. Carry the whole folder to the site.")

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work on a bundle that failed says why, and the bundle counts as not chosen."""
        if event.worker.group == _WORK and event.state is WorkerState.ERROR:
            self._busy("")
            if isinstance(event.worker.error, Problem):
                self.state.bundle = self.memory.bundle = None
                self._draw()
        super().on_worker_state_changed(event)

    # ---- the answer

    def collect(self) -> Answers:
        """The answers with the choice; raises Problem where a bundle is meant and none is read."""
        given = self.answers.site.supplies.online()
        if self.state.chosen == "bundle":
            seen = self.state.bundle
            if seen is None:
                raise InputProblem(
                    "no bundle is read yet",
                    where="bundle",
                    remedy="Name one that can be used, or choose online.",
                )
            if self.working:
                raise InputProblem(
                    f"it is still {self.working}", where="bundle", remedy="Wait, or stop it by Del."
                )
            accepted = self.state.unsigned and not seen.signer
            given = given.from_bundle(seen.path, seen.keys, unsigned=accepted)
        if given != self.answers.site.supplies:
            self.memory.plan = None
        return self.answers.saying(supplies=given)
