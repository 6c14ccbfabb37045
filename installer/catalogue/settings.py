"""Settings: the values that a solution asks of a site, checked as they are typed.

A value is a text, a whole number or yes/no. A secret is never a value here: it is known by name,
asked for when it is needed, and has no place in a site file.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from foundation.documents import load_yaml
from foundation.problems import InputProblem
from foundation.wording import nearest
from installer.catalogue.stages import Setting, Settings
from installer.sites.site import FILL_IN

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution

Value = str | int | bool
Given = str | int | float | bool | None

_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_SCP_LIKE: Final = re.compile(r"[a-z_][a-z0-9_-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s:]+")
_OPTION: Final = re.compile(r"(?:^|,)\s*-")
_YES: Final = frozenset({"yes", "true", "on", "y"})
_NO: Final = frozenset({"no", "false", "off", "n"})
_LONGEST: Final = 4096
"""Characters; a longer answer is something else that was pasted."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The settings of a site, whole: every setting has a value, secrets have names only."""

    values: dict[str, Value] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Those that this site needs, in the order of the file."""

    def holds(self, condition: str) -> bool:
        """Whether a `when` holds: empty, a setting that is true or filled in, or `not` one."""
        return _holds(condition, self.values)


def load_settings(solution: Solution) -> Settings:
    """The settings that a solution asks for; none where it has no settings.yaml."""
    return _read(solution.folder / "settings.yaml")


@cache
def _read(path: Path) -> Settings:
    if not path.exists():
        return Settings(settings=())
    settings = load_yaml(Settings, path)
    names: set[str] = set()
    for setting in settings.settings:
        mistake = _mistake_in(setting, names)
        if mistake:
            raise InputProblem(
                f'the setting "{setting.name}" {mistake}', where=str(path), remedy="Mend the file."
            )
        names.add(setting.name)
    for section in settings.sections:
        if section.first not in names:
            raise InputProblem(
                f'the section "{section.title}" begins with "{section.first}", which is no setting',
                where=str(path),
                remedy="Mend the file.",
            )
    return settings


def _mistake_in(setting: Setting, before: set[str]) -> str:
    if setting.name in before:
        return "stands twice"
    condition = setting.when.removeprefix("not ")
    if condition and condition not in before:
        return f'hangs on "{condition}", which does not stand before it'
    if (setting.type == "choice") != bool(setting.choices):
        return "has choices exactly where its type is choice"
    if setting.type == "secret" and setting.default is not None:
        return "is a secret and has a default"
    if setting.default:
        wrong = objection(setting, setting.default)
        return f"has a default that it refuses: {wrong}" if wrong else ""
    return ""


def objection(setting: Setting, typed: str) -> str:
    """Why a typed text is no value for a setting, as one sentence; empty where it is one.

    The text may be unfinished, since it is asked at every key.
    """
    if len(typed) > _LONGEST:
        return f"This is {len(typed)} characters long; nothing longer than {_LONGEST} is meant."
    text = typed if setting.type == "secret" else typed.strip()
    if not text:
        return "" if setting.default == "" else "This cannot be left empty."
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        return "It has a line break or a control character in it; write it on one line."
    wrong = _TYPES[setting.type](setting, text)
    if wrong:
        return wrong
    if setting.pattern and not re.fullmatch(setting.pattern, text):
        return f"This is not of the form that is meant{_example(setting)}."
    return ""


def _example(setting: Setting) -> str:
    return f"; write it as {setting.example}" if setting.example else ""


def _text(setting: Setting, text: str) -> str:
    # Many are words of a command somewhere, alone or one after another.
    if _OPTION.search(text):
        return "No word of it begins with a dash: a program would take it for an option."
    return ""


def _anything(setting: Setting, text: str) -> str:
    return ""


def _number(setting: Setting, text: str) -> str:
    return "" if re.fullmatch(r"-?[0-9]{1,15}", text) else "This is not a whole number."


def _yes_no(setting: Setting, text: str) -> str:
    return "" if text.lower() in _YES | _NO else "Answer yes or no."


def _choice(setting: Setting, text: str) -> str:
    if text in setting.choices:
        return ""
    close = nearest(text.lower(), setting.choices)
    hint = f' Did you mean "{close}"?' if close else ""
    return f"Choose one of: {', '.join(setting.choices)}.{hint}"


def _address(setting: Setting, text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if "/" in text:
            return "This is a network; one address is meant, without the slash."
        return "This is not an IP address, such as 10.10.0.20."
    return ""


def _network(setting: Setting, text: str) -> str:
    if "/" not in text:
        return "A network ends in a slash and the length of its prefix, such as 10.10.0.0/16."
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "This is not a network, such as 10.10.0.0/16."
    address = text.partition("/")[0]
    if ipaddress.ip_address(address) != network.network_address:
        return f"{address} is a machine in a network; the network is {network}."
    return ""


def _domain(setting: Setting, text: str) -> str:
    if "://" in text or "/" in text:
        return "Write the name alone, without https:// and without a path."
    if text != text.lower():
        return f"Write it in small letters: {text.lower()}."
    if text.endswith("."):
        return "Leave the dot at the end out."
    labels = text.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            shown = f'"{label}"' if label else "an empty part"
            return (
                f"A name is made of letters, digits and hyphens between dots; {shown} is not that."
            )
    if len(labels) < 2:
        return "A domain has at least one dot, such as pm4ml.example.org."
    if len(text) > 253:
        return "A domain has at most 253 characters."
    return "This is an IP address; a domain is meant." if labels[-1].isdigit() else ""


def _url(setting: Setting, text: str) -> str:
    if " " in text:
        return "An address on the web has no spaces in it."
    if _SCP_LIKE.fullmatch(text):
        return ""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return "This is not an address on the web, such as https://git.example.org/site.git."
    if parts.scheme not in ("http", "https", "ssh"):
        return "It begins with https://, http:// or ssh://."
    if not parts.hostname:
        return f"After {parts.scheme}:// comes the name of a machine."
    if parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        # A program that is told such a name would take it for an option.
        return "No name of a machine and no login begins with a dash."
    if parts.password is not None:
        return "There is a password in it; leave it out, it is asked for apart."
    return ""


_TYPES: Final = {
    "text": _text,
    "secret": _anything,
    "number": _number,
    "yes-no": _yes_no,
    "choice": _choice,
    "address": _address,
    "network": _network,
    "domain": _domain,
    "url": _url,
}


def typed_value(setting: Setting, text: str) -> Value:
    """A text that `objection` has nothing against, as the value it stands for."""
    stripped = text.strip()
    if setting.type == "number" and stripped:
        return int(stripped)
    if setting.type == "yes-no":
        return stripped.lower() in _YES
    return stripped


def applies(setting: Setting, values: Mapping[str, Value]) -> bool:
    """Whether a setting is to be asked for, given those before it."""
    return _holds(setting.when, values)


def _holds(condition: str, values: Mapping[str, Value]) -> bool:
    name = condition.removeprefix("not ")
    if not name:
        return True
    return bool(values.get(name)) is not condition.startswith("not ")


def answers(
    settings: Settings,
    given: Mapping[str, Given],
    *,
    where: str | None = None,
    remedy: str = "Mend what is named under `settings:` in the site file.",
) -> Answers:
    """All settings with the site's values and the defaults; raises one InputProblem.

    It names every setting that is missing, unknown, refused, or a secret in the wrong place.
    """
    mistakes = _strangers(settings, given)
    values: dict[str, Value] = {}
    secrets: list[str] = []
    for setting in settings.settings:
        wanted = applies(setting, values)
        if setting.type == "secret":
            if wanted:
                secrets.append(setting.name)
            continue
        value = given.get(setting.name)
        if value == FILL_IN:
            if wanted:
                mistakes.append(
                    f'"{setting.name}" ({setting.title}) is still to be filled in{_like(setting)}'
                )
            values[setting.name] = typed_value(setting, setting.default or "")
            continue
        if value is None:
            if setting.default is None and wanted:
                mistakes.append(f'"{setting.name}" ({setting.title}) is missing{_like(setting)}')
            values[setting.name] = typed_value(setting, setting.default or "")
            continue
        text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        wrong = objection(setting, text)
        if wrong:
            mistakes.append(f'"{setting.name}" is {text!r}: {wrong[0].lower()}{wrong[1:-1]}')
        else:
            values[setting.name] = typed_value(setting, text)
    if mistakes:
        raise InputProblem("; ".join(mistakes), where=where, remedy=remedy)
    return Answers(values, tuple(secrets))


def left_open(settings: Settings, given: Mapping[str, Given]) -> tuple[str, ...]:
    """The settings that are still to be filled in, of those that the others ask for."""
    values: dict[str, Value] = {}
    names = {setting.name for setting in settings.settings}
    left = [name for name, value in given.items() if value == FILL_IN and name not in names]
    for setting in settings.settings:
        value = given.get(setting.name)
        text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        if value is None or value == FILL_IN or objection(setting, text):
            text = setting.default or ""
        if value == FILL_IN and applies(setting, values):
            left.append(setting.name)
        values[setting.name] = typed_value(setting, text)
    return tuple(left)


def _like(setting: Setting) -> str:
    return f", such as {setting.example}" if setting.example else ""


def _strangers(settings: Settings, given: Mapping[str, Given]) -> list[str]:
    by_name = {setting.name: setting for setting in settings.settings}
    mistakes = []
    for name in given:
        setting = by_name.get(name)
        if setting is None:
            close = nearest(name, by_name)
            hint = f'; did you mean "{close}"?' if close else ""
            mistakes.append(f'there is no setting "{name}"{hint}')
        elif setting.type == "secret":
            mistakes.append(f'"{name}" is a secret and does not belong in a file; it is asked for')
    return mistakes
