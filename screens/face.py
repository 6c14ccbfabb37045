"""What every full-screen face of Sitewright shares: its looks, no motion, and how it fails."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.scrollbar import ScrollBar

from foundation.problems import ExitCode
from screens.crash import crash_sentence
from screens.late import at_work, drop, is_gone
from screens.look import (
    ASCII_FILTER,
    NO_COLOUR_FILTER,
    THEMES,
    Look,
    PlainScrollBar,
    first_look,
    remember_look,
    theme_for,
)
from screens.typed_ahead import TypedAhead


class FaceApp(TypedAhead):
    """An app in one of the looks, which F4 changes."""

    TITLE = "Sitewright"
    # Those of every step at once: one that came with its screen would have all of them read anew.
    CSS_PATH: ClassVar[list[str | Path]] = [  # type: ignore[assignment]  # narrower than Textual's
        *("app.tcss", "step.tcss", "goal.tcss", "hand_over.tcss", "install.tcss", "machines.tcss"),
        *("plan.tcss", "preflight.tcss", "settings.tcss", "summary.tcss", "supplies.tcss"),
        *("trust.tcss", "verify.tcss", "welcome.tcss"),
    ]
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    """The terminal's own selection is what copies; Textual's would only get between clicks."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "look", "Look", show=False, priority=True),
    ]

    def __init__(self, look: Look | None = None) -> None:
        super().__init__()
        # Nothing moves without news: no fades, no sliding, no smooth scrolling.
        self.animation_level = "none"
        ScrollBar.renderer = PlainScrollBar
        for theme in THEMES:
            self.register_theme(theme)
        self.style_look = look or first_look()
        self.crash: str | None = None
        self.theme = theme_for(self.style_look)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters of the look: no colour at all, and ASCII alone."""
        filters = list(super().get_line_filters())
        look = getattr(self, "style_look", Look.COLOUR)
        if look is not Look.COLOUR:
            filters.append(NO_COLOUR_FILTER)
        if look is Look.ASCII:
            filters.append(ASCII_FILTER)
        return filters

    def action_look(self) -> None:
        """F4: colour, no colour, plain ASCII, and round again."""
        self.set_look(self.style_look.following)
        remember_look(self.style_look)

    def set_look(self, look: Look) -> None:
        """Draw everything in another look."""
        self.style_look = look
        self.theme = theme_for(look)
        for screen in self.screen_stack:
            for widget in screen.walk_children(with_self=True):
                widget.refresh(layout=True)

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
        try:
            await super().on_event(event)
        except Exception as error:
            self.work_failed(error)

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
