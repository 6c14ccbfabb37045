"""YAML as Helm and kubectl read it, for manifests and charts that other people wrote.

Text stays text: a lone `=`, a tag that nobody knows, a date, `yes`, which is true for Helm alone.
Numbers are those of go-yaml.
A document that is broken loses only itself, and is told with its line. Aliases that unfold to more
than anybody ever wrote are told as well, and nothing of them is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import yaml

from bundles.format import budgets
from foundation.yaml_depth import Shallow

_TAG: Final = "tag:yaml.org,2002:"
MOST_VALUES: Final = budgets.YAML_VALUES
_MARK: Final = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.M)
_NULL: Final = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL: Final = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT: Final = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT: Final = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN))$"
)
_GENERAL: Final = 6
"""Digits before the point from which on Go's %v writes an exponent."""


class _Loader(Shallow, yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # the base is chosen by whether libyaml was built in
    """The safe loader with the schema that Kubernetes' own programs use."""

    by_helm = False


def _plain(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return _mapping(loader, node)


def _mapping(loader: _Loader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    merged: dict[Any, Any] = {}
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        value = loader.construct_object(value_node, deep=True)
        if key_node.tag == f"{_TAG}merge":
            # As values, not as lists of nodes, which would double with every level.
            for one in value if isinstance(value, list) else [value]:
                merged = {**(one if isinstance(one, dict) else {}), **merged}
            continue
        key = loader.construct_object(key_node, deep=True)
        if loader.by_helm and isinstance(key, bool):
            key = str(key).lower()  # it goes on with JSON, in which a name is a text
        found[key if isinstance(key, Hashable) and not isinstance(key, tuple) else str(key)] = value
    return {**merged, **found}


def _int(_loader: _Loader, node: yaml.ScalarNode) -> int | float | str:
    text = node.value.replace("_", "")
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    base = 10
    for head, of in (("0b", 2), ("0o", 8), ("0x", 16)):
        if digits.startswith(head):
            digits, base = digits[2:], of
    if base == 10 and len(digits) > 1 and digits[0] == "0" and re.fullmatch("[0-7]+", digits):
        base = 8
    try:
        return sign * int(digits, base)
    except ValueError:
        return str(node.value)  # nothing but underscores, or more digits than anybody reads


def _float(_loader: _Loader, node: yaml.ScalarNode) -> float | str:
    text = node.value.replace("_", "").lower()
    try:
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return str(node.value)


_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
    ("merge", re.compile(r"^<<$"), ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _name, _pattern, _first)
_Loader.yaml_constructors = {}
_Loader.yaml_multi_constructors = {}
_Loader.add_multi_constructor("", _plain)
_Loader.add_constructor(None, lambda loader, node: _plain(loader, "", node))
_Loader.add_constructor(_TAG + "null", lambda _loader, _node: None)
_Loader.add_constructor(_TAG + "bool", lambda _loader, node: node.value.lower() == "true")
_Loader.add_constructor(_TAG + "int", _int)
_Loader.add_constructor(_TAG + "float", _float)


class _Values(_Loader):
    """The same with the booleans of YAML 1.1, which Helm knows in values and in Chart.yaml."""

    by_helm = True


_OLD_TRUE: Final = frozenset(("y", "yes", "on", "true"))
_OLD_BOOL: Final = re.compile(
    r"^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|true|True|TRUE|false|False|FALSE)$"
)
_Values.add_implicit_resolver(_TAG + "old", _OLD_BOOL, list("yYnNoOtTfF"))


def _old(_loader: _Values, node: yaml.ScalarNode) -> bool:
    return node.value.lower() in _OLD_TRUE


_Values.add_constructor(_TAG + "old", _old)


@dataclass(frozen=True, slots=True)
class Broken:
    """A document that is no YAML: its text, the line where it begins, and what is wrong."""

    text: str
    line: int
    why: str

    @property
    def is_template(self) -> bool:
        """Whether it is meant for another program first, such as Helm."""
        return "{{" in self.text or "{%" in self.text


@dataclass(frozen=True, slots=True)
class Documents:
    """What a text of YAML holds."""

    values: tuple[Any, ...]
    broken: tuple[Broken, ...] = ()

    @property
    def mapping(self) -> dict[Any, Any]:
        """The first document, if it is a mapping; else an empty one."""
        first = self.values[0] if self.values else None
        return first if isinstance(first, dict) else {}


def read_documents(
    text: str | bytes, *, most: int = MOST_VALUES, by_helm: bool = False
) -> Documents:
    """All documents of a text; never raises, whatever it holds.

    `most` are the values that one of them may hold, with all that its aliases stand for. What Helm
    reads itself (`by_helm`: values, Chart.yaml) has the booleans of YAML 1.1: yes, on, off, n.
    """
    loader = _Values if by_helm else _Loader
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", "replace")
    values: list[Any] = []
    broken: list[Broken] = []
    for piece, line in _pieces(text.removeprefix("\ufeff")):
        if not piece.strip():
            continue
        try:
            value = yaml.load(piece, Loader=loader)  # noqa: S506 - a subclass of the safe loader
        except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
            mark = getattr(error, "problem_mark", None)
            why = getattr(error, "problem", None) or str(error).partition("\n")[0]
            broken.append(Broken(piece, line + (mark.line if mark else 0), str(why)))
            continue
        if is_bomb(value, most):
            broken.append(Broken(piece, line, "it unfolds to too much"))
        elif value is not None:
            values.append(value)
    return Documents(tuple(values), tuple(broken))


def _pieces(text: str) -> list[tuple[str, int]]:
    """The texts of the documents with the lines where they begin, from 1."""
    # At the start of a line these signs end a document in any case, even inside its strings.
    found = []
    begin = 0
    for mark in [*_MARK.finditer(text), None]:
        end = mark.start() if mark else len(text)
        piece = text[begin:end]
        lines = piece.lstrip().splitlines()
        if not (lines and all(line.startswith(("%", "#")) or not line for line in lines)):
            found.append((piece, text.count("\n", 0, begin) + 1))
        begin = mark.end() if mark else end
    return found


def is_bomb(value: Any, most: int = MOST_VALUES) -> bool:
    """Whether a value unfolds, through YAML's aliases, to more than a person ever wrote."""
    open_ends = [value]
    for _ in range(most):
        if not open_ends:
            return False
        one = open_ends.pop()
        if isinstance(one, dict):
            open_ends += one.values()
        elif isinstance(one, list):
            open_ends += one
    return True


def helm_text(value: Any) -> str:
    """A value as a template of Helm prints it: numbers are floats there (1.10 is 1.1)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _go_number(value)
    return "" if value is None else str(value)


def _go_number(value: int | float) -> str:
    try:
        number = float(value)
    except OverflowError:
        return "+Inf"
    if not math.isfinite(number):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(repr(number), "NaN")
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    written = "".join(map(str, digits))
    assert isinstance(exponent, int)  # noqa: S101 - only infinities have words there
    power = exponent + len(written) - 1
    head = "-" if sign else ""
    if number == 0:
        return "0"
    if -4 <= power < _GENERAL:
        return head + format(Decimal(written).scaleb(exponent), "f")
    tail = f".{written[1:]}" if len(written) > 1 else ""
    return f"{head}{written[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
