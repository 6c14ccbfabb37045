"""F1: what is on the screen, explained."""

from __future__ import annotations

from typing import Any, Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from screens.answers.wizard import StepId
from screens.shell.dialog import Dialog
from screens.shell.help_keys import FILTER, KEYS_IN_PANELS, KEYS_ON_STEPS
from screens.shell.help_texts import help_on
from screens.shell.hints import name_of, parts_of, seeks, working
from screens.widgets.keys import Key, KeyLine

_STEPS: Final = frozenset(step.value for step in StepId)


def keys_told(topic: str, beneath: Screen[Any]) -> list[tuple[str, str]]:
    """The keys that help names: those of the topic, and what works wherever the person is.

    A panel is often explained by its step, whose keys do nothing in it: its own stand there.
    """
    text = help_on(topic)
    if text.alone:
        return list(text.keys)
    found = list(text.keys)
    if isinstance(beneath, Dialog):
        own = working(beneath, (key for key in beneath.KEYS if key.label != "Esc"))
        shown = [(", ".join(parts_of(key.label)), key.word) for key in own]
        said = () if topic in _STEPS else (row for row in text.keys if _known(row[0], beneath))
        found = list((dict(shown) | dict(said)).items())
    if seeks(beneath) and not any("/" in label for label, _ in found):
        found.append(FILTER)
    return [*found, *(KEYS_IN_PANELS if isinstance(beneath, Dialog) else KEYS_ON_STEPS)]


def _known(label: str, panel: Screen[Any]) -> bool:
    """Whether a panel, or something in it, has a meaning for each key of a label."""
    bound = {key for node in panel.walk_children(with_self=True) for key, _ in node._bindings}
    return all(name_of(part.strip()) in bound for part in label.split(", "))


class HelpScreen(Dialog[None]):
    """The written help of one step or panel, and the keys that work on `beneath`."""

    def __init__(self, topic: str, beneath: Screen[Any]) -> None:
        super().__init__()
        self.topic = topic
        self.told = keys_told(topic, beneath)

    def compose(self) -> ComposeResult:
        """Title, paragraphs, keys."""
        text = help_on(self.topic)
        with Vertical(classes="dialog -large"):
            yield Static(text.title, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll"):
                for paragraph in text.paragraphs:
                    yield Static(paragraph, classes="paragraph", markup=False)
                yield Static("Keys", classes="dialog-title", markup=False)
                for key, word in self.told:
                    with Horizontal(classes="help-key"):
                        yield Static(key, classes="key-name", markup=False)
                        yield Static(word, markup=False)
            yield KeyLine((Key("Esc", "Close", "screen.close"),), id="dialog-keys")
