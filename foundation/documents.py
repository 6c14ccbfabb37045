"""Documents: YAML files read strictly, and told apart from what they should be in plain words.

Words mean what YAML 1.2 says and people expect: `no` is text, and so is 0255 or 12:30.

A duplicate key, an unknown key, a wrong type or a broken line becomes one InputProblem that names
the file, the line, the key and the nearest key that would have been right.
"""

from __future__ import annotations

import copy
import errno
import math
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, RootModel, ValidationError

from foundation import bounded_files
from foundation.problems import InputProblem
from foundation.wording import nearest
from foundation.yaml_depth import Shallow, TooMany, check_size

Model = TypeVar("Model", bound=BaseModel)


class Mistakes(InputProblem):
    """A document with mistakes in it; `lines` has each with its line, 0 where that is not known."""

    lines: tuple[tuple[int, str], ...] = ()


SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes; a file of answers larger than this is something else."""


class _StrictLoader(Shallow, yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # the base is chosen by whether libyaml was built in
    """The safe loader, which also refuses a key given twice."""

    def get_single_node(self) -> yaml.Node | None:
        """The one document; refused where it holds, or its aliases stand for, too many values."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            check_size(node)
        return node


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
    merges = any(key.tag.endswith(":merge") for key, _ in node.value)
    loader.flatten_mapping(node)
    # In a merge the later of two keys is meant to win; elsewhere one of them would be lost.
    made = dict(yaml.constructor.SafeConstructor.construct_mapping(loader, node, deep=True))
    if not merges and len(made) < len(node.value):
        raise yaml.constructor.ConstructorError(
            None, None, "two of its keys are the same value in other words", node.start_mark
        )
    return made


