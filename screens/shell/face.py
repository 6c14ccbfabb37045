"""What every full-screen face of Sitewright shares: its looks, no motion, and how it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from rich.console import RenderableType
from textual import events
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.scrollbar import ScrollBar

from foundation.problems import ExitCode
from screens.shell.crash import crash_sentence
from screens.shell.ground import LateAnswer, asked
from screens.shell.late import at_work, drop, is_gone
from screens.shell.theme import (
    ASCII_FILTER,
    DARK,
    LIGHT,
    NO_COLOUR_FILTER,
    THEMES,
    Look,
    PlainScrollBar,
    first_look,
    theme_for,
)
from screens.shell.tidings import (
    BELL,
    GIVE_TITLE_BACK,
    KEEP_TITLE,
    is_quiet,
    keep_quiet,
    notification,
    title_sequence,
)
from screens.shell.typed_ahead import TypedAhead

STEPS: Final = Path(__file__).parent.parent
"""The folder of the rooms of the steps."""
ROOMS: Final = (
    "acceptance", "goal", "machines", "plan", "preflight", "settings", "summary", "supplies",
    "trust", "welcome",
)  # fmt: skip
"""Rooms with a style sheet of their name."""


@contextmanager
def _one_word_on_colour() -> Iterator[None]:
    """Keep NO_COLOR from Textual: the looks have the word.

    Textual takes it for set where it is empty (no-color.org: "not an empty string"), and turns
    everything grey whatever look F4 has chosen since.
    """
    kept = os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["NO_COLOR"] = kept


class FaceApp(TypedAhead):
    """An app in one of the looks, which F4 changes."""

    TITLE = "Sitewright"
    # Those of every step at once: one that came with its screen would have all of them read anew.
    CSS_PATH: ClassVar[list[str | Path]] = [  # type: ignore[assignment]  # narrower than Textual's
        *(STEPS / "shell" / f"{name}.tcss" for name in ("app", "step")),
        *(STEPS / room / f"{room}.tcss" for room in ROOMS),
        *(STEPS / "run" / f"{name}.tcss" for name in ("hand_over", "install", "verify")),
    ]
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    """The terminal's own selection is what copies; Textual's would only get between clicks."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "look", "Look", show=False, priority=True),
        Binding("ctrl+g", "quiet", "Bell on or off", show=False, priority=True),
    ]

    def __init__(self, look: Look | None = None) -> None:
        with _one_word_on_colour():
            super().__init__()
        # Nothing moves without news: no fades, no sliding, no smooth scrolling.
        self.animation_level = "none"
        ScrollBar.renderer = PlainScrollBar
        for theme in THEMES:
            self.register_theme(theme)
        self.style_look = look or first_look()
        self.light: bool | None = None
        """What the terminal said of its ground; None where it said nothing."""
        self.late_answer: LateAnswer | None = None
        """What may still come of it, as keys."""
        self._swallowed: list[events.Key] = []
        self.crash: str | None = None
        self.window_title = ""
        self._title_over = False
        """Whether the window has its own title again, and keeps it."""
        self.tidings: list[str] = []
        """What a person was called for in this session."""
        self.theme = theme_for(self.style_look)

    def ask_ground(self) -> None:
        """Ask the terminal whether it is dark or light, before anything is drawn."""
        many = self.theme in (DARK.name, LIGHT.name)
        if many and self.style_look is Look.COLOUR and not os.environ.get("COLORFGBG"):
            self.light = asked()
            if self.light is None:
                self.late_answer = LateAnswer()
            self.theme = theme_for(self.style_look, light=self.light)

    # ---- tidings

    def write_sequence(self, sequence: str) -> None:
        """Send a sequence to the terminal, if there is one."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    def show_title(self, words: str) -> None:
        """Set the title of the terminal's window; the same title is sent once."""
        if words != self.window_title and not self._title_over:
            if not self.window_title:
                self.write_sequence(KEEP_TITLE)
            self.window_title = words
            self.write_sequence(title_sequence(words))

    def give_title_back(self) -> None:
        """Give the window the title that it had: what ours says is not true once we are gone."""
        if self.window_title and not self._title_over:
            self.write_sequence(GIVE_TITLE_BACK)
        self._title_over = True

    def forget_title(self) -> None:
        """Write nothing to a terminal that is gone: that would wait for ever."""
        self._title_over = True

    def exit(
        self, result: Any = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """End the face, and give back what is the terminal's."""
        self.give_title_back()
        super().exit(result, return_code, message)

    def call_person(self, words: str) -> None:
        """Something ended, or needs a person: the bell and a notification, unless unwanted."""
        self.tidings.append(words)
        if not is_quiet():
            self.write_sequence(BELL + notification(words))

    def action_quiet(self) -> None:
        """Ctrl+G: the bell and the notifications off, or on again; it is remembered."""
        keep_quiet(not is_quiet())
        self.tell_quiet("off" if is_quiet() else "on")

    def tell_quiet(self, state: str) -> None:
        """Say whether the bell is on."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters of the look: no colour at all, and ASCII alone."""
        filters = list(super().get_line_filters())
        look = getattr(self, "style_look", Look.COLOUR)
        if look.plain:
            filters.append(NO_COLOUR_FILTER)
        if look is Look.ASCII:
            filters.append(ASCII_FILTER)
        return filters

    def action_look(self) -> None:
        """F4: choose the look; each is shown as the cursor passes it."""
        from screens.shell.look_screen import LookScreen

        if isinstance(self.screen, LookScreen):
            self.screen.action_close()
        else:
            self.push_screen(LookScreen(self.style_look))

    def set_look(self, look: Look) -> None:
        """Draw everything in another look."""
        self.style_look = look
        self.theme = theme_for(look, light=self.light)
        for screen in self.screen_stack:
            for widget in screen.walk_children(with_self=True):
                widget.refresh(layout=True)

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        """A capital letter that means nothing of its own means what the small one does."""
        if await super()._check_bindings(key, priority):
            return True
        small = len(key) == 1 and key.isupper()
        return small and await super()._check_bindings(key.lower(), priority)

    # ---- errors

    def work_failed(self, error: BaseException, *, of: DOMNode | None = None) -> None:
        """The one place where the errors of work arrive; the rest goes on.

        `of` is the screen or widget that the work was for; one that is gone is told nothing.
        """
        raise NotImplementedError

    def keep_place(self) -> None:
        """Keep what a person told, as long as there is time."""

    @property
    def touched(self) -> str:
        """What is said of the machines when the face ends by an error of its own."""
        return "nothing has been changed on any machine"

    async def on_event(self, event: events.Event) -> None:
        """No key, click or paste ends the face, whatever goes wrong on its way."""
        if not isinstance(event, events.InputEvent | events.Paste):
            await super().on_event(event)
            return
        if isinstance(event, events.Key) and await self._belongs_to_answer(event):
            return
        try:
            await super().on_event(event)
        except Exception as error:
            self.work_failed(error)

    async def _belongs_to_answer(self, event: events.Key) -> bool:
        """Whether a key is part of the terminal's late answer; what was not is given back."""
        late = self.late_answer
        if late is None or event.is_forwarded:
            return False
        if late.takes(event.key, event.character):
            self._swallowed.append(event)
            if late.over:
                self._swallowed, self.late_answer, self.light = [], None, late.light
                self.set_look(self.style_look)
            return True
        swallowed, self._swallowed, self.late_answer = self._swallowed, [], None
        for key in swallowed:
            await super().on_event(key)
        return False

    async def _dispatch_action(
        self,
        namespace: DOMNode,
        action_name: str,
        params: Any,
    ) -> bool:
        """What a key or a click does; whatever goes wrong in it is told, and ends nothing."""
        try:
            return await super()._dispatch_action(namespace, action_name, params)
        except Exception as error:
            if is_gone(namespace):
                drop(error)
            else:
                self.work_failed(error)
            return True

    def _handle_exception(self, error: Exception) -> None:
        """An error nobody handled: log it, give the terminal back, say it in one sentence.

        Textual's own would print a traceback with the values of variables, which could be secrets.
        What comes from a widget that is gone ends nothing.
        """
        if is_gone(at_work()):
            drop(error)
            return
        self._return_code = int(ExitCode.OUR_ERROR)
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self.give_title_back()
        if self.crash is None:
            self.keep_place()
            self.crash = crash_sentence(error, self.touched)
        self._close_messages_no_wait()


def run_face(app: FaceApp) -> int:
    """Run a full-screen face to its end; returns the exit code, a crash said in one sentence."""
    try:
        code = app.run()
    except Exception as error:
        app.crash = app.crash or crash_sentence(error, app.touched)
        code = None
    if app.crash is not None:
        print(app.crash, file=sys.stderr)
        return int(ExitCode.OUR_ERROR)
    return int((app.return_code if code is None else code) or 0)
