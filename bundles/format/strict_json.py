"""JSON from outside: bounded, without duplicate keys, checked against a model."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bundles.format.problems import HostileBundle
from foundation.problems import Problem

Model = TypeVar("Model", bound=BaseModel)


def parse_json(
    raw: bytes, *, where: str, limit: int, problem: type[Problem] = HostileBundle
) -> Any:
    """The value of a JSON text of at most `limit` bytes; raises the given class of problem."""
    if len(raw) > limit:
        raise problem(f"it has more than {limit} bytes", where=where)
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise problem(f"it is not JSON that can be read: {error}", where=where) from error


def parse_model(
    model: type[Model],
    raw: bytes,
    *,
    where: str,
    limit: int,
    problem: type[Problem] = HostileBundle,
) -> Model:
    """A JSON text as a model; raises the given class of problem with what is wrong first."""
    value = parse_json(raw, where=where, limit=limit, problem=problem)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise problem(
            f"{place}: {first['msg'].removeprefix('Value error, ')}", where=where
        ) from error


def canonical_json(value: Any) -> bytes:
    """A value as JSON that is always the same bytes, and that a person can read."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def digest_of(data: bytes) -> str:
    """The OCI digest of bytes: sha256:…"""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
