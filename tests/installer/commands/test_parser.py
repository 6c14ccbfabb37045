"""What the parser takes: every command that is advised anywhere, and a login's options."""

from __future__ import annotations

import ast
import functools
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.cli import COMMANDS, build_parser, main

ROOT = Path(__file__).parents[3]
FLOORS = ("foundation", "preflight", "bundles", "installer", "screens")
_HOLE = "HOLE"
"""What a program, or a template, puts in later."""
_NAMES = "|".join(sorted(map(re.escape, COMMANDS), key=len, reverse=True))
_WORD = r"(?:--[a-z][a-z-]*|[A-Z][A-Z_]*(?:=[A-Z]+)?|[\w./:~-]+\.(?:yaml|html|json|txt)|'[^']*')"
_LINE = re.compile(rf"(?<![\w./`-])sitewright ((?:{_NAMES})(?![\w-])(?: {_WORD})*)")
_QUOTED = re.compile(r"`sitewright ([^`]+)`")
_SAYS_LESS = ("required", "expected one argument", f"'{_HOLE}'")
"""Of a command that is only named, or whose words the program knows alone, not all is told."""


def _text(node: ast.AST) -> str | None:
    """A text of the source with a hole for each value; None for what is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return "".join(_text(one) or "" for one in node.values)
        case ast.FormattedValue():
            return _HOLE
        case ast.BinOp(op=ast.Add()):
            left, right = _text(node.left), _text(node.right)
            return None if left is right is None else f"{left or _HOLE}{right or _HOLE}"
    return None


def _texts() -> Iterator[tuple[str, str]]:
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*")):
            if path.suffix not in (".py", ".yaml", ".yml", ".sh"):
                continue
            source = path.read_text("utf-8")
            if "sitewright " not in source:
                continue
            place = str(path.relative_to(ROOT))
            if path.suffix != ".py":
                source = re.sub(r"\n\s*# ", " ", source)
                yield place, re.sub(r"\{\{.*?\}\}|\$\w+|\$\{\w+\}", _HOLE, source)
                continue
            todo: list[ast.AST] = [ast.parse(source)]
            while todo:
                node = todo.pop()
                text = _text(node)
                if text is None:
                    todo += ast.iter_child_nodes(node)
                elif "sitewright " in text:
                    yield place, text


@functools.cache
def _parser(command: str) -> ArgumentParser:
    return build_parser(command, alone=True)


def _why_not(line: str) -> str:
    """Why the command does not take these words; "" where it does, as far as they are told."""
    words = [word.rstrip(".,;:") for word in shlex.split(line)]
    two = " ".join(words[:2])
    words = [two, *words[2:]] if two in COMMANDS else words
    if words[0] not in COMMANDS:
        return "" if _HOLE in words[0] else "no command"
    try:
        left = _parser(words[0]).parse_known_args(words)[1]
    except InputProblem as problem:
        return "" if any(word in problem.cause for word in _SAYS_LESS) else problem.cause
    return " ".join(word for word in left if _HOLE not in word)


def test_every_command_that_is_advised_is_one_that_is_taken() -> None:
    wrong, seen = [], set()
    for place, text in _texts():
        line = " ".join(text.split())
        found = [one[1] for one in _QUOTED.finditer(line) if "|" not in one[1]]
        found += [one[1] for one in _LINE.finditer(_QUOTED.sub("", line))]
        wrong += [f"{place}: sitewright {one}: {why}" for one in found if (why := _why_not(one))]
        seen |= set(found)
    assert not wrong
    assert len(seen) > 80


@pytest.mark.parametrize(
    "line", ["report RUN --site x.yaml", "install --hurry", "resum", "verify --site x --solution y"]
)
def test_one_that_would_be_refused_is_found(line: str) -> None:
    assert _why_not(line)


@pytest.mark.parametrize("command", ["report", "replay", "support-bundle"])
def test_who_names_a_run_is_not_told_to_name_its_site_too(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "20261120-1f3a", "site.yaml"]) == 2
    assert "--site" not in capsys.readouterr().err
    assert main(["verify", "--solution", "miniloop", "site.yaml"]) == 2
    assert "--site" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [["install"], ["resume"], ["facts"], ["trust"],
                                     ["bundle", "deliver", "b"]])  # fmt: skip
@pytest.mark.parametrize("seconds", ["-5", "0", "nan", "inf", "soon"])
def test_a_login_waits_for_a_time_that_is_one(command: list[str], seconds: str) -> None:
    parser = build_parser(command[0])
    with pytest.raises(InputProblem, match="connect-timeout"):
        parser.parse_args([*command, "--site", "site.yaml", "--connect-timeout", seconds])
