"""Dialog: a panel before the step that asks one thing and returns a typed answer.

All of them speak one dialect. Esc closes without an answer and F10 does what the panel is for,
everywhere; where something is typed, Enter goes to the next line and does it on the last; y and n
answer where nothing is typed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from foundation.problems import InputProblem, as_sentence
from foundation.typed_paths import is_folder, is_there, typed_path
from screens.shell.hints import hints, seek_in
from screens.shell.late import LastingScreen
from screens.widgets.field import Line
from screens.widgets.keys import Key, KeyLine
from screens.widgets.press import Press

if TYPE_CHECKING:
    from screens.shell.app import SitewrightApp

Answer = TypeVar("Answer")

MORE = Key("PgDn", "More", "screen.page")
"""Shown where a panel says more than the window has room for."""
READ_SECONDS = 0.6
"""What comes so soon after a grave question was typed before anybody could read it."""


class Buttons(Horizontal):
    """The two buttons at the foot of a panel: its way out, and what it is for."""

    def __init__(self, do: str, cancel: str = "Cancel", *, third: Press | None = None) -> None:
        super().__init__(classes="dialog-buttons")
        self.words = (do, cancel)
        self.third = third

    def compose(self) -> ComposeResult:
        """The keys that are on no button, cancel, and last what the panel is for."""
        do, cancel = self.words
        yield KeyLine((), id="dialog-keys")
        yield Press(f"{cancel} Esc", id="cancel", action="screen.close")
        if self.third is not None:
            yield self.third
        yield Press(f"{do} F10", id="take", action="screen.do", primary=True)


class Foot(Vertical):
    """What stays in sight however long the rest of a panel is: its buttons, and the line above."""

    def __init__(self) -> None:
        super().__init__(classes="dialog-foot")


class Dialog(LastingScreen[Answer], ModalScreen[Answer]):
    """A panel in the middle; Esc closes it without an answer, F10 does what it is for.

    What it says may be longer than the window: it scrolls then, and its buttons stay.
    """

    HELP: ClassVar[str] = ""
    """The topic that F1 explains while the panel is open; the step's own where empty."""
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Esc", "Close", "screen.close"),)
    GRAVE: ClassVar[bool] = False
    """Whether yes changes machines, or cannot simply be taken back: it is not answered unread."""
    UNDER_WAY: ClassVar[bool] = False
    """Whether it shows work that goes on; leaving the wizard closes it first, which asks."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+b,ctrl+p", "close", "Close", show=False),
        Binding("f10,ctrl+n", "do", "Do it", show=False, priority=True),
        Binding("question_mark", "app.help", "Help", show=False),
        Binding("pageup", "page(-1)", "Read back", show=False),
        Binding("pagedown", "page(1)", "Read on", show=False),
    ]
    _closes: tuple[Answer | None] | None = None
    """The answer with which it was closed; None while it is open."""
    _opened = 0.0
    _is_longer = False
    """Whether it says more than the window has room for."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-usual"), (110, "-wide")]  # noqa: RUF012 - Textual's own type

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of the panel, in the words of what is shown now."""
        return self.KEYS

    def on_descendant_focus(self) -> None:
        """The keys are those that work where the cursor is."""
        self.refresh_keys()

    def on_board_sifted(self) -> None:
        """While the filter of a list is typed, letters belong to it."""
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Say anew which keys mean something, in panels that name them."""
        buttons = bool(self.query(Buttons))
        keys = tuple(key for key in self.keys if not buttons or key.label != "Esc")
        if self._is_longer:
            keys = (*keys, MORE)
        for line in self.query("#dialog-keys").results(KeyLine):
            line.show(hints(self, keys))

    def action_seek(self) -> None:
        """/: the rows alone that hold some words."""
        seek_in(self)

    def _longer(self) -> tuple[Widget, ...]:
        """What of the panel may be longer than its place: words in it before the panel whole."""
        return (*self.query(".dialog-lines"), *self.query(".dialog"))

    def action_page(self, way: int) -> None:
        """A page on or back in what has no room."""
        for one in self._longer():
            if way * (one.max_scroll_y * (way > 0) - one.scroll_target_y) > 0:
                foot = sum(
                    each.outer_size.height for each in one.children if each.styles.dock != "none"
                )
                page = max(1, one.scrollable_content_region.height - foot - 1)
                one.scroll_relative(y=way * page, animate=False)
                return

    @property
    def wizard(self) -> SitewrightApp:
        """The app, with the type that it has here."""
        return cast("SitewrightApp", self.app)

    def _on_mount(self, event: object) -> None:
        self._opened = time.monotonic()
        self.screen_layout_refresh_signal.subscribe(self, self._laid_out)

    def _laid_out(self, _screen: object) -> None:
        """Whether all of it is in sight may be another answer now."""
        if self._is_longer != any(one.max_scroll_y > 0 for one in self._longer()):
            self._is_longer = not self._is_longer
            self.refresh_keys()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work that ended in an error says so on the step beneath."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.wizard.work_failed(event.worker.error, of=event.worker.node)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer: once, and at once only where nothing stands before the panel.

        Textual would close whatever is in front, such as the help or the word on a small window.
        """
        if self._closes is None and self in self.app.screen_stack:
            self._closes = (result,)
            # What Textual calls current is also a panel that is seen behind another one.
            if self.app.screen is self:
                return super().dismiss(result)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """Close now, where that had to wait for what stood before the panel.

        One that closed while it came up is gone by now. And something may stand before it again,
        as where a window is drawn small, large and small: that one would be closed in its place.
        """
        if self._closes is not None and self.app.screen is self:
            super().dismiss(self._closes[0])

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def action_do(self) -> None:
        """What the panel is for; a grave one must have been on the screen for a moment."""
        if self.GRAVE and time.monotonic() - self._opened < READ_SECONDS:
            self.wrong("Read it first; then F10.")
        else:
            self.action_take()

    def action_take(self) -> None:
        """What the panel is for; one that only shows something is closed."""
        self.action_close()

    def wrong(self, text: str) -> None:
        """What stands against the answer, where the panel has a place to say so."""
        for place in self.query("#wrong").results(Static):
            place.update(text)


class Form(Dialog[Answer]):
    """A panel in which something is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next line, and does it on the last."""
        event.stop()
        lines = [line for line in self.query(Line) if line.display]
        place = lines.index(event.input) if event.input in lines else -1
        if place + 1 < len(lines):
            lines[place + 1].focus()
        else:
            self.action_do()

    def on_input_changed(self, event: Input.Changed) -> None:
        """What stood against the answer may be mended by now."""
        event.stop()
        self.wrong("")

    def path_of(self, text: str) -> Path | None:
        """The path that was typed, or None after what stands against it was said."""
        try:
            return typed_path(text)
        except InputProblem as problem:
            self.wrong(f"{as_sentence(problem.cause)}. {problem.remedy}")
            return None


class Writes(Form[Answer]):
    """A panel that ends in the name of a file which is then written."""

    _over: Path | None = None
    """The file that was there already when it was named, and told."""

    def path_to_write(self, text: str) -> Path | None:
        """The path that was typed, or None after what stands against writing it was said.

        A file that is there is written over only where its name was given twice.
        """
        path = self.path_of(text)
        if path is None:
            return None
        if is_folder(path):
            self.wrong("This is a folder; name a file in it.")
        elif is_there(path) and path != self._over:
            self._over = path
            self.wrong("There is a file of this name already. F10 again writes over it.")
        else:
            return path
        return None


class Sure(Dialog[bool]):
    """A question that yes or no answers, where nothing is typed."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("y", "Yes", "screen.do"),
        Key("n", "No", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "do", "Yes", show=False),
        Binding("n", "close", "No", show=False),
        Binding("left", "app.focus_previous", "Other", show=False),
        Binding("right", "app.focus_next", "Other", show=False),
    ]

    def on_mount(self) -> None:
        """Begin on the button that does nothing."""
        self.query_one("#cancel").focus()

    def action_take(self) -> None:
        """Yes."""
        self.dismiss(True)
