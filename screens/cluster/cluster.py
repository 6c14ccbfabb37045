"""Cluster: how it is, layer by layer, with what fails first under the cursor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.problems import Problem
from preflight.report.areas import area_rank, area_title
from preflight.report.clusters import earliest
from preflight.report.words import clean
from screens.dialogs.export import ExportScreen
from screens.preflight.findings import WholeScreen, detail, key_of
from screens.services.cluster_way import look_and_judge
from screens.services.file_words import ABOUT, shown_path
from screens.shell.dialog import Dialog
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key, KeyLine
from screens.words.words import finding_tone, finding_word, to_mend, verdict_sentence

if TYPE_CHECKING:
    from preflight.assessment import Assessment
    from preflight.findings import Finding
    from screens.services.services import ClusterWay, Export


class ClusterScreen(Dialog[None]):
    """The findings of one cluster under the names of its layers, the one under the cursor whole."""

    HELP = "cluster"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Enter", "Whole", "screen.whole"),
        Key("r", "Again", "screen.again"),
        Key("f", "To mend", "screen.filter"),
        Key("e", "Write", "screen.export"),
        Key("Esc", "Close", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Look again", show=False),
        Binding("f", "filter", "Filter", show=False),
        Binding("e", "export", "Write", show=False),
    ]

    def __init__(self, way: ClusterWay, assessment: Assessment) -> None:
        super().__init__()
        self.way = way
        self.assessment = assessment
        self.only_open = False

    def compose(self) -> ComposeResult:
        """The verdict, where to begin, the list, the finding in full, keys."""
        with Vertical(classes="dialog -whole"):
            yield Static("", classes="dialog-title", id="about", markup=False)
            yield Static("", id="begin", markup=False)
            yield Board(
                (Column("", 6), Column("check", name=True), Column("what")),
                id="findings",
                header=False,
            )
            with VerticalScroll(id="detail"):
                yield Static("", id="detail-text", markup=False)
            yield Static("", id="told", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """Begin with what fails first."""
        self.show_findings()
        self.query_one("#findings", Board).focus()

    def _findings(self) -> list[Finding]:
        found = self.assessment.clusters[0].findings
        shown = to_mend(found) if self.only_open else list(found)
        return sorted(shown, key=lambda finding: area_rank(finding.area))

    def show_findings(self) -> None:
        """Draw all of it anew, with the cursor on the earliest failure."""
        cluster = self.assessment.clusters[0]
        self.shown = self._findings()
        first = earliest(cluster)
        title = f"{cluster.name}, {cluster.endpoint}. {verdict_sentence(self.assessment)}"
        self.query_one("#about", Static).update(clean(title))
        begin = "" if first is None else f"Begin with {area_title(first.area)}: {first.title}"
        way = cluster.seen.facts.way if cluster.seen.facts is not None else ""
        told = begin or f"Every layer is well. Reached by {way}."
        self.query_one("#begin", Static).update(clean(told))
        rows: list[Row] = []
        layer = ""
        for finding in self.shown:
            if area_title(finding.area) != layer:
                layer = area_title(finding.area)
                rows.append(Row(f"layer {layer}", (Cell(layer),), heading=True))
            cells = (
                Cell(finding_word(finding), finding_tone(finding)),
                Cell(finding.id, "muted"),
                Cell(clean(finding.title)),
            )
            rows.append(Row(key_of(finding), cells))
        board = self.query_one("#findings", Board)
        board.set_rows(rows)
        if first is not None:
            board.move_to(key_of(first))
        self._explain()

    def _current(self) -> Finding | None:
        key = self.query_one("#findings", Board).key
        return next((finding for finding in self.shown if key_of(finding) == key), None)

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Show the finding under the cursor."""
        event.stop()
        self._explain()

    def _explain(self) -> None:
        finding = self._current()
        text = "Nothing is to be mended." if finding is None else detail(finding)
        self.query_one("#detail-text", Static).update(text)
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    def _say(self, text: str) -> None:
        self.query_one("#told", Static).update(clean(text))

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter shows the finding on the whole screen."""
        event.stop()
        self.action_whole()

    def action_whole(self) -> None:
        """The finding alone, with room for long remedies."""
        finding = self._current()
        if finding is not None:
            self.app.push_screen(WholeScreen(finding))

    def action_filter(self) -> None:
        """All findings, or those to mend alone."""
        self.only_open = not self.only_open
        self.show_findings()
        self._say("Only what is to mend." if self.only_open else "All findings.")

    # ---- a second look

    def action_again(self) -> None:
        """Look again, and say what has changed."""
        if self.way.facts is not None:
            self._say("These facts come from a file; there is no cluster to look at again.")
            return
        self._say("Looking again.")
        self.run_worker(self._again(), group="look", exclusive=True, exit_on_error=False)

    async def _again(self) -> None:
        wizard = self.wizard
        try:
            assessment = await look_and_judge(
                self.way, wizard.answers, wizard.access(), wizard.services
            )
        except Problem as problem:
            self._say(f"{problem.title}: {problem.cause}. {problem.remedy or ''}")
            return
        before = _words(self.assessment)
        self.assessment = assessment
        self.show_findings()
        now = _words(assessment)
        changed = [
            f"{check}: was {before[key]}, now {word}" if key in before else f"{check}: {word}, new"
            for key, word in now.items()
            if before.get(key, "ok") != word
            for check in [f"{key[0]} {key[1]}".rstrip()]
        ]
        gone = sum(key not in now and word != "ok" for key, word in before.items())
        changed += [f"{gone} of those before are gone"] if gone else []
        self._say("; ".join(changed[:3]) if changed else "Looked again: nothing has changed.")

    # ---- a file

    def action_export(self) -> None:
        """Write the report, or what was seen, after a question for its form and name."""
        name = "".join(c if c.isalnum() or c in "-." else "-" for c in self.cluster_name).strip(
            ".-"
        )
        stem = f"cluster-{name}" if name else "cluster"
        self.app.push_screen(ExportScreen(stem, ABOUT, "Write what was found"), self._take)

    @property
    def cluster_name(self) -> str:
        """What the cluster is called."""
        return self.assessment.clusters[0].name

    def _take(self, answer: tuple[Export, Path] | None) -> None:
        if answer is not None:
            self.run_worker(self._write(*answer), group="write", exit_on_error=False)

    async def _write(self, kind: Export, path: Path) -> None:
        try:
            await self.wizard.services.write_cluster(kind, path, self.assessment)
        except Problem as problem:
            self._say(f"{problem.title}: {problem.cause}. {problem.remedy or ''}")
            return
        self.wizard.memory.last_words.append(f"The cluster {self.cluster_name}: {shown_path(path)}")
        self._say(f"Written: {shown_path(path)}")


def _words(assessment: Assessment) -> dict[tuple[str, str], str]:
    return {(f.id, f.subject): finding_word(f) for f in assessment.clusters[0].findings}
