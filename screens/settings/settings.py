"""Settings: what only the people of a site can know, each checked as it is typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from foundation.problems import InputProblem
from foundation.secrets import Secret
from installer.catalogue.stages import Setting
from screens.answers.answers import Answers
from screens.answers.wizard import StepId
from screens.settings.settings_form import NEEDED, Form, Group
from screens.shell.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key

FOLD: Final = "section/"
"""What the keys of a section's row begin with; no setting has a slash in its name."""
VALUE: Final = 16
"""So many cells of a value are enough where a title would be cut: the line beneath shows all."""
UNSEEN: Final = "It is typed unseen, stays in memory, and is asked for again after a restart."


class SettingsScreen(StepScreen):
    """The list of settings, and the one under the cursor to be answered beneath it."""

    STEP = StepId.SETTINGS
    CSS_PATH = "settings.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Up,Down", "Setting", "screen.move(1)"),
        Key("Space", "Other", "screen.other(1)"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("space,right", "other(1)", "The next choice", show=False),
        Binding("left", "other(-1)", "The choice before", show=False),
        Binding("y", "say_yes('yes')", "Yes", show=False),
        Binding("n", "say_yes('no')", "No", show=False),
    ]

    def step_keys(self) -> Sequence[Key]:
        """Those of a choice where the setting is one; letters are typed into the others."""
        move = Key("Up,Down", "Setting", "screen.move(1)")
        if self.current is None:
            return (move, Key("Enter", "Show, hide", "screen.other(1)"))
        if self.form is None or not self.form.options(self.current):
            return (move, Key("Enter", "The next", "screen.move(1)"))
        answer = (Key("y n", "Answer", "screen.other(1)"),)
        more = answer if self.current.type == "yes-no" else ()
        return (move, Key("Space", "Other", "screen.other(1)"), *more)

    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self.current: Setting | None = None
        """The setting whose value stands in the line."""
        self.unfolded: set[str] = set()
        """The sections whose defaults are shown."""
        self.remembered: Setting | None = None
        """The setting whose value before this visit can be put back already."""
        self.refused: Setting | None = None
        """The setting for which the way on was refused, as long as that stands on the screen."""

    def compose_body(self) -> ComposeResult:
        """The settings, the line, and what the setting is for."""
        yield Board((Column("setting", 20), Column("value", most=VALUE)), id="settings")
        yield Static("", id="setting", markup=False)
        yield Static("", id="options", markup=False)
        yield Field("Value", id="value")
        with VerticalScroll(id="about", can_focus=False):
            yield Static("", id="about-text", markup=False)

    def on_mount(self) -> None:
        """Read what the solution asks for."""
        self.query_one("#settings", Board).focus()
        self._show_line(None)
        self.run_quietly(self._read(), group="read")

    async def _read(self) -> None:
        settings = await self.services.settings(self.answers)
        given, secrets = self.answers.site.settings, self.memory.secrets
        self.form, strangers = Form.filled(settings, given, secrets)
        if strangers:
            these = ", ".join(f'"{name}"' for name in strangers)
            self.say(f"The site file gives {these}, which is no setting here; it is left out.")
        rows = self._rows(self.form)
        if not rows:
            self.query_one("#setting", Static).update("This solution asks for no settings.")
        board = self.query_one("#settings", Board)
        board.set_rows(rows)
        wrong = self.form.first_wrong()
        wanted, self.memory.setting = self.memory.setting, ""
        if wanted or wrong is not None:
            self._find(self.form, wanted or (wrong.name if wrong else ""))

    def _find(self, form: Form, name: str) -> None:
        """Put the cursor on a setting, unfolding the section in which it is."""
        for group in form.groups(self.unfolded):
            if any(setting.name == name for setting in group.folded):
                self.unfolded.add(group.title)
                self._draw()
        self.query_one("#settings", Board).move_to(name)

    # ---- the list

    def _rows(self, form: Form) -> list[Row]:
        rows = []
        for group in form.groups(self.unfolded):
            if group.title == NEEDED:
                rows.append(Row(f"{FOLD}needed", (Cell(NEEDED),), heading=True))
            elif group.title:
                rows.append(_fold_row(group, unfolded=group.title in self.unfolded))
            rows += [self._row(form, setting) for setting in group.shown]
        return rows

    def _row(self, form: Form, setting: Setting) -> Row:
        return Row(setting.name, (Cell(setting.title), _value_cell(form, setting)))

    def _draw(self) -> None:
        """Draw the rows anew; one that hangs on another may come or go."""
        if self.form is None:
            return
        board = self.query_one("#settings", Board)
        rows = self._rows(self.form)
        if [row.key for row in rows] == [row.key for row in board.rows]:
            board.update_rows(rows)
        else:
            board.set_rows(rows)

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Keep what stands in the line, and put the next setting into it."""
        if self.form is None:
            return
        if event.key.startswith(FOLD):
            self._leave()
            self._show_section(event.key.removeprefix(FOLD))
            return
        setting = next((s for s in self.form.asked() if s.name == event.key), None)
        if setting is None or setting is self.current:
            return
        self._leave()
        self._show_line(setting)

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter goes on to the next setting; on a section it shows or hides what it holds."""
        event.stop()
        if event.key.startswith(FOLD):
            self._fold(event.key.removeprefix(FOLD))
        else:
            self.action_move(1)

    def _fold(self, title: str) -> None:
        self.unfolded ^= {title}
        self._draw()
        self._show_section(title)

    def _show_section(self, title: str) -> None:
        """Say what is folded away, in the place of a setting."""
        form = self.form
        if form is None:
            return
        self.current = None
        self.query_one(".field", Field).display = False
        self.query_one("#options", Static).display = False
        self.query_one("#settings", Board).focus()
        self.query_one("#setting", Static).update(title)
        folded = next((one.folded for one in form.groups(self.unfolded) if one.title == title), ())
        if folded:
            names = ", ".join(setting.title for setting in folded)
            text = f"These have defaults that suit most sites; Enter shows them: {names}."
        else:
            text = "Enter hides again what has its default."
        self.query_one("#about-text", Static).update(text)

    def action_move(self, by: int) -> None:
        """To another setting."""
        self.query_one("#settings", Board).action_step(by)

    def action_page(self, by: int) -> None:
        """A page up or down."""
        self.query_one("#settings", Board).action_page(by)

    # ---- the setting under the cursor

    @property
    def line(self) -> Line:
        """Where a value is typed."""
        return self.query_one("#value", Line)

    def _show_line(self, setting: Setting | None) -> None:
        """Ask for a setting: by typing, or by choosing."""
        form, field = self.form, self.query_one(".field", Field)
        self.current = setting
        self.remembered = None
        if form is None or setting is None:
            field.display = False
            return
        self.call_after_refresh(self.refresh_keys)
        self.query_one("#setting", Static).update(setting.title)
        typed = not form.options(setting)
        field.display = typed
        if typed:
            secret = setting.type == "secret"
            known = setting.name in form.known_secrets
            self.line.password = secret
            self.line.placeholder = (
                "set; type another to change it" if secret and known else setting.example
            )
            self.line.value = "" if secret else form.text(setting)
            self.line.focus()
            self.line.cursor_position = len(self.line.value)
        else:
            self.query_one("#settings", Board).focus()
        self._explain()

    def _explain(self) -> None:
        form, setting = self.form, self.current
        if form is None or setting is None:
            return
        options = self.query_one("#options", Static)
        options.display = bool(form.options(setting))
        options.update(_options(form, setting))
        wrong = form.wrong(setting)
        if setting.type == "secret" and self.line.value:
            wrong = _secret_wrong(setting, self.line.value)
        parts: list[str | tuple[str, str]] = []
        if wrong:
            parts.append((wrong, "bold $error"))
        if setting.help:
            parts += ["\n" if parts else "", setting.help]
        if setting.type == "secret":
            parts += ["\n" if parts else "", UNSEEN]
        elif setting.default == "" and not form.text(setting):
            parts += ["\n" if parts else "", "It may stay empty."]
        self.query_one("#about-text", Static).update(Content.assemble(*parts))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Every key is checked."""
        event.stop()
        if self.form is None or self.current is None or self.form.options(self.current):
            return
        if self.current.type != "secret" and self.line.value != self.form.text(self.current):
            self._remember(self.form, self.current)
            self.form.take(self.current, self.line.value)
            self._draw()
            self._relent(self.form)
        self._explain()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next setting, unless this one is refused."""
        event.stop()
        if self.form is not None and self.current is not None:
            wrong = (
                _secret_wrong(self.current, self.line.value)
                if self.current.type == "secret" and self.line.value
                else self.form.wrong(self.current)
            )
            if not wrong:
                self.action_move(1)

    def _leave(self) -> None:
        """Keep a secret that was typed; anything else is kept at every key."""
        setting = self.current
        if self.form is None or setting is None or setting.type != "secret":
            return
        typed = self.line.value
        if typed and not _secret_wrong(setting, typed):
            self._remember_secret(self.form, setting)
            self.memory.secrets[setting.name] = Secret(typed)
            self.form.known_secrets.add(setting.name)
            self.line.value = ""
            self._draw()

    def action_other(self, by: int) -> None:
        """The next or the last choice of the setting under the cursor; or fold a section."""
        key = self.query_one("#settings", Board).key or ""
        if self.current is None and key.startswith(FOLD):
            self._fold(key.removeprefix(FOLD))
        elif self.form is not None and self.current is not None and self.form.options(self.current):
            self._choose(self.form.other(self.current, by))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """y and n belong to questions of yes or no."""
        if action == "say_yes":
            return self.current is not None and self.current.type == "yes-no"
        return super().check_action(action, parameters)

    def action_say_yes(self, word: str) -> None:
        """y or n, where the question is yes or no."""
        if self.current is not None and self.current.type == "yes-no":
            self._choose(word)

    def _choose(self, option: str) -> None:
        if self.form is not None and self.current is not None:
            if option != self.form.text(self.current):
                self._remember(self.form, self.current)
            self.form.take(self.current, option)
            self._draw()
            self._relent(self.form)
            self._explain()

    def _relent(self, form: Form) -> None:
        """Say no more that the way on is refused, once what was wrong is right."""
        if self.refused is not None and not form.wrong(self.refused):
            self.refused = None
            self.panel.clear()

    # ---- slips

    def _remember(self, form: Form, setting: Setting) -> None:
        """Keep what held before this visit to a setting; its keys are one change together."""
        if self.remembered is setting:
            return
        self.remembered = setting
        before = form.typed.get(setting.name)

        def back() -> None:
            if before is None:
                form.typed.pop(setting.name, None)
            else:
                form.typed[setting.name] = before
            self._go_to(setting)

        self.slip(f"Changed {setting.title}", back, quiet=True)

    def _remember_secret(self, form: Form, setting: Setting) -> None:
        """Keep the secret that was given before, so that it holds again."""
        before = self.memory.secrets.get(setting.name)

        def back() -> None:
            if before is None:
                self.memory.secrets.pop(setting.name, None)
                form.known_secrets.discard(setting.name)
            else:
                self.memory.secrets[setting.name] = before
            self._go_to(setting)

        self.slip(f"Changed {setting.title}", back, quiet=True)

    def _go_to(self, setting: Setting) -> None:
        """Show a setting whose value was put back; it may have been hidden by another's."""
        board = self.query_one("#settings", Board)
        self._draw()
        board.move_to(setting.name)
        if board.key == setting.name:
            self._show_line(setting)
        self.remembered = None

    def action_undo(self) -> None:
        """Take back the last change; a secret that is being typed is emptied first."""
        if self.current is not None and self.current.type == "secret" and self.line.value:
            self.line.value = ""
            self.say("The line is empty again; what was given before holds.")
        else:
            super().action_undo()

    # ---- the answer

    def collect(self) -> Answers:
        """The settings; raises InputProblem for the first that cannot stay as it is."""
        if self.form is None:
            return self.answers
        self._leave()
        if self.current is not None and self.current.type == "secret" and self.line.value:
            raise _refused(self.current, _secret_wrong(self.current, self.line.value))
        wrong = self.form.first_wrong()
        if wrong is not None:
            self._find(self.form, wrong.name)
            self.refused = wrong
            raise _refused(wrong, self.form.wrong(wrong))
        return self._answers(self.form)

    def _answers(self, form: Form) -> Answers:
        given = form.given()
        if given != self.answers.site.settings:
            self.memory.plan = None
        return self.answers.saying(settings=given)

    def action_back(self) -> None:
        """Back, with what was given so far and can stand."""
        self._leave()
        self.wizard.go_back(self.answers if self.form is None else self._answers(self.form))


