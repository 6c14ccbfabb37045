"""Recorded facts: what was seen of machines, as JSON that can be judged again elsewhere.

The form "sitewright.facts/1" is lossless: a leaf is the plain value, `{"absent": true}`, or
`{"unknown": "the reason"}`. What is read back is treated as hostile: sizes are bounded, strings
lose what cannot be shown, and whatever does not fit the types is one InputProblem that says where.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
import types
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from foundation import problems
from foundation.hosts.model import Host
from foundation.problems import ConnectionProblem, InputProblem, Problem
from preflight.assessment import Seen
from preflight.facts import ABSENT, Absent, Address, Facts, Unknown
from preflight.parse.text import decoded

SCHEMA: Final = "sitewright.facts/1"

FILE_LIMIT: Final = 128 * 1024 * 1024
"""Bytes; a machine has 10 to 40 kB, so this is thousands of machines."""

_MACHINES: Final = 10_000
_ITEMS: Final = 20_000
_CHARACTERS: Final = 4_096

_Read = Callable[[Any, str], Any]


def facts_to_json(facts: Facts) -> dict[str, Any]:
    """The facts of one machine as plain values for JSON, from which they can be had back."""
    written: dict[str, Any] = _written(facts)
    return written


def facts_from_json(value: dict[str, Any], *, where: str = "facts") -> Facts:
    """The facts that `facts_to_json` wrote; raises InputProblem naming the key that does not fit."""
    try:
        facts: Facts = _reader(Facts)(value, where)
    except RecursionError as error:
        raise InputProblem("the values are nested too deeply", where=where) from error
    return facts


def save_facts(path: Path, seen: Sequence[Seen]) -> None:
    """Write what was seen to a file that only its owner may read, whole or not at all.

    Raises InputProblem where the file cannot be written.
    """
    text = json.dumps(
        {"schema": SCHEMA, "machines": [_seen_to_json(one) for one in seen]},
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
    )
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            written = Path(file.name)
            try:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
                written.replace(path)
            except BaseException:
                written.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise InputProblem(
            f"the file cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Name a file in a folder that exists and that you may write to.",
        ) from error


def load_facts(path: Path) -> list[Seen]:
    """The machines of a file of recorded facts; raises InputProblem with the reason and place."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise InputProblem(
            f"the file cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Check the name and the rights of the file.",
        ) from error
    return seen_from_json(raw, where=str(path))


def seen_from_json(raw: bytes, *, where: str) -> list[Seen]:
    """The machines of a recorded text; `where` names it in problems."""
    if len(raw) > FILE_LIMIT:
        raise InputProblem(f"it has more than {FILE_LIMIT} bytes", where=where, remedy=_REMEDY)
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputProblem(f"it is not JSON{place}", where=where, remedy=_REMEDY) from error
    try:
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise _misfit("schema", f'"{SCHEMA}"', value)
        machines = value.get("machines")
        if not isinstance(machines, list) or len(machines) > _MACHINES:
            raise _misfit("machines", f"a list of at most {_MACHINES} machines", machines)
        if extra := set(value) - {"schema", "machines", "comment"}:
            raise _misfit(sorted(extra)[0], "no such key", value)
        return [_seen_from_json(one, f"machines[{index}]") for index, one in enumerate(machines)]
    except InputProblem as problem:
        raise InputProblem(
            f"{problem.where}: {problem.cause}", where=where, remedy=_REMEDY
        ) from problem
    except RecursionError as error:
        raise InputProblem("the values are nested too deeply", where=where) from error