_CORE: Final[tuple[tuple[str, str, str], ...]] = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"0|-?[1-9][0-9]*|0o[0-7]+|0x[0-9a-fA-F]+", "-0123456789"),
    (
        "float",
        r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:e[-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
)
"""What a plain word may be beside text: the core schema of YAML 1.2, with the merge key of 1.1.

Of numbers only those that are written as a number is: 0255, +4420, 1_000, 12:30 and 1e3 stay the
text that was typed, where 1.1 reads 173, 4420, 1000, 750 and the core schema 255 and 1000. A field
that takes a number takes such a text too, in decimal."""
_YAML: Final = "tag:yaml.org,2002:"


class _Dumper(yaml.SafeDumper):
    """The safe dumper, which also puts in quotes what only the table takes for a number."""


_MOST_DIGITS: Final = 18
"""A longer number stays text: no field takes it, and Python reads none of thousands of digits."""


_TAGGED: Final = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"0|[-+]?[1-9][0-9]*|-0|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}
"""What a word may be behind a tag: the core schema's, without numbers that begin with a zero."""


def _tagged(loader: _StrictLoader, node: yaml.ScalarNode) -> str:
    """The text of a value; refused where it is none of the tag that somebody wrote before it."""
    text = str(loader.construct_scalar(node))
    kind = node.tag.removeprefix(_YAML)
    if re.fullmatch(_TAGGED[kind], text) is None:
        raise yaml.constructor.ConstructorError(
            None, None, f"the tag !!{kind} does not fit {text[:40]!r}", node.start_mark
        )
    return text


def _nothing(loader: _StrictLoader, node: yaml.ScalarNode) -> None:
    _tagged(loader, node)


def _truth(loader: _StrictLoader, node: yaml.ScalarNode) -> bool:
    return _tagged(loader, node).lower() == "true"


def _integer(loader: _StrictLoader, node: yaml.ScalarNode) -> int | str:
    text = _tagged(loader, node)
    return text if len(text.lstrip("-")) > _MOST_DIGITS else int(text, 0)


def _merge_word(loader: _StrictLoader, node: yaml.ScalarNode) -> str:
    """`<<` merges as a key; anywhere else it is the text that was typed."""
    return str(loader.construct_scalar(node))


def _real(loader: _StrictLoader, node: yaml.ScalarNode) -> float | str:
    text = _tagged(loader, node)
    if not text[-1:].isdigit():
        return float(yaml.constructor.SafeConstructor.construct_yaml_float(loader, node))
    if re.fullmatch(_CORE[3][1], text) is None and math.isfinite(float(text)):
        return float(text)  # a number by its tag alone, such as 3
    # A version such as 1.10 is not 1.1: what a number would not give back stays text.
    given_back = repr(float(text))
    with_point = given_back if "." in given_back else given_back.replace("e", ".0e")
    return float(text) if text in (given_back, with_point) else text


_StrictLoader.yaml_implicit_resolvers = {}
_Dumper.yaml_implicit_resolvers = {
    letter: list(resolvers) for letter, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
for _name, _pattern, _letters in _CORE:
    for _side in (_StrictLoader, _Dumper):
        _side.add_implicit_resolver(
            _YAML + _name,
            re.compile(rf"^(?:{_pattern})$"),
            [*_letters, *([""] if _name == "null" else [])],
        )
for _name in ("timestamp", "binary", "omap", "pairs", "set"):
    # Tags of YAML 1.1, which the core schema does not have.
    _StrictLoader.add_constructor(
        _YAML + _name, yaml.constructor.SafeConstructor.construct_undefined
    )
_StrictLoader.add_constructor(_YAML + "null", _nothing)
_StrictLoader.add_constructor(_YAML + "bool", _truth)
_StrictLoader.add_constructor(_YAML + "int", _integer)
_StrictLoader.add_constructor(_YAML + "float", _real)
_StrictLoader.add_constructor(_YAML + "merge", _merge_word)
_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _other_file(path: Path) -> str:
    """What to do where a file is not there: the one beside it that is called nearly so."""
    try:
        beside = [one.name for one in islice(path.parent.iterdir(), _BESIDE)]
    except FileNotFoundError:
        return f"There is no folder {path.parent} either; check the name."
    except OSError:  # a folder whose list is for others
        beside = []
    close = nearest(path.name, beside)
    meant = f' Did you mean "{path.with_name(close)}"?' if close else ""
    return f"Check the name and the folder.{meant}"


_BESIDE: Final = 1000
"""Files of a folder among which a mistyped name is looked for."""


def read_text(path: Path) -> str:
    """The text of a file that a person named; raises InputProblem with the reason if unreadable."""
    try:
        return bounded_files.read_text(path, SIZE_LIMIT)
    except FileNotFoundError as error:
        raise InputProblem(
            "there is no such file", where=str(path), remedy=_other_file(path)
        ) from error
    except UnicodeDecodeError as error:
        raise InputProblem(
            "the file is not UTF-8 text",
            where=str(path),
            remedy="Save it as UTF-8 text, or check that this is the file you meant.",
        ) from error
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise InputProblem(
                f"{error.strerror}; a file of answers has at most {SIZE_LIMIT}",
                where=str(path),
                remedy="Check that this is the file you meant.",
            ) from error
        raise InputProblem(
            f"the file cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Check the name and the rights of the file.",
        ) from error


def parse_yaml(text: str, *, where: str) -> Any:
    """The value of a YAML text; `where` names it in problems."""
    if found := _BREAKS_OF_OLD.search(text):
        number = text.count("\n", 0, found.start()) + 1
        raise InputProblem(
            f"line {number}: it has the sign U+{ord(found[0]):04X}, which ends a line in YAML 1.1"
            " and is text in 1.2",
            where=where,
            remedy="Take that sign out; an editor shows it as a blank, or not at all.",
        )
    _refuse_other_version(text, where)
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputProblem(
            f"{line}{_in_words(error)}",
            where=where,
            remedy="Take the tag out; a secret is asked for, and is no part of this file."
            if _TAG.search(str(error.problem))
            else "Mend that line; indentation is two spaces, never a tab.",
        ) from error
    except TooMany as error:
        raise InputProblem(
            str(error), where=where, remedy="Check that this is the file you meant."
        ) from error
    except RecursionError as error:
        raise InputProblem(
            "it is not YAML of ours: it is nested too deep",
            where=where,
            remedy="Check that this is the file you meant.",
        ) from error
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, TypeError) as error:
        # The last three are what the library raises for a tag that its value does not fit.
        known = isinstance(error, (yaml.YAMLError, ValueError))
        why = str(error) if known else "a tag and its value differ"
        raise InputProblem(
            f"it is not YAML: {why}", where=where, remedy="Check that this is the file you meant."
        ) from error


def _refuse_other_version(text: str, where: str) -> None:
    """Refuse a file that says of itself that its words mean something else: `%YAML 1.1`."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), start=1):
        found = re.match(r"%YAML\s+(\S+)", line)
        if found is not None and found[1] != "1.2":
            raise InputProblem(
                f"line {number}: the file says that it is YAML {found[1][:20]}, and it would be "
                "read as YAML 1.2, where `yes`, `no`, `on` and `off` are text and 0255 and 12:30 "
                "are no other numbers than they look like",
                where=where,
                remedy="Take that line out, and write true and false where yes and no are meant.",
            )
        if line.strip() and not line.startswith(("#", "%")):
            return


_BREAKS_OF_OLD: Final = re.compile("[\u0085\u2028\u2029]")


_TAG: Final = re.compile(r"could not determine a constructor for the tag '(.*)'", re.DOTALL)


def _in_words(error: yaml.MarkedYAMLError) -> str:
    said = error.problem or error.context or "it is not YAML"
    if found := _TAG.search(str(said)):
        return f"the tag {found[1].replace(_YAML, '!!')[:80]} means nothing in this file"
    if said == "but found another document":
        return "a second document begins there, and the file is read as one"
    return str(said)


def dump_yaml(value: Any, **style: Any) -> str:
    """A value as YAML that `parse_yaml`, and a reader of YAML 1.1, read as the same value."""

    def dumped(*, as_it_is: bool) -> str:
        return str(
            yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=as_it_is, **style)
        )

    text = dumped(as_it_is=True)
    return dumped(as_it_is=False) if _BREAKS_OF_OLD.search(text) else text


def _node_at(text: str, location: Sequence[int | str]) -> tuple[yaml.Node | None, int | None]:
    """The node at a place and its line, found by walking the tree; as near as it can be found.

    The node is None where the place itself is missing.
    """
    try:
        node = yaml.compose(text, Loader=_StrictLoader)
    except yaml.YAMLError:
        return None, None
    line: int | None = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                return None, line
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = node.start_mark.line + 1
        # Any other part is a name that pydantic adds for a branch of a union.
    return node, line


def _as_typed(value: Any, error: ValidationError, text: str) -> Any:
    """The value with each number that stands where text is meant as it was typed; None if none."""
    mended = False
    for item in error.errors(include_url=False):
        got, location = item.get("input"), item["loc"]
        if (
            item["type"] != "string_type"
            or isinstance(got, bool)
            or not isinstance(got, (int, float))
        ):
            continue
        node, _ = _node_at(text, location)
        if not isinstance(node, yaml.ScalarNode):
            continue
        if not mended:
            value, mended = copy.deepcopy(value), True
        place = value
        try:
            for part in location[:-1]:
                place = place[part]
            if place[location[-1]] == got:
                place[location[-1]] = node.value
        except (LookupError, TypeError):
            continue
    return value if mended else None


def _fields_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that would have been right at a place, as far as the models tell."""
    if issubclass(model, RootModel):
        return []  # what it is made of is no model
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
        try:
            return model.model_validate(value)
        except ValidationError as error:
            typed = _as_typed(value, error, text) if text else None
            if typed is None:
                raise
            return model.model_validate(typed)
    except ValidationError as error:
        found = error.errors(include_url=False)
        lines = [
            ((line_of(text, item["loc"]) if text else None) or 0, _sentence(model, item))
            for item in found
            if not _is_short_of_another(item, found)
        ]
        problem = Mistakes(
            "; ".join((f"line {line}: " if line else "") + says for line, says in lines),
            where=where,
            remedy="Mend what is named; `sitewright schema` prints every key there is.",
        )
        problem.lines = tuple(lines)
        raise problem from error


def _is_short_of_another(item: Any, found: Sequence[Any]) -> bool:
    """Whether a list is short only of what is refused in it beside this."""
    place = item["loc"]
    return item["type"] == "too_short" and any(
        one is not item and one["loc"][: len(place)] == place for one in found)  # fmt: skip


def line_of(text: str, location: Sequence[int | str]) -> int | None:
    """The line of a place in a YAML text, or of what is nearest above it; None without any."""
    return _node_at(text, location)[1]


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", type(None): "empty", int: "a number", bool: "yes or no"}
    return names.get(type(value), type(value).__name__)


_NO_SUCH_KEY: Final = ("extra_forbidden", "unexpected_keyword_argument")
"""As pydantic calls it, of a model and of a dataclass."""
_NO_LIST: Final = frozenset({"tuple_type", "list_type", "set_type", "frozen_set_type"})
"""As pydantic calls what is no list, by what the list becomes here."""


def _sentence(model: type[BaseModel], item: Any) -> str:
    # A key that is refused is told by its own name.
    location = [part for part in item["loc"] if part != "[key]"]
    path = ""
    for part in location:
        path += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if path else str(part))
    if item["type"] in _NO_SUCH_KEY or _is_of_a_few(item):
        word = str(location[-1])
        allowed = _fields_at(model, location[:-1]) or _words_of(item)
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
    if item["type"] in _NO_LIST:
        message = "it should be a list"
    got = item.get("input")
    if isinstance(got, str):
        # A login in an address may be why it is refused, and is for nobody's screen or log.
        got = re.sub(r"//[^/\s]*@", "//…@", got)
    got = str(got).lower() if isinstance(got, bool) else got
    shown = f", and it is {got!r}" if isinstance(got, (str, int, float, bool)) else ""
    if not path:
        return f"{message[:1].lower()}{message[1:]}"
    return f'"{path}": {message[:1].lower()}{message[1:]}{shown}'


def _is_of_a_few(item: Any) -> bool:
    """Whether a key is refused where only a few words can be keys."""
    return (
        bool(item["loc"])
        and item["loc"][-1] == "[key]"
        and item["type"] in ("enum", "literal_error")
    )


def _words_of(item: Any) -> list[str]:
    return re.findall(r"'([^']+)'", str(item.get("ctx", {}).get("expected", "")))


def load_yaml(model: type[Model], path: Path) -> Model:
    """A YAML file as a model; raises InputProblem."""
    text = read_text(path)
    return validate(model, parse_yaml(text, where=str(path)), where=str(path), text=text)