def _fold_row(group: Group, *, unfolded: bool) -> Row:
    sign = "-" if unfolded else "+"
    count = len(group.folded)
    more = f"{count} with {'their defaults' if count > 1 else 'its default'}" if count else ""
    return Row(
        f"{FOLD}{group.title}", (Cell(f"{sign} {group.title}", "accent"), Cell(more, "muted"))
    )


def _value_cell(form: Form, setting: Setting) -> Cell:
    if setting.type == "secret":
        known = setting.name in form.known_secrets
        return Cell("set", "pass") if known else Cell("not set, asked for at the start", "muted")
    text = form.text(setting)
    if form.wrong(setting):
        return Cell(f"! {text}" if text else "! needed", "warn")
    if setting.name not in form.typed:
        return Cell(f"{text} (default)" if text else "empty (default)", "muted")
    return Cell(text or "empty")


def _options(form: Form, setting: Setting) -> Content:
    parts: list[str | tuple[str, str]] = []
    here = form.text(setting)
    for option in form.options(setting):
        chosen = option == here
        parts.append((f"[{option}]  " if chosen else f" {option}   ", "bold" if chosen else ""))
    return Content.assemble(*parts)


def _secret_wrong(setting: Setting, text: str) -> str:
    from installer.catalogue.settings import objection

    return objection(setting, text)


def _refused(setting: Setting, sentence: str) -> InputProblem:
    return InputProblem(
        sentence.rstrip("."),
        where=setting.title,
        remedy="Mend it in the line below; the cursor is there now.",
    )