def facts_for_report(facts: Facts) -> dict[str, Any]:
    """The facts in the flat form of the report's JSON.

    What is unknown or absent is null; "unknown" gives the reasons and "absent" the names, by
    paths such as "memory.installed_bytes" and "nics.eth0.speed_mbps".
    """
    unknown: dict[str, str] = {}
    absent: list[str] = []

    def flat(value: Any, path: str) -> Any:
        if isinstance(value, Unknown):
            unknown[path] = value.reason
            return None
        if isinstance(value, Absent):
            absent.append(path)
            return None
        if isinstance(value, Address):
            return str(value)
        if dataclasses.is_dataclass(value):
            return {
                field.name: flat(getattr(value, field.name), f"{path}.{field.name}")
                for field in dataclasses.fields(value)
            }
        if isinstance(value, tuple):
            return [
                flat(one, f"{path}.{getattr(one, 'name', '') or index}")
                for index, one in enumerate(value)
            ]
        if isinstance(value, frozenset):
            return sorted(value)
        if isinstance(value, dict):
            return {key: flat(one, f"{path}.{key}") for key, one in value.items()}
        return value

    shown: dict[str, Any] = {"hostname": flat(facts.identity.hostname, "hostname")}
    for name in ("os", "cpu", "memory", "disks", "arrays", "filesystems"):
        shown[name] = flat(getattr(facts, name), name)
    for field in dataclasses.fields(facts.network):
        shown[field.name] = flat(getattr(facts.network, field.name), field.name)
    for name in ("kernel", "firewall", "time", "identity", "software", "commands"):
        shown[name] = flat(getattr(facts, name), name)
    shown["notes"] = list(facts.notes)
    shown["probe_seconds"] = facts.probe_seconds
    shown["unknown"] = unknown
    shown["absent"] = absent
    return shown


_REMEDY: Final = "Give a file that `sitewright facts` wrote."


