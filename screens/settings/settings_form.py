"""Settings form: what a solution asks of a site, with what was given so far. No screen in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from installer.catalogue.settings import Value, applies, objection, typed_value
from installer.catalogue.stages import Setting, Settings

FEW: Final = 14
"""So many settings stand in one list; more are folded."""
NEEDED: Final = "What only you can know"


@dataclass(frozen=True, slots=True)
class Group:
    """Settings under a heading."""

    title: str
    shown: tuple[Setting, ...]
    folded: tuple[Setting, ...] = ()
    """Those that have their defaults, and are out of sight."""


@dataclass(slots=True)
class Form:
    """The settings of a solution and the texts that a person gave; secrets only by name."""

    settings: Settings
    typed: dict[str, str] = field(default_factory=dict)
    """By name: what was given, right or wrong. What is not in it has its default."""
    known_secrets: set[str] = field(default_factory=set)
    """Secrets that were given already."""

    @classmethod
    def filled(
        cls, settings: Settings, given: Mapping[str, object], secrets: Mapping[str, object]
    ) -> tuple[Form, tuple[str, ...]]:
        """The form with a site's values, and the names among them that it does not ask for."""
        names = {entry.name for entry in settings.settings if entry.type != "secret"}
        typed = {name: as_text(value) for name, value in given.items() if name in names}
        return cls(settings, typed, set(secrets)), tuple(n for n in given if n not in names)

    def text(self, setting: Setting) -> str:
        """What holds for a setting, as text: what was given, else its default."""
        return self.typed.get(setting.name, setting.default or "")

    def take(self, setting: Setting, text: str) -> None:
        """What a person typed; the default typed again counts as not given."""
        if text == (setting.default or ""):
            self.typed.pop(setting.name, None)
        else:
            self.typed[setting.name] = text

    def values(self) -> dict[str, Value]:
        """Every setting but the secrets, with its default where what was typed is refused."""
        values: dict[str, Value] = {}
        for setting in self.settings.settings:
            if setting.type != "secret":
                text = self.text(setting)
                if objection(setting, text):
                    text = setting.default or ""
                values[setting.name] = typed_value(setting, text)
        return values

    def asked(self) -> tuple[Setting, ...]:
        """The settings that apply, given those before them."""
        values = self.values()
        return tuple(setting for setting in self.settings.settings if applies(setting, values))

    def groups(self, unfolded: Collection[str] = ()) -> tuple[Group, ...]:
        """The settings that apply under their headings, what has no default first.

        A short form is one group without a title. In a long one, what has its default is folded
        unless its section is among those unfolded.
        """
        asked = self.asked()
        if len(asked) <= FEW:
            return (Group("", asked),)
        needed = tuple(one for one in asked if one.default is None)
        groups = [Group(NEEDED, needed)] if needed else []
        for title, members in self._sections():
            mine = tuple(one for one in asked if one.name in members and one.default is not None)
            shown = tuple(one for one in mine if title in unfolded or one.name in self.typed)
            if mine:
                groups.append(Group(title, shown, tuple(one for one in mine if one not in shown)))
        return tuple(groups)

    def _sections(self) -> list[tuple[str, set[str]]]:
        """Each section with the names in it; one for everything where the solution has none."""
        begins = {section.first: section.title for section in self.settings.sections}
        found: list[tuple[str, set[str]]] = [("Everything else", set())]
        for setting in self.settings.settings:
            if setting.name in begins:
                found.append((begins[setting.name], set()))
            found[-1][1].add(setting.name)
        return found

    def wrong(self, setting: Setting) -> str:
        """Why a setting cannot stay as it is, as a sentence; empty where it can."""
        if setting.type == "secret":
            return ""
        return objection(setting, self.text(setting))

    def first_wrong(self) -> Setting | None:
        """The first setting that applies and cannot stay as it is."""
        return next((setting for setting in self.asked() if self.wrong(setting)), None)

    def given(self) -> dict[str, object]:
        """What was given and can stand, for the site file."""
        by_name = {setting.name: setting for setting in self.settings.settings}
        return {
            name: typed_value(by_name[name], text)
            for name, text in self.typed.items()
            if not objection(by_name[name], text)
        }

    def options(self, setting: Setting) -> tuple[str, ...]:
        """What there is to choose from; empty where a text is typed."""
        return ("yes", "no") if setting.type == "yes-no" else setting.choices

    def other(self, setting: Setting, by: int) -> str:
        """The option after, or before, the one that holds."""
        options = self.options(setting)
        here = self.text(setting)
        if here not in options:
            return options[0]
        return options[(options.index(here) + by) % len(options)]


def as_text(value: object) -> str:
    """A value of a site file as a person would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
