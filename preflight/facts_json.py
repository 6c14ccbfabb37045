"""Facts as plain values for JSON: lossless to keep and read again, or flat for a report.

In the lossless form a leaf is the plain value, `{"absent": true}`, or `{"unknown": "the reason"}`.
What is read back is treated as hostile: sizes are bounded, strings lose what cannot be shown, and
whatever does not fit the types is one InputProblem that says where.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from foundation.problems import InputProblem
from preflight.cluster.facts import ClusterFacts
from preflight.facts import ABSENT, Absent, Address, Facts, Unknown
from preflight.parse.text import decoded

_ITEMS: Final = 20_000
_CHARACTERS: Final = 4_096

Read = Callable[[Any, str], Any]
"""Reads a plain value; the text says where it stands."""


def facts_to_json(facts: Facts) -> dict[str, Any]:
    """The facts of one machine as plain values for JSON, from which they can be had back."""
    record: dict[str, Any] = written(facts)
    return record


def facts_from_json(value: dict[str, Any], *, where: str = "facts") -> Facts:
    """The facts that `facts_to_json` wrote; raises InputProblem naming the key that misfits."""
    try:
        facts: Facts = reader_of(Facts)(value, where)
    except RecursionError as error:
        raise InputProblem("the values are nested too deeply", where=where) from error
    return facts


def facts_for_report(facts: Facts) -> dict[str, Any]:
    """The facts of a machine in the flat form of the report's JSON; see `Flat`."""
    leaves = Flat()
    flat = leaves.flat
    shown: dict[str, Any] = {"hostname": flat(facts.identity.hostname, "hostname")}
    for name in ("os", "cpu", "memory", "disks", "arrays", "filesystems"):
        shown[name] = flat(getattr(facts, name), name)
    for field in dataclasses.fields(facts.network):
        shown[field.name] = flat(getattr(facts.network, field.name), field.name)
    for name in ("kernel", "firewall", "time", "identity", "software", "commands", "docker",
                 "certificates"):  # fmt: skip
        shown[name] = flat(getattr(facts, name), name)
    shown["notes"] = list(facts.notes)
    shown["probe_seconds"] = facts.probe_seconds
    shown["unknown"] = leaves.unknown
    shown["absent"] = leaves.absent
    return shown


def cluster_facts_for_report(facts: ClusterFacts) -> dict[str, Any]:
    """The facts of a cluster in the same flat form."""
    leaves = Flat()
    shown: dict[str, Any] = {
        field.name: leaves.flat(getattr(facts, field.name), field.name)
        for field in dataclasses.fields(facts)
    }
    return {**shown, "unknown": leaves.unknown, "absent": leaves.absent}


class Flat:
    """Facts in the flat form of the report's JSON.

    What is unknown or absent is null; "unknown" gives the reasons and "absent" the names, by
    paths such as "memory.installed_bytes" and "nics.eth0.speed_mbps".
    """

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}
        self.absent: list[str] = []

    def flat(self, value: Any, path: str) -> Any:
        """One value, with whatever is in it; the path names it."""
        if isinstance(value, Unknown):
            self.unknown[path] = value.reason
            return None
        if isinstance(value, Absent):
            self.absent.append(path)
            return None
        if isinstance(value, Address):
            return str(value)
        names = _names(type(value))
        if names:
            return {name: self.flat(getattr(value, name), f"{path}.{name}") for name in names}
        if isinstance(value, tuple):
            return [
                self.flat(one, f"{path}.{getattr(one, 'name', '') or index}")
                for index, one in enumerate(value)
            ]
        if isinstance(value, frozenset):
            return sorted(value)
        if isinstance(value, dict):
            return {key: self.flat(one, f"{path}.{key}") for key, one in value.items()}
        return value


def _names(kind: type) -> tuple[str, ...]:
    """The fields of a record; none where it is none."""
    # There are some forty kinds, and hundreds of each in the facts of one machine.
    if kind not in _FIELDS:
        record = dataclasses.is_dataclass(kind)
        _FIELDS[kind] = tuple(each.name for each in dataclasses.fields(kind)) if record else ()
    return _FIELDS[kind]


