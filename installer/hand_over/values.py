"""The settings of a run in the hand-over report: what they are called, and which say a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.problems import Problem
from installer.catalogue.settings import Value, applies, load_settings, objection, typed_value
from installer.catalogue.stages import Setting
from installer.hand_over.model import Used
from installer.hand_over.words import setting_name
from installer.plans.plan import Plan

_VERSIONS: Final = ("version", "channel", "revision", "release", "tag")
_ADDRESSES: Final = ("domain", "endpoint", "vip_external", "vip_internal", "api_name")
_TYPES: Final = frozenset({"domain", "url", "address"})


@dataclass(frozen=True, slots=True)
class UsedSettings:
    """The settings that a run used, by what they tell; those that do not apply are left out."""

    versions: tuple[Used, ...]
    addresses: tuple[Used, ...]
    others: tuple[Used, ...]


def used_settings(plan: Plan) -> UsedSettings:
    """Sort a plan's settings; their titles come from the solution, where it still knows them."""
    known = _known(plan.solution)
    values = {name: _value(known.get(name), text) for name, text in plan.settings}
    versions, addresses, others = [], [], []
    for name, text in plan.settings:
        setting = known.get(name)
        if not text or (setting is not None and not _applies(setting, values, known)):
            continue
        used = Used(name, setting.title if setting is not None else setting_name(name), text)
        if any(word in name for word in _VERSIONS):
            versions.append(used)
        elif (setting is not None and setting.type in _TYPES) or any(w in name for w in _ADDRESSES):
            addresses.append(used)
        else:
            others.append(used)
    return UsedSettings(tuple(versions), tuple(addresses), tuple(others))


def _applies(setting: Setting, values: dict[str, Value], known: dict[str, Setting]) -> bool:
    """Whether a setting applies, and the one that it hangs on applies too."""
    above = known.get(setting.when.removeprefix("not "))
    if above is not None and above is not setting and not _applies(above, values, known):
        return False
    return applies(setting, values)


def _value(setting: Setting | None, text: str) -> Value:
    if setting is None or objection(setting, text):
        return text
    return typed_value(setting, text)


def _known(solution: str) -> dict[str, Setting]:
    from installer.catalogue.solution import load_solution

    try:
        settings = load_settings(load_solution(solution))
    except Problem:
        return {}  # a run of another version may know a solution that we do not
    return {setting.name: setting for setting in settings.settings}