def _written(value: Any) -> Any:
    if isinstance(value, Absent):
        return {"absent": True}
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    if dataclasses.is_dataclass(value):
        return {
            field.name: _written(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {key: _written(one) for key, one in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    return value


def _seen_to_json(seen: Seen) -> dict[str, Any]:
    host = seen.host
    return {
        "host": {
            "name": host.name,
            "address": host.address,
            "port": host.port,
            "user": host.user,
            "roles": list(host.roles),
            "bastion": host.bastion,
            "machine": host.machine,
        },
        "seen_at": seen.seen_at.astimezone(UTC).isoformat() if seen.seen_at else None,
        "seconds": seen.seconds,
        "problem": seen.problem.as_dict() if seen.problem else None,
        "facts": facts_to_json(seen.facts) if seen.facts is not None else None,
    }


def _seen_from_json(value: Any, where: str) -> Seen:
    record = _record(value, where, {"host", "seen_at", "seconds", "problem", "facts"})
    host = _record(
        record.get("host"),
        f"{where}.host",
        {"name", "address", "port", "user", "roles", "bastion", "machine"},
    )
    facts = record.get("facts")
    machine = _reader(str | None)(host.get("machine"), f"{where}.host.machine")
    if machine not in {None, "vm", "physical"}:
        raise _misfit(f"{where}.host.machine", '"vm" or "physical"', machine)
    port = _reader(int)(host.get("port", 22), f"{where}.host.port")
    if not 1 <= port <= 65535:
        raise _misfit(f"{where}.host.port", "a port", port)
    return Seen(
        host=Host(
            name=_reader(str)(host.get("name"), f"{where}.host.name"),
            address=_reader(str)(host.get("address"), f"{where}.host.address"),
            port=port,
            user=_reader(str | None)(host.get("user"), f"{where}.host.user"),
            roles=_reader(tuple[str, ...])(host.get("roles", []), f"{where}.host.roles"),
            bastion=_reader(str | None)(host.get("bastion"), f"{where}.host.bastion"),
            machine=machine,
        ),
        facts=None if facts is None else facts_from_json(facts, where=f"{where}.facts"),
        problem=_problem(record.get("problem"), f"{where}.problem"),
        seen_at=_moment(record.get("seen_at"), f"{where}.seen_at"),
        seconds=_reader(float)(record.get("seconds", 0.0), f"{where}.seconds"),
    )


def _problem(value: Any, where: str) -> Problem | None:
    """The problem of a machine that could not be seen, of its own class where that is known."""
    if value is None:
        return None
    record = _record(value, where, {"code", "title", "where", "cause", "remedy"})
    text = _reader(str | None)
    code = text(record.get("code"), f"{where}.code")
    known = {
        one.code: one
        for one in vars(problems).values()
        if isinstance(one, type) and issubclass(one, ConnectionProblem)
    }
    return known.get(code or "", ConnectionProblem)(
        text(record.get("cause"), f"{where}.cause") or "",
        where=text(record.get("where"), f"{where}.where"),
        remedy=text(record.get("remedy"), f"{where}.remedy"),
    )


def _moment(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(_reader(str)(value, where))
        if moment.tzinfo is None:
            raise _misfit(where, "a moment with its time zone", value)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _misfit(where, "a moment such as 2027-01-31T12:00:00+00:00", value) from error


def _record(value: Any, where: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _misfit(where, "a record", value)
    if extra := set(value) - names:
        raise InputProblem(f"there is no such key as {_shown(min(extra))}", where=where)
    return value


def _misfit(where: str, wanted: str, value: Any) -> InputProblem:
    return InputProblem(f"{wanted} is wanted, found is {_shown(value)}", where=where)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a record" if isinstance(value, dict) else "a list"
    return decoded(repr(value)[:60].encode("utf-8", "replace"))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _misfit(where, "a text", value)
    if len(value) > _CHARACTERS:
        raise InputProblem(f"a text of more than {_CHARACTERS} characters", where=where)
    return decoded(value.encode("utf-8", "replace"))


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63:
        raise _misfit(where, "a whole number", value)
    return value


def _real(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _misfit(where, "a number", value)
    if abs(value) >= 1 << 63 or not math.isfinite(value):
        raise _misfit(where, "a number of usual size", value)
    return float(value)


def _yes_or_no(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _misfit(where, "true or false", value)
    return value


def _unknown(value: Any, where: str) -> Unknown:
    return Unknown(_text(value, where))


_PLAIN: Final[dict[Any, _Read]] = {str: _text, int: _whole, float: _real, bool: _yes_or_no}


@cache
def _reader(kind: Any) -> _Read:
    """The function that reads a value of a type of preflight.facts from plain JSON values."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _read_union(arguments)
    if origin in {tuple, frozenset}:
        return _read_many(origin, _reader(arguments[0]))
    if origin is dict:
        return _read_mapping(_reader(arguments[1]))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _read_choice(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind)
    raise TypeError(f"facts may not have values of {kind}")


def _read_union(arguments: tuple[Any, ...]) -> _Read:
    fact = Absent in arguments
    optional = type(None) in arguments
    (inner,) = (one for one in arguments if one not in {Absent, Unknown, type(None)})
    read = _reader(inner)

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


def _read_many(origin: Any, read: _Read) -> _Read:
    def many(value: Any, where: str) -> Any:
        if not isinstance(value, list) or len(value) > _ITEMS:
            raise _misfit(where, f"a list of at most {_ITEMS} things", value)
        return origin(read(one, f"{where}[{index}]") for index, one in enumerate(value))

    return many


def _read_mapping(read: _Read) -> _Read:
    def mapping(value: Any, where: str) -> Any:
        if not isinstance(value, dict) or len(value) > _ITEMS:
            raise _misfit(where, f"a record of at most {_ITEMS} keys", value)
        return {_text(key, where): read(one, f"{where}.{key[:60]}") for key, one in value.items()}

    return mapping


def _read_choice(kind: type[StrEnum]) -> _Read:
    words = {one.value: one for one in kind}

    def choice(value: Any, where: str) -> Any:
        if not isinstance(value, str) or value not in words:
            raise _misfit(where, f"one of {', '.join(words)}", value)
        return words[value]

    return choice


def _read_dataclass(kind: type[Any]) -> _Read:
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    readers = {name: _reader(hints[name]) for name in fields}
    needed = [
        field.name
        for field in fields.values()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]

    def record(value: Any, where: str) -> Any:
        found = _record(value, where, set(fields))
        for name in needed:
            if name not in found:
                raise InputProblem(f'the key "{name}" is missing', where=where)
        return kind(**{name: readers[name](one, f"{where}.{name}") for name, one in found.items()})

    return record
