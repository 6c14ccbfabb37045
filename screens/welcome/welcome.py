"""Welcome: begin, go on, or open what was seen before."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from foundation.typed_paths import typed_path
from screens.answers.answers import Answers, Saved
from screens.answers.wizard import StepId, resume_at
from screens.services.opening import is_cluster, is_hub, is_recording, open_file
from screens.services.services import Access, ClusterWay, Export, Order, Unfinished
from screens.shell.step import StepScreen
from screens.welcome.welcome_words import (
    left_words,
    runs_words,
    said_when,
    saved_words,
    unfinished_words,
)
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from installer.hand_over.later import Later
    from installer.record.kept_runs import KeptRuns, RunCount
    from screens.welcome.runs_list import Wanted


class WelcomeScreen(StepScreen):
    """Where everything begins."""

    STEP = StepId.WELCOME
    CSS_PATH = "welcome.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Enter", "Choose", "screen.next"),)

    def __init__(self) -> None:
        super().__init__()
        self.saved = Saved()
        self.unfinished: Unfinished | None = None
        self._put: str | None = "new"
        """The choice on which we put the cursor last."""
        self.left: Unfinished | None = None
        """An update that was begun and not seen to its end."""
        self.runs: RunCount | None = None
        """How many runs lie here; their records are read where the list is opened."""
        self.kept: KeptRuns | None = None
        """The runs of the list, as it was opened last."""

    def compose_body(self) -> ComposeResult:
        """The choices, and a line for a file."""
        yield Board((Column("", 12), Column("")), self._rows(), header=False, id="choices")
        yield Field("File", id="file", example="facts.json or site.yaml")
        yield Static("", id="about", markup=False)

    def _rows(self) -> list[Row]:
        rows = []
        saved, unfinished = self.saved.answers, self.unfinished
        if unfinished is not None:
            words = unfinished_words(unfinished)
            rows.append(Row("run", (Cell("Installation", "strong"), Cell(words))))
        if self.left is not None:
            rows.append(Row("left", (Cell("Update", "strong"), Cell(left_words(self.left)))))
        if self.runs is not None and self.runs.runs:
            rows.append(Row("runs", (Cell("Runs", "strong"), Cell(runs_words(self.runs)))))
        if saved is not None:
            rows.append(Row("resume", (Cell("Go on", "strong"), Cell(saved_words(saved)))))
        rows += [
            Row(
                "new",
                (
                    Cell("New site", "strong"),
                    Cell("this machine, or many: a map shows what fits", "muted"),
                ),
            ),
            Row(
                "open",
                (
                    Cell("Open a file", "strong"),
                    Cell("a site file, facts, a run or a support bundle", "muted"),
                ),
            ),
            Row(
                "cluster",
                (
                    Cell("A cluster", "strong"),
                    Cell("how it is, layer by layer; what fails first", "muted"),
                ),
            ),
            Row(
                "updates",
                (
                    Cell("Updates", "strong"),
                    Cell("what of a cluster has something newer", "muted"),
                ),
            ),
            Row(
                "file",
                (
                    Cell("Site file", "strong"),
                    Cell("write one to fill in, every setting explained", "muted"),
                ),
            ),
        ]
        return rows

    def on_mount(self) -> None:
        """After the first paint: is there a place to go on from, or a site file to begin with?"""
        self.query_one("#choices", Board).focus()
        self._show_rows()
        self._about("new")
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self.wizard.site_file is not None:
            file, self.wizard.site_file = self.wizard.site_file, None
            self.run_quietly(self._open(file), group="open")
        else:
            self.run_quietly(self._read_place(), group="open")

    async def _read_place(self) -> None:
        saved = await asyncio.to_thread(self.wizard.saved_place)
        self.saved = saved
        self._show_rows("resume" if saved.answers else "")
        await self._read_runs_left()
        if saved.sentence:
            self.say(saved.sentence)

    async def _read_runs_left(self) -> None:
        """What the records say is left to do, which comes first."""
        self.unfinished = await self.services.unfinished()
        self.left = await self.services.left_update()
        self.runs = await self.services.counted_runs()
        first = "run" if self.unfinished is not None else "left" if self.left is not None else ""
        self._show_rows(first)

    def _show_rows(self, meant: str = "") -> None:
        """The choices there are by now, all of them in sight, with the cursor where it is meant.

        A person who has moved it stays where they are: the next key is of what they see there.
        """
        board, rows = self.query_one("#choices", Board), self._rows()
        board.styles.height = len(rows)
        if [row.key for row in rows] != [row.key for row in board.rows]:
            moved = board.key != self._put
            board.set_rows(rows, keep=board.key if moved or not meant else meant)
            if not moved:
                self._put = board.key

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Explain the choice under the cursor."""
        self._about(event.key)

    def _about(self, key: str) -> None:
        saved = self.saved.answers
        when = said_when(saved.saved_at, self.services.now()) if saved else ""
        texts = {
            "run": f"An installation that is not finished{self._stands(self.unfinished)}. It goes "
            "on where it stands: what runs on machines is found again, and nothing is done twice. "
            "Passwords and secrets are asked for again.",
            "left": f"An update that was not seen to its end{self._stands(self.left)}. What was "
            "begun is brought to its end, or taken back, where it runs. Enter shows the plan that "
            "was reviewed, and sees it to its end; another update of its site begins only then.",
            "resume": f"Your place was kept {when}. Machines are looked at again, since they may "
            "have changed. Passwords were not kept: type them again under Login.",
            "new": "A map shows what serves you, and what fits this machine. Then Sitewright looks "
            "at the machines that you name, and says what is missing. Until you begin an "
            "installation it changes nothing.",
            "open": "Type the name of a file and press Enter. A site file repeats its answers. "
            "Facts that were saved, of machines or of a cluster, are judged again. A run or a "
            "support bundle is shown again as it happened. With a hub file a hub is accepted.",
            "runs": "Every run of every site that is kept on this computer: watch it again as it "
            "was, write its report, open its site, go on with it, or see what can be done with the "
            "site later: verify, back up, restart, take back. Nothing runs meanwhile.",
            "cluster": "A living cluster is read layer by layer, by a kubeconfig or through a "
            "machine of it: its API, nodes, network, storage, admission, workloads. What fails "
            "first stands first. Nothing in it is changed.",
            "updates": "Every image that runs in a cluster is read, and asked for what is newer: "
            "from which version to which, why, at what risk, and who owns it. What applying would "
            "do stands beside it, with its command. Nothing is changed here.",
            "file": "The same file as `sitewright init` writes: the machines that a goal needs and "
            "every setting, each with its meaning and its default. It is filled in with an editor, "
            "and opened here or by the command.",
        }
        self.query_one(".field", Field).display = key == "open"
        self.query_one("#about", Static).update(texts.get(key, ""))

    def _stands(self, run: Unfinished | None) -> str:
        """Who is at work on it, or when somebody last was, to go behind a sentence."""
        if run is None:
            return ""
        if run.at_work:
            return f"; {run.at_work} is at work on it now"
        return f", last at work {said_when(run.when, self.services.now())}"

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter on a choice."""
        self.action_next()

    def on_input_submitted(self, event: Line.Submitted) -> None:
        """Enter in the line of the file."""
        event.stop()
        self.action_next()

    def action_next(self) -> None:
        """Do what was chosen; what stood against the choice before is no matter any more."""
        self.panel.clear()
        match self.query_one("#choices", Board).key:
            case "run" if self.unfinished is not None:
                self.run_quietly(self._reopen(self.unfinished.run), group="open")
            case "left" if self.left is not None:
                from screens.updates.left_update import see_to_its_end

                see_to_its_end(self, self.left.run, self._look_again)
            case "resume" if self.saved.answers is not None:
                answers = self.saved.answers
                self.wizard.go(resume_at(answers), answers)
            case "runs":
                self.run_quietly(self._read_runs(), group="open")
            case "file":
                from screens.welcome.new_site import ask_new_site

                ask_new_site(self)
            case "cluster":
                from screens.cluster.open_cluster import ask_cluster

                ask_cluster(self)
            case "updates":
                from screens.updates.open_updates import ask_updates

                ask_updates(self)
            case "open":
                line = self.query_one("#file", Line)
                text = line.value.strip()
                if text:
                    self.run_quietly(self._open_typed(text), group="open")
                else:
                    line.focus()
                    self.say("Type the name of the file first.")
            case _:
                self.memory.forget_results()
                self.wizard.go_next(Answers())

    def _look_again(self) -> None:
        """What is left may have come to its end."""
        self.run_quietly(self._read_runs_left(), group="open")

    async def _read_runs(self) -> None:
        self.kept = await self.services.kept_runs()
        self._list_runs(self.kept)

    def _list_runs(self, kept: KeptRuns) -> None:
        from installer.record.runs import runs_folder
        from screens.welcome.runs_list import RunsScreen

        screen = RunsScreen(kept, runs_folder(), self.services.now())
        self.app.push_screen(screen, self._do_wanted)

    def _do_wanted(self, wanted: Wanted | None) -> None:
        """What a person wants of one of the runs."""
        from screens.welcome.runs_list import Wish

        if wanted is None:
            return
        folder = wanted.run.folder
        if wanted.wish is Wish.LATER:
            from screens.dialogs.later import show_later

            show_later(self, folder, self._back_to_runs)
            return
        match wanted.wish:
            case Wish.GO_ON:
                work = self._reopen(folder)
            case Wish.OPEN:
                work = self._open_site(folder)
            case Wish.REPORT:
                work = self._report(folder)
            case _:
                work = self._show_again(folder)
        self.run_quietly(work, group="open")

    def _back_to_runs(self, wanted: Later | None) -> None:
        if wanted is not None:
            from screens.acceptance.open_acceptance import open_page

            open_page(self, wanted)
        elif self.kept is not None:
            self._list_runs(self.kept)

    async def _open_site(self, run: Path) -> None:
        """The answers of a run, from its machines on; they are looked at again."""
        answers, _ = await self.services.reopen(run)
        self.memory.forget_results()
        self.wizard.go(StepId.MACHINES, answers)

    async def _report(self, run: Path) -> None:
        """The hand-over report of a run, in one of its forms."""
        from screens.dialogs.export import ExportScreen
        from screens.services.file_words import HAND_OVER, shown_path

        report = await self.services.hand_over(run)

        async def write(kind: Export, path: Path) -> None:
            await self.services.write_hand_over(kind, path, report)
            self.memory.last_words.append(f"The hand-over report: {shown_path(path)}")
            self.say(f"Written: {shown_path(path)}")

        def take(answer: tuple[Export, Path] | None) -> None:
            if answer is not None:
                self.run_quietly(write(*answer), group="report")

        stem = f"{report.solution}-{report.environment}"
        self.app.push_screen(ExportScreen(stem, HAND_OVER, "Write the report of this run"), take)

    async def _reopen(self, run: Path) -> None:
        """An unfinished installation, as its own folder tells it; it is not begun again yet."""
        answers, plan = await self.services.reopen(run)
        self.memory.forget_results()
        self.memory.person = self.memory.person or self.services.person()
        self.memory.plan = plan
        access = Access(answers.inventory(), self.memory.credentials, answers.login.sudo)
        self.memory.order = Order(answers, plan, access, {}, self.memory.person, run)
        self.wizard.go(StepId.INSTALL, answers)

    async def _show_again(self, path: Path) -> None:
        """A run from its record, until the person comes back."""
        from installer.record.recorded_run import recorded_run
        from screens.run.replay import FIRST_SPEED, ReplayScreen

        kept = ExitStack()
        found, name = await asyncio.to_thread(kept.enter_context, recorded_run(str(path)))
        try:
            plan = await asyncio.to_thread(found.plan)
        except BaseException:
            kept.close()
            raise
        screen = ReplayScreen(found, plan, name, FIRST_SPEED, 2.0)
        screen.back = True

        def back(_: None) -> None:
            kept.close()
            if self.kept is not None and any(run.folder == path for run in self.kept.runs):
                self._list_runs(self.kept)

        self.app.push_screen(screen, back)

    async def _open_typed(self, text: str) -> None:
        await self._open(typed_path(text))

    async def _open(self, path: Path) -> None:
        """A file of facts, a site file, or a run: what is in it decides."""
        if is_recording(path):
            await self._show_again(path)
            return
        if await asyncio.to_thread(is_cluster, path):
            from screens.cluster.open_cluster import look_at

            look_at(self, ClusterWay(facts=path))
            return
        if await asyncio.to_thread(is_hub, path):
            from screens.acceptance.open_acceptance import ask_acceptance

            ask_acceptance(self, path)
            return
        step, answers = await open_file(path, self.memory, self.services)
        self.wizard.go(step, answers)
