"""Documents: YAML files read strictly, and told apart from what they should be in plain words.

A duplicate key, an unknown key, a wrong type or a broken line becomes one InputProblem that names
the file, the line, the key and the nearest key that would have been right.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from foundation.problems import InputProblem

Model = TypeVar("Model", bound=BaseModel)

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes; a file of answers larger than this is something else."""


class _StrictLoader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # the base is chosen by whether libyaml was built in
    """The safe loader, which also refuses a key given twice."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
            continue
        line = key_node.start_mark.line + 1
        if key_node.value in seen:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f'the key "{key_node.value}" stands twice (first in line {seen[key_node.value]})',
                key_node.start_mark,
            )
        seen[key_node.value] = line
    loader.flatten_mapping(node)
    return dict(yaml.constructor.SafeConstructor.construct_mapping(loader, node, deep=True))


# YAML 1.1 takes on, off, yes and no for truth values, which turns a key `on` into True.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in _StrictLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_text(path: Path) -> str:
    """The text of a file that a person named; raises InputProblem with the reason if unreadable."""
    try:
        size = path.stat().st_size
        if size > SIZE_LIMIT:
            raise InputProblem(
                f"the file has {size} bytes; a file of answers has at most {SIZE_LIMIT}",
                where=str(path),
                remedy="Check that this is the file you meant.",
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputProblem(
            "there is no such file", where=str(path), remedy="Check the name and the folder."
        ) from error
    except UnicodeDecodeError as error:
        raise InputProblem(
            "the file is not UTF-8 text",
            where=str(path),
            remedy="Save it as UTF-8 text, or check that this is the file you meant.",
        ) from error
    except OSError as error:
        raise InputProblem(
            f"the file cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Check the name and the rights of the file.",
        ) from error


def parse_yaml(text: str, *, where: str) -> Any:
    """The value of a YAML text; `where` names it in problems."""
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputProblem(
            f"{line}{error.problem or error.context or 'it is not YAML'}",
            where=where,
            remedy="Mend that line; indentation is two spaces, never a tab.",
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputProblem(
            f"it is not YAML: {error}", where=where, remedy="Check that this is the file you meant."
        ) from error


def _line_of(text: str, location: Sequence[int | str]) -> int | None:
    """The line on which a value stands, found by walking the node tree; None if it is missing."""
    try:
        node = yaml.compose(text, Loader=_StrictLoader)
    except yaml.YAMLError:
        return None
    line: int | None = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = node.start_mark.line + 1
        # Any other part is a name that pydantic adds for a branch of a union.
    return line


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word of a list that a mistyped one most likely meant, or None."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return close[0] if close else None


def _fields_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that would have been right at a place, as far as the models tell."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return []
        field = next(
            (f for name, f in current.model_fields.items() if part in (name, f.alias)), None
        )
        if field is None:
            return []
        current = _model_in(field.annotation)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [f.alias or name for name, f in current.model_fields.items()]
    return []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def validate(model: type[Model], value: Any, *, where: str, text: str = "") -> Model:
    """A value as a model; raises one InputProblem that names every mistake with its line."""
    if not isinstance(value, dict):
        raise InputProblem(
            f"it should be a list of keys and values, and it is {_kind(value)}",
            where=where,
            remedy="Begin with a line such as `solution: pm4ml`.",
        )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        mistakes = []
        for item in error.errors(include_url=False):
            location = item["loc"]
            line = _line_of(text, location) if text else None
            mistakes.append((f"line {line}: " if line else "") + _sentence(model, item))
        raise InputProblem(
            "; ".join(mistakes),
            where=where,
            remedy="Mend what is named; `sitewright schema` prints every key there is.",
        ) from error


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", type(None): "empty", int: "a number", bool: "yes or no"}
    return names.get(type(value), type(value).__name__)


def _sentence(model: type[BaseModel], item: Any) -> str:
    location = list(item["loc"])
    path = ""
    for part in location:
        path += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if path else str(part))
    if item["type"] == "extra_forbidden":
        word = str(location[-1])
        allowed = _fields_at(model, location[:-1])
        close = nearest(word, allowed)
        hint = (
            f'; did you mean "{close}"?'
            if close
            else (f" (the keys are {', '.join(allowed)})" if allowed else "")
        )
        return f'there is no key "{path}"{hint}'
    if item["type"] == "missing":
        return f'the key "{path}" is missing'
    message = item["msg"].removeprefix("Value error, ")
    got = item.get("input")
    shown = f", and it is {got!r}" if isinstance(got, (str, int, float, bool)) else ""
    if not path:
        return f"{message[:1].lower()}{message[1:]}"
    return f'"{path}": {message[:1].lower()}{message[1:]}{shown}'


def load_yaml(model: type[Model], path: Path) -> Model:
    """A YAML file as a model; raises InputProblem."""
    text = read_text(path)
    return validate(model, parse_yaml(text, where=str(path)), where=str(path), text=text)
