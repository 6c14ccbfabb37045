"""What a site gives to a recipe: `{{ name }}` in its texts, and lines that hang on a setting.

A value is put in after the file was read as YAML, so it can never become more than the text that
it stands in; the models check that text afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from foundation.problems import InputProblem

Given = str | int | float | bool | None

_PLACE: Final = re.compile(r"\{\{ *([a-z][a-z0-9_]*) *\}\}")
_DEEPEST: Final = 40


def fill_in(raw: Any, values: Mapping[str, Given], *, environment: str | None, where: str) -> Any:
    """A recipe as it was read, with the lines and the texts that values and environment give.

    Raises one InputProblem that names every value that is missing.
    """
    if not isinstance(raw, dict):
        return raw
    missing: set[str] = set()
    found = {}
    for key, lines in raw.items():
        if isinstance(lines, list):
            kept = [line for line in lines if _counts(line, values, environment, missing)]
            found[key] = [_filled(_without_when(line), values, missing) for line in kept]
        else:
            found[key] = _filled(lines, values, missing)
    if missing:
        names = ", ".join(sorted(missing))
        raise InputProblem(
            f"the recipe asks the site for {names}",
            where=where,
            remedy="Name the site file with --site FILE, or give it here: "
            + " ".join(f"--set {name}=…" for name in sorted(missing)),
        )
    return found


def _counts(
    line: Any, values: Mapping[str, Given], environment: str | None, missing: set[str]
) -> bool:
    if not isinstance(line, dict):
        return True
    environments = line.get("environments")
    listed = environments if isinstance(environments, list) else []
    if environment and listed and environment not in listed:
        return False
    condition = line.get("when")
    if not isinstance(condition, str):
        return True
    name = condition.removeprefix("not ").strip()
    if name not in values:
        missing.add(name)
        return False
    return _holds(values[name]) is not condition.startswith("not ")


def _holds(value: Given) -> bool:
    return value if isinstance(value, bool) else str(value or "").lower() not in ("", "no", "false")


def _without_when(line: Any) -> Any:
    # Where it is no text, the model tells of it as a key that it does not know.
    if isinstance(line, dict) and isinstance(line.get("when"), str):
        return {key: value for key, value in line.items() if key != "when"}
    return line


def _filled(value: Any, values: Mapping[str, Given], missing: set[str], depth: int = 0) -> Any:
    if isinstance(value, str):
        return _PLACE.sub(lambda found: _text_of(found[1], values, missing), value)
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [_filled(one, values, missing, depth + 1) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one, values, missing, depth + 1) for key, one in value.items()}
    return value


def _text_of(name: str, values: Mapping[str, Given], missing: set[str]) -> str:
    value = values.get(name)
    if value is None or value == "":
        missing.add(name)
        return "missing"
    return str(value)