_FIELDS: Final[dict[type, tuple[str, ...]]] = {}


def written(value: Any) -> Any:
    """A fact, or a record of facts, as plain values for JSON."""
    if isinstance(value, Absent):
        return {"absent": True}
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    if names := _names(type(value)):
        return {name: written(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [written(one) for one in value]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {key: written(one) for key, one in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    return value


def record_of(value: Any, where: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise misfit(where, "a record", value)
    if extra := set(value) - names:
        raise InputProblem(f"there is no such key as {_shown(min(extra))}", where=where)
    return value


def misfit(where: str, wanted: str, value: Any) -> InputProblem:
    return InputProblem(f"{wanted} is wanted, found is {_shown(value)}", where=where)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a record" if isinstance(value, dict) else "a list"
    return decoded(repr(value)[:60].encode("utf-8", "replace"))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise misfit(where, "a text", value)
    if len(value) > _CHARACTERS:
        raise InputProblem(f"a text of more than {_CHARACTERS} characters", where=where)
    return decoded(value.encode("utf-8", "replace"))


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63:
        raise misfit(where, "a whole number", value)
    return value


def _real(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise misfit(where, "a number", value)
    if abs(value) >= 1 << 63 or not math.isfinite(value):
        raise misfit(where, "a number of usual size", value)
    return float(value)


def _yes_or_no(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise misfit(where, "true or false", value)
    return value


def _unknown(value: Any, where: str) -> Unknown:
    return Unknown(_text(value, where))


_PLAIN: Final[dict[Any, Read]] = {str: _text, int: _whole, float: _real, bool: _yes_or_no}


@cache
def reader_of(kind: Any) -> Read:
    """The function that reads a value of a type of preflight.facts from plain JSON values."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _read_union(arguments)
    if origin in {tuple, frozenset}:
        return _read_many(origin, reader_of(arguments[0]))
    if origin is dict:
        return _read_mapping(reader_of(arguments[1]))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _read_choice(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind)
    raise TypeError(f"facts may not have values of {kind}")


def _read_union(arguments: tuple[Any, ...]) -> Read:
    fact = Absent in arguments
    optional = type(None) in arguments
    (inner,) = (one for one in arguments if one not in {Absent, Unknown, type(None)})
    read = reader_of(inner)

    def union(value: Any, where: str) -> Any:
        if optional and value is None:
            return None
        if fact and isinstance(value, dict) and len(value) == 1:
            if value.get("absent") is True:
                return ABSENT
            if "unknown" in value:
                return _unknown(value["unknown"], where)
        return read(value, where)

    return union


def _read_many(origin: Any, read: Read) -> Read:
    def many(value: Any, where: str) -> Any:
        if not isinstance(value, list) or len(value) > _ITEMS:
            raise misfit(where, f"a list of at most {_ITEMS} things", value)
        return origin(read(one, f"{where}[{index}]") for index, one in enumerate(value))

    return many


def _read_mapping(read: Read) -> Read:
    def mapping(value: Any, where: str) -> Any:
        if not isinstance(value, dict) or len(value) > _ITEMS:
            raise misfit(where, f"a record of at most {_ITEMS} keys", value)
        return {_text(key, where): read(one, f"{where}.{key[:60]}") for key, one in value.items()}

    return mapping


def _read_choice(kind: type[StrEnum]) -> Read:
    words = {one.value: one for one in kind}

    def choice(value: Any, where: str) -> Any:
        if not isinstance(value, str) or value not in words:
            raise misfit(where, f"one of {', '.join(words)}", value)
        return words[value]

    return choice


def _read_dataclass(kind: type[Any]) -> Read:
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    readers = {name: reader_of(hints[name]) for name in fields}
    needed = [
        field.name
        for field in fields.values()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]

    def record(value: Any, where: str) -> Any:
        found = record_of(value, where, set(fields))
        for name in needed:
            if name not in found:
                raise InputProblem(f'the key "{name}" is missing', where=where)
        return kind(**{name: readers[name](one, f"{where}.{name}") for name, one in found.items()})

    return record
