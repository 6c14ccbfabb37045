"""What the product prints for a person to paste: texts of its code and data, found by reading it.

A text is whole: strings that stand together or are added up, with `{}` where a value goes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
FOLDERS = ("foundation", "preflight", "bundles", "installer", "screens")
SPOKEN = frozenset({"remedy", "undo", "msg", "fail_msg", "what_to_do"})
"""Keys of data whose words a person is told."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A text, and the file it is from, as a path in the repository."""

    file: str
    text: str


def printed() -> Iterator[Printed]:
    """Every text of the code, and of the data those that a person is told."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for text in _texts(ast.parse(path.read_text())):
                yield Printed(str(path.relative_to(ROOT)), text)
        for path in sorted([*(ROOT / folder).rglob("*.yaml"), *(ROOT / folder).rglob("*.yml")]):
            try:
                read = list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
            except yaml.YAMLError:  # a template of a chart, which says nothing to a person
                continue
            for text in _spoken(read):
                yield Printed(str(path.relative_to(ROOT)), text)


def _spoken(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _spoken(one)
    elif isinstance(value, dict):
        told = [text for key in SPOKEN if isinstance(text := value.get(key), str)]
        if told and isinstance(commands := value.get("commands"), list):
            told = ["\n".join([*told, *map(str, commands)])]
        yield from told
        for one in value.values():
            yield from _spoken(one)


def _texts(node: ast.AST) -> Iterator[str]:
    whole = _whole(node)
    if whole is not None:
        yield whole
        for inner in ast.walk(node):
            if isinstance(inner, ast.FormattedValue):
                yield from _texts(inner.value)
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        yield from _texts(child)


def _whole(node: ast.AST) -> str | None:
    """The text of an expression that makes one; of two ways both."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_whole(part) or "{}" for part in parts)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            halves = _whole(left), _whole(right)
            return None if halves == (None, None) else "".join(half or "{}" for half in halves)
        case ast.IfExp(body=body, orelse=orelse):
            ways = _whole(body), _whole(orelse)
            return None if None in ways else "\n".join(filter(None, ways))
        case ast.Call(func=ast.Attribute(value=value, attr="lstrip" | "strip")):
            return _whole(value)
    return None


def uses(words: str, text: str) -> bool:
    """Whether a text has these words as a command: a pattern that begins at a word."""
    return re.search(rf"(?<![\w-])(?:{words})", text) is not None
