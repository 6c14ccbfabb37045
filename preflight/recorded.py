"""Recorded facts: what was seen of machines, as a JSON file that can be judged again elsewhere.

The form is "sitewright.facts/1": the machines in a list, each with its host, its facts in the
lossless form or the problem that prevented them, and when it was seen. A file from elsewhere is
treated as hostile: whatever is wrong with it is one InputProblem that says what and where.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from foundation import bounded_files, problems
from foundation.hosts.model import Host
from foundation.named_files import write_named
from foundation.problems import ConnectionProblem, InputProblem, Problem
from preflight.assessment import Seen
from preflight.facts_json import (
    facts_for_report,
    facts_from_json,
    facts_to_json,
    misfit,
    reader_of,
    record_of,
)

__all__ = [
    "SCHEMA",
    "facts_for_report",
    "facts_from_json",
    "facts_text",
    "facts_to_json",
    "load_facts",
    "save_facts",
    "seen_from_json",
]

SCHEMA: Final = "sitewright.facts/1"

FILE_LIMIT: Final = 128 * 1024 * 1024
"""Bytes; a machine has 10 to 40 kB, so this is thousands of machines."""

_MACHINES: Final = 10_000
_REMEDY: Final = "Give a file that `sitewright facts` wrote."


def facts_text(seen: Sequence[Seen]) -> str:
    """What was seen of machines as the text of a file of recorded facts."""
    record = {"schema": SCHEMA, "machines": [_seen_to_json(one) for one in seen]}
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def save_facts(path: Path, seen: Sequence[Seen], *, overwrite: bool = False) -> None:
    """Write what was seen to a file that only its owner may read, whole or not at all.

    Raises InputProblem where the file cannot be written, or something else stands there.
    """
    # Facts hold serial numbers, users and addresses: for their owner alone.
    write_named(path, facts_text(seen), mode=0o600, overwrite=overwrite)


def load_facts(path: Path) -> list[Seen]:
    """The machines of a file of recorded facts; raises InputProblem with the reason and place."""
    return seen_from_json(_read(path), where=str(path))


def schema_of(path: Path) -> str:
    """What a file of facts says that it is: of machines, or of a cluster."""
    value = _parsed(_read(path), where=str(path), remedy=_REMEDY)
    return str(value.get("schema")) if isinstance(value, dict) else ""


def recorded_value(path: Path, schema: str, *, remedy: str) -> dict[str, Any]:
    """The record of a file that must be of one schema; raises InputProblem."""
    value = _parsed(_read(path), where=str(path), remedy=remedy)
    if not isinstance(value, dict) or value.get("schema") != schema:
        raise InputProblem(f'its schema is not "{schema}"', where=str(path), remedy=remedy)
    return value


def _read(path: Path) -> bytes:
    try:
        return bounded_files.read_bytes(path, FILE_LIMIT)
    except OSError as error:
        raise InputProblem(
            f"the file cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Check the name and the rights of the file.",
        ) from error


def _parsed(raw: bytes, *, where: str, remedy: str) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputProblem(f"it is not JSON{place}", where=where, remedy=remedy) from error


def seen_from_json(raw: bytes, *, where: str) -> list[Seen]:
    """The machines of a recorded text; `where` names it in problems."""
    if len(raw) > FILE_LIMIT:
        raise InputProblem(f"it has more than {FILE_LIMIT} bytes", where=where, remedy=_REMEDY)
    value = _parsed(raw, where=where, remedy=_REMEDY)
    try:
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise misfit("schema", f'"{SCHEMA}"', value)
        machines = value.get("machines")
        if not isinstance(machines, list) or len(machines) > _MACHINES:
            raise misfit("machines", f"a list of at most {_MACHINES} machines", machines)
        if extra := set(value) - {"schema", "machines"}:
            raise misfit(sorted(extra)[0], "no such key", value)
        return [_seen_from_json(one, f"machines[{index}]") for index, one in enumerate(machines)]
    except InputProblem as problem:
        raise InputProblem(
            f"{problem.where}: {problem.cause}", where=where, remedy=_REMEDY
        ) from problem
    except RecursionError as error:
        raise InputProblem("the values are nested too deeply", where=where) from error


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
    record = record_of(value, where, {"host", "seen_at", "seconds", "problem", "facts"})
    host = record_of(
        record.get("host"),
        f"{where}.host",
        {"name", "address", "port", "user", "roles", "bastion", "machine"},
    )
    facts = record.get("facts")
    machine = reader_of(str | None)(host.get("machine"), f"{where}.host.machine")
    if machine not in {None, "vm", "physical"}:
        raise misfit(f"{where}.host.machine", '"vm" or "physical"', machine)
    port = reader_of(int)(host.get("port", 22), f"{where}.host.port")
    if not 1 <= port <= 65535:
        raise misfit(f"{where}.host.port", "a port", port)
    return Seen(
        host=Host(
            name=reader_of(str)(host.get("name"), f"{where}.host.name"),
            address=reader_of(str)(host.get("address"), f"{where}.host.address"),
            port=port,
            user=reader_of(str | None)(host.get("user"), f"{where}.host.user"),
            roles=reader_of(tuple[str, ...])(host.get("roles", []), f"{where}.host.roles"),
            bastion=reader_of(str | None)(host.get("bastion"), f"{where}.host.bastion"),
            machine=machine,
        ),
        facts=None if facts is None else facts_from_json(facts, where=f"{where}.facts"),
        problem=_problem(record.get("problem"), f"{where}.problem"),
        seen_at=moment_of(record.get("seen_at"), f"{where}.seen_at"),
        seconds=reader_of(float)(record.get("seconds", 0.0), f"{where}.seconds"),
    )


def _problem(value: Any, where: str) -> Problem | None:
    """The problem of a machine that could not be seen, of its own class where that is known."""
    if value is None:
        return None
    record = record_of(value, where, {"code", "title", "where", "cause", "remedy"})
    text = reader_of(str | None)
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


def moment_of(value: Any, where: str) -> datetime | None:
    """A moment of a recorded file, with its time zone; None where it has none."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(reader_of(str)(value, where))
        if moment.tzinfo is None:
            raise misfit(where, "a moment with its time zone", value)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise misfit(where, "a moment such as 2027-01-31T12:00:00+00:00", value) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
